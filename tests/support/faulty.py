"""A database that a test makes slow, or takes away."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from chat_app.data.db import Database

WITHIN = 30
"""Seconds after which a wait has failed."""


class FaultyDatabase(Database):
    """A real database whose answers depend on what the test has set."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.delay = 0.0
        """Seconds that each write takes longer."""
        self.refuses_writes = False
        self.refuses_reads = False
        self.refuses_has_changed = False
        self.loses_answers = False
        """Whether a commit succeeds and is reported as failed."""
        self.refuses_commits = False
        """Whether a commit fails, and nothing is stored."""
        self.commits = 0
        self.failures = 0
        self._has_failed = asyncio.Event()
        self._has_committed = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()

    def hold_writes(self) -> None:
        """Let writes hang until `release_writes`."""
        self._may_write.clear()

    def release_writes(self) -> None:
        self._may_write.set()

    async def until_failed(self, times: int) -> None:
        """Wait for so many more failures of any kind."""
        seen = self.failures
        async with asyncio.timeout(WITHIN):
            while self.failures < seen + times:
                self._has_failed.clear()
                await self._has_failed.wait()

    async def until_committed(self) -> None:
        """Wait for the next commit that is reported as one."""
        self._has_committed.clear()
        async with asyncio.timeout(WITHIN):
            await self._has_committed.wait()

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        with self._noting_failures():
            if self.refuses_reads:
                raise gone()
            async with super().read() as session:
                yield session

    @asynccontextmanager
    async def _write(self, *, is_soon: bool) -> AsyncGenerator[AsyncSession]:
        with self._noting_failures():
            await self._may_write.wait()
            if self.refuses_writes:
                raise gone()
            async with super()._write(is_soon=is_soon) as session:
                yield session
                await asyncio.sleep(self.delay)
                if self.refuses_commits:
                    raise gone()
            self.commits += 1
            if self.loses_answers:
                raise gone()
            self._has_committed.set()

    async def has_changed(self) -> bool:
        with self._noting_failures():
            if self.refuses_reads or self.refuses_has_changed:
                raise gone()
            return await super().has_changed()

    @contextmanager
    def _noting_failures(self) -> Generator[None]:
        try:
            yield
        except OperationalError:
            self.failures += 1
            self._has_failed.set()
            raise


def gone() -> OperationalError:
    """What a driver says of a server that is away."""
    return OperationalError("", None, ConnectionError("connection refused"))
