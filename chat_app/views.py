"""What a thread's page lists: the thread, its messages, the people in it, and the threads beside it.

Each function takes the caller's session; who may see what is part of each query.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.access import ThreadUnknown, Verb, may
from chat_app.models import (
    Attempt,
    AttemptKind,
    Member,
    MemberRole,
    Message,
    Reading,
    ReplyMode,
    Thread,
    User,
    Visibility,
)
from chat_app.streaming import LIVE_STATUSES, Chunk, Stream, StreamId, StreamStatus, store

LISTED = 50
"""Threads that the sidebar lists."""
NEWEST = 100
"""Messages that a page shows at first, and that it gets at a time when its reader scrolls back."""
TIMELINE_STEPS = 2000
"""Steps of a timeline at most: of a reply stored by the delta, only some are told."""
BETWEEN_ATTEMPTS_MS = 1000
"""Milliseconds of a timeline between what broke off and what went on from there."""
LIVE = 1000
"""Threads with a reply under way that the sidebars know of at most."""
FOUND = 20
"""Threads that a search finds at most."""


@dataclass(frozen=True)
class MessageView:
    """A message as its page needs it; `status` is None for a person's.

    `text` is what is stored of it as a whole: all of an ended one, what a continuation adds to of one under way.
    `attempt` is the version of the text: of a reply's, from 1, or how often a person has edited theirs. `length` is the
    code points that are stored by now, and `base` where the current stream's text begins among them.
    """

    id: int
    position: int
    version: int
    author_id: int
    at: datetime
    text: str
    attempt: int
    status: StreamStatus | None
    reason: str
    length: int
    base: int
    stream_id: StreamId | None
    tab: str
    asked_by: int
    is_deleted: bool

    @property
    def name(self) -> str:
        """What the page calls the text in this row: another version is another text."""
        return f"{self.id}.{self.attempt}"

    @property
    def is_live(self) -> bool:
        """Whether a model is still to write, or writing."""
        return self.status is not None and not self.status.is_terminal


@dataclass(frozen=True)
class ThreadView:
    """A thread without its messages."""

    id: str
    title: str
    reply_mode: ReplyMode
    visibility: Visibility
    model: str
    granularity: str
    """How others get its replies; "" for what the server says. So of `model`."""
    version: int
    access_version: int
    last_position: int
    active: datetime

    def looks_like(self, other: "ThreadView | None") -> bool:
        """Whether a page that shows one of them need not be told of the other; of messages it is told otherwise."""
        return other is not None and self._shown == other._shown

    @property
    def _shown(self) -> tuple[str, ...]:
        return self.title, self.reply_mode, self.visibility, self.model, self.granularity


@dataclass(frozen=True)
class AttemptView:
    """One try at a reply. `version` is that of the reply's text which it began or went on with; `text` is its own part
    of it, None where it was pruned."""

    stream_id: StreamId
    version: int
    kind: AttemptKind
    status: StreamStatus
    reason: str
    model: str
    at: datetime
    text: str | None


@dataclass(frozen=True)
class StreamPlace:
    """Where a stream belongs."""

    thread_id: str
    message_id: int
    is_current: bool
    """Whether its message has no newer attempt."""


@dataclass(frozen=True)
class AttemptDetails:
    """What an attempt at a reply took. Lengths are code points; of what has not happened, or was not told, None."""

    number: int
    kind: AttemptKind
    status: StreamStatus
    model: str
    asked: datetime
    first_delta: datetime | None
    ended: datetime | None
    length: int
    deltas: int
    chunks: int
    tokens_in: int | None
    tokens_out: int | None


Timeline = list[tuple[int, int]]
"""How a text grew: (length in code points, milliseconds since its first character came), in order."""


@dataclass(frozen=True)
class StreamView:
    """One stream, with where it belongs. `text` is None where it was pruned; offsets are code points."""

    id: StreamId
    thread_id: str
    message_id: int
    is_current: bool
    """Whether its message has no newer attempt."""
    status: StreamStatus
    reason: str
    text: str | None
    length: int
    model: str
    tokens_in: int | None
    tokens_out: int | None


async def listed(session: AsyncSession, user_id: int) -> list[ThreadView]:
    """The threads in someone's sidebar, the most recently active first."""
    query = (
        select(Thread).where(may(Verb.LIST, user_id)).order_by(col(Thread.active).desc(), col(Thread.id)).limit(LISTED)
    )
    return [_thread_view(thread) for thread in (await session.execute(query)).scalars()]


async def with_title(session: AsyncSession, user_id: int, words: str) -> list[ThreadView]:
    """The threads that this person's sidebar may list and whose titles have these words, the latest active first."""
    query = select(Thread).where(
        may(Verb.LIST, user_id), *(col(Thread.title).icontains(word, autoescape=True) for word in words.split())
    )
    query = query.order_by(col(Thread.active).desc(), col(Thread.id)).limit(FOUND)
    return [_thread_view(thread) for thread in (await session.execute(query)).scalars()]


async def find(session: AsyncSession, thread_id: str, user_id: int) -> ThreadView:
    """A thread that this person may read.

    Raises:
        ThreadUnknown: there is no such thread for this person.
    """
    query = select(Thread).where(col(Thread.id) == thread_id, may(Verb.READ, user_id))
    thread = (await session.execute(query)).scalar_one_or_none()
    if thread is None:
        raise ThreadUnknown(thread_id)
    return _thread_view(thread)


async def listed_for_all(session: AsyncSession) -> list[ThreadView]:
    """The open threads that everybody's sidebar lists, the most recently active first."""
    query = (
        select(Thread)
        .where(col(Thread.visibility) == Visibility.OPEN, col(Thread.deleted).is_(None))
        .order_by(col(Thread.active).desc(), col(Thread.id))
        .limit(LISTED)
    )
    return [_thread_view(thread) for thread in (await session.execute(query)).scalars()]


async def changed_since(session: AsyncSession, since: datetime, limit: int) -> list[tuple[ThreadView, set[int]]]:
    """The threads that changed since then, the latest first, each with those whose sidebar alone lists it.

    Nobody's does where a thread is open to all or deleted.
    """
    latest = select(Thread).where(col(Thread.changed) >= since).order_by(col(Thread.changed).desc()).limit(limit)
    changed = (await session.execute(latest)).scalars().all()
    members: dict[str, set[int]] = {
        thread.id: set() for thread in changed if thread.visibility is not Visibility.OPEN and thread.deleted is None
    }
    if members:
        query = select(col(Member.thread_id), col(Member.user_id)).where(col(Member.thread_id).in_(members))
        for thread_id, user_id in await session.execute(query):
            members[thread_id].add(user_id)
    return [(_thread_view(thread), members.get(thread.id, set())) for thread in changed]


async def live_threads(session: AsyncSession) -> set[str]:
    """The threads in which a reply is under way, whoever writes it; of very many, some."""
    query = (
        select(col(Message.thread_id))
        .join(
            Attempt,
            and_(col(Attempt.message_id) == col(Message.id), col(Attempt.number) == col(Message.attempt)),
        )
        .join(Stream, col(Stream.id) == col(Attempt.stream_id))
        .where(col(Stream.status).in_(LIVE_STATUSES), col(Message.deleted).is_(None))
        .distinct()
        .limit(LIVE)
    )
    return set((await session.execute(query)).scalars())


async def readings(
    session: AsyncSession, user_ids: Collection[int], thread_ids: Collection[str]
) -> dict[tuple[int, str], int]:
    """How far these people have read in these threads, where they have been, by both."""
    if not user_ids or not thread_ids:
        return {}
    query = select(col(Reading.user_id), col(Reading.thread_id), col(Reading.position)).where(
        col(Reading.user_id).in_(user_ids), col(Reading.thread_id).in_(thread_ids)
    )
    rows = (await session.execute(query)).all()
    return {(user_id, thread_id): position for user_id, thread_id, position in rows}


async def first_unread(session: AsyncSession, thread_id: str, user_id: int) -> int | None:
    """The first message of a thread that others have added since this person read it; None if they never did."""
    query = (
        select(func.min(col(Message.id)))
        .join(Reading, col(Reading.thread_id) == col(Message.thread_id))
        .where(
            col(Message.thread_id) == thread_id,
            col(Message.deleted).is_(None),
            col(Message.position) > col(Reading.position),
            or_(col(Message.author_id).is_(None), col(Message.author_id) != user_id),
            col(Reading.user_id) == user_id,
        )
    )
    return (await session.execute(query)).scalar_one()


async def roles(session: AsyncSession, thread_id: str, user_id: int | None = None) -> dict[int, MemberRole]:
    """The roles of a thread's members, or of this one alone."""
    query = select(col(Member.user_id), col(Member.role)).where(col(Member.thread_id) == thread_id)
    if user_id is not None:
        query = query.where(col(Member.user_id) == user_id)
    return dict((await session.execute(query)).all())


async def thread_of(session: AsyncSession, stream_id: StreamId, user_id: int) -> ThreadView:
    """The thread of a stream that this person may read.

    Raises:
        ThreadUnknown: there is no such stream for this person.
    """
    query = (
        select(Thread)
        .join(Message, col(Message.thread_id) == col(Thread.id))
        .join(Attempt, col(Attempt.message_id) == col(Message.id))
        .where(col(Attempt.stream_id) == stream_id, col(Message.deleted).is_(None), may(Verb.READ, user_id))
    )
    thread = (await session.execute(query)).scalar_one_or_none()
    if thread is None:
        raise ThreadUnknown(stream_id)
    return _thread_view(thread)


async def stream_place(session: AsyncSession, stream_id: StreamId, user_id: int) -> StreamPlace:
    """Where a stream belongs that this person may read, without its text.

    Raises:
        ThreadUnknown: there is no such stream for this person.
    """
    query = (
        select(col(Message.thread_id), col(Message.id), col(Attempt.number) == col(Message.attempt))
        .join(Attempt, col(Attempt.message_id) == col(Message.id))
        .join(Thread, col(Thread.id) == col(Message.thread_id))
        .where(col(Attempt.stream_id) == stream_id, col(Message.deleted).is_(None), may(Verb.READ, user_id))
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise ThreadUnknown(stream_id)
    thread_id, message_id, is_current = row
    assert message_id is not None
    return StreamPlace(thread_id, message_id, bool(is_current))


async def stream(session: AsyncSession, stream_id: StreamId, user_id: int) -> StreamView:
    """A stream that this person may read, with its text.

    Raises:
        ThreadUnknown: there is no such stream for this person.
    """
    thread = await thread_of(session, stream_id, user_id)
    query = (
        select(Stream, Attempt, Message)
        .join(Attempt, col(Attempt.stream_id) == col(Stream.id))
        .join(Message, col(Message.id) == col(Attempt.message_id))
        .where(col(Stream.id) == stream_id)
    )
    found, attempt, message = (await session.execute(query)).one()
    text: str | None = await store.read_text(session, stream_id)
    is_current = attempt.number == message.attempt
    if len(text or "") < found.length:  # its chunks were pruned; the message keeps what it shows
        text = message.text[attempt.base :] if is_current else None
    return StreamView(
        id=stream_id,
        thread_id=thread.id,
        message_id=attempt.message_id,
        is_current=is_current,
        status=found.status,
        reason=found.reason,
        text=text,
        length=found.length,
        model=found.model,
        tokens_in=found.tokens_in,
        tokens_out=found.tokens_out,
    )


async def reply_to(session: AsyncSession, prompt_id: int) -> StreamId | None:
    """The stream that answered a message at first, if one did."""
    query = select(col(Attempt.stream_id)).where(col(Attempt.prompt_id) == prompt_id, col(Attempt.number) == 1)
    stream_id = (await session.execute(query)).scalar_one_or_none()
    return None if stream_id is None else StreamId(stream_id)


async def thread(session: AsyncSession, thread_id: str) -> ThreadView:
    """A thread as it is now, for whom it was found before."""
    return _thread_view(await session.get_one(Thread, thread_id))


async def newest_messages(
    session: AsyncSession, thread_id: str, limit: int = NEWEST, *, before: int | None = None
) -> list[MessageView]:
    """The newest messages of a thread, or the newest before a position, oldest of them first."""
    query = _messages(thread_id).where(col(Message.deleted).is_(None))
    if before is not None:
        query = query.where(col(Message.position) < before)
    query = query.order_by(col(Message.position).desc()).limit(limit)
    return [_message_view(*row) for row in (await session.execute(query)).all()][::-1]


async def page_of_messages(
    session: AsyncSession, thread_id: str, *, before: int | None = None
) -> tuple[list[MessageView], bool]:
    """The newest messages of a thread, or those before a message's id, and whether there are earlier ones.

    Within a thread ids grow with positions; an id needs no message that is still there.
    """
    query = _messages(thread_id).where(col(Message.deleted).is_(None))
    if before is not None:
        query = query.where(col(Message.id) < before)
    query = query.order_by(col(Message.position).desc()).limit(NEWEST + 1)
    found = [_message_view(*row) for row in (await session.execute(query)).all()]
    return found[NEWEST - 1 :: -1], len(found) > NEWEST


async def messages_after(session: AsyncSession, thread_id: str, position: int, limit: int) -> list[MessageView]:
    """The first messages of a thread after a position, in order."""
    query = _messages(thread_id).where(col(Message.deleted).is_(None), col(Message.position) > position)
    query = query.order_by(col(Message.position)).limit(limit)
    return [_message_view(*row) for row in (await session.execute(query)).all()]


async def attempts(session: AsyncSession, messages: Sequence[MessageView]) -> dict[int, list[AttemptView]]:
    """All attempts at these replies, by message, the first one first, with what is stored of their texts."""
    replies = {message.id: message for message in messages if message.stream_id is not None}
    query = (
        select(Attempt, Stream)
        .join(Stream, col(Stream.id) == col(Attempt.stream_id))
        .where(col(Attempt.message_id).in_(replies))
        .order_by(col(Attempt.message_id), col(Attempt.number))
    )
    rows = (await session.execute(query)).all()
    of_these = col(Chunk.stream_id).in_([stream.id for _, stream in rows])
    chunks = select(Chunk).where(of_these).order_by(col(Chunk.stream_id), col(Chunk.offset))
    texts: dict[str, str] = {}
    for chunk in (await session.execute(chunks)).scalars():
        texts[chunk.stream_id] = texts.get(chunk.stream_id, "") + chunk.text
    found: dict[int, list[AttemptView]] = {}
    for attempt, stream in rows:
        message = replies[attempt.message_id]
        text: str | None = texts.get(stream.id, "")
        if len(text or "") < stream.length:  # pruned; the message keeps what it shows
            text = message.text[attempt.base :] if stream.id == message.stream_id else None
        view = AttemptView(
            stream_id=StreamId(stream.id),
            version=attempt.version,
            kind=attempt.kind,
            status=stream.status,
            reason=stream.reason,
            model=stream.model,
            at=stream.created,
            text=text,
        )
        found.setdefault(attempt.message_id, []).append(view)
    return found


async def messages_changed_since(session: AsyncSession, thread_id: str, version: int) -> list[MessageView]:
    """The messages of a thread that are new, otherwise or deleted since `version`, in order."""
    query = _messages(thread_id).where(col(Message.version) > version).order_by(col(Message.position))
    return [_message_view(*row) for row in (await session.execute(query)).all()]


async def message_view(session: AsyncSession, thread_id: str, message_id: int, user_id: int) -> MessageView:
    """One message that this person may read, named with its thread: anybody can count.

    Raises:
        ThreadUnknown: there is no such message for this person.
    """
    query = _messages(thread_id).where(
        col(Message.id) == message_id, col(Message.deleted).is_(None), may(Verb.READ, user_id)
    )
    query = query.join(Thread, col(Thread.id) == col(Message.thread_id))
    row = (await session.execute(query)).first()
    if row is None:
        raise ThreadUnknown(message_id)
    return _message_view(*row)


async def with_stored_text(session: AsyncSession, message: MessageView) -> MessageView:
    """The message with all that is stored of its text by now, in the same transaction in which it was read."""
    if not message.is_live or message.stream_id is None:
        return message
    text = message.text[: message.base] + await store.read_text(session, message.stream_id)
    return replace(message, text=text)


async def version_text(session: AsyncSession, message: MessageView, version: int) -> str:
    """The text of an earlier version of a reply, from its chunks; "" where these were pruned or it never was."""
    streams = (
        select(col(Attempt.stream_id))
        .where(col(Attempt.message_id) == message.id, col(Attempt.version) == version)
        .order_by(col(Attempt.number))
    )
    stream_ids = (await session.execute(streams)).scalars().all()
    return "".join([await store.read_text(session, StreamId(stream_id)) for stream_id in stream_ids])


async def attempt_details(session: AsyncSession, message_id: int) -> list[AttemptDetails]:
    """All attempts at a reply that was found for its reader before, the newest first."""
    query = (
        select(Attempt, Stream)
        .join(Stream, col(Stream.id) == col(Attempt.stream_id))
        .where(col(Attempt.message_id) == message_id)
        .order_by(col(Attempt.number).desc())
    )
    return [
        AttemptDetails(
            number=attempt.number,
            kind=attempt.kind,
            status=stream.status,
            model=stream.model,
            asked=stream.created,
            first_delta=stream.first_delta,
            ended=stream.ended,
            length=stream.length,
            deltas=stream.deltas,
            chunks=stream.chunks,
            tokens_in=stream.tokens_in,
            tokens_out=stream.tokens_out,
        )
        for attempt, stream in (await session.execute(query)).all()
    ]


async def timeline(session: AsyncSession, message_id: int, version: int) -> Timeline:
    """How a version of a reply's text grew, by when its chunks were stored; [] where these were pruned.

    Between a reply that broke off and its continuation a second passes, however long it was.
    """
    attempts = (
        select(Attempt, Stream)
        .join(Stream, col(Stream.id) == col(Attempt.stream_id))
        .where(col(Attempt.message_id) == message_id, col(Attempt.version) == version)
        .order_by(col(Attempt.number))
    )
    steps: Timeline = []
    for attempt, stream in (await session.execute(attempts)).all():
        chunks = (
            select(col(Chunk.offset), func.length(col(Chunk.text)), col(Chunk.created))
            .where(col(Chunk.stream_id) == stream.id)
            .order_by(col(Chunk.offset))
        )
        rows = (await session.execute(chunks)).all()
        if sum(length for _, length, _ in rows) < stream.length:  # whichever of them are gone
            return []
        if not rows:
            continue
        start = stream.first_delta or rows[0][2]
        begun = steps[-1][1] + BETWEEN_ATTEMPTS_MS if steps else 0
        steps.append((attempt.base, begun))
        for offset, length, stored in rows:
            after = round((stored - start) / timedelta(milliseconds=1))
            steps.append((attempt.base + offset + length, max(steps[-1][1], begun + after)))
    return _thinned(steps)


def _thinned(steps: Timeline) -> Timeline:
    """At most `TIMELINE_STEPS` of them, evenly, the last one among them."""
    apart = -(-len(steps) // TIMELINE_STEPS) or 1
    return steps[:1] + steps[1:-1][::apart] + steps[-1:] if len(steps) > 1 else []


async def people(session: AsyncSession, user_ids: Sequence[int]) -> dict[int, tuple[str, int]]:
    """Names and hues by user id."""
    if not user_ids:
        return {}
    query = select(col(User.id), col(User.name), col(User.hue)).where(col(User.id).in_(user_ids))
    rows = (await session.execute(query)).all()
    return {user_id: (name, hue) for user_id, name, hue in rows if user_id is not None}


def _messages(thread_id: str) -> Select[Message, Attempt, Stream]:
    return (
        select(Message, Attempt, Stream)
        .join(
            Attempt,
            and_(col(Attempt.message_id) == col(Message.id), col(Attempt.number) == col(Message.attempt)),
            isouter=True,
        )
        .join(Stream, col(Stream.id) == col(Attempt.stream_id), isouter=True)
        .where(col(Message.thread_id) == thread_id)
    )


def _message_view(message: Message, attempt: Attempt | None, stream: Stream | None) -> MessageView:
    assert message.id is not None
    if message.deleted is not None:  # what can be undone is still there, and for nobody to see
        attempt = stream = None
    text = "" if message.deleted is not None else message.text
    base = attempt.base if attempt else 0
    return MessageView(
        id=message.id,
        position=message.position,
        version=message.version,
        author_id=message.author_id or 0,
        at=message.created,
        text=text,
        attempt=attempt.version if attempt else message.edits,
        status=stream.status if stream else None,
        reason=stream.reason if stream else "",
        length=base + stream.length if stream else len(text),
        base=base,
        stream_id=StreamId(stream.id) if stream else None,
        tab=attempt.tab if attempt else "",
        asked_by=attempt.asked_by if attempt else 0,
        is_deleted=message.deleted is not None,
    )


def _thread_view(thread: Thread) -> ThreadView:
    return ThreadView(
        id=thread.id,
        title=thread.title,
        reply_mode=thread.reply_mode,
        visibility=thread.visibility,
        model=thread.model,
        granularity=thread.granularity,
        version=thread.version,
        access_version=thread.access_version,
        last_position=thread.last_position,
        active=thread.active,
    )
