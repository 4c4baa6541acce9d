"""The database: engines with the right settings, and transactions."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from chat_app.settings import PROJECT

try:
    import fcntl
except ImportError:  # Windows has no flock: no process there takes itself for alone
    fcntl = None

BUSY_TIMEOUT_MS = 5_000
"""How long SQLite waits for another writer before it gives up; the flusher then tries again."""
MIGRATION_LOCK = 0x7472_6962
"""Key of PostgreSQL's advisory lock around migrations (any constant of ours)."""


class Database:
    """An engine, its transactions, and what else there is to know about the database.

    Reading and writing transactions differ on SQLite: one that reads first and then wants to write fails at once when
    somebody wrote in between, whatever the timeout. So a writing one takes the write lock at its beginning.
    """

    def __init__(self, url: str) -> None:
        """Args:
        url: `sqlite:///path` or `postgresql://…`; the driver is chosen here.
        """
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine: AsyncEngine = create_async_engine(
            _with_driver(self.url, is_async=True), pool_pre_ping=not self.is_sqlite
        )
        self._writer: AsyncEngine = self.engine.execution_options(is_writing=True)
        if self.is_sqlite:
            prepare_sqlite(self.engine.sync_engine)
        self._observer: AsyncConnection | None = None
        self._data_version = -1
        self._presence: BinaryIO | None = None

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        """A session whose reads see one moment; what it changes is not kept."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncSession]:
        """A session that may write, committed at the end of the block and rolled back by an exception."""
        async with AsyncSession(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    async def has_changed(self) -> bool:
        """Whether another connection may have committed since the last call; SQLite knows without touching a table."""
        if not self.is_sqlite:
            return True
        if self._observer is None:
            observer = await self.engine.connect()
            self._observer = await observer.execution_options(isolation_level="AUTOCOMMIT")
        version = (await self._observer.exec_driver_sql("PRAGMA data_version")).scalar_one()
        has_changed, self._data_version = version != self._data_version, version
        return has_changed

    async def migrate(self) -> None:
        """Bring the tables up to date; several processes may do so at the same moment."""
        await asyncio.to_thread(self._migrate)

    def _migrate(self) -> None:
        config = Config(PROJECT / "alembic.ini")
        config.set_main_option("script_location", str(PROJECT / "alembic"))
        with self.migrating() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def migrating(self) -> Generator[Connection]:
        """A plain connection in a transaction that only one process at a time can have."""
        engine = create_engine(_with_driver(self.url, is_async=False))
        if self.is_sqlite:
            prepare_sqlite(engine)
        try:
            with engine.execution_options(is_writing=True).begin() as connection:
                if not self.is_sqlite:
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
                yield connection
        finally:
            engine.dispose()

    def is_alone(self) -> bool:
        """Whether no other process has this SQLite database open; never true of PostgreSQL.

        Each process holds a shared lock on a file beside the database for as long as it lives. Who can have it
        exclusively for a moment is alone.
        """
        if fcntl is None or not self.is_sqlite or not self.url.database:
            return False
        if self._presence is None:
            self._presence = Path(f"{self.url.database}.lock").open("ab")  # noqa: SIM115  # held until close()
        try:
            fcntl.flock(self._presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_alone = True
        except OSError:
            is_alone = False
        fcntl.flock(self._presence, fcntl.LOCK_SH)
        return is_alone

    async def close(self) -> None:
        """Let go of all connections and of the lock."""
        if self._observer is not None:
            await self._observer.close()
        if self._presence is not None:
            self._presence.close()
        await self.engine.dispose()


def prepare_sqlite(engine: Any) -> None:
    """Set on every connection what durability and concurrency need, and begin transactions ourselves."""

    def connected(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver would begin late, and deferred
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begun(connection: Connection) -> None:
        is_writing = connection.get_execution_options().get("is_writing", False)
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)


def _with_driver(url: URL, *, is_async: bool) -> URL:
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite+aiosqlite" if is_async else "sqlite")
    return url.set(drivername="postgresql+psycopg")
