"""Streams: the whole core put together, for a program without tables of its own.

    async with Streams(transactions) as streams:
        stream_id = await streams.create()
        streams.write(stream_id, source)
        async for piece in streams.follow(stream_id):
            ...

A program with tables of its own uses the parts instead, as Tributary's chat does: their hooks let a stream begin and
end in one transaction with the program's rows.
"""

import asyncio
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

from sqlmodel import SQLModel

from tributary_streams import reader, store
from tributary_streams.chunker import ChunkRule
from tributary_streams.flusher import Flusher
from tributary_streams.hub import Hub
from tributary_streams.reader import Body, End, Piece
from tributary_streams.store import Transactions
from tributary_streams.sweeper import Sweeper
from tributary_streams.tables import StreamId
from tributary_streams.tailer import Tailer
from tributary_streams.writer import STOPPED, Patience, Source, Writer, finished

STORE_TAILS_WITHIN = 1.5
"""Seconds that writers get at the end of the block to store what is left."""


async def create_tables(transactions: Transactions) -> None:
    """Create the two tables if they do not exist."""
    tables = [SQLModel.metadata.tables[name] for name in ("stream", "chunk")]
    async with transactions.write() as session:
        connection = await session.connection()
        await connection.run_sync(SQLModel.metadata.create_all, tables=tables)


class Streams:
    """Writes and reads streams while its `async with` block runs; any number of processes may share the tables."""

    def __init__(
        self,
        transactions: Transactions,
        *,
        rule: ChunkRule | None = None,
        patience: Patience | None = None,
        is_alone: Callable[[], bool] = lambda: False,
        start: Callable[[StreamId], None] | None = None,
    ) -> None:
        """Args:
        transactions: where the tables are.
        rule: where text is cut into chunks; by default mostly after sentences.
        patience: how long to wait for a silent source.
        is_alone: whether no other process writes to these tables. If so, streams that a dead process left are ended at
            once; if not, after 30 seconds without a beat.
        start: called for a `pending` stream that nobody has begun, such as one whose process died; it calls `write`.
            Without it, such a stream ends after 30 seconds as `error: The server restarted.`
        """
        self._transactions = transactions
        self._rule = rule
        self._patience = patience
        self._holder = secrets.token_hex(8)
        self._hub = Hub()
        self._flusher = Flusher(transactions, on_commit=self._committed)
        self._tailer = Tailer(transactions, self._hub, stop=self._stop_here, stored_here=self._flusher.stored)
        self._sweeper = Sweeper(transactions, self._ours, start=start, on_commit=self._committed, is_alone=is_alone)
        self._work: list[asyncio.Task[None]] = []
        self._writers: set[Writer] = set()
        self._writing: set[asyncio.Task[bool]] = set()

    async def __aenter__(self) -> Self:
        parts = (self._flusher, self._tailer, self._sweeper)
        self._work = [asyncio.create_task(part.run(), name=type(part).__name__.lower()) for part in parts]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the streams still being written as `error: The server restarted.`, and keep their text."""
        for task in self._writing:
            task.cancel()
        if self._writing:
            await asyncio.wait(self._writing, timeout=STORE_TAILS_WITHIN)
        left: list[asyncio.Task[Any]] = [*self._writing, *self._work]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def create(self, *, model: str = "") -> StreamId:
        """Create a `pending` stream. `create_stream` does so in the caller's transaction."""
        async with self._transactions.write() as session:
            return store.create_stream(session, model=model)

    def write(self, stream_id: StreamId, source: Source | AsyncIterable[str]) -> asyncio.Task[bool]:
        """Begin to write a pending stream in a task. Await the task for the end: False if another writer had it.

        An async iterator of text is complete when it ends. A `Source`, which starts a model, must yield `Finish`. The
        task raises `NotTransactions` if the transactions do not have the methods of `Transactions`.
        """
        writer = Writer(
            stream_id,
            source if callable(source) else finished(source),
            transactions=self._transactions,
            hub=self._hub,
            flusher=self._flusher,
            holder=self._holder,
            rule=self._rule,
            patience=self._patience,
        )
        task = asyncio.create_task(self._run(writer), name=f"writer of {stream_id}")
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return task

    async def body(self, stream_id: StreamId, offset: int = 0) -> Body:
        """What is stored now, from `offset` (code points) on.

        Raises:
            UnknownStream: there is no such stream.
        """
        return await reader.body(self._transactions, stream_id, offset)

    def follow(self, stream_id: StreamId, offset: int = 0) -> AsyncIterator[Piece | End]:
        """The text from `offset` (code points) on: what is stored, what comes, then the end. Any process may write it.

        Raises:
            UnknownStream: there is no such stream, or it was deleted meanwhile.
        """
        return reader.follow(self._tailer, stream_id, offset)

    async def stop(self, stream_id: StreamId) -> None:
        """Stop a stream and keep its text, whichever process writes it. A stream that has ended stays as it is."""
        async with self._transactions.write() as session:
            if not await store.close_pending(session, stream_id, STOPPED):
                await store.request_stop(session, stream_id)
        self._stop_here(stream_id)
        self._committed()

    async def delete(self, stream_id: StreamId) -> None:
        """Delete a stream and its text; its writer ends quietly."""
        is_gone = False
        while not is_gone:
            async with self._transactions.write() as session:
                is_gone = await store.delete_streams(session, [stream_id])
        self._stop_here(stream_id)
        self._committed()

    def _ours(self) -> frozenset[StreamId]:
        return frozenset(writer.stream_id for writer in self._writers)

    async def _run(self, writer: Writer) -> bool:
        self._writers.add(writer)
        try:
            is_ours = await writer.run()
        finally:
            self._writers.discard(writer)
        if not is_ours:
            self._raise_failure()
        return is_ours

    def _raise_failure(self) -> None:
        """Raise the error that ended the flusher, the tailer or the sweeper, if there is one."""
        for task in self._work:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    def _stop_here(self, stream_id: StreamId) -> None:
        for writer in self._writers:
            if writer.stream_id == stream_id:
                writer.stop()

    def _committed(self) -> None:
        self._tailer.wake()
