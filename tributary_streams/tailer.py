"""The tailer: one task per process that polls the tables for all followers here.

Each tick is one statement for all watched streams, then fan-out in memory: fifty followers cost the database as much as
one. A commit of this process wakes the tailer early; the regular tick finds everything else. With nobody watching and
nothing written here, it does not tick at all.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Integer, Select, Text, and_, cast, literal, null, or_, select, union_all
from sqlmodel import col

from tributary_streams.errors import DATABASE_AWAY
from tributary_streams.hub import GrowingText, Hub
from tributary_streams.store import Transactions
from tributary_streams.tables import Chunk, Stream, StreamId, StreamStatus

logger = logging.getLogger(__name__)

ELSEWHERE = 0.25
"""Seconds between ticks while a watched stream is written by another process: no commit of ours wakes us."""
HERE = 0.5
"""Seconds between ticks while a stream is written here: its commits wake us, but a request to stop may come from
another process, and must reach the model within a second."""
IDLE = 1.5
"""Seconds between ticks while something is watched and nothing is live: people must learn within two seconds that they
have lost access."""
DEEPEST = 200
"""The most conditions in one OR: SQLite refuses an expression that is 1,000 deep."""
GATHER = 0.05
"""The least seconds between two ticks, as between two frames: a burst of commits costs one or two statements."""

Row = tuple[str, str, int | None, int | None, str | None]
"""The columns that every probe selects: kind, key, two numbers, a text."""


def probe_row(kind: str, key: Any, number: Any = None, other: Any = None, text: Any = None) -> Select[*tuple[Any, ...]]:
    """A probe's SELECT with the columns that all probes share, so that they fit into one statement."""
    return select(
        literal(kind).label("kind"),
        key.label("key"),
        (cast(null(), Integer) if number is None else number).label("number"),
        (cast(null(), Integer) if other is None else other).label("other"),
        (cast(null(), Text) if text is None else cast(text, Text)).label("text"),
    )


# Built once, because a tick may run several times a second.
_CHUNK = probe_row("chunk", col(Chunk.stream_id), col(Chunk.offset), text=col(Chunk.text))
_STREAM = probe_row(
    "stream",
    col(Stream.id),
    col(Stream.length),
    text=cast(col(Stream.status), Text) + literal(" ") + col(Stream.reason),
)
_STOP = probe_row("stop", col(Stream.id))


class Probe(Protocol):
    """One part of a tick's statement: what it asks, and what takes the answer. No two probes share a kind."""

    kinds: frozenset[str]

    def selects(self) -> Sequence[Select[Any]]:
        """What to ask in this tick; nothing when nothing is watched."""
        ...

    def deliver(self, rows: Sequence[Row], lag: float) -> None:
        """Take this tick's rows of this probe's kinds, possibly none; must not block.

        `lag` is the seconds since the tailer was woken for this tick, 0 for a regular tick.
        """
        ...


@dataclass(frozen=True)
class StreamRow:
    """A stream's row as read by a tick; `length` is how much of its text was stored, in code points."""

    status: StreamStatus
    reason: str
    length: int


class Tail(GrowingText):
    """The stored text of one stream, as far as this process has read it, and its end once that is read too."""

    def __init__(self) -> None:
        super().__init__()
        self.is_read = asyncio.Event()
        """Set after the first read: the text that was stored before is here."""
        self.row: StreamRow | None = None
        """None before the first read, and after the stream was deleted."""
        self.is_gone = False
        """Whether the stream was deleted."""
        self.rows_read = 0
        self.lag = 0.0
        """The longest time that a chunk took from its commit here to this tail, in seconds."""

    @property
    def end(self) -> StreamRow | None:
        """What the stream ended with; None while it may grow."""
        return self.row if self.row is not None and self.row.status.is_terminal else None

    @property
    def is_complete(self) -> bool:
        """Whether nothing more will come."""
        return self.is_gone or (self.end is not None and self.length >= self.end.length)


class ChunkProbe:
    """Asks for new chunks, and the end, of all watched streams."""

    kinds = frozenset({"chunk", "stream"})

    def __init__(self, stored_here: Callable[[StreamId], int | None] = lambda _: None) -> None:
        """`stored_here` gives the committed length of a stream that this process writes; None for any other."""
        self._stored_here = stored_here
        self._tails: dict[StreamId, Tail] = {}
        self._watchers: Counter[StreamId] = Counter()
        self._asked: dict[StreamId, Tail] = {}

    @contextmanager
    def watched(self, stream_id: StreamId) -> Generator[Tail]:
        """Read a stream during the block; all who watch it share one tail."""
        tail = self._tails.setdefault(stream_id, Tail())
        self._watchers[stream_id] += 1
        try:
            yield tail
        finally:
            self._watchers[stream_id] -= 1
            if not self._watchers[stream_id]:
                del self._watchers[stream_id], self._tails[stream_id]

    @property
    def watchers(self) -> int:
        """The number of watchers here; one who watches two streams counts twice."""
        return self._watchers.total()

    def live(self) -> set[StreamId]:
        """The watched streams that may still grow."""
        return {stream_id for stream_id, tail in self._tails.items() if not tail.is_complete}

    def selects(self) -> Sequence[Select[Any]]:
        self._asked = {stream_id: self._tails[stream_id] for stream_id in self.live()}
        if not self._asked:
            return ()
        # Per stream by offset, never "id > last seen": on PostgreSQL rows may commit out of order.
        grown = [
            and_(col(Chunk.stream_id) == stream_id, col(Chunk.offset) >= tail.length)
            for stream_id, tail in self._asked.items()
            if self._may_have_grown(stream_id, tail)
        ]
        return (
            *(_CHUNK.where(or_(*grown[at : at + DEEPEST])) for at in range(0, len(grown), DEEPEST)),
            _STREAM.where(col(Stream.id).in_(self._asked)),
        )

    def _may_have_grown(self, stream_id: StreamId, tail: Tail) -> bool:
        # Most have not: a pending stream has no text, and how far a stream is written here is known. A condition for
        # each would cost more than the rest of the tick. If this is wrong, because another process began the stream or
        # took it over, or because a commit's answer was lost, the stream's row shows it and the next tick asks.
        if tail.row is None or tail.length < tail.row.length:
            return True
        here = self._stored_here(stream_id)
        return tail.row.status != StreamStatus.PENDING if here is None else tail.length < here

    def reads(self, stream_id: StreamId) -> tuple[int, float]:
        """How many chunks of a watched stream were read, and their longest lag in seconds; zeros for any other."""
        tail = self._tails.get(stream_id)
        return (0, 0.0) if tail is None else (tail.rows_read, tail.lag)

    def deliver(self, rows: Sequence[Row], lag: float) -> None:
        seen: dict[StreamId, StreamRow] = {}
        chunks: dict[StreamId, list[tuple[int, str]]] = {}
        for kind, key, number, _, text in rows:
            assert number is not None
            assert text is not None
            if kind == "chunk":
                chunks.setdefault(StreamId(key), []).append((number, text))
            else:
                status, _, reason = text.partition(" ")
                seen[StreamId(key)] = StreamRow(StreamStatus(status), reason, number)
        for stream_id, tail in self._asked.items():
            is_first = not tail.is_read.is_set()
            tail.row = seen.get(stream_id)
            tail.is_gone = tail.row is None
            tail.is_read.set()
            pieces = sorted(chunks.get(stream_id, ()))
            new = "".join(text for _, text in pieces)
            tail.rows_read += len(pieces)
            tail.lag = max(tail.lag, lag if pieces and not is_first else 0.0)
            if new or is_first or tail.is_complete:
                tail.grow(new)


class StopProbe:
    """Asks whether any process has requested a stop of the streams that are written here."""

    kinds = frozenset({"stop"})

    def __init__(self, hub: Hub, stop: Callable[[StreamId], None]) -> None:
        self._hub = hub
        self._stop = stop

    def selects(self) -> Sequence[Select[Any]]:
        written = self._hub.written_here()
        if not written:
            return ()
        return (_STOP.where(col(Stream.id).in_(written), col(Stream.stop_requested)),)

    def deliver(self, rows: Sequence[Row], lag: float) -> None:  # noqa: ARG002  # a probe's signature
        for _, key, *_ in rows:
            self._stop(StreamId(key))


class Tailer:
    """Polls the tables. `run` is its task."""

    def __init__(
        self,
        transactions: Transactions,
        hub: Hub,
        *,
        probes: Sequence[Probe] = (),
        stop: Callable[[StreamId], None] = lambda _: None,
        stored_here: Callable[[StreamId], int | None] = lambda _: None,
        has_changed: Callable[[], Awaitable[bool]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        transactions: where the tables are.
        hub: knows which streams are written here.
        probes: what else the application asks in the same statement.
        stop: called for a stream written here that somebody asked to stop.
        stored_here: the committed length, in code points, of a stream that is written here, as its flusher knows it.
            Without it, each tick asks for the text of all watched streams that have begun and not ended.
        has_changed: a cheaper check than the statement, made first when nothing is live. Without it, every tick runs
            the statement.
        clock: monotonic seconds.
        """
        self.chunks = ChunkProbe(stored_here)
        self._hub = hub
        self._probes: tuple[Probe, ...] = (self.chunks, StopProbe(hub, stop), *probes)
        self._transactions = transactions
        self._has_changed = has_changed
        self._clock = clock
        self._woken = asyncio.Event()
        self._woken_at = clock()
        self._ticked_at = -math.inf
        self.ticks = 0
        """The number of statements so far."""

    def wake(self) -> None:
        """Read soon: something was committed here, or somebody began to watch."""
        if not self._woken.is_set():
            self._woken_at = self._clock()
            self._woken.set()

    @contextmanager
    def watched(self, stream_id: StreamId) -> Generator[Tail]:
        """Follow a stream's stored text from its beginning, during the block."""
        with self.chunks.watched(stream_id) as tail:
            if not tail.is_read.is_set():
                self.wake()
            yield tail

    async def run(self) -> None:
        """Tick for ever."""
        while True:
            woken = await self._wait()
            try:
                if not woken and self._pace() == IDLE and not await self._may_have_changed():
                    continue
                await self.tick(self._woken_at if woken else None)
            except DATABASE_AWAY as error:
                logger.warning("the tables cannot be read (%s); trying again", type(error).__name__)
                await asyncio.sleep(HERE)
                self.wake()
            except Exception:
                logger.exception("a tick failed")
                await asyncio.sleep(HERE)
                self.wake()

    async def tick(self, woken_at: float | None = None) -> None:
        """Run one statement for all that is watched, then fan out; `woken_at` is when something here asked for it."""
        selects = [select for probe in self._probes for select in probe.selects()]
        if not selects:
            return
        self.ticks += 1
        self._ticked_at = self._clock()
        async with self._transactions.read() as session:
            rows: list[Row] = [tuple(row) for row in (await session.execute(union_all(*selects))).all()]  # pyright: ignore[reportAssignmentType]  # the columns of probe_row
        lag = 0.0 if woken_at is None else self._clock() - woken_at
        for probe in self._probes:
            probe.deliver([row for row in rows if row[0] in probe.kinds], lag)

    async def _may_have_changed(self) -> bool:
        return self._has_changed is None or await self._has_changed()

    def _pace(self) -> float | None:
        live, here = self.chunks.live(), self._hub.written_here()
        if live - here:
            return ELSEWHERE
        if here:
            return HERE
        return IDLE if any(probe.selects() for probe in self._probes) else None

    async def _wait(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pace()):
                await self._woken.wait()
            await asyncio.sleep(max(0.0, self._ticked_at + GATHER - self._clock()))
        woken = self._woken.is_set()
        self._woken.clear()
        return woken
