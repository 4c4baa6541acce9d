"""Feeds: changes of open threads, of names and of sessions, read once per process and passed to all subscribers."""

import asyncio
import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, Text, cast
from sqlmodel import col

from chat_app.data.db import Database
from chat_app.data.models import MemberRole, Session, Thread, User
from chat_app.threads import message_views, thread_views
from chat_app.threads.message_views import MessageView
from chat_app.threads.thread_views import ThreadView
from tributary_streams import DATABASE_AWAY, Row, probe_row, utc_now

logger = logging.getLogger(__name__)
LATELY = timedelta(days=1)
"""For how long the query finds an ended session: far longer than any tick, because clocks may differ."""
RENAMED_LATELY = timedelta(minutes=10)
"""For how long the query finds a new name: longer than any tick, because clocks may differ."""
RETRY_AFTER = 1.0
"""Seconds until a failed read of a thread's changes is tried again."""


@dataclass(frozen=True)
class ThreadChange:
    """What is new in a thread: messages that were added or changed, and their authors' names and hues by user id."""

    thread: ThreadView
    messages: Sequence[MessageView]
    people: dict[int, tuple[str, int]]
    roles: dict[int, MemberRole] | None
    """The roles of all members by user id; None if access has not changed."""


OnChange = Callable[[ThreadChange | None], None]
"""Called with what changed, or with None when the thread is gone. It must not block."""
OnEnd = Callable[[], None]
"""Called when a session has ended. It must not block."""


@dataclass
class _Watch:
    version: int | None = None
    access_version: int | None = None
    listeners: set[OnChange] = field(default_factory=set)
    reading: asyncio.Task[None] | None = None
    newest: int = 0


class ThreadFeed:
    """A tailer probe that polls the versions of watched threads, and reads a change once for all subscribers."""

    kinds = frozenset({"thread"})

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watches: dict[str, _Watch] = {}
        self._asked: list[str] = []

    @contextmanager
    def watched(self, thread_id: str, listener: OnChange) -> Generator[None]:
        """Call `listener` with each change of a thread while the block runs; it reads the present state itself."""
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
        """Note that a listener has read the thread at this version; later changes are passed on."""
        watch = self._watches[thread_id]
        # The listener that read first needs the most changes; the others skip what they have already.
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
                    change = await self._changes(thread_id, watch.version, watch.access_version)
                except DATABASE_AWAY as error:
                    logger.warning("thread %s could not be read (%s); trying again", thread_id, type(error).__name__)
                    await asyncio.sleep(RETRY_AFTER)
                    continue
                watch.version, watch.access_version = change.thread.version, change.thread.access_version
                for listener in tuple(watch.listeners):
                    listener(change)
        finally:
            watch.reading = None

    async def _changes(self, thread_id: str, version: int, access_version: int | None) -> ThreadChange:
        async with self._database.read() as session:
            thread = await thread_views.thread(session, thread_id)
            messages = await message_views.messages_changed_since(session, thread_id, version)
            people = await message_views.authors(session, messages)
            is_same = thread.access_version == access_version
            roles = None if is_same else await thread_views.roles(session, thread_id)
        return ThreadChange(thread, messages, people, roles)


class Names:
    """A tailer probe that polls for people who changed their name or colour lately, for pages that may show them."""

    kinds = frozenset({"person"})

    def __init__(self, on_rename: Callable[[int, str, int], None], is_watched: Callable[[], bool]) -> None:
        """`on_rename` is called with user id, name and hue; nothing is polled while `is_watched()` is false."""
        self._on_rename = on_rename
        self._is_watched = is_watched
        self._known: dict[int, tuple[str, int]] = {}

    def selects(self) -> Sequence[Select[Any]]:
        if not self._is_watched():
            return ()
        renamed = probe_row("person", cast(col(User.id), Text), col(User.hue), text=col(User.name))
        return (renamed.where(col(User.renamed) > utc_now() - RENAMED_LATELY),)

    def deliver(self, rows: Sequence[Row], lag: float) -> None:  # noqa: ARG002  # a probe's signature
        known, self._known = self._known, {int(row[1]): (row[4] or "", row[2] or 0) for row in rows}
        for user_id, (name, hue) in self._known.items():
            if known.get(user_id) != (name, hue):
                self._on_rename(user_id, name, hue)


class Endings:
    """A tailer probe that polls for sessions that were ended lately, so that their open connections end too."""

    kinds = frozenset({"session"})

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` makes the tailer tick at once, when there is something to poll for. It must not block."""
        self._wake = wake
        self._listeners: dict[OnEnd, str] = {}
        self._waiting: set[asyncio.Event] = set()

    async def until_ended(self, session: str) -> bool:
        """Wait until the session with this hash is ended, by any process; False if the server stops first."""
        woken = asyncio.Event()
        is_ended = False

        def end() -> None:
            nonlocal is_ended
            is_ended = True
            woken.set()

        with self.watched(session, end):
            self._waiting.add(woken)
            self._wake()
            try:
                await woken.wait()
            finally:
                self._waiting.discard(woken)
        return is_ended

    def end_all(self) -> None:
        """Release everybody who waits: the server stops."""
        for woken in self._waiting:
            woken.set()

    @contextmanager
    def watched(self, session: str, listener: OnEnd) -> Generator[None]:
        """Call `listener` if the session with this hash ends while the block runs."""
        self._listeners[listener] = session
        try:
            yield
        finally:
            del self._listeners[listener]

    def selects(self) -> Sequence[Select[Any]]:
        if not self._listeners:
            return ()
        return (probe_row("session", col(Session.hash)).where(col(Session.ended) > utc_now() - LATELY),)

    def deliver(self, rows: Sequence[Row], lag: float) -> None:  # noqa: ARG002  # a probe's signature
        ended = {row[1] for row in rows}
        for listener, session in tuple(self._listeners.items()) if ended else ():
            if session in ended:
                listener()
