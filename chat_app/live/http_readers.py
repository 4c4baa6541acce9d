"""HTTP readers: stream one reply to an HTTP client, from any offset.

The client gets deltas if this process writes the reply, and chunks if another process does.

Like a tab, a reader has no queue. At its own pace it takes new text from a copy that the process holds once.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack

from chat_app.data.db import Database
from chat_app.live.feeds import Endings, ThreadChange, ThreadFeed
from chat_app.people.identity import Identity
from chat_app.refusals import SignedOut, ThreadUnknown
from chat_app.threads import reply_views, thread_views
from chat_app.threads.access import Verb, allowed
from tributary_streams import End, GrowingText, Hub, Piece, StreamId, Tail, Tailer

AT_ONCE = 16_000
"""Code points that a reader takes at a time, and holds while its client is slow."""


class _HttpReader:
    def __init__(self, who: Identity) -> None:
        self.who = who
        self.woken = asyncio.Event()
        self.refusal: Exception | None = None

    def thread_changed(self, change: ThreadChange | None) -> None:
        is_cut_off = change is None or (
            change.roles is not None
            and Verb.READ not in allowed(change.roles.get(self.who.user_id), change.thread.visibility)
        )
        if is_cut_off:
            self.refusal = ThreadUnknown()
            self.woken.set()

    def signed_out(self) -> None:
        self.refusal = SignedOut()
        self.woken.set()


class HttpReaders:
    """The HTTP readers of this process, by the stream that they read."""

    def __init__(self, database: Database, hub: Hub, tailer: Tailer, *, feed: ThreadFeed, endings: Endings) -> None:
        self._database = database
        self._hub = hub
        self._tailer = tailer
        self._feed = feed
        self._endings = endings
        self._reading: dict[StreamId, set[_HttpReader]] = {}
        self._is_over = False

    def channel_opened(self, stream_id: StreamId) -> None:
        """Let the readers of a stream take deltas from now on: this process has begun to write it."""
        for reader in self._reading.get(stream_id, ()):
            reader.woken.set()

    def end_all(self) -> None:
        """End all readers: the server stops. Each client can resume from its offset, elsewhere or later."""
        self._is_over = True
        for readers in self._reading.values():
            for reader in readers:
                reader.woken.set()

    @property
    def count(self) -> int:
        """How many readers there are."""
        return sum(map(len, self._reading.values()))

    async def follow(self, who: Identity, stream_id: StreamId, offset: int = 0) -> AsyncGenerator[Piece | End]:
        """Yield exactly text[offset:] in pieces, then the end; if the server stops, there is no end.

        Raises:
            ThreadUnknown: there is no such stream for this person, or no longer.
            SignedOut: the session that identified them was ended meanwhile.
        """
        reader = _HttpReader(who)
        with ExitStack() as stack:
            readers = self._reading.setdefault(stream_id, set())
            readers.add(reader)
            stack.callback(self._forget, stream_id, reader)
            tail = stack.enter_context(self._tailer.watched(stream_id))
            stack.enter_context(tail.subscribed(reader.woken.set))
            await self._watch_access(stack, reader, stream_id)
            async for item in self._items(stack, reader, stream_id, tail, offset):
                yield item

    async def _watch_access(self, stack: ExitStack, reader: _HttpReader, stream_id: StreamId) -> None:
        async with self._database.read() as session:
            thread = await thread_views.thread_of(session, stream_id, reader.who.user_id)
        stack.enter_context(self._feed.watched(thread.id, reader.thread_changed))
        stack.enter_context(self._endings.watched(reader.who.session, reader.signed_out))
        self._feed.seen(thread.id, thread.version)

    async def _items(
        self, stack: ExitStack, reader: _HttpReader, stream_id: StreamId, tail: Tail, offset: int
    ) -> AsyncGenerator[Piece | End]:
        channel: GrowingText | None = None
        while not self._is_over:
            reader.woken.clear()
            if reader.refusal is not None:
                raise reader.refusal
            if channel is None and (channel := self._hub.find(stream_id)) is not None:
                stack.enter_context(channel.subscribed(reader.woken.set))
            source = tail if channel is None else channel
            text = source.since(offset, AT_ONCE)
            if tail.end is not None:  # text that the writer could not store is not part of the reply
                text = text[: max(0, tail.end.length - offset)]
            if text:
                yield Piece(offset, text)
                offset += len(text)
            elif tail.is_gone:
                raise ThreadUnknown(stream_id)
            elif tail.end is not None and offset >= tail.end.length:
                async with self._database.read() as session:  # deleting a reply ends it too, and may be heard later
                    await reply_views.stream_location(session, stream_id, reader.who.user_id)
                yield End(tail.end.status, tail.end.reason, tail.end.length)
                return
            else:
                await reader.woken.wait()

    def _forget(self, stream_id: StreamId, reader: _HttpReader) -> None:
        readers = self._reading[stream_id]
        readers.discard(reader)
        if not readers:
            del self._reading[stream_id]
