"""How much of the server one socket may use, the sockets of one address, and all sockets together.

In ordinary use nobody meets these limits. A page sends one event for each thing that its person does, and one for each
gap in a live text: after a hiccup with a hundred replies under way, a hundred at once. So a socket may send 200 events
in ten seconds. A long event counts once more for each thousand characters, so eleven messages of full length fit.
"""

import itertools
import logging
from collections import Counter
from collections.abc import Generator, Hashable
from contextlib import contextmanager

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from chat_app.people.network import network_of
from chat_app.refusals import TooMany

logger = logging.getLogger(__name__)

TOO_MUCH = "Too much at once. Wait a moment."
"""What the page shows when its socket meets a limit."""

SECONDS = 10
EVENTS = RateLimitItemPerSecond(200, SECONDS, "events")
FRAMES = RateLimitItemPerSecond(1_000, SECONDS, "frames")
"""Frames of one socket, including those that are dropped unread."""
EVENTS_PER_CONNECTION = 10
"""Events that an address may send in ten seconds for each connection it may have: the people of an office share one
address."""
OPENED_PER_CONNECTION = 2
"""Sockets that an address may open in a minute for each connection it may have: each socket leaves a state behind."""
REPORTS = RateLimitItemPerMinute(5, 1, "reports")
REPORTS_OF_ALL = RateLimitItemPerMinute(20, 1, "reports of all")
"""Lines that browsers, or programs that pose as one, can have written to the log."""
NOTICES = RateLimitItemPerSecond(1, 1, "notices")
HANDLERS_AT_ONCE = 100
"""Handlers of one socket that may run at a time. When a socket closes, they run to their end: one may be a post."""
OF_ONE_ADDRESS = " from one address (if that is a proxy's, name it in TRUSTED_PROXIES)"
WEIGHT = 1_000
"""For each so many characters, an event counts once more."""


class AtOnce:
    """A limit on how many each holder may take at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: Counter[Hashable] = Counter()

    @contextmanager
    def taken(self, holder: Hashable) -> Generator[bool]:
        """Take one during the block; yields False if the holder already has as many as it may."""
        if self._taken[holder] >= self._limit:
            yield False
            return
        self._taken[holder] += 1
        try:
            yield True
        finally:
            self._taken[holder] -= 1
            if not self._taken[holder]:
                del self._taken[holder]


class SocketLimits:
    """The limits of one server."""

    def __init__(self, *, connections: int, per_address: int) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._all = AtOnce(connections)
        self._of_address = AtOnce(per_address)
        self._opened = RateLimitItemPerMinute(OPENED_PER_CONNECTION * per_address, 1, "opened")
        self._events_of_address = RateLimitItemPerSecond(EVENTS_PER_CONNECTION * per_address, SECONDS, "address")
        self._numbers = itertools.count(1)

    @contextmanager
    def connection(self, address: str) -> Generator["SocketAllowance"]:
        """Count as one connection from this address during the block.

        Raises:
            TooMany: as many connections are open as allowed, or this address has opened too many in a minute.
        """
        network = network_of(address)
        with self._all.taken("all") as is_free, self._of_address.taken(network) as is_free_for_address:
            if not (is_free and is_free_for_address and self._limiter.hit(self._opened, network)):
                if self._limiter.hit(REPORTS_OF_ALL, "refused connections"):
                    logger.warning("a connection was refused: too many%s", OF_ONE_ADDRESS if is_free else "")
                raise TooMany
            yield SocketAllowance(self, str(next(self._numbers)), network)


class SocketAllowance:
    """What one socket may send."""

    def __init__(self, limits: SocketLimits, socket: str, network: str) -> None:
        self._limits = limits
        self._limiter = limits._limiter
        self._socket = socket
        self._network = network

    def may_send(self) -> bool:
        """Whether one more frame may be read."""
        return self._limiter.hit(FRAMES, self._socket)

    def may_call(self, length: int) -> bool:
        """Whether one more event of this length, in characters, may run."""
        weight = 1 + length // WEIGHT
        return self._hit(EVENTS, self._socket, weight) and self._hit(
            self._limits._events_of_address, self._network, weight
        )

    def may_report(self) -> bool:
        """Whether one more line may be logged on this socket's behalf."""
        return self._hit(REPORTS, self._socket) and self._hit(REPORTS_OF_ALL, "all")

    def may_be_told(self) -> bool:
        """Whether to send a notice: more than one a second would make a flood of our own."""
        return self._hit(NOTICES, self._socket)

    def _hit(self, item: RateLimitItem, key: str, cost: int = 1) -> bool:
        return self._limiter.hit(item, key, cost=cost)
