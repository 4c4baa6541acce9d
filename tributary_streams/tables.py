"""The two tables of the streaming core: a stream, and the chunks of its text."""

from datetime import datetime
from enum import StrEnum
from typing import NewType, assert_never

from sqlalchemy import Text
from sqlmodel import Field, SQLModel

from tributary_streams.columns import UtcDateTime, new_id, string_enum, utc_now

StreamId = NewType("StreamId", str)


class StreamStatus(StrEnum):
    """The status of a stream: `pending`, then `streaming`, then one of the four terminal ones, for good."""

    PENDING = "pending"
    STREAMING = "streaming"
    DONE = "done"
    ERROR = "error"
    TIMEOUT = "timeout"
    STOPPED = "stopped"

    @property
    def is_terminal(self) -> bool:
        """Whether the stream has ended; a terminal status never changes."""
        match self:
            case StreamStatus.PENDING | StreamStatus.STREAMING:
                return False
            case StreamStatus.DONE | StreamStatus.ERROR | StreamStatus.TIMEOUT | StreamStatus.STOPPED:
                return True
        assert_never(self)


TERMINAL_STATUSES = frozenset(status for status in StreamStatus if status.is_terminal)
LIVE_STATUSES = frozenset(StreamStatus) - TERMINAL_STATUSES


def new_stream_id() -> StreamId:
    """The id of a new stream."""
    return StreamId(new_id())


class Stream(SQLModel, table=True):
    """One append-only run of text from a model.

    `epoch` grows with each claim and names the writer; `beat` grows with each sign of life from it. `length` is in
    code points and counts what is stored. `holder` names the process that writes. Token counts are the model's own.
    `deltas` counts what came, `chunks` what was stored. `rows_read` counts the chunks that the writer's process read
    for its followers; `lag_ms` is the longest time, in milliseconds, that one took to reach them.
    """

    id: str = Field(default_factory=new_stream_id, primary_key=True, max_length=22)
    status: StreamStatus = Field(default=StreamStatus.PENDING, sa_type=string_enum(StreamStatus), index=True)  # pyright: ignore[reportArgumentType]  # SQLModel types sa_type as a class
    reason: str = Field(default="", sa_type=Text)
    epoch: int = 0
    holder: str = ""
    beat: int = 0
    stop_requested: bool = False
    length: int = 0
    deltas: int = 0
    chunks: int = 0
    rows_read: int = 0
    lag_ms: int = 0
    tokens_in: int | None = None
    tokens_out: int | None = None
    model: str = ""
    created: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    started: datetime | None = Field(default=None, sa_type=UtcDateTime)
    first_delta: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Chunk(SQLModel, table=True):
    """A stored piece of a stream's text, at its offset in code points; never changed once written."""

    __table_args__ = {"sqlite_with_rowid": False}  # rows are read in the order of the key

    stream_id: str = Field(primary_key=True, foreign_key="stream.id", max_length=22)
    offset: int = Field(primary_key=True)
    text: str = Field(sa_type=Text)
    created: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
