"""The store: what may be read from and written to the tables of streams and chunks.

Each function takes the caller's open session and leaves the commit to it, so that a stream can begin and end in one
transaction with whatever the caller keeps beside it. Appends and closings name the lease: a writer that lost it writes
nothing.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, cast, runtime_checkable

from sqlalchemy import ColumnElement, CursorResult, Update, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tributary_streams.columns import utc_now
from tributary_streams.errors import LeaseLost, UnknownStream
from tributary_streams.tables import LIVE_STATUSES, TERMINAL_STATUSES, Chunk, Stream, StreamId, StreamStatus

CHUNKS_PER_DELETE = 1_000
"""Chunks that one statement deletes at most, so that deleting a long thread never holds the database for long."""


class Transactions(Protocol):
    """Where sessions come from. `write` begins a transaction that may write at once and commits at its end."""

    def read(self) -> AbstractAsyncContextManager[AsyncSession]: ...

    def write(self) -> AbstractAsyncContextManager[AsyncSession]: ...


@runtime_checkable
class QueuedTransactions(Transactions, Protocol):
    """Transactions whose writers stand in a queue: `write_soon` enters it near its front.

    The flusher does, for all replies wait for it.
    """

    def write_soon(self) -> AbstractAsyncContextManager[AsyncSession]: ...


@dataclass(frozen=True)
class Lease:
    """The right to write one stream. It passes when another claim raises the stream's epoch, or the stream ends."""

    stream_id: StreamId
    epoch: int


@dataclass(frozen=True)
class Usage:
    """What the model counted, in its own tokens."""

    tokens_in: int
    tokens_out: int


@dataclass(frozen=True)
class Counts:
    """What a stream took: deltas that came, chunks that were stored."""

    deltas: int = 0
    chunks: int = 0


@dataclass(frozen=True)
class Ending:
    """How a stream ended: a terminal status, and for people the reason ("" when there is nothing to say)."""

    status: StreamStatus
    reason: str = ""
    usage: Usage | None = None

    def __post_init__(self) -> None:
        if not self.status.is_terminal:
            msg = f"{self.status} is not an ending"
            raise ValueError(msg)


def create_stream(session: AsyncSession, *, model: str = "") -> StreamId:
    """Add a `pending` stream to the caller's transaction."""
    stream = Stream(model=model)
    session.add(stream)
    return StreamId(stream.id)


async def claim(session: AsyncSession, stream_id: StreamId, holder: str) -> Lease | None:
    """Become the writer of a pending stream, or learn that somebody else is: None.

    One statement decides, so of any number of simultaneous claims one gets the lease.
    """
    statement = (
        update(Stream)
        .where(col(Stream.id) == stream_id, col(Stream.status) == StreamStatus.PENDING)
        .values(
            status=StreamStatus.STREAMING,
            epoch=Stream.epoch + 1,
            beat=Stream.beat + 1,
            holder=holder,
            reason="",
            started=utc_now(),
        )
        .returning(col(Stream.epoch))
    )
    epoch = (await session.execute(statement)).scalar_one_or_none()
    return None if epoch is None else Lease(stream_id, epoch)


async def append(session: AsyncSession, lease: Lease, offset: int, text: str, *, first_delta: datetime | None) -> int:
    """Store `text` at `offset` and return the stream's length after it, in code points.

    Appending what is stored already changes nothing: after a commit whose answer was lost the length tells how far
    the text had got, and only the rest is written. `first_delta` is kept the first time it is given. The append is
    also a beat.

    Raises:
        LeaseLost: the epoch has passed, or the stream has ended or is gone.
    """
    length = offset + len(text)
    grown = _if_held(lease).where(col(Stream.length) == offset)
    grown = grown.values(
        length=length, beat=Stream.beat + 1, first_delta=func.coalesce(col(Stream.first_delta), first_delta)
    )
    if await _changed(session, grown):
        await session.execute(
            insert(Chunk).values(stream_id=lease.stream_id, offset=offset, text=text, created=utc_now())
        )
        return length
    stored = (await session.execute(select(Stream).where(*_held(lease)))).scalar_one_or_none()
    if stored is None or not offset < stored.length:
        raise LeaseLost(lease.stream_id)
    if stored.length >= length:
        return stored.length
    return await append(session, lease, stored.length, text[stored.length - offset :], first_delta=first_delta)


async def renew(session: AsyncSession, lease: Lease) -> None:
    """Give a sign of life.

    Raises:
        LeaseLost: as for `append`.
    """
    if not await _changed(session, _if_held(lease).values(beat=Stream.beat + 1)):
        raise LeaseLost(lease.stream_id)


async def explain(session: AsyncSession, lease: Lease, reason: str) -> None:
    """Say of a live stream why it does not grow at the moment, "" once it does; a sign of life too.

    Raises:
        LeaseLost: as for `append`.
    """
    if not await _changed(session, _if_held(lease).values(reason=reason, beat=Stream.beat + 1)):
        raise LeaseLost(lease.stream_id)


async def close(session: AsyncSession, lease: Lease, ending: Ending, counts: Counts | None = None) -> bool:
    """End a stream that this lease holds; False if it has ended already, or belongs to another writer."""
    ended = _ended(_if_held(lease), ending)
    if counts is not None:
        ended = ended.values(deltas=counts.deltas, chunks=counts.chunks)
    return await _changed(session, ended)


async def keep_waiting(session: AsyncSession, stream_id: StreamId, reason: str) -> bool:
    """Say of a pending stream why it does not begin; its claim clears that. False if it has begun or ended."""
    pending = update(Stream).where(col(Stream.id) == stream_id, col(Stream.status) == StreamStatus.PENDING)
    return await _changed(session, pending.values(reason=reason))


async def close_pending(session: AsyncSession, stream_id: StreamId, ending: Ending) -> bool:
    """End a stream that no writer has claimed yet; False if one has, or it has ended."""
    pending = update(Stream).where(col(Stream.id) == stream_id, col(Stream.status) == StreamStatus.PENDING)
    return await _changed(session, _ended(pending, ending))


async def note_reads(session: AsyncSession, stream_id: StreamId, *, rows_read: int, lag_ms: int) -> None:
    """Keep what following a stream has cost here: chunks read for it, and the longest wait of one, in milliseconds."""
    noted = update(Stream).where(col(Stream.id) == stream_id).values(rows_read=rows_read, lag_ms=lag_ms)
    await _changed(session, noted)


async def request_stop(session: AsyncSession, stream_id: StreamId) -> bool:
    """Ask whichever process writes the stream to stop; False if it is not live."""
    live = update(Stream).where(col(Stream.id) == stream_id, col(Stream.status).in_(LIVE_STATUSES))
    return await _changed(session, live.values(stop_requested=True))


async def read_stream(session: AsyncSession, stream_id: StreamId) -> Stream:
    """The stream's row.

    Raises:
        UnknownStream: there is none of this id.
    """
    stream = (await session.execute(select(Stream).where(col(Stream.id) == stream_id))).scalar_one_or_none()
    if stream is None:
        raise UnknownStream(stream_id)
    return stream


async def read_text(session: AsyncSession, stream_id: StreamId, offset: int = 0) -> str:
    """All stored text of a stream from `offset` (code points) on; "" for an unknown stream."""
    start = select(func.max(col(Chunk.offset))).where(col(Chunk.stream_id) == stream_id, col(Chunk.offset) <= offset)
    chunks = (
        select(col(Chunk.offset), col(Chunk.text))
        .where(col(Chunk.stream_id) == stream_id, col(Chunk.offset) >= func.coalesce(start.scalar_subquery(), 0))
        .order_by(col(Chunk.offset))
    )
    rows = (await session.execute(chunks)).all()
    if not rows:
        return ""
    return "".join(text for _, text in rows)[offset - rows[0][0] :]


async def prune_chunks(session: AsyncSession, before: datetime) -> bool:
    """Delete at most `CHUNKS_PER_DELETE` chunks of streams that ended before a time; False when none are left."""
    old = select(col(Stream.id)).where(col(Stream.status).in_(TERMINAL_STATUSES), col(Stream.ended) < before)
    return await _delete_some_chunks(session, col(Chunk.stream_id).in_(old)) > 0


async def delete_streams(session: AsyncSession, stream_ids: Sequence[StreamId]) -> bool:
    """Delete at most `CHUNKS_PER_DELETE` chunks of these streams, and the streams once no chunk is left.

    True when all are gone; call again, in a transaction of its own, until it is. A live stream's writer finds its
    lease lost and ends quietly.
    """
    # Ends the leases first, so that no writer adds a chunk between these statements.
    await session.execute(update(Stream).where(col(Stream.id).in_(stream_ids)).values(epoch=Stream.epoch + 1))
    if await _delete_some_chunks(session, col(Chunk.stream_id).in_(stream_ids)) == CHUNKS_PER_DELETE:
        return False
    await session.execute(delete(Stream).where(col(Stream.id).in_(stream_ids)))
    return True


async def _delete_some_chunks(session: AsyncSession, which: ColumnElement[bool]) -> int:
    # The last ones first: what is left of a text between two transactions is its beginning.
    last = (col(Chunk.stream_id).desc(), col(Chunk.offset).desc())
    some = select(col(Chunk.stream_id), col(Chunk.offset)).where(which).order_by(*last).limit(CHUNKS_PER_DELETE)
    keys = [tuple(row) for row in (await session.execute(some)).all()]
    for stream_id in {key[0] for key in keys}:
        offsets = [offset for owner, offset in keys if owner == stream_id]
        chunks = delete(Chunk).where(col(Chunk.stream_id) == stream_id, col(Chunk.offset).in_(offsets))
        await session.execute(chunks)
    return len(keys)


def _held(lease: Lease) -> tuple[Any, ...]:
    return (
        col(Stream.id) == lease.stream_id,
        col(Stream.epoch) == lease.epoch,
        col(Stream.status) == StreamStatus.STREAMING,
    )


def _if_held(lease: Lease) -> Update:
    return update(Stream).where(*_held(lease))


def _ended(statement: Update, ending: Ending) -> Update:
    usage = ending.usage
    return statement.values(
        status=ending.status,
        reason=ending.reason,
        tokens_in=usage and usage.tokens_in,
        tokens_out=usage and usage.tokens_out,
        ended=utc_now(),
    )


async def _changed(session: AsyncSession, statement: Update) -> bool:
    statement = statement.execution_options(synchronize_session=False)
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount == 1
