"""Read receipts: how far people have read, noted in memory and stored in batches."""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy import Integer, bindparam, case, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from chat_app.data.db import Database
from chat_app.data.models import ReadReceipt, Thread
from tributary_streams import DATABASE_AWAY

logger = logging.getLogger(__name__)

STORE_EVERY = 3.0
"""Seconds for which receipts gather; then all receipts of the process are stored by one statement."""
INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class ReadReceipts:
    """The read receipts of this process that are not stored yet. `run` is its task."""

    def __init__(self, database: Database, on_note: Callable[[int, str, int], None] = lambda *_: None) -> None:
        """`on_note` is called at once with each receipt: user id, thread id and position."""
        self._database = database
        self._on_note = on_note
        self._noted: dict[tuple[int, str], int] = {}
        self._woken = asyncio.Event()

    def note(self, user_id: int, thread_id: str, position: int) -> None:
        """Note that a person has read a thread up to `position`; a stored position never goes back."""
        self._noted[user_id, thread_id] = max(position, self._noted.get((user_id, thread_id), 0))
        self._on_note(user_id, thread_id, position)
        self._woken.set()

    async def run(self) -> None:
        """Store what is noted, for ever."""
        while True:
            await self._woken.wait()
            await asyncio.sleep(STORE_EVERY)
            try:
                await self.store()
            except DATABASE_AWAY as error:
                logger.warning("read receipts could not be stored (%s); trying again", type(error).__name__)

    async def store(self) -> None:
        """Store what is noted by now, except for deleted threads; if that fails, it stays noted."""
        self._woken.clear()
        noted, self._noted = self._noted, {}
        if not noted:
            return
        insert = INSERTS[self._database.engine.dialect.name]
        receipts = insert(ReadReceipt).from_select(
            ["user_id", "thread_id", "position"],
            select(bindparam("reader", type_=Integer), col(Thread.id), bindparam("read_up_to", type_=Integer)).where(
                col(Thread.id) == bindparam("thread"), col(Thread.deleted).is_(None)
            ),
        )
        before, now = col(ReadReceipt.position), receipts.excluded.position
        receipts = receipts.on_conflict_do_update(
            index_elements=["user_id", "thread_id"], set_={"position": case((now > before, now), else_=before)}
        )
        rows = [
            {"reader": user_id, "thread": thread_id, "read_up_to": position}
            for (user_id, thread_id), position in sorted(noted.items())
        ]
        try:
            async with self._database.write() as session:
                await (await session.connection()).execute(receipts, rows)
        except BaseException:
            self._noted = {key: max(position, self._noted.get(key, 0)) for key, position in noted.items()} | {
                key: position for key, position in self._noted.items() if key not in noted
            }
            self._woken.set()
            raise
