"""A process's line to a SQLite database, on which writes are slow, fail or lose their answer as a plan says.

It runs in the event loop's own thread, so that it works in virtual time. The driver's module of aiosqlite is used with
a connection of our own in its place: what SQLAlchemy does with errors, savepoints and cancelled statements is real.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another writer's transaction, as the application does."""


class FaultKind(StrEnum):
    REFUSED = "refused at its beginning"
    BROKEN = "broken in the middle"
    NOT_COMMITTED = "failed at COMMIT, nothing stored"
    ANSWER_LOST = "failed at COMMIT, all stored"
    SLOW = "slow"


@dataclass(frozen=True)
class Fault:
    """What becomes of one writing transaction. `at` is the statement that breaks, `delay` seconds of a slow one."""

    kind: FaultKind
    at: int = 1
    delay: float = 0.0


@dataclass(frozen=True)
class Outage:
    """The database does not answer from `start` on for `length` seconds."""

    start: float
    length: float


class Line:
    """One process's way to the database; it implements the core's `Transactions`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._engine = create_async_engine("sqlite+aiosqlite://", async_creator=self._connect, poolclass=NullPool)
        self._writer = self._engine.execution_options(is_writing=True)
        event.listen(self._engine.sync_engine, "begin", _begin)
        self.reset()

    def reset(
        self,
        faults: Sequence[Fault | None] = (),
        outages: Sequence[Outage] = (),
        *,
        on_commit: Callable[[], None] = lambda: None,
    ) -> None:
        """Plan the next writing transactions, in order; those after them succeed. `on_commit` hears of each commit."""
        self._faults = list(faults)
        self._outages = outages
        self._on_commit = on_commit
        self._is_cut = False
        self._open: set[_Connection] = set()

    def cut(self) -> None:
        """The process is killed: its open transactions are rolled back, and no call of it returns any more."""
        self._is_cut = True
        for connection in self._open:
            connection.raw.close()

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        """A session whose reads see one moment."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncSession]:
        """A session that may write, committed at the end of the block."""
        async with AsyncSession(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    async def _connect(self) -> "_Connection":
        raw = self._idle.pop() if self._idle else _open(self._path)
        connection = _Connection(self, raw)
        self._open.add(connection)
        return connection

    def leave(self, connection: "_Connection") -> None:
        """A connection is not used any more."""
        if connection in self._open and not self._is_cut:
            self._open.discard(connection)
            connection.raw.rollback()
            self._idle.append(connection.raw)

    def next_fault(self) -> Fault | None:
        """What becomes of the writing transaction that begins now."""
        return self._faults.pop(0) if self._faults else None

    async def answer(self) -> None:
        """Return when the database answers; raise while it is away, never return after the kill."""
        now = asyncio.get_running_loop().time()
        if any(outage.start <= now < outage.start + outage.length for outage in self._outages):
            raise sqlite3.OperationalError("the database is away")
        await self.live()

    async def live(self) -> None:
        """Return unless the process was killed."""
        if self._is_cut:
            await asyncio.get_running_loop().create_future()

    def committed(self) -> None:
        """A writing transaction took effect."""
        self._on_commit()


def _open(path: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(path, isolation_level=None, timeout=0)
    raw.execute("PRAGMA foreign_keys = ON")
    raw.execute("PRAGMA synchronous = OFF")  # a kill here is not the machine's
    return raw


class _Connection:
    """What SQLAlchemy takes for a connection of aiosqlite."""

    def __init__(self, line: Line, raw: sqlite3.Connection) -> None:
        self._line = line
        self.raw = raw
        self._connection = raw  # aiosqlite's name; SQLAlchemy looks whether it is there
        self._fault: Fault | None = None
        self._statements = 0
        self._is_writing = False

    def cursor(self) -> "_Cursor":
        return _Cursor(self)

    async def create_function(self, *args: Any, **more: Any) -> None:
        """SQLAlchemy's regexp: not needed here."""

    async def run(self, cursor: sqlite3.Cursor, statement: str, parameters: Any) -> None:
        await self._line.live()
        if statement == "BEGIN IMMEDIATE":
            self._is_writing = True
            self._fault, self._statements = self._line.next_fault(), 0
            await self._slow_down()
            self._fail(FaultKind.REFUSED)
        elif self._is_writing:
            self._statements += 1
            if self._fault is not None and self._statements == self._fault.at:
                self._fail(FaultKind.BROKEN)
        await self._line.answer()
        waited = 0.0
        while True:
            try:
                cursor.execute(statement, parameters)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or waited >= BUSY_TIMEOUT:
                    raise
                await asyncio.sleep(0.05)
                await self._line.live()
                waited += 0.05
            else:
                return

    async def commit(self) -> None:
        is_writing, self._is_writing = self._is_writing, False
        if is_writing:
            await self._line.answer()
            await self._slow_down()
            await self._line.live()
            self._fail(FaultKind.NOT_COMMITTED)
        self.raw.commit()
        if is_writing:
            self._line.committed()
            self._fail(FaultKind.ANSWER_LOST)
            await self._slow_down()
            await self._line.live()

    async def rollback(self) -> None:
        self._is_writing = False
        await self._line.live()
        self.raw.rollback()

    async def close(self) -> None:
        self._line.leave(self)

    def stop(self) -> None:
        self._line.leave(self)

    async def _slow_down(self) -> None:
        if self._fault is not None and self._fault.kind is FaultKind.SLOW:
            await asyncio.sleep(self._fault.delay)

    def _fail(self, kind: FaultKind) -> None:
        if self._fault is not None and self._fault.kind is kind:
            self._fault = None
            raise sqlite3.OperationalError(str(kind))


class _Cursor:
    """What SQLAlchemy takes for a cursor of aiosqlite."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._cursor = connection.raw.cursor()

    async def __aenter__(self) -> "_Cursor":
        return self

    async def execute(self, statement: str, parameters: Any = ()) -> None:
        await self._connection.run(self._cursor, statement, parameters)

    async def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    async def close(self) -> None:
        self._cursor.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)  # description, rowcount, lastrowid


def _begin(connection: Connection) -> None:
    is_writing = connection.get_execution_options().get("is_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")
