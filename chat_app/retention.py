"""Retention: rows that nobody reads any more go, some at a time, so that nobody waits for it."""

import asyncio
import logging
from datetime import datetime, timedelta

from chat_app import threads
from chat_app.budget import Budget
from chat_app.db import Database
from chat_app.streaming import store
from chat_app.streaming.flusher import DATABASE_AWAY
from chat_app.streaming.tables import utc_now

logger = logging.getLogger(__name__)

RETRY_AFTER = 1.0
"""Seconds until what the database refused is tried again."""
UNDO_FOR = timedelta(minutes=1)
"""How long what was deleted can be brought back; a page offers it for less."""
PRUNE_EVERY = 3600.0
"""Seconds between two looks for chunks that are old enough to go."""


class Retention:
    """Removes what was deleted, and prunes what is old."""

    def __init__(self, database: Database, budget: Budget, *, keep_chunks: int) -> None:
        """Args:
        database: where the rows are.
        budget: what deleted replies have reserved is settled with it.
        keep_chunks: days for which an ended reply keeps its chunks; 0 is for ever.
        """
        self._database = database
        self._budget = budget
        self._keep_chunks = keep_chunks
        self._is_clearing = False

    async def clear_in_time(self) -> None:
        """Remove the rows of what was deleted, each when it can be undone no more; what is left over a restart too."""
        if self._is_clearing:
            return
        self._is_clearing = True
        try:
            while (first := await self.clear(UNDO_FOR)) is not None:  # noqa: ASYNC110  # the time is what it waits for
                await asyncio.sleep(max(0.0, (first + UNDO_FOR - utc_now()).total_seconds()))
        finally:
            self._is_clearing = False

    async def clear(self, grace: timedelta = timedelta(0)) -> datetime | None:
        """Remove the rows of what was deleted longer ago than that, a bounded part at a time.

        Returns when the first of what is left was deleted, if anything is.
        """
        while True:
            try:
                async with self._database.write() as session:
                    await self._budget.settle_deleted(session)
                    if not await threads.clear_deleted(session, utc_now() - grace):
                        return await threads.next_deleted(session)
            except DATABASE_AWAY:
                await asyncio.sleep(RETRY_AFTER)

    async def prune(self) -> None:
        """Prune old chunks now and every hour; where they are kept for ever it ends at once."""
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
            return await store.prune_chunks(session, before)
