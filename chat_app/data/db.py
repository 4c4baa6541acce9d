"""The database: engines with the right settings, and transactions."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, create_engine, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from chat_app.settings import PROJECT
from tributary_streams import BUSY_TIMEOUT_MS, EngineTransactions, prepare_sqlite

try:
    import fcntl
except ImportError:  # Windows has no flock: there `is_alone` is never true
    fcntl = None


POOL_TIMEOUT = 10
"""Seconds to wait for a free connection."""
ANSWER_WITHIN = 10
"""Seconds that a PostgreSQL server has to accept a connection, and to answer a statement."""
MIGRATION_LOCK = 0x7472_6962
"""Key of PostgreSQL's advisory lock around migrations (any constant of ours)."""


class Database(EngineTransactions):
    """The database: its engines, transactions and migrations, and which processes use it."""

    def __init__(self, url: str) -> None:
        """Args:
        url: `sqlite:///path` or `postgresql://…`; the driver is chosen here.
        """
        self.url = make_url(url)
        is_sqlite = self.url.get_backend_name() == "sqlite"
        if is_sqlite and self.url.database:
            _make_private(Path(self.url.database))
        super().__init__(self._new_engine(is_sqlite=is_sqlite), self._new_engine(is_sqlite=is_sqlite))
        self._observer: AsyncConnection | None = None
        self._data_version = -1
        self._presence: BinaryIO | None = None

    def _new_engine(self, *, is_sqlite: bool) -> AsyncEngine:
        # Parameters hold what people write, and must not reach a log.
        options: dict[str, Any] = {
            "hide_parameters": True,
            "pool_timeout": POOL_TIMEOUT,
            "pool_pre_ping": not is_sqlite,
        }
        if not is_sqlite:
            limits = f"-c lock_timeout={BUSY_TIMEOUT_MS} -c statement_timeout={ANSWER_WITHIN}s"
            options["connect_args"] = {"connect_timeout": ANSWER_WITHIN, "options": limits}
        return create_async_engine(_with_driver(self.url, is_async=True), **options)

    async def has_changed(self) -> bool:
        """Whether another connection may have committed since the last call; always true on PostgreSQL."""
        if not self.is_sqlite:
            return True
        if self._observer is None:
            observer = await self.engine.connect()
            self._observer = await observer.execution_options(isolation_level="AUTOCOMMIT")
        try:
            version = (await self._observer.exec_driver_sql("PRAGMA data_version")).scalar_one()
        except Exception:
            await self._observer.close()
            self._observer = None  # the next call connects anew
            raise
        has_changed, self._data_version = version != self._data_version, version
        return has_changed

    async def migrate(self) -> None:
        """Bring the tables up to date; several processes may do so at the same time."""
        await asyncio.to_thread(self._migrate)

    def _migrate(self) -> None:
        config = Config(PROJECT / "alembic.ini")
        config.set_main_option("script_location", str(PROJECT / "alembic"))
        with self.migrating() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def migrating(self) -> Generator[Connection]:
        """A synchronous connection in a transaction that only one process at a time can have."""
        engine = create_engine(_with_driver(self.url, is_async=False), hide_parameters=True)
        if self.is_sqlite:
            prepare_sqlite(engine)
        try:
            if self.is_sqlite and self.url.database and fcntl is not None:
                # Switching a new file to its journal mode fails at once if another process does the same.
                with self._gate():
                    engine.connect().close()
            with engine.execution_options(is_writing=True).begin() as connection:
                if not self.is_sqlite:
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
                yield connection
        finally:
            engine.dispose()

    def take_part(self) -> None:
        """Let other processes on this SQLite database know of this one, until `close`.

        Each process holds a shared lock on a file beside the database. To find out whether it is alone, a process
        tries to make its lock exclusive for a moment. A lock on a second file, the gate, keeps others from trying or
        joining in that time.
        """
        if fcntl is None or not self.is_sqlite or not self.url.database or self._presence is not None:
            return
        with self._gate():
            self._presence = Path(f"{self.url.database}.lock").open("ab")  # noqa: SIM115  # held until close()
            fcntl.flock(self._presence, fcntl.LOCK_SH)

    def is_alone(self) -> bool:
        """Whether no other process takes part in this SQLite database; never true on PostgreSQL."""
        self.take_part()
        if fcntl is None or self._presence is None:
            return False
        with self._gate():
            try:
                fcntl.flock(self._presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except OSError:
                return False
            finally:
                fcntl.flock(self._presence, fcntl.LOCK_SH)

    @contextmanager
    def _gate(self) -> Generator[None]:
        assert fcntl is not None
        file = Path(f"{self.url.database}.gate")
        _make_private(file)
        with file.open("ab") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield

    async def close(self) -> None:
        """Close all connections and release the lock."""
        if self._observer is not None:
            await self._observer.close()
        if self._presence is not None:
            self._presence.close()
        await super().close()


def _make_private(file: Path) -> None:
    """Create a file, and its folder, for this account alone; SQLite gives its other files the same mode."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        file.touch(mode=0o600)


def _with_driver(url: URL, *, is_async: bool) -> URL:
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite+aiosqlite" if is_async else "sqlite")
    return url.set(drivername="postgresql+psycopg")
