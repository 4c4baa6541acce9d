"""Presence: who is on each thread and who is typing, in the memory of this process.

Nothing is stored, and each process knows its own people only. Changes are gathered and sent to all tabs of a thread
together, so that a crowd that comes and goes costs each tab one update now and then.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from chat_app.people.identity import Identity

NAMED = 20
"""People of a thread who are listed by name; all others are only counted."""
TYPISTS = 20
"""People who are marked as typing in a thread at once, at most."""
TYPING_LASTS = 6.0
"""Seconds after which a typing mark ends by itself; a page renews it twice in that time."""
LINGERS = 4.0
"""Seconds for which a person whose last tab has gone still counts as present: a reload is not a departure."""
TOLD_EVERY = 2.0
"""Seconds between two updates of a thread's tabs at least."""
TOLD_EVERY_PER_TAB = 0.005
"""The same for each tab of the thread: a thousand tabs are updated every 5 s, which takes a twentieth of a core."""
NAMES_EVERY_PER_NAME = 0.5
"""Seconds between two changes of the list of names, for each name in it; twenty with their frame are some 900 bytes."""
GATHER = 0.05
"""Seconds for which the first change waits for more."""


class PersonHere(NamedTuple):
    """A person on a thread; `hue` is in degrees. The page gets it as an array."""

    id: int
    name: str
    hue: int


@dataclass(frozen=True)
class Crowd:
    """Who is on a thread, as its tabs show it: `people` listed by name, in order of arrival, and how many there are."""

    people: tuple[PersonHere, ...] = ()
    count: int = 0
    tabs: int = 0
    typing: tuple[PersonHere, ...] = ()


OnCrowd = Callable[[Crowd], None]
"""Called with who is on a thread now. It must not block."""


@dataclass
class _Person:
    here: PersonHere
    tabs: int = 0
    leaving: asyncio.TimerHandle | None = None


@dataclass
class _Thread:
    listeners: dict[OnCrowd, int] = field(default_factory=dict)
    people: dict[int, _Person] = field(default_factory=dict)
    typing: dict[int, asyncio.TimerHandle] = field(default_factory=dict)
    named: tuple[PersonHere, ...] = ()
    names_due: float = 0.0
    told: Crowd = Crowd()
    told_at: float = float("-inf")
    timer: asyncio.TimerHandle | None = None

    def end(self) -> None:
        """Cancel all timers."""
        timers = [self.timer, *self.typing.values(), *(person.leaving for person in self.people.values())]
        for timer in timers:
            if timer is not None:
                timer.cancel()


class PresenceTracker:
    """Presence on the threads that are open in this process."""

    def __init__(self) -> None:
        self._threads: dict[str, _Thread] = {}

    @contextmanager
    def here(self, thread_id: str, who: Identity, listener: OnCrowd) -> Generator[Crowd]:
        """Count a tab of this person as present while the block runs. Yield the crowd; tell `listener` its changes."""
        thread = self._threads.setdefault(thread_id, _Thread())
        thread.listeners[listener] = who.user_id
        person = thread.people.setdefault(who.user_id, _Person(PersonHere(who.user_id, who.name, who.hue)))
        person.tabs += 1
        if person.leaving is not None:
            person.leaving.cancel()
            person.leaving = None
        self._changed(thread)
        try:
            yield self._crowd(thread)
        finally:
            del thread.listeners[listener]
            person.tabs -= 1
            if not thread.listeners:
                thread.end()
                del self._threads[thread_id]
            else:
                if not person.tabs:
                    self._stop_typing(thread, who.user_id)
                    loop = asyncio.get_running_loop()
                    person.leaving = loop.call_later(LINGERS, self._left, thread, who.user_id)
                self._changed(thread)

    def type(self, thread_id: str, user_id: int) -> None:
        """Mark a person who is on the thread as typing, for `TYPING_LASTS` from the last call."""
        thread = self._threads.get(thread_id)
        if thread is None or not ((person := thread.people.get(user_id)) and person.tabs):
            return
        if (mark := thread.typing.get(user_id)) is not None:
            mark.cancel()
        elif len(thread.typing) >= TYPISTS:
            return
        else:
            self._changed(thread)
        loop = asyncio.get_running_loop()
        thread.typing[user_id] = loop.call_later(TYPING_LASTS, self._stop_typing, thread, user_id)

    def stop_typing(self, thread_id: str, user_id: int) -> None:
        """End a person's typing mark: they have sent what they typed."""
        if (thread := self._threads.get(thread_id)) is not None:
            self._stop_typing(thread, user_id)

    def rename(self, user_id: int, name: str, hue: int) -> None:
        """Give a person their new name and hue on every thread they are on."""
        for thread in self._threads.values():
            if (person := thread.people.get(user_id)) is not None:
                person.here = PersonHere(user_id, name, hue)
                self._changed(thread)

    def _stop_typing(self, thread: _Thread, user_id: int) -> None:
        if (mark := thread.typing.pop(user_id, None)) is not None:
            mark.cancel()
            self._changed(thread)

    def _left(self, thread: _Thread, user_id: int) -> None:
        del thread.people[user_id]
        self._changed(thread)

    def _changed(self, thread: _Thread) -> None:
        if thread.timer is None:
            every = max(TOLD_EVERY, TOLD_EVERY_PER_TAB * len(thread.listeners))
            self._tell_at(thread, thread.told_at + every)

    def _tell_at(self, thread: _Thread, when: float) -> None:
        loop = asyncio.get_running_loop()
        thread.timer = loop.call_at(max(when, loop.time() + GATHER), self._tell, thread)

    def _tell(self, thread: _Thread) -> None:
        thread.timer = None
        now = asyncio.get_running_loop().time()
        crowd = self._crowd(thread)
        if crowd != thread.told:
            thread.told, thread.told_at = crowd, now
            for listener in tuple(thread.listeners):
                listener(crowd)
        if thread.named != _names(thread) and thread.timer is None:
            self._tell_at(thread, max(thread.names_due, now + TOLD_EVERY))

    def _crowd(self, thread: _Thread) -> Crowd:
        names, now = _names(thread), asyncio.get_running_loop().time()
        if names != thread.named and now >= thread.names_due:
            thread.named, thread.names_due = names, now + NAMES_EVERY_PER_NAME * len(names)
        typing = tuple(thread.people[user_id].here for user_id in thread.typing)
        return Crowd(thread.named, len(thread.people), len(thread.listeners), typing)


def _names(thread: _Thread) -> tuple[PersonHere, ...]:
    return tuple(person.here for person in islice(thread.people.values(), NAMED))
