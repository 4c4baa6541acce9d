"""The directory: everybody's list of threads, read once per process and shared by all open tabs."""

import asyncio
import functools
import logging
import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.db import Database
from chat_app.data.models import Thread, Visibility
from chat_app.people.identity import Identity
from chat_app.threads import thread_views
from chat_app.threads.thread_views import ThreadView
from tributary_streams import DATABASE_AWAY, Row, probe_row, utc_now

logger = logging.getLogger(__name__)

DIRECTORY_EVERY = 2.0
"""Seconds between two reads of the thread lists at least; a changed thread causes a read."""
READ_ANYWAY = 30.0
"""Seconds after which the lists are read even if no thread seems to have changed: clocks may differ."""
COMMITS_APART, CLOCKS_APART = timedelta(minutes=1), timedelta(hours=2)
"""How far a read looks back beyond the last one, because a change may carry an earlier time than one that was committed
before it: usually, and after `READ_ANYWAY`, to allow for clocks that differ."""
CHANGES = 500
"""Changed threads that one read takes in at most."""
OnDirectory = Callable[[Mapping[str, "SidebarThread | None"]], None]
"""Called with the sidebar rows that are new or changed, by thread; None is a row that is gone. It must not block."""


@dataclass(frozen=True)
class SidebarThread:
    """A row of a person's sidebar: one thread.

    `active` is the time of the last post, in seconds since the epoch. `unread` counts the messages after the last one
    that this person read; it is 0 in a thread that they never read. `is_live` says that a reply is under way.
    """

    id: str
    title: str
    active: int
    unread: int
    is_live: bool


@dataclass
class _Subscription:
    user_id: int
    told: dict[str, SidebarThread] | None = None
    """The whole list that this subscriber was given, until the next read; it may be older than the last read."""

    def tell(self, listener: OnDirectory, changes: Mapping[str, SidebarThread | None]) -> None:
        if self.told is not None:
            self.told.update({key: row for key, row in changes.items() if row is not None})
        if changes:
            listener(changes)


class Directory:
    """A tailer probe that polls for changed threads, and then reads the lists once for all subscribers.

    Open threads are one shared list. Threads that only members find, and read positions, are kept by person, for the
    people with a tab here. A subscriber gets the whole list once, then only the rows that change.
    """

    kinds = frozenset({"directory"})

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._listeners: dict[OnDirectory, _Subscription] = {}
        self._open: dict[str, ThreadView] = {}
        self._own: dict[int, dict[str, ThreadView]] = {}
        self._live: Set[str] = frozenset()
        self._changed: dict[str, tuple[ThreadView, Set[int]]] = {}
        """What the last read found changed, by thread. The next ones find it again: each looks back beyond the last."""
        self._joined: set[int] = set()
        """People whose list a tab has read since the last read, or began to read before it: they get all changes."""
        self._read_up_to: dict[int, dict[str, int | None]] = {}
        self._latest: str | None = None
        self._read_at = -math.inf
        self._read_until = utc_now()
        self._reading: asyncio.Task[None] | None = None

    @contextmanager
    def watched(self, user_id: int, listener: OnDirectory) -> Generator[None]:
        """Call `listener` with the changes of this person's list while the block runs."""
        self._listeners[listener] = _Subscription(user_id)
        try:
            yield
        finally:
            del self._listeners[listener]
            if all(subscription.user_id != user_id for subscription in self._listeners.values()):
                self._own.pop(user_id, None)
                self._read_up_to.pop(user_id, None)
                self._joined.discard(user_id)
            if not self._listeners and self._reading is not None:
                self._reading.cancel()

    def seen(
        self, listener: OnDirectory, threads: Sequence[ThreadView], read_positions: Mapping[tuple[int, str], int]
    ) -> list[SidebarThread]:
        """Take in the list and the read positions that a listener has read for its person, and return the sidebar rows.

        What changed during that read follows with the next one.
        """
        subscription = self._listeners[listener]
        user_id = subscription.user_id
        self._joined.add(user_id)
        self._own[user_id] = {thread.id: thread for thread in threads if thread.visibility is not Visibility.OPEN}
        known = self._read_up_to.setdefault(user_id, {})
        for thread in threads:
            read = (read_positions.get((user_id, thread.id)), known.get(thread.id))
            known[thread.id] = max((position for position in read if position is not None), default=None)
        self._latest = None
        rows = [self._row(user_id, thread) for thread in threads]
        subscription.told = {row.id: row for row in rows}
        return rows

    async def rows(self, who: Identity) -> list[SidebarThread]:
        """This person's sidebar rows, the most recently active first, for a page that does not subscribe to changes."""
        async with self._database.read() as session:
            return await self._rows_of(session, who, await thread_views.listed(session, who.user_id))

    async def find(self, who: Identity, words: str) -> list[SidebarThread]:
        """Threads that this person may list and whose titles have all these words, `thread_views.FOUND` at most."""
        async with self._database.read() as session:
            return await self._rows_of(session, who, await thread_views.with_title(session, who.user_id, words))

    async def _rows_of(
        self, session: AsyncSession, who: Identity, threads: Sequence[ThreadView]
    ) -> list[SidebarThread]:
        read_positions = await thread_views.read_positions(session, [who.user_id], [thread.id for thread in threads])
        return [_row_of(thread, read_positions.get((who.user_id, thread.id)), self._live) for thread in threads]

    def read_up_to(self, user_id: int, thread_id: str, position: int) -> None:
        """Note that this person has read a thread up to `position`, and tell all their tabs at once."""
        known = self._read_up_to.get(user_id)
        thread = self._own.get(user_id, {}).get(thread_id) or self._open.get(thread_id)
        if known is None:
            return
        before = known.get(thread_id)
        known[thread_id] = position if before is None else max(before, position)
        if thread is None or _unread(thread, before) == _unread(thread, known[thread_id]):
            return
        for listener, subscription in tuple(self._listeners.items()):
            if subscription.user_id == user_id:
                subscription.tell(listener, {thread_id: self._row(user_id, thread)})

    def selects(self) -> Sequence[Select[Any]]:
        if not self._listeners:
            return ()
        return (probe_row("directory", literal(""), text=select(func.max(col(Thread.changed))).scalar_subquery()),)

    def deliver(self, rows: Sequence[Row], lag: float) -> None:  # noqa: ARG002  # a probe's signature
        if not rows or self._reading is not None:
            return
        latest = rows[0][4] or ""
        if latest != self._latest or self._clock() - self._read_at >= READ_ANYWAY:
            self._latest = latest
            self._reading = asyncio.create_task(self._read(), name="list of threads")
            self._reading.add_done_callback(self._has_read)  # called even if it was cancelled before its first step

    def _has_read(self, _: asyncio.Task[None]) -> None:
        self._reading = None

    async def _read(self) -> None:
        try:
            await asyncio.sleep(self._read_at + DIRECTORY_EVERY - self._clock())
            now = utc_now()
            apart = CLOCKS_APART if self._clock() - self._read_at >= READ_ANYWAY else COMMITS_APART
            async with self._database.read() as session:
                listed = {thread.id: thread for thread in await thread_views.listed_for_all(session)}
                live = await thread_views.live_threads(session)
                changed = await thread_views.changed_since(session, self._read_until - apart, CHANGES)
                unknown = self._unknown_positions(listed, changed)
                read_positions = await thread_views.read_positions(session, self._read_up_to.keys(), unknown)
            self._read_until, self._read_at = now, self._clock()
        except DATABASE_AWAY as error:
            self._latest = None
            logger.warning("the list of threads could not be read (%s); trying again", type(error).__name__)
            return
        members = {thread.id: listed_by for thread, listed_by in changed}
        for user_id, known in self._read_up_to.items():
            for thread_id in unknown:
                if thread_id in listed or user_id in members.get(thread_id, ()):
                    known.setdefault(thread_id, read_positions.get((user_id, thread_id)))
        self._tell(listed, live, changed)

    def _unknown_positions(
        self, listed: Mapping[str, ThreadView], changed: Sequence[tuple[ThreadView, Set[int]]]
    ) -> set[str]:
        """Threads that may be new in somebody's list, and for which that person's read position is not known."""
        unknown = {
            thread_id for thread_id in listed if any(thread_id not in known for known in self._read_up_to.values())
        }
        for thread, listed_by in changed:
            if any(thread.id not in self._read_up_to.get(user_id, {thread.id: None}) for user_id in listed_by):
                unknown.add(thread.id)
        return unknown

    def _tell(
        self, listed: dict[str, ThreadView], live: Set[str], changed: Sequence[tuple[ThreadView, Set[int]]]
    ) -> None:
        """Take in a read, and tell each listener the rows that changed.

        A listener that was given a whole list since the last read gets what differs from that list.
        """
        difference = _Difference(self._open, self._live, listed, live)
        self._open, self._live = listed, live
        known, self._changed = self._changed, {each[0].id: each for each in changed}
        news = [each for each in changed if known.get(each[0].id) != each]
        changes = {
            user_id: self._changes(user_id, own, changed if user_id in self._joined else news, difference)
            for user_id, own in self._own.items()
        }
        self._joined.clear()
        for listener, subscription in tuple(self._listeners.items()):
            if subscription.told is None:
                subscription.tell(listener, changes.get(subscription.user_id, {}))
                continue
            whole, told, subscription.told = self._whole(subscription.user_id), subscription.told, None
            new = {key: whole.get(key) for key in whole.keys() | told.keys() if whole.get(key) != told.get(key)}
            subscription.tell(listener, new)

    def _changes(
        self,
        user_id: int,
        own: dict[str, ThreadView],
        changed: Sequence[tuple[ThreadView, Set[int]]],
        difference: "_Difference",
    ) -> dict[str, SidebarThread | None]:
        """Bring this person's own threads up to date, and return the sidebar rows that changed."""
        had = {key: own.get(key) for key in difference.candidates & own.keys()}
        for thread, listed_by in changed:
            if user_id in listed_by:
                had.setdefault(thread.id, own.get(thread.id))
                own[thread.id] = thread
            elif thread.id in own:
                had[thread.id] = own.pop(thread.id)
        read_up_to = self._read_up_to.get(user_id, {})
        rows = {
            thread_id: difference.own_row(thread_id, had[thread_id], own.get(thread_id), read_up_to.get(thread_id))
            if thread_id in had
            else difference.open_row(thread_id, read_up_to.get(thread_id))
            for thread_id in difference.candidates | had.keys()
        }
        return {thread_id: row for thread_id, (row, has_changed) in rows.items() if has_changed}

    def _whole(self, user_id: int) -> dict[str, SidebarThread]:
        threads = [*self._open.values(), *self._own.get(user_id, {}).values()]
        threads.sort(key=lambda thread: (-thread.active.timestamp(), thread.id))
        return {thread.id: self._row(user_id, thread) for thread in threads[: thread_views.LISTED]}

    def _row(self, user_id: int, thread: ThreadView) -> SidebarThread:
        return _row_of(thread, self._read_up_to.get(user_id, {}).get(thread.id), self._live)


class _Difference:
    """The difference between two successive reads, as far as it is the same for everybody."""

    def __init__(
        self, were_open: dict[str, ThreadView], were_live: Set[str], are_open: dict[str, ThreadView], live: Set[str]
    ) -> None:
        self._open, self._live = (were_open, are_open), (were_live, live)
        self.candidates = were_live ^ live
        """Threads whose row may have changed for anybody; a person's own threads come on top."""
        self.candidates |= {
            key for key in were_open.keys() | are_open.keys() if were_open.get(key) != are_open.get(key)
        }
        self.open_row = functools.cache(self._open_row)
        """The row of an open thread at a read position, and whether it has changed. Cached: most people have the same
        position in most threads, which is none."""

    def own_row(
        self, thread_id: str, was: ThreadView | None, now: ThreadView | None, read_up_to: int | None
    ) -> tuple[SidebarThread | None, bool]:
        """The same for a person whose own list had the thread as `was`, and has it as `now`."""
        (were_open, are_open), (were_live, live) = self._open, self._live
        was, now = was or were_open.get(thread_id), now or are_open.get(thread_id)
        row = now and _row_of(now, read_up_to, live)
        return row, row != (was and _row_of(was, read_up_to, were_live))

    def _open_row(self, thread_id: str, read_up_to: int | None) -> tuple[SidebarThread | None, bool]:
        return self.own_row(thread_id, None, None, read_up_to)


def _row_of(thread: ThreadView, read_up_to: int | None, live: Set[str]) -> SidebarThread:
    unread, is_live = _unread(thread, read_up_to), thread.id in live
    return SidebarThread(thread.id, thread.title, int(thread.active.timestamp()), unread, is_live)


def _unread(thread: ThreadView, read_up_to: int | None) -> int:
    return 0 if read_up_to is None else max(0, thread.last_position - read_up_to)
