"""Rate limits: messages a minute, threads a day, guests and name changes an hour; per person, per network and in all.

A person is a cookie, and a new cookie is free, so networks are limited as well. The counts are in this process's
memory: a restart forgets them, and each of several server processes allows the full number.
"""

import asyncio
import time
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from chat_app.people.network import network_of
from chat_app.refusals import TooMuch
from chat_app.settings import Settings

RENAMES_PER_HOUR = 20
"""Name changes that a person may make in an hour."""


@dataclass(frozen=True)
class _Rule:
    allowed: RateLimitItem
    words: str


class _Windows:
    """Moving windows of one length, a minute, an hour or a day: counts by key."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._one_by_one = asyncio.Lock()

    async def take(self, *wanted: tuple[_Rule, str]) -> None:
        """Count once under every rule and its key, or under none of them.

        Raises:
            TooMuch: a rule does not allow it; if several do not, the one with the longest wait.
        """
        rules = [(rule, key) for rule, key in wanted if key and rule.allowed.amount]
        async with self._one_by_one:  # else two concurrent calls could both pass and exceed a rule together
            refusals = [
                TooMuch(rule.words, await self._wait(rule, key))
                for rule, key in rules
                if not await self._limiter.test(rule.allowed, key)
            ]
            if refusals:
                raise max(refusals, key=lambda refusal: refusal.wait)
            for rule, key in rules:
                await self._limiter.hit(rule.allowed, key)

    async def _wait(self, rule: _Rule, key: str) -> float:
        stats = await self._limiter.get_window_stats(rule.allowed, key)
        return max(0.0, stats.reset_time - time.time())


class Rates:
    """The rate limits per person, per network and in all; a setting of 0 means no limit."""

    def __init__(self, settings: Settings) -> None:
        self._minute, self._hour, self._day = _Windows(), _Windows(), _Windows()
        a_minute, a_day = RateLimitItemPerMinute, RateLimitItemPerDay
        self._message_person = _Rule(a_minute(settings.chat_messages_per_minute), "You are sending a lot: wait {wait}.")
        self._message_network = _Rule(
            a_minute(settings.chat_messages_per_minute_per_address), "Your network is sending a lot: wait {wait}."
        )
        self._message_all = _Rule(
            a_minute(settings.chat_messages_per_minute_total), "The server has a lot to do: wait {wait}."
        )
        self._thread_person = _Rule(
            a_day(settings.chat_threads_per_day), "You have begun many threads today: the next one in {wait}."
        )
        self._thread_network = _Rule(
            a_day(settings.chat_threads_per_day_per_address),
            "Your network has begun many threads today: the next one in {wait}.",
        )

        self._rename_person = _Rule(
            RateLimitItemPerHour(RENAMES_PER_HOUR), "You have changed your name a lot: again in {wait}."
        )
        self._guest_network = _Rule(
            RateLimitItemPerHour(settings.chat_guests_per_hour_per_address),
            "Your network has begun many guests: use the token that you have, or wait {wait}.",
        )

    async def rename(self, person: int) -> None:
        """Count a name change, which costs an update of every open page that shows it.

        Raises:
            TooMuch: a limit is reached.
        """
        await self._hour.take((self._rename_person, f"person {person}"))

    async def guest(self, address: str) -> None:
        """Count a new person who begins without a browser.

        Raises:
            TooMuch: a limit is reached.
        """
        await self._hour.take((self._guest_network, network_of(address)))

    async def message(self, person: int, address: str) -> None:
        """Count a message, an edit, or another attempt at a reply; an address of "" counts against no network.

        Raises:
            TooMuch: a limit is reached.
        """
        await self._minute.take(
            (self._message_person, f"person {person}"),
            (self._message_network, network_of(address)),
            (self._message_all, "all"),
        )

    async def thread(self, person: int, address: str) -> None:
        """Count a new thread.

        Raises:
            TooMuch: a limit is reached.
        """
        await self._day.take((self._thread_person, f"person {person}"), (self._thread_network, network_of(address)))
