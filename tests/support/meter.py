"""A meter on a database: the statements it is asked, the rows it gives and the rows it is given."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from chat_app.data.db import Database

WITHIN = 30
"""Seconds after which a wait has failed."""
FRAMES_OF_TRANSACTIONS = ("BEGIN", "SAVEPOINT", "RELEASE")


class Meter:
    """What was counted since its making, or the last `reset`."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        """What was asked, in order, without what only begins and ends transactions."""
        self.rows_read = 0
        self.rows_written = 0
        self._asked = asyncio.Event()

    def reset(self) -> None:
        """Count anew."""
        self.statements = []
        self.rows_read = self.rows_written = 0

    async def until_asked(self, times: int) -> None:
        """Wait until so many statements were counted."""
        async with asyncio.timeout(WITHIN):
            while len(self.statements) < times:
                self._asked.clear()
                await self._asked.wait()

    def note(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        """Take a statement that was executed."""
        if statement.startswith(FRAMES_OF_TRANSACTIONS):
            return
        self.statements.append(statement)
        if cursor.description is not None:
            # An async driver's cursor has fetched them all by now; there is no public way to count them.
            self.rows_read += len(cursor._rows)
        if not statement.startswith(("SELECT", "PRAGMA")):
            self.rows_written += max(0, cursor.rowcount)
        self._asked.set()


@contextmanager
def metered(database: Database) -> Generator[Meter]:
    """Count what is asked of a database while the block runs."""
    meter = Meter()
    engines = (database.engine.sync_engine, database.writer.sync_engine)
    for engine in engines:
        event.listen(engine, "after_cursor_execute", meter.note)
    try:
        yield meter
    finally:
        for engine in engines:
            event.remove(engine, "after_cursor_execute", meter.note)
