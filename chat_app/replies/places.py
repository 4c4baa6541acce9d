"""Places at the model: how many replies it writes at once, per person and in all, and the queue for a place."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(eq=False)
class _Waiting:
    name: str
    person: int
    may_go: asyncio.Event = field(default_factory=asyncio.Event)


class Places:
    """At most `at_once` replies at a time, and `per_person` for one person; more than that wait in order of arrival.

    A person who waits for their own replies to end does not hold up other people.
    """

    def __init__(self, *, per_person: int, at_once: int) -> None:
        self._per_person = per_person
        self._at_once = at_once
        self._taken: Counter[int] = Counter()
        self._waiting: list[_Waiting] = []
        self.has_moved = asyncio.Event()
        """Set whenever `queue` may have changed; its reader clears it."""

    @property
    def queue(self) -> list[str]:
        """The names of the replies that wait, in order of arrival."""
        return [waiting.name for waiting in self._waiting]

    @asynccontextmanager
    async def place(self, name: str, person: int) -> AsyncGenerator[None]:
        """Hold a place while the block runs; until one is free, `name` waits in the queue."""
        if self._waiting or not self._is_free_for(person):
            await self._wait(name, person)
        else:
            self._taken[person] += 1
        try:
            yield
        finally:
            self._taken[person] -= 1
            if not self._taken[person]:
                del self._taken[person]
            self._admit()

    async def _wait(self, name: str, person: int) -> None:
        mine = _Waiting(name, person)
        self._waiting.append(mine)
        self._admit()
        try:
            await mine.may_go.wait()
        except BaseException:
            if mine.may_go.is_set():
                self._taken[person] -= 1
            else:
                self._waiting.remove(mine)
            self._admit()
            raise

    def _admit(self) -> None:
        self.has_moved.set()
        for next_one in tuple(self._waiting):
            if self._is_free_for(next_one.person):
                self._waiting.remove(next_one)
                self._taken[next_one.person] += 1
                next_one.may_go.set()

    def _is_free_for(self, person: int) -> bool:
        return self._taken.total() < self._at_once and self._taken[person] < self._per_person
