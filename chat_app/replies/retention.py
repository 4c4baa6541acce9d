"""Retention: removes rows that nobody needs any more, in batches, so that nobody has to wait."""

import asyncio
import logging
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.db import Database
from chat_app.data.models import Attempt, Deletion, Invite, Member, Message, ReadReceipt, Thread
from chat_app.replies.budget import Budget
from tributary_streams import DATABASE_AWAY, Stream, StreamId, delete_streams, prune_chunks, utc_now

logger = logging.getLogger(__name__)

RETRY_AFTER = 1.0
"""Seconds until a transaction that the database refused is tried again."""
UNDO_FOR = timedelta(minutes=1)
"""For how long a deletion can be undone; a page offers that for a shorter time."""
PRUNE_EVERY = 3600.0
"""Seconds between two prunings of old chunks."""
MESSAGES_PER_DELETE = 50
"""Deleted messages whose text and attempts are removed in one batch."""
STREAMS_PER_DELETE = 50
"""Streams that are removed with their chunks in one batch."""


class Retention:
    """Removes the rows of what was deleted, and prunes old chunks."""

    def __init__(self, database: Database, budget: Budget, *, keep_chunks: int) -> None:
        """Args:
        database: where the rows are.
        budget: settles what deleted replies have reserved.
        keep_chunks: days for which an ended reply keeps its chunks; 0 means for ever.
        """
        self._database = database
        self._budget = budget
        self._keep_chunks = keep_chunks
        self._is_clearing = False

    async def clear_in_time(self) -> None:
        """Remove the rows of each deletion once it cannot be undone, also of those from before a restart."""
        if self._is_clearing:
            return
        self._is_clearing = True
        try:
            while (first := await self.clear(UNDO_FOR)) is not None:  # noqa: ASYNC110  # the time is what it waits for
                await asyncio.sleep(max(0.0, (first + UNDO_FOR - utc_now()).total_seconds()))
        finally:
            self._is_clearing = False

    async def clear(self, grace: timedelta = timedelta(0)) -> datetime | None:
        """Remove the rows of what was deleted longer than `grace` ago, in batches, until none is left.

        Returns the time of the oldest remaining deletion, or None if there is none.
        """
        while True:
            try:
                async with self._database.write() as session:
                    await self._budget.settle_deleted(session)
                    if not await clear_deleted(session, utc_now() - grace):
                        return await next_deleted(session)
            except DATABASE_AWAY:
                await asyncio.sleep(RETRY_AFTER)

    async def prune(self) -> None:
        """Prune old chunks now and every hour; if they are kept for ever, return at once."""
        while self._keep_chunks:
            before = utc_now() - timedelta(days=self._keep_chunks)
            try:
                while await self._prune_some(before):
                    pass
            except DATABASE_AWAY as error:
                logger.warning("old chunks could not be pruned (%s); trying again later", type(error).__name__)
            await asyncio.sleep(PRUNE_EVERY)

    async def _prune_some(self, before: datetime) -> bool:
        async with self._database.write() as session:
            return await prune_chunks(session, before)


async def next_deleted(session: AsyncSession) -> datetime | None:
    """The time of the oldest deletion whose rows are still there; None if there is none."""
    thread = (await session.execute(select(func.min(col(Thread.deleted))))).scalar_one()
    message = (await session.execute(select(func.min(col(Deletion.at))))).scalar_one()
    return min((at for at in (thread, message) if at is not None), default=None)


async def clear_deleted(session: AsyncSession, before: datetime) -> bool:
    """Remove one batch of what was deleted by then: a thread, or some messages, or some streams; False if none is left.

    Streams that no attempt names belonged to deleted messages. The writer of a live one finds that its lease is lost.
    """
    deleted = select(col(Thread.id)).where(col(Thread.deleted) <= before)
    thread_id = (await session.execute(deleted)).scalars().first()
    if thread_id is not None:
        messages = select(col(Message.id)).where(col(Message.thread_id) == thread_id)
        for rows in (
            delete(Attempt).where(col(Attempt.message_id).in_(messages)),
            delete(Deletion).where(col(Deletion.message_id).in_(messages)),
            delete(Message).where(col(Message.thread_id) == thread_id),
            delete(Member).where(col(Member.thread_id) == thread_id),
            delete(Invite).where(col(Invite.thread_id) == thread_id),
            delete(ReadReceipt).where(col(ReadReceipt.thread_id) == thread_id),
            delete(Thread).where(col(Thread.id) == thread_id),
        ):
            await session.execute(rows.execution_options(synchronize_session=False))
        return True
    for_good = select(col(Deletion.message_id)).where(col(Deletion.at) <= before).limit(MESSAGES_PER_DELETE)
    message_ids = (await session.execute(for_good)).scalars().all()
    if message_ids:
        for rows in (
            delete(Attempt).where(col(Attempt.message_id).in_(message_ids)),
            update(Message).where(col(Message.id).in_(message_ids)).values(text=""),
            delete(Deletion).where(col(Deletion.message_id).in_(message_ids)),
        ):
            await session.execute(rows.execution_options(synchronize_session=False))
        return True
    orphans = (
        select(col(Stream.id))
        .join(Attempt, col(Attempt.stream_id) == col(Stream.id), isouter=True)
        .where(col(Attempt.stream_id).is_(None))
        .limit(STREAMS_PER_DELETE)
    )
    stream_ids = [StreamId(stream_id) for stream_id in (await session.execute(orphans)).scalars()]
    if stream_ids:
        await delete_streams(session, stream_ids)
    return bool(stream_ids)
