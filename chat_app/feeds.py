"""Feeds: what this process knows of the threads that somebody here has open, read once and shared by all who watch."""

import asyncio
import logging
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, func, select
from sqlmodel import col

from chat_app import views
from chat_app.db import Database
from chat_app.models import Thread, Visibility
from chat_app.streaming.flusher import DATABASE_AWAY
from chat_app.streaming.tailer import Row, probe_row
from chat_app.views import MessageView, ThreadView

logger = logging.getLogger(__name__)

DIRECTORY_EVERY = 2.0
"""Seconds between two looks at the list of open threads, while anything happens at all."""
RETRY_AFTER = 1.0
"""Seconds until a failed read of a thread's changes is tried again."""


@dataclass(frozen=True)
class ThreadChange:
    """What is new in a thread: messages that were added or changed, and the names of who wrote them."""

    thread: ThreadView
    messages: Sequence[MessageView]
    people: dict[int, tuple[str, int]]


OnChange = Callable[[ThreadChange | None], None]
"""Told what changed, or None when the thread is gone. It must not block."""
OnDirectory = Callable[[Sequence[tuple[str, str]]], None]
"""Told the open threads, (id, title), the most recently active first. It must not block."""


@dataclass
class _Watch:
    version: int | None = None
    listeners: set[OnChange] = field(default_factory=set)
    reading: asyncio.Task[None] | None = None
    newest: int = 0


class ThreadFeed:
    """A probe of the tailer that asks for the versions of watched threads, and reads what changed once for all."""

    kinds = frozenset({"thread"})

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watches: dict[str, _Watch] = {}
        self._asked: list[str] = []

    @contextmanager
    def watched(self, thread_id: str, listener: OnChange) -> Generator[None]:
        """Hear of a thread's changes for the time of the block; what it holds already is the listener's to read."""
        watch = self._watches.setdefault(thread_id, _Watch())
        watch.listeners.add(listener)
        try:
            yield
        finally:
            watch.listeners.discard(listener)
            if not watch.listeners:
                del self._watches[thread_id]
                if watch.reading is not None:
                    watch.reading.cancel()

    def seen(self, thread_id: str, version: int) -> None:
        """Somebody read the thread at this version; what came after it is told."""
        watch = self._watches[thread_id]
        # Of two who read at different moments, the earlier one has to be told more; listeners know what they saw.
        watch.version = version if watch.version is None else min(watch.version, version)

    def selects(self) -> Sequence[Select[Any]]:
        self._asked = [thread_id for thread_id, watch in self._watches.items() if watch.version is not None]
        if not self._asked:
            return ()
        versions = probe_row("thread", col(Thread.id), col(Thread.version))
        return (versions.where(col(Thread.id).in_(self._asked), col(Thread.deleted).is_(None)),)

    def deliver(self, rows: Sequence[Row], lag: float) -> None:  # noqa: ARG002  # a probe's signature
        versions = {row[1]: row[2] or 0 for row in rows}
        for thread_id in self._asked:
            watch = self._watches.get(thread_id)
            if watch is None or watch.version is None:
                continue
            if thread_id not in versions:
                for listener in tuple(watch.listeners):
                    listener(None)
                continue
            watch.newest = max(watch.newest, versions[thread_id])
            if watch.newest > watch.version and watch.reading is None:
                watch.reading = asyncio.create_task(self._read(thread_id, watch), name=f"changes of {thread_id}")

    async def _read(self, thread_id: str, watch: _Watch) -> None:
        try:
            while watch.version is not None and watch.newest > watch.version:
                try:
                    change = await self._changes(thread_id, watch.version)
                except DATABASE_AWAY as error:
                    logger.warning("thread %s could not be read (%s); trying again", thread_id, type(error).__name__)
                    await asyncio.sleep(RETRY_AFTER)
                    continue
                watch.version = change.thread.version
                for listener in tuple(watch.listeners):
                    listener(change)
        finally:
            watch.reading = None

    async def _changes(self, thread_id: str, version: int) -> ThreadChange:
        async with self._database.read() as session:
            thread = await views.thread(session, thread_id)
            messages = await views.messages_changed_since(session, thread_id, version)
            people = await views.people(session, sorted({message.author_id for message in messages}))
        return ThreadChange(thread, messages, people)


class Directory:
    """A probe of the tailer that asks for the open threads, now and then, for all sidebars here."""

    kinds = frozenset({"directory"})

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._listeners: set[OnDirectory] = set()
        self._last: list[tuple[str, str]] | None = None
        self._asked_at = -DIRECTORY_EVERY
        self._is_asked = False

    @contextmanager
    def watched(self, listener: OnDirectory) -> Generator[None]:
        """Hear of changes of the list for the time of the block."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def selects(self) -> Sequence[Select[Any]]:
        self._is_asked = bool(self._listeners) and self._clock() - self._asked_at >= DIRECTORY_EVERY
        if not self._is_asked:
            return ()
        rank = func.row_number().over(order_by=(col(Thread.active).desc(), col(Thread.id)))
        newest = (
            select(col(Thread.id), col(Thread.title), rank.label("rank"))
            .where(col(Thread.visibility) == Visibility.OPEN, col(Thread.deleted).is_(None))
            .order_by(col(Thread.active).desc(), col(Thread.id))
            .limit(views.LISTED)
            .subquery()
        )
        return (probe_row("directory", newest.c.id, newest.c.rank, text=newest.c.title),)

    def deliver(self, rows: Sequence[Row], lag: float) -> None:  # noqa: ARG002  # a probe's signature
        if not self._is_asked:
            return
        self._asked_at = self._clock()
        found = [(row[1], row[4] or "") for row in sorted(rows, key=lambda row: row[2] or 0)]
        if found != self._last:
            self._last = found
            for listener in tuple(self._listeners):
                listener(found)
