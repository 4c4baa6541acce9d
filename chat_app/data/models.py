"""The application's tables: people, threads, messages, and the attempts that answer them."""

from datetime import date, datetime
from enum import StrEnum

from pydantic import ConfigDict, field_validator
from sqlalchemy import BigInteger, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from chat_app.settings import MODEL_LENGTH
from tributary_streams import Granularity, UtcDateTime, new_id, string_enum, utc_now


class Role(StrEnum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


class ReplyMode(StrEnum):
    """Which messages of a thread the AI answers."""

    MENTION = "mention"
    ALWAYS = "always"


class Visibility(StrEnum):
    """Who finds a thread: everybody in their list, anybody with its address, or only its members."""

    OPEN = "open"
    LINK = "link"
    PRIVATE = "private"


class MemberRole(StrEnum):
    """What a member of a thread may do."""

    OWNER = "owner"
    MEMBER = "member"
    VIEWER = "viewer"


class SessionKind(StrEnum):
    """What identifies a person: a browser's cookie, or the bearer token of a script."""

    COOKIE = "cookie"
    BEARER = "bearer"


class AttemptKind(StrEnum):
    """What an attempt is: the first answer, a new answer, or the continuation of one."""

    FIRST = "first"
    RETRY = "retry"
    CONTINUE = "continue"


class User(SQLModel, table=True):
    """A person. `key` is the name as compared: two people never share one. `hue` is in degrees.

    `renamed` is when they last changed their name or hue.
    """

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=60)
    key: str = Field(max_length=60, unique=True)
    hue: int = 0
    created: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    renamed: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


class Session(SQLModel, table=True):
    """A browser or a script of a person. `hash` is the SHA-256 of its secret; the secret itself is not stored.

    `name` is what its owner calls a token; a cookie has none. An ended session stays, so that its secret never
    identifies anybody again, and open connections learn of the end.
    """

    hash: str = Field(primary_key=True, max_length=64)
    user_id: int = Field(foreign_key="user.id", index=True)
    kind: SessionKind = Field(default=SessionKind.COOKIE, sa_type=string_enum(SessionKind))  # pyright: ignore[reportArgumentType]
    name: str = Field(default="", max_length=60)
    seen: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    ended: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


class ThreadSettings(SQLModel):
    """What the owner of a thread can set for its next replies; "" means the server's setting.

    `reply_mode` says which messages the AI answers, `model` which model does, and `granularity` in what pieces
    followers get a reply (a value of `Granularity`). Validation raises `ValidationError` for an unknown name.
    """

    model_config = ConfigDict(extra="forbid")  # pyright: ignore[reportAssignmentType]  # SQLModel has a type of its own

    reply_mode: ReplyMode = Field(default=ReplyMode.MENTION, sa_type=string_enum(ReplyMode))  # pyright: ignore[reportArgumentType]  # SQLModel types sa_type as a class
    model: str = Field(default="", max_length=MODEL_LENGTH)
    granularity: str = Field(default="", max_length=16)

    @field_validator("granularity")
    @classmethod
    def _is_granularity(cls, granularity: str) -> str:
        return Granularity(granularity).value if granularity else ""


class Thread(ThreadSettings, table=True):
    """A conversation. `version` grows with every change that its page shows, `last_position` with every message.

    `access_version` grows with every change of who may do what in it. `active` is the time of the last post, `changed`
    that of the last change. A deleted thread is gone for everybody at once; its rows are removed later. `origin` is
    null except for threads that may exist only once, such as the seeded one.
    """

    id: str = Field(default_factory=new_id, primary_key=True, max_length=22)
    title: str = Field(default="", max_length=120)
    owner_id: int = Field(foreign_key="user.id", index=True)
    visibility: Visibility = Field(default=Visibility.OPEN, sa_type=string_enum(Visibility))  # pyright: ignore[reportArgumentType]
    version: int = 0
    access_version: int = 0
    last_position: int = 0
    origin: str | None = Field(default=None, max_length=16, unique=True)
    created: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    active: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime, index=True)
    changed: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime, index=True)
    deleted: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Member(SQLModel, table=True):
    """A person's role in a thread, and the invite by which they joined, if any."""

    thread_id: str = Field(primary_key=True, foreign_key="thread.id", max_length=22)
    user_id: int = Field(primary_key=True, foreign_key="user.id", index=True)
    role: MemberRole = Field(default=MemberRole.MEMBER, sa_type=string_enum(MemberRole))  # pyright: ignore[reportArgumentType]
    invite_id: int | None = Field(default=None, foreign_key="invite.id")


class ReadReceipt(SQLModel, table=True):
    """The position of the last message that a person, member or not, has read in a thread."""

    __tablename__ = "reading"  # pyright: ignore[reportAssignmentType]  # SQLModel declares it as a directive

    user_id: int = Field(primary_key=True, foreign_key="user.id")
    thread_id: str = Field(primary_key=True, foreign_key="thread.id", index=True, max_length=22)
    position: int = 0


class Invite(SQLModel, table=True):
    """A link that makes people members until it expires or is withdrawn; `hash` is the SHA-256 of its secret."""

    id: int | None = Field(default=None, primary_key=True)
    hash: str = Field(max_length=64, unique=True)
    thread_id: str = Field(foreign_key="thread.id", index=True, max_length=22)
    role: MemberRole = Field(default=MemberRole.MEMBER, sa_type=string_enum(MemberRole))  # pyright: ignore[reportArgumentType]
    created: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    expires: datetime = Field(sa_type=UtcDateTime)
    withdrawn: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Message(SQLModel, table=True):
    """One turn in a thread. `version` is the thread's version at the message's last change.

    `attempt` is the number of a reply's current attempt. `edits` counts how often the author has changed a person's
    message. A reply has no author. Its text is stored when its stream ends; until then it is in the stream's chunks.
    """

    __table_args__ = (
        UniqueConstraint("thread_id", "position"),
        UniqueConstraint("thread_id", "author_id", "nonce"),
        Index("ix_message_changes", "thread_id", "version"),
    )

    id: int | None = Field(default=None, primary_key=True)
    thread_id: str = Field(foreign_key="thread.id", max_length=22)
    position: int
    author_id: int | None = Field(default=None, foreign_key="user.id", index=True)
    role: Role = Field(sa_type=string_enum(Role))  # pyright: ignore[reportArgumentType]
    text: str = Field(default="", sa_type=Text)
    nonce: str | None = Field(default=None, max_length=64)
    version: int = 0
    attempt: int = 0
    edits: int = 0
    created: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    deleted: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Deletion(SQLModel, table=True):
    """Who deleted a message and when. The row, the message's text and its attempts stay while this can be undone."""

    message_id: int = Field(primary_key=True, foreign_key="message.id", sa_column_kwargs={"autoincrement": False})
    user_id: int = Field(foreign_key="user.id")
    at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime, index=True)


class Attempt(SQLModel, table=True):
    """A stream as one try at answering a message. `tab` names the tab that asked, which drives.

    A retry is a new version of the reply's text. A continuation adds to the version that is there: its stream's text
    begins at the offset `base` of the message's text, in code points.
    """

    message_id: int = Field(primary_key=True, foreign_key="message.id")
    number: int = Field(primary_key=True)
    version: int = 1
    base: int = 0
    kind: AttemptKind = Field(default=AttemptKind.FIRST, sa_type=string_enum(AttemptKind))  # pyright: ignore[reportArgumentType]
    stream_id: str = Field(foreign_key="stream.id", unique=True, max_length=22)
    prompt_id: int = Field(foreign_key="message.id", index=True)
    asked_by: int = Field(foreign_key="user.id", index=True)
    tab: str = Field(default="", max_length=64)


class DailyUsage(SQLModel, table=True):
    """Tokens spent or reserved on a day (UTC); `spender` is a person's id, or 0 for all people together."""

    __tablename__ = "usage"  # pyright: ignore[reportAssignmentType]

    day: date = Field(primary_key=True)
    spender: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    tokens: int = Field(default=0, sa_type=BigInteger)


class Reservation(SQLModel, table=True):
    """The most tokens that a reply under way may cost, counted in `DailyUsage` until it is settled.

    It can outlive its stream: a reply that was deleted while it streamed has to be settled too.
    """

    stream_id: str = Field(primary_key=True, max_length=22)
    spender: int
    day: date
    tokens_in: int
    tokens_out: int
