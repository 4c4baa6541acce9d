"""Reply views: attempts, streams and timelines of replies.

Only `stream` and `stream_location` check permission. Callers of the other functions check it before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.models import Attempt, AttemptKind, Message, Thread
from chat_app.refusals import ThreadUnknown
from chat_app.threads.access import Verb, may
from chat_app.threads.message_views import MessageView
from tributary_streams import Chunk, Stream, StreamId, StreamStatus, read_text

TIMELINE_STEPS = 2000
"""Steps of a timeline at most, or two more: of a reply that is stored delta by delta, only some are given."""
BETWEEN_ATTEMPTS_MS = 1000
"""Milliseconds of a timeline between an attempt that broke off and its continuation."""


@dataclass(frozen=True)
class AttemptView:
    """One attempt at a reply. `version` is the version of the reply's text that it began or continued. `text` is its
    own part of that text, None if it was pruned."""

    stream_id: StreamId
    version: int
    kind: AttemptKind
    status: StreamStatus
    reason: str
    model: str
    at: datetime
    text: str | None


@dataclass(frozen=True)
class StreamLocation:
    """Where a stream belongs."""

    thread_id: str
    message_id: int
    is_current: bool
    """Whether its message has no newer attempt."""


@dataclass(frozen=True)
class AttemptDetails:
    """What an attempt at a reply took. `length` is in code points; None means not yet, or not known."""

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
    """A stream, its thread and its message. `text` is None if it was pruned; `length` is in code points."""

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


async def stream_location(session: AsyncSession, stream_id: StreamId, user_id: int) -> StreamLocation:
    """Where a stream that this person may read belongs, without its text.

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
    return StreamLocation(thread_id, message_id, bool(is_current))


async def stream(session: AsyncSession, stream_id: StreamId, user_id: int) -> StreamView:
    """A stream that this person may read, with its text.

    Raises:
        ThreadUnknown: there is no such stream for this person.
    """
    location = await stream_location(session, stream_id, user_id)
    query = (
        select(Stream, Attempt, Message)
        .join(Attempt, col(Attempt.stream_id) == col(Stream.id))
        .join(Message, col(Message.id) == col(Attempt.message_id))
        .where(col(Stream.id) == stream_id)
    )
    found, attempt, message = (await session.execute(query)).one()
    text: str | None = await read_text(session, stream_id)
    if len(text or "") < found.length:  # its chunks were pruned; the message keeps what it shows
        text = message.text[attempt.base :] if location.is_current else None
    return StreamView(
        id=stream_id,
        thread_id=location.thread_id,
        message_id=location.message_id,
        is_current=location.is_current,
        status=found.status,
        reason=found.reason,
        text=text,
        length=found.length,
        model=found.model,
        tokens_in=found.tokens_in,
        tokens_out=found.tokens_out,
    )


async def reply_to(session: AsyncSession, prompt_id: int) -> StreamId | None:
    """The stream of the first attempt to answer a message, if there was one."""
    query = select(col(Attempt.stream_id)).where(col(Attempt.prompt_id) == prompt_id, col(Attempt.number) == 1)
    stream_id = (await session.execute(query)).scalar_one_or_none()
    return None if stream_id is None else StreamId(stream_id)


async def attempts(session: AsyncSession, messages: Sequence[MessageView]) -> dict[int, list[AttemptView]]:
    """All attempts at these replies by message id, the first one first, with their texts as stored so far."""
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


async def version_text(session: AsyncSession, message: MessageView, version: int) -> str:
    """The text of a version of a reply, from its chunks; "" if these were pruned, or there is no such version."""
    streams = (
        select(col(Attempt.stream_id))
        .where(col(Attempt.message_id) == message.id, col(Attempt.version) == version)
        .order_by(col(Attempt.number))
    )
    stream_ids = (await session.execute(streams)).scalars().all()
    return "".join([await read_text(session, StreamId(stream_id)) for stream_id in stream_ids])


async def attempt_details(session: AsyncSession, message_id: int) -> list[AttemptDetails]:
    """Details of all attempts at a reply, the newest first."""
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
    """How a version of a reply's text grew, by the times at which its chunks were stored; [] if these were pruned.

    The pause before a continuation counts as `BETWEEN_ATTEMPTS_MS`, however long it was.
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
        if sum(length for _, length, _ in rows) < stream.length:  # some of them were pruned
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
    """The first step, the last, and evenly spread ones between, `TIMELINE_STEPS` of these at most."""
    apart = -(-len(steps) // TIMELINE_STEPS) or 1
    return steps[:1] + steps[1:-1][::apart] + steps[-1:] if len(steps) > 1 else []
