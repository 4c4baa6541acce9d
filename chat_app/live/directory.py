"""The directory: each person's list of threads, read once for all who have it open."""

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
"""Seconds between two looks at the lists of threads, while anything happens at all."""
READ_ANYWAY = 30.0
"""Seconds after which the lists are read whether or not a thread seems to have changed: clocks may differ."""
COMMITS_APART, CLOCKS_APART = timedelta(minutes=1), timedelta(hours=2)
"""By how much a change may seem older than another that was committed before it: usually, and with clocks set apart."""
CHANGES = 500
"""Changed threads that one look takes in at most."""
OnDirectory = Callable[[Mapping[str, "SidebarThread | None"]], None]
"""Told the lines of a person's list that are new or other, by thread; None is one that is gone. It must not block."""


@dataclass(frozen=True)
class SidebarThread:
    """A thread as a person's sidebar lists it.

    `active` is when somebody wrote in it last, in seconds since the epoch. `unread` counts what was added since this
    person was there; nothing in a thread where they never were. `is_live` while a reply is under way in it.
    """

    id: str
    title: str
    active: int
    unread: int
    is_live: bool


@dataclass
class _Listener:
    user_id: int
    told: dict[str, SidebarThread] | None = None
    """What this listener was told as the whole list, until the next look: it may have been read before the last one."""

    def tell(self, listener: OnDirectory, changes: Mapping[str, SidebarThread | None]) -> None:
        if self.told is not None:
            self.told.update({key: line for key, line in changes.items() if line is not None})
        if changes:
            listener(changes)


class Directory:
    """A probe of the tailer that asks, now and then, whether any thread has changed, and reads the lists once for all.

    What is open to all is one list. What only its members find, and how far somebody has read, is kept by person, for
    those who have a tab here. A list is told whole once, and then line by line.
    """

    kinds = frozenset({"directory"})

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._listeners: dict[OnDirectory, _Listener] = {}
        self._open: dict[str, ThreadView] = {}
        self._own: dict[int, dict[str, ThreadView]] = {}
        self._live: Set[str] = frozenset()
        self._changed: dict[str, tuple[ThreadView, Set[int]]] = {}
        """What the last look found changed of late, and so will the next ones for a while."""
        self._joined: set[int] = set()
        """Whose list was read since then, and maybe before it."""
        self._read_up_to: dict[int, dict[str, int | None]] = {}
        self._latest: str | None = None
        self._read_at = -math.inf
        self._read_until = utc_now()
        self._reading: asyncio.Task[None] | None = None

    @contextmanager
    def watched(self, user_id: int, listener: OnDirectory) -> Generator[None]:
        """Hear of changes of this person's list for the time of the block."""
        self._listeners[listener] = _Listener(user_id)
        try:
            yield
        finally:
            del self._listeners[listener]
            if all(reader.user_id != user_id for reader in self._listeners.values()):
                self._own.pop(user_id, None)
                self._read_up_to.pop(user_id, None)
                self._joined.discard(user_id)
            if not self._listeners and self._reading is not None:
                self._reading.cancel()

    def seen(
        self, listener: OnDirectory, threads: Sequence[ThreadView], readings: Mapping[tuple[int, str], int]
    ) -> list[SidebarThread]:
        """This listener's list and its person's readings were read; what changed while they were is told soon."""
        reader = self._listeners[listener]
        user_id = reader.user_id
        self._joined.add(user_id)
        self._own[user_id] = {thread.id: thread for thread in threads if thread.visibility is not Visibility.OPEN}
        known = self._read_up_to.setdefault(user_id, {})
        for thread in threads:
            read = (readings.get((user_id, thread.id)), known.get(thread.id))
            known[thread.id] = max((position for position in read if position is not None), default=None)
        self._latest = None
        lines = [self._line(user_id, thread) for thread in threads]
        reader.told = {line.id: line for line in lines}
        return lines

    async def lines(self, who: Identity) -> list[SidebarThread]:
        """This person's list, the most recently active first, for a page that is told nothing more."""
        async with self._database.read() as session:
            return await self._lines_of(session, who, await thread_views.listed(session, who.user_id))

    async def find(self, who: Identity, words: str) -> list[SidebarThread]:
        """The threads that this person's list may have and whose titles have these words, some at most."""
        async with self._database.read() as session:
            return await self._lines_of(session, who, await thread_views.with_title(session, who.user_id, words))

    async def _lines_of(
        self, session: AsyncSession, who: Identity, threads: Sequence[ThreadView]
    ) -> list[SidebarThread]:
        readings = await thread_views.read_positions(session, [who.user_id], [thread.id for thread in threads])
        return [_line_of(thread, readings.get((who.user_id, thread.id)), self._live) for thread in threads]

    def read_up_to(self, user_id: int, thread_id: str, position: int) -> None:
        """This person has read a thread up to there: all their tabs are to know at once."""
        known = self._read_up_to.get(user_id)
        thread = self._own.get(user_id, {}).get(thread_id) or self._open.get(thread_id)
        if known is None:
            return
        before = known.get(thread_id)
        known[thread_id] = position if before is None else max(before, position)
        if thread is None or _unread(thread, before) == _unread(thread, known[thread_id]):
            return
        for listener, reader in tuple(self._listeners.items()):
            if reader.user_id == user_id:
                reader.tell(listener, {thread_id: self._line(user_id, thread)})

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

    async def _read(self) -> None:
        try:
            await asyncio.sleep(self._read_at + DIRECTORY_EVERY - self._clock())
            now = utc_now()
            apart = CLOCKS_APART if self._clock() - self._read_at >= READ_ANYWAY else COMMITS_APART
            async with self._database.read() as session:
                listed = {thread.id: thread for thread in await thread_views.listed_for_all(session)}
                live = await thread_views.live_threads(session)
                changed = await thread_views.changed_since(session, self._read_until - apart, CHANGES)
                unknown = self._readings_unknown(listed, changed)
                readings = await thread_views.read_positions(session, self._read_up_to.keys(), unknown)
            self._read_until, self._read_at = now, self._clock()
        except DATABASE_AWAY as error:
            self._latest = None
            logger.warning("the list of threads could not be read (%s); trying again", type(error).__name__)
            return
        finally:
            self._reading = None
        members = {thread.id: listed_by for thread, listed_by in changed}
        for user_id, known in self._read_up_to.items():
            for thread_id in unknown:
                if thread_id in listed or user_id in members.get(thread_id, ()):
                    known.setdefault(thread_id, readings.get((user_id, thread_id)))
        self._tell(listed, live, changed)

    def _readings_unknown(
        self, listed: Mapping[str, ThreadView], changed: Sequence[tuple[ThreadView, Set[int]]]
    ) -> set[str]:
        """Threads that somebody's list may have got, and of which it was not read how far they have come in them."""
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
        """Take what was read, and tell everybody the lines that are others now; who was told a list, what is in it."""
        step = _Step(self._open, self._live, listed, live)
        self._open, self._live = listed, live
        known, self._changed = self._changed, {each[0].id: each for each in changed}
        news = [each for each in changed if known.get(each[0].id) != each]
        changes = {
            user_id: self._changes(user_id, own, changed if user_id in self._joined else news, step)
            for user_id, own in self._own.items()
        }
        self._joined.clear()
        for listener, reader in tuple(self._listeners.items()):
            if reader.told is None:
                reader.tell(listener, changes.get(reader.user_id, {}))
                continue
            whole, told, reader.told = self._whole(reader.user_id), reader.told, None
            new = {key: whole.get(key) for key in whole.keys() | told.keys() if whole.get(key) != told.get(key)}
            reader.tell(listener, new)

    def _changes(
        self, user_id: int, own: dict[str, ThreadView], changed: Sequence[tuple[ThreadView, Set[int]]], step: "_Step"
    ) -> dict[str, SidebarThread | None]:
        """Bring this person's own threads up to date, and return the lines of their list that are others now."""
        had = {key: own.get(key) for key in step.touched & own.keys()}
        for thread, listed_by in changed:
            if user_id in listed_by:
                had.setdefault(thread.id, own.get(thread.id))
                own[thread.id] = thread
            elif thread.id in own:
                had[thread.id] = own.pop(thread.id)
        read_up_to = self._read_up_to.get(user_id, {})
        lines = {
            thread_id: step.of_own(thread_id, had[thread_id], own.get(thread_id), read_up_to.get(thread_id))
            if thread_id in had
            else step.of_open(thread_id, read_up_to.get(thread_id))
            for thread_id in step.touched | had.keys()
        }
        return {thread_id: line for thread_id, (line, is_other) in lines.items() if is_other}

    def _whole(self, user_id: int) -> dict[str, SidebarThread]:
        threads = [*self._open.values(), *self._own.get(user_id, {}).values()]
        threads.sort(key=lambda thread: (-thread.active.timestamp(), thread.id))
        return {thread.id: self._line(user_id, thread) for thread in threads[: thread_views.LISTED]}

    def _line(self, user_id: int, thread: ThreadView) -> SidebarThread:
        return _line_of(thread, self._read_up_to.get(user_id, {}).get(thread.id), self._live)


class _Step:
    """The way from one look at the lists to the next, as far as it is the same for all."""

    def __init__(
        self, were_open: dict[str, ThreadView], were_live: Set[str], are_open: dict[str, ThreadView], live: Set[str]
    ) -> None:
        self._open, self._live = (were_open, are_open), (were_live, live)
        self.touched = were_live ^ live
        """Threads whose line may be another one; besides, those that a person alone has."""
        self.touched |= {key for key in were_open.keys() | are_open.keys() if were_open.get(key) != are_open.get(key)}
        self.of_open = functools.cache(self._of_open)
        """A thread's line for who has read it so far, and whether it is another one. Most people have read most threads
        equally far: not at all."""

    def of_own(
        self, thread_id: str, was: ThreadView | None, now: ThreadView | None, read_up_to: int | None
    ) -> tuple[SidebarThread | None, bool]:
        """The same for who had the thread as `was` in a list of their own, and has it as `now`."""
        (were_open, are_open), (were_live, live) = self._open, self._live
        was, now = was or were_open.get(thread_id), now or are_open.get(thread_id)
        line = now and _line_of(now, read_up_to, live)
        return line, line != (was and _line_of(was, read_up_to, were_live))

    def _of_open(self, thread_id: str, read_up_to: int | None) -> tuple[SidebarThread | None, bool]:
        return self.of_own(thread_id, None, None, read_up_to)


def _line_of(thread: ThreadView, read_up_to: int | None, live: Set[str]) -> SidebarThread:
    unread, is_live = _unread(thread, read_up_to), thread.id in live
    return SidebarThread(thread.id, thread.title, int(thread.active.timestamp()), unread, is_live)


def _unread(thread: ThreadView, read_up_to: int | None) -> int:
    return 0 if read_up_to is None else max(0, thread.last_position - read_up_to)
