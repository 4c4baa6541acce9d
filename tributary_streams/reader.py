"""The reader: a stream's stored text, whole or as it grows, by offset."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tributary_streams import store
from tributary_streams.errors import UnknownStream
from tributary_streams.store import Transactions
from tributary_streams.tables import StreamId, StreamStatus
from tributary_streams.tailer import Tailer


@dataclass(frozen=True)
class Body:
    """What is stored of a stream; `text` begins at the offset that was asked for."""

    text: str
    status: StreamStatus
    reason: str
    length: int


@dataclass(frozen=True)
class Piece:
    """Text, and its offset in code points."""

    offset: int
    text: str


@dataclass(frozen=True)
class End:
    """Nothing more will come; the offset is the text's length."""

    status: StreamStatus
    reason: str
    offset: int


async def body(transactions: Transactions, stream_id: StreamId, offset: int = 0) -> Body:
    """What is stored now, in one consistent read.

    Raises:
        UnknownStream: there is no such stream.
    """
    async with transactions.read() as session:
        stream = await store.read_stream(session, stream_id)
        text = await store.read_text(session, stream_id, offset)
    return Body(text, stream.status, stream.reason, stream.length)


async def follow(tailer: Tailer, stream_id: StreamId, offset: int = 0) -> AsyncIterator[Piece | End]:
    """Catch up from `offset`, then tail: yields exactly text[offset:] in pieces, then the end.

    Raises:
        UnknownStream: there is no such stream, or it was deleted meanwhile.
    """
    woken = asyncio.Event()
    with tailer.watched(stream_id) as tail, tail.subscribed(woken.set):
        await tail.is_read.wait()
        while True:
            woken.clear()
            if text := tail.since(offset):
                yield Piece(offset, text)
                offset += len(text)
                continue
            if tail.is_gone:
                raise UnknownStream(stream_id)
            if tail.end is not None and tail.is_complete:
                yield End(tail.end.status, tail.end.reason, tail.end.length)
                return
            await woken.wait()
