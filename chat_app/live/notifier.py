"""The notifier: server processes on one PostgreSQL tell each other of commits, so that all of them poll soon.

A notice carries no data; the process that receives it reads the database. A lost notice or connection costs the time
until the next tick and nothing else. SQLite needs no notices: the file shows when it has changed.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from chat_app.data.db import ANSWER_WITHIN, Database
from tributary_streams import DATABASE_AWAY, StreamId

if TYPE_CHECKING:
    from psycopg import AsyncConnection


logger = logging.getLogger(__name__)

CHANNEL = "tributary"
EVERY = 0.1
"""Seconds between two notices that a process sends, and between two polls that notices cause: each notice takes a lock
that all processes share."""
LONGEST = 4_000
"""Characters of stream ids in a notice; with more it concerns everybody. PostgreSQL takes under 8,000 bytes."""
ANYBODY = "*"
"""Takes the place of the stream ids in a notice that concerns every process."""
AGAIN_AFTER, AT_MOST = 1.0, 30.0
"""Seconds until a lost connection is tried again: at first, and after many failures."""
KEEP_ALIVE: dict[str, Any] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Seconds, seconds, times: a connection that dies silently is noticed within a minute."""


class Notifier:
    """Sends notices to other processes, and receives theirs. `run` is its task; without it the tick finds all."""

    def __init__(
        self, database: Database, *, concerns: Callable[[Collection[StreamId]], bool], on_notice: Callable[[], None]
    ) -> None:
        """Args:
        database: on SQLite there is nothing to do.
        concerns: returns whether any of these streams is watched here; it must not block, nor must `on_notice`.
        on_notice: called when another process has committed something that may concern this one.
        """
        self._database = database
        self._concerns = concerns
        self._on_notice = on_notice
        self._name = secrets.token_hex(8)
        self._grown: set[StreamId] = set()
        self._is_for_anybody = False
        self._has_news = asyncio.Event()
        self._next_look: asyncio.TimerHandle | None = None
        self._looked_at = float("-inf")

    def notify(self, grown: Collection[StreamId] | None = None) -> None:
        """Send a notice soon: these streams have grown, or, without them, anything may have changed."""
        if self._database.is_sqlite:
            return
        if grown is None:
            self._is_for_anybody = True
        else:
            self._grown.update(grown)
        if self._is_for_anybody or self._grown:
            self._has_news.set()

    async def run(self) -> None:
        """Send and receive notices for ever."""
        if self._database.is_sqlite:
            return
        try:
            async with asyncio.TaskGroup() as parts:
                parts.create_task(self._tell_for_ever(), name="notifier")
                parts.create_task(self._listen_for_ever(), name="listener")
        finally:
            if self._next_look is not None:
                self._next_look.cancel()

    async def _tell_for_ever(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            grown = " ".join(sorted(self._grown))
            says = ANYBODY if self._is_for_anybody or len(grown) > LONGEST else grown
            self._grown.clear()
            self._is_for_anybody = False
            try:
                async with self._database.write() as session:
                    await session.execute(select(func.pg_notify(CHANNEL, f"{self._name} {says}")))
            except DATABASE_AWAY as error:
                logger.debug("other processes were not told (%s)", type(error).__name__)
            await asyncio.sleep(EVERY)

    async def _listen_for_ever(self) -> None:
        wait = AGAIN_AFTER
        while True:
            try:
                async with self._listening() as connection:
                    wait = AGAIN_AFTER
                    self._look_soon()  # notices that were sent before it are lost
                    async for notice in connection.notifies():
                        self._hear(notice.payload)
            except DATABASE_AWAY as error:
                logger.warning("other processes are not heard (%s); trying again", type(error).__name__)
            await asyncio.sleep(wait)
            wait = min(2 * wait, AT_MOST)

    @asynccontextmanager
    async def _listening(self) -> AsyncGenerator["AsyncConnection"]:
        """A connection outside of the pools: it is busy for as long as it lives."""
        import psycopg  # SQLite does not need it

        url = self._database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            connection = await psycopg.AsyncConnection.connect(
                url, autocommit=True, connect_timeout=ANSWER_WITHIN, **KEEP_ALIVE
            )
            async with connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                yield connection
        except psycopg.OperationalError as error:
            raise ConnectionError from error

    def _hear(self, says: str) -> None:
        name, _, whom = says.partition(" ")
        if name != self._name and (whom == ANYBODY or self._concerns([StreamId(each) for each in whom.split()])):
            self._look_soon()

    def _look_soon(self) -> None:
        if self._next_look is None:
            loop = asyncio.get_running_loop()
            self._next_look = loop.call_at(max(loop.time(), self._looked_at + EVERY), self._look)

    def _look(self) -> None:
        self._next_look = None
        self._looked_at = asyncio.get_running_loop().time()
        self._on_notice()
