"""Pace: the interval between a tab's updates, and how many tabs are updated at once, by the lag of the event loop.

Without lag a tab gets about 20 updates a second, which a browser renders without strain. When the loop lags, updates
get rarer, and so larger, because each carries all that is new: first those of followers, last those of drivers. As soon
as the loop is on time again, all are frequent again. No text is left out, and no tab is dropped.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

FRAME_EVERY = 0.05
"""Seconds between two updates of a tab while the loop is on time."""
DRIVER_WAITS, FOLLOWER_WAITS = 0.2, 1.0
"""Seconds between two updates of a tab at most."""
DRIVER_FROM, FOLLOWER_FROM = 0.02, 0.005
"""Lag of the loop, in seconds, from which on a tab's updates get rarer."""
PER_LAG = 5.0
"""Seconds by which a driver's interval grows for each second of lag beyond `DRIVER_FROM`."""
SMOOTHED_OVER = 0.5
"""Seconds over which lag is averaged: a single pause is no overload."""
FOLLOWERS_AT_ONCE = 10
"""Followers that are updated at the same time: a thousand that wake together must not delay a driver."""
PASSES_WITHIN = 1.0
"""Seconds after which an update that has not finished gives up its slot to the next follower."""


class Pace:
    """The pace of one process. Each tab reports how late it woke; nothing is measured while nothing is sent."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted_lag = 0.0
        self._noted_at = -math.inf
        self._free = asyncio.Semaphore(FOLLOWERS_AT_ONCE)

    @property
    def lag(self) -> float:
        """Average lag of the loop, in seconds; it decays while no tab reports."""
        return self._noted_lag * self._remains()

    def note(self, late: float) -> None:
        """Report that a task woke `late` seconds after the time it waited for."""
        remains = self._remains()
        self._noted_lag = remains * self._noted_lag + (1 - remains) * max(0.0, late)
        self._noted_at = self._clock()

    def _remains(self) -> float:
        return math.exp((self._noted_at - self._clock()) / SMOOTHED_OVER)

    def interval(self, *, drives: bool) -> float:
        """Seconds from one update of a tab to the next."""
        if drives:
            return min(DRIVER_WAITS, FRAME_EVERY + PER_LAG * max(0.0, self.lag - DRIVER_FROM))
        # Between the two thresholds a follower's interval grows from the shortest to the longest.
        share = min(1.0, max(0.0, self.lag - FOLLOWER_FROM) / (DRIVER_FROM - FOLLOWER_FROM))
        return FRAME_EVERY + share * (FOLLOWER_WAITS - FRAME_EVERY)

    async def rest(self, begins_to_drive: asyncio.Event | None) -> None:
        """Wait from one update to the next. A follower wakes as soon as it begins to drive; a driver passes None."""
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
        """Make an update in the block: a driver at once, a follower when a slot is free, in the order of asking."""
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
    """A call that is made once at most, however often it is asked for."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def __call__(self) -> None:
        if (call := self._call) is not None:
            self._call = None
            call()
