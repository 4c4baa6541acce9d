"""The hub: the live text of the streams that this process writes, and its subscribers.

A signal may be lost, text never: a subscriber is only told that there is more, and reads on in the channel from its own
offset, at its own pace. So nothing is queued per subscriber, and a subscriber that does not read costs nothing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator
from contextlib import contextmanager

from tributary_streams.tables import StreamId

Wake = Callable[[], None]
"""Called when there is more; it must not block or raise."""


class GrowingText:
    """Text that only grows, readable from any offset without copying what comes before. Offsets are code points."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._starts: list[int] = []
        self.length = 0
        self._wakes: set[Wake] = set()

    def grow(self, text: str) -> None:
        """Add `text` and wake the subscribers."""
        if text:
            self._parts.append(text)
            self._starts.append(self.length)
            self.length += len(text)
        self.wake()

    def since(self, offset: int, limit: int | None = None) -> str:
        """The text from `offset` on, at most `limit` characters of it; "" at or past the end."""
        if offset >= self.length:
            return ""
        end = self.length if limit is None else offset + limit
        first = bisect_right(self._starts, offset) - 1
        text = "".join(self._parts[first : bisect_left(self._starts, end)])
        start = self._starts[first]
        return text[offset - start : end - start]

    def wake(self) -> None:
        """Tell the subscribers to look."""
        for wake in tuple(self._wakes):
            wake()

    @contextmanager
    def subscribed(self, wake: Wake) -> Generator[None]:
        """Call `wake` at each growth while the block runs."""
        self._wakes.add(wake)
        try:
            yield
        finally:
            self._wakes.discard(wake)

    @property
    def subscribers(self) -> int:
        """The number of subscribers."""
        return len(self._wakes)


class Hub:
    """Finds the channel of a stream that this process writes."""

    def __init__(self, on_open: Callable[[StreamId], None] = lambda _: None) -> None:
        """`on_open` is called with the stream of each new channel; it must not block."""
        self._channels: dict[StreamId, GrowingText] = {}
        self._on_open = on_open

    @contextmanager
    def channel(self, stream_id: StreamId) -> Generator[GrowingText]:
        """Open the channel of a stream while its writer runs. Those who hold the channel may read on after that."""
        channel = self._channels[stream_id] = GrowingText()
        self._on_open(stream_id)
        try:
            yield channel
        finally:
            del self._channels[stream_id]
            channel.wake()

    def find(self, stream_id: StreamId) -> GrowingText | None:
        """The stream's channel, or None when this process does not write it."""
        return self._channels.get(stream_id)

    def written_here(self) -> frozenset[StreamId]:
        """The streams that this process writes now."""
        return frozenset(self._channels)
