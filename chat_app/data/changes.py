"""Changes: transactions that notify subscribers once they are committed."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from chat_app.data.db import Database


class Changes:
    """The database, for changes that others watch: tabs, HTTP readers, other processes."""

    def __init__(self, database: Database, on_commit: Callable[[], None]) -> None:
        """`on_commit` is called after each commit; it must not block."""
        self._database = database
        self._on_commit = on_commit

    def read(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A transaction that changes nothing."""
        return self._database.read()

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncSession]:
        """A transaction that changes something: it commits at the end of the block, and then `on_commit` is called."""
        async with self._database.write() as session:
            yield session
        self._on_commit()
