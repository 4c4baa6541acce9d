"""Pace: how far apart the updates of tabs are, and how many are made at once, by how late the event loop is.

With time to spare a tab gets about 20 updates a second, which a browser renders without strain. When the loop falls
behind, updates get rarer and so larger, for a tab takes all there is when it is its turn: those of followers first,
those of drivers last, and as soon as the loop is in time again, nobody's. No text is left out, and nobody is let go.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

FRAME_EVERY = 0.05
"""Seconds between two updates of a tab while the loop is in time."""
DRIVER_WAITS, FOLLOWER_WAITS = 0.2, 1.0
"""Seconds between two updates at most."""
DRIVER_FROM, FOLLOWER_FROM = 0.02, 0.005
"""Seconds that the loop may be late before a tab's updates get rarer."""
PER_LAG = 5.0
"""Seconds by which a driver's updates are further apart for each second more that the loop is late."""
SMOOTHED_OVER = 0.5
"""Seconds over which lateness is averaged: a single pause is no overload."""
FOLLOWERS_AT_ONCE = 10
"""Followers whose updates are made at a time: a thousand that wake together must not keep a driver waiting."""
PASSES_WITHIN = 1.0
"""Seconds after which one of them no longer keeps the next one waiting."""


class Pace:
    """The pace of one process. Each tab says how late it was woken; nothing is measured while nothing is sent."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted_lag = 0.0
        self._noted_at = -math.inf
        self._free = asyncio.Semaphore(FOLLOWERS_AT_ONCE)

    @property
    def lag(self) -> float:
        """Seconds by which the loop is late, on average; while nobody notes anything it counts for less and less."""
        return self._noted_lag * self._remains()

    def note(self, late: float) -> None:
        """Somebody who waited for a moment was woken so many seconds after it."""
        remains = self._remains()
        self._noted_lag = remains * self._noted_lag + (1 - remains) * max(0.0, late)
        self._noted_at = self._clock()

    def _remains(self) -> float:
        return math.exp((self._noted_at - self._clock()) / SMOOTHED_OVER)

    def interval(self, *, drives: bool) -> float:
        """Seconds from one update of a tab to its next."""
        if drives:
            return min(DRIVER_WAITS, FRAME_EVERY + PER_LAG * max(0.0, self.lag - DRIVER_FROM))
        # On the way from in time to where drivers begin to wait, a follower's go from all to hardly any.
        share = min(1.0, max(0.0, self.lag - FOLLOWER_FROM) / (DRIVER_FROM - FOLLOWER_FROM))
        return FRAME_EVERY + share * (FOLLOWER_WAITS - FRAME_EVERY)

    async def rest(self, begins_to_drive: asyncio.Event | None) -> None:
        """Wait from one update to the next. A follower is woken as soon as it begins to drive; a driver gives None."""
        interval = self.interval(drives=begins_to_drive is None)
        until = self._clock() + interval
        if begins_to_drive is None or interval == FRAME_EVERY:
            await asyncio.sleep(interval)
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await begins_to_drive.wait()
        if (now := self._clock()) >= until:
            self.note(now - until)

    @asynccontextmanager
    async def turn(self, *, drives: bool) -> AsyncGenerator[None]:
        """Make an update in the block: a driver at once, a follower when few others do, in the order of asking."""
        if drives:
            yield
            return
        await self._free.acquire()
        release = _Once(self._free.release)
        timer = asyncio.get_running_loop().call_later(PASSES_WITHIN, release)
        try:
            yield
        finally:
            timer.cancel()
            release()


class _Once:
    """A call that is made once, however often it is asked for."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def __call__(self) -> None:
        if (call := self._call) is not None:
            self._call = None
            call()
