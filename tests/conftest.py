"""What many tests need: a database of their own, and a core that runs on it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from chat_app.db import Database
from tests.support.core import Core


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated SQLite database that nobody else has."""
    database = Database(f"sqlite:///{tmp_path}/tributary.db")
    await database.migrate()
    yield database
    await database.close()


@pytest.fixture
async def core(database: Database) -> AsyncIterator[Core]:
    """The streaming core at work on that database."""
    core = Core(database)
    tasks = [asyncio.create_task(core.flusher.run()), asyncio.create_task(core.tailer.run())]
    yield core
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
