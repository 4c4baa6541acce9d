"""Transactions on an SQLAlchemy engine, with the settings that streams need of SQLite."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import ConnectionPoolEntry

from tributary_streams.flusher import ANSWER_WITHIN

BUSY_TIMEOUT_MS = 5_000
"""How long SQLite waits for another writer before it gives up; the flusher then tries again."""

SOON = 5
"""Transactions for which one that is to be soon waits at most: a crowd that posts must not keep replies from being
stored, nor these the crowd."""
END_WITHIN = 1.0
"""Seconds that a cancelled task waits for its transaction to end; a server that hangs would keep it for ever."""


class EngineTransactions:
    """The `Transactions` of an engine, on SQLite or PostgreSQL.

    Reading and writing transactions differ on SQLite: one that reads first and then wants to write fails at once when
    somebody wrote in between, whatever the timeout. So a writing one takes the write lock at its beginning.
    """

    def __init__(self, engine: AsyncEngine, writer: AsyncEngine | None = None) -> None:
        """Args:
        engine: one that has not connected yet; on SQLite its connections are set up by `prepare_sqlite`.
        writer: another such one on the same database, for writing alone: with a pool of its own no crowd of readers
            keeps a stream from being stored. Without it both share the one.
        """
        self.engine = engine
        self.writer = writer or engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        if self.is_sqlite:
            for each in {engine, self.writer}:
                prepare_sqlite(each.sync_engine)
        # SQLite's reads see one moment anyway.
        self._reading = engine if self.is_sqlite else engine.execution_options(isolation_level="REPEATABLE READ")
        self._writing = self.writer.execution_options(is_writing=True)
        # SQLite has one writer at a time, and lets the others race for it: here they stand in line.
        self._queue = _Queue() if self.is_sqlite else None

    async def close(self) -> None:
        """Let go of all connections."""
        for each in {self.engine, self.writer}:
            await each.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        """A session whose reads see one moment; what it changes is not kept.

        Raises:
            TimeoutError: a server has not answered for too long; so of `write`.
        """
        async with self._in_time(self.engine), AsyncSession(self._reading, expire_on_commit=False) as session:
            yield session

    def write(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A session that may write, committed at the end of the block and rolled back by an exception."""
        return self._write(is_soon=False)

    def write_soon(self) -> AbstractAsyncContextManager[AsyncSession]:
        """The same, for a writer that goes ahead of most of those who wait."""
        return self._write(is_soon=True)

    @asynccontextmanager
    async def _write(self, *, is_soon: bool) -> AsyncGenerator[AsyncSession]:
        async with (
            self._in_time(self.writer),
            nullcontext() if self._queue is None else self._queue.turn(is_soon=is_soon),
            AsyncSession(self._writing, expire_on_commit=False) as session,
        ):
            try:
                yield session
            except BaseException:
                await _to_its_end(session.rollback())
                raise
            await _to_its_end(session.commit())

    @asynccontextmanager
    async def _in_time(self, engine: AsyncEngine) -> AsyncGenerator[None]:
        """Leave a server's connection that hangs: it may do so for ever, and the idle ones beside it as well."""
        patience = asyncio.timeout(None if self.is_sqlite else ANSWER_WITHIN)
        try:
            async with patience:
                yield
        finally:
            if patience.expired():
                await engine.dispose()


class _Queue:
    """A lock whose waiters form a queue, which a waiter enters at its end or near its front."""

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self, *, is_soon: bool) -> AsyncGenerator[None]:
        """Have it for the time of the block."""
        if self._is_taken:
            await self._called(is_soon=is_soon)
        self._is_taken = True
        try:
            yield
        finally:
            self._call_next()

    async def _called(self, *, is_soon: bool) -> None:
        call = asyncio.get_running_loop().create_future()
        self._waiting.insert(SOON if is_soon else len(self._waiting), call)
        try:
            await call
        except asyncio.CancelledError:
            if not call.cancelled():
                self._call_next()  # it was this one's turn already
            elif call in self._waiting:
                self._waiting.remove(call)
            raise

    def _call_next(self) -> None:
        """Hand it on; it stays taken meanwhile, so that nobody comes between."""
        while self._waiting:
            call = self._waiting.popleft()
            if not call.done():  # else it was cancelled a moment ago
                call.set_result(None)
                return
        self._is_taken = False


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await a transaction's end, also while this task is being cancelled: a connection that is left in the middle of it
    is of no more use, and SQLAlchemy logs an error."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        ended, _ = await asyncio.wait({task}, timeout=END_WITHIN)
        if not ended:
            task.cancel()
        elif not task.cancelled():
            task.exception()  # heard; that the caller is cancelled comes first
        raise


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
