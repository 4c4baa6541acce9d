"""The sweeper: a pass over streams whose writer gives no sign of life, and over those that nobody began.

A writer is dead when its beat has stood still for long enough by this process's own monotonic clock, so a wall clock
may jump. A process that is alone does not have to wait: what it does not write itself, nobody writes.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Container
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tributary_streams import store
from tributary_streams.errors import DATABASE_AWAY, UnknownStream
from tributary_streams.flusher import ClosingHook, close_nothing
from tributary_streams.store import Lease, Transactions
from tributary_streams.tables import LIVE_STATUSES, Stream, StreamId, StreamStatus
from tributary_streams.writer import RESTARTED

logger = logging.getLogger(__name__)


Sign = tuple[StreamStatus, int, int]
"""Status, epoch and beat: while they stand still, nobody works on the stream."""


@dataclass(frozen=True)
class _Seen:
    sign: Sign
    since: float


class Sweeper:
    """Ends what a dead writer left, and hands on what no writer has claimed. `run` is its task."""

    def __init__(
        self,
        transactions: Transactions,
        ours: Callable[[], Container[StreamId]],
        *,
        start: Callable[[StreamId], None] | None = None,
        close_hook: ClosingHook = close_nothing,
        on_commit: Callable[[], None] = lambda: None,
        is_alone: Callable[[], bool] = lambda: False,
        expiry: float = 30.0,
        every: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        transactions: where the tables are.
        ours: the streams that this process has begun, also those that it is just about to claim; it ends them itself.
        start: called for a `pending` stream that nobody has claimed; it must not block. Without it such a stream is
            ended once it has stood for `expiry`, whoever is alone: its program may be about to begin it.
        close_hook: called in the transaction that ends a stream.
        on_commit: called when something was ended.
        is_alone: whether no other process can be writing; asked at each sweep that finds something.
        expiry: seconds that a beat may stand still.
        every: seconds between sweeps.
        clock: monotonic seconds.
        """
        self._transactions = transactions
        self._ours = ours
        self._start = start
        self._close_hook = close_hook
        self._on_commit = on_commit
        self._is_alone = is_alone
        self._expiry = expiry
        self._every = every
        self._clock = clock
        self._seen: dict[StreamId, _Seen] = {}

    async def run(self) -> None:
        """Sweep at once, then for ever."""
        while True:
            try:
                await self.sweep()
            except DATABASE_AWAY as error:
                logger.warning("the sweep failed (%s); trying again", type(error).__name__)
                self._seen = {}  # while the database is away no writer can give a sign
            except Exception:
                logger.exception("a sweep failed")
            await asyncio.sleep(self._every)

    async def sweep(self) -> None:
        """One pass: one statement when nothing has to be done."""
        async with self._transactions.read() as session:
            live = (
                select(col(Stream.id), col(Stream.status), col(Stream.epoch), col(Stream.beat))
                .where(col(Stream.status).in_(LIVE_STATUSES))
                .order_by(col(Stream.created))
            )
            rows = (await session.execute(live)).all()
        now = self._clock()
        is_alone = bool(rows) and self._is_alone()
        seen: dict[StreamId, _Seen] = {}
        for key, status, epoch, beat in rows:
            stream_id, sign = StreamId(key), (status, epoch, beat)
            if stream_id in self._ours():
                continue
            before = self._seen.get(stream_id)
            since = before.since if before is not None and before.sign == sign else now
            is_sure = is_alone and (status is not StreamStatus.PENDING or self._start is not None)
            if is_sure or now - since >= self._expiry:
                await self._settle(stream_id, sign)
            else:
                seen[stream_id] = _Seen(sign, since)
        self._seen = seen

    async def _settle(self, stream_id: StreamId, sign: Sign) -> None:
        status, _, beat = sign
        if status is StreamStatus.PENDING and self._start is not None:
            self._start(stream_id)
            return
        if stream_id in self._ours():
            return
        async with self._transactions.write() as session:
            try:
                stream = await store.read_stream(session, stream_id)
            except UnknownStream:
                return
            if (stream.status, stream.epoch, stream.beat) != sign:
                return
            if not await self._close(session, stream_id, sign):
                return
            await self._close_hook(session, stream_id, RESTARTED)
        logger.warning("stream %s had lost its writer (beat %d); its text so far is kept", stream_id, beat)
        self._on_commit()

    async def _close(self, session: AsyncSession, stream_id: StreamId, sign: Sign) -> bool:
        status, epoch, _ = sign
        if status is StreamStatus.PENDING:
            return await store.close_pending(session, stream_id, RESTARTED)
        return await store.close(session, Lease(stream_id, epoch), RESTARTED)
