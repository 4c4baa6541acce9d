"""The streaming core put together for a test, and a source that a test feeds by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from tributary_streams import (
    Body,
    ChunkRule,
    Finish,
    Flusher,
    Hub,
    Patience,
    StreamId,
    Tailer,
    Transactions,
    Writer,
    body,
    store,
)
from tributary_streams.flusher import ClosingHook, close_nothing


class HandFed:
    """A source whose deltas the test gives one by one; remembers how often it was started and whether it was closed."""

    def __init__(self) -> None:
        self.starts = 0
        self.is_closed = asyncio.Event()
        self._items: asyncio.Queue[str | Finish | Exception | None] = asyncio.Queue()

    def say(self, *items: str | Finish | Exception | None) -> None:
        """Deltas, a `Finish`, an error to raise, or None to end without a word."""
        for item in items:
            self._items.put_nowait(item)

    async def __call__(self) -> AsyncIterator[str | Finish]:
        self.starts += 1
        try:
            while (item := await self._items.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.is_closed.set()


class Core:
    """Hub, flusher and tailer over one database, as one process would have them."""

    def __init__(
        self,
        transactions: Transactions,
        *,
        close_hook: ClosingHook = close_nothing,
        holder: str = "test",
        renew_every: float = 5.0,
    ) -> None:
        self.transactions = transactions
        self.holder = holder
        self._opened = asyncio.Event()
        self.hub = Hub(on_open=lambda _: self._opened.set())
        self.flusher = Flusher(
            transactions, close_hook=close_hook, on_commit=lambda: self.tailer.wake(), renew_every=renew_every
        )
        self.tailer = Tailer(transactions, self.hub, stop=self.stop, stored_here=self.flusher.stored)
        self.writers: dict[StreamId, Writer] = {}

    async def create(self) -> StreamId:
        """A pending stream."""
        async with self.transactions.write() as session:
            return store.create_stream(session, model="scripted")

    def writer(
        self,
        stream_id: StreamId,
        source: Callable[[], AsyncIterator[str | Finish]],
        *,
        rule: ChunkRule | None = None,
        patience: Patience | None = None,
    ) -> Writer:
        """A writer for the stream, not started yet."""
        writer = self.writers[stream_id] = Writer(
            stream_id,
            source,
            transactions=self.transactions,
            hub=self.hub,
            flusher=self.flusher,
            holder=self.holder,
            rule=rule,
            patience=patience,
        )
        return writer

    def stop(self, stream_id: StreamId) -> None:
        """Stop the stream if it is written here."""
        if (writer := self.writers.get(stream_id)) is not None:
            writer.stop()

    async def body(self, stream_id: StreamId) -> Body:
        """What is stored."""
        return await body(self.transactions, stream_id)

    async def until_published(self, stream_id: StreamId, length: int) -> str:
        """Wait until the channel has at least this many code points; return them all."""
        while (channel := self.hub.find(stream_id)) is None:
            self._opened.clear()
            await self._opened.wait()
        grown = asyncio.Event()
        with channel.subscribed(grown.set):
            while channel.length < length:
                grown.clear()
                await grown.wait()
        return channel.since(0)


async def cancelled(task: asyncio.Task[object]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
