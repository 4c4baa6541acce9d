"""The flusher: one task per process that writes the due text of all its streams, one transaction at a time.

A writer hands text to its lane and never waits. While one transaction commits, text for the next one gathers. Each
stream is written in its own savepoint and only if its epoch is still valid, so a stream that fails harms no other. When
the database is locked or away, everything stays in the lanes and is tried again, without duplicates.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import datetime
from itertools import islice

from sqlalchemy.ext.asyncio import AsyncSession

from tributary_streams import store
from tributary_streams.chunker import Chunker, ChunkRule
from tributary_streams.columns import utc_now
from tributary_streams.errors import DATABASE_AWAY, LeaseLost, NotTransactions
from tributary_streams.store import Counts, Ending, Lease, QueuedTransactions, Transactions
from tributary_streams.tables import StreamId

logger = logging.getLogger(__name__)

GATHER = 0.02
"""Seconds between two transactions, while due text of many streams gathers; too short for a follower to notice."""

AWAY_AFTER = 20.0
"""Seconds without a successful write, because writes fail or hang, after which replies under way are given up."""

LANES_PER_WRITE = 50
"""How many streams one transaction writes at most: if shutdown cuts one off, only these streams lose their tails."""
WRITE_WITHIN = 0.5
"""Seconds after which a transaction takes in no further stream: on a busy machine each may take long, and followers see
only what is committed."""
ANSWER_WITHIN = 15.0
"""Seconds after which a transaction that hangs is dropped and tried again."""

ClosingHook = Callable[[AsyncSession, StreamId, Ending], Awaitable[None]]
"""Called in the transaction that ends a stream, so that the application can store what belongs to the end, such as the
message's text."""


ExplainHook = Callable[[AsyncSession, StreamId], Awaitable[None]]
"""Called in the transaction that stores why a stream does not grow, so that the application can change its own rows."""


async def explain_nothing(session: AsyncSession, stream_id: StreamId) -> None:
    """The explain hook of an application that stores nothing besides the stream."""


async def close_nothing(session: AsyncSession, stream_id: StreamId, ending: Ending) -> None:
    """The closing hook of an application that stores nothing besides the stream."""


class Lane:
    """The buffer of one stream before the table: it takes text at any time and writes it when due."""

    def __init__(
        self,
        lease: Lease,
        rule: ChunkRule,
        *,
        renew_every: float,
        clock: Callable[[], float],
        wake: Callable[[], None],
        on_lost: Callable[[], None],
        on_away: Callable[[], None],
    ) -> None:
        self.lease = lease
        self.stored = 0
        """How many code points are committed."""
        self.is_stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Resolves when the ending is committed (True) or the lease is lost (False)."""
        self.on_lost = on_lost
        self.on_away = on_away
        self._chunker = Chunker(rule)
        self._taken = ""
        self._ending: Ending | None = None
        self._ends = False
        """Whether the last `write` included the ending; `end` may also be called while a write is under way."""
        self._reason = self._telling = ""
        """Why the stream does not grow at the moment, and the reason that the last `write` stored."""
        self._told: str | None = ""
        """The reason that is committed; None while it is unknown, because a commit's answer may be lost."""
        self._first_delta: datetime | None = None
        self._deltas = 0
        self._chunks = 0
        self._failing_since: float | None = None
        self._not_before = float("-inf")
        self._renew_every = renew_every
        self._clock = clock
        self._renew_at = clock() + renew_every
        self._wake = wake

    def add(self, text: str) -> None:
        """Take text to be stored; never blocks, never loses it."""
        self._first_delta = self._first_delta or utc_now()
        self._deltas += 1
        was_due_at = self._chunker.due_at()
        now = self._clock()
        self._chunker.feed(text, now)
        due_at = self._chunker.due_at()
        if due_at is not None and (was_due_at is None or due_at <= now):
            self._wake()

    def explain(self, reason: str) -> None:
        """Say why no text comes at the moment, "" once it comes again; never blocks."""
        self._reason = reason
        self._wake()

    def end(self, ending: Ending) -> asyncio.Future[bool]:
        """Have what is left written, together with the ending. Only the first ending counts."""
        if self._ending is None:
            self._ending = ending
            self._wake()
        return self.is_stored

    def due_at(self) -> float | None:
        """The time, on the lane's clock, from which there is something to write; None once the lane has ended."""
        if self.is_stored.done():
            return None
        if self._taken or self._ending is not None or self._reason != self._told:
            return self._not_before
        due_at = self._chunker.due_at()
        return max(self._renew_at if due_at is None else min(due_at, self._renew_at), self._not_before)

    async def write(self, session: AsyncSession, close_hook: ClosingHook, explain_hook: ExplainHook) -> int:
        """Write what is due in the caller's transaction; return the length that is stored if it commits.

        Raises:
            LeaseLost: the stream belongs to another writer, has ended or was deleted.
        """
        ending = self._ending
        self._ends = ending is not None
        self._taken += self._chunker.take(self._clock()) if ending is None else self._chunker.rest()
        length = self.stored
        chunks = self._chunks + bool(self._taken)
        if self._taken:
            length = await store.append(session, self.lease, length, self._taken, first_delta=self._first_delta)
        elif ending is None:
            await store.renew(session, self.lease)
        self._telling = self._reason
        if ending is None and self._telling != self._told:
            self._told = None
            await store.explain(session, self.lease, self._telling)
            await explain_hook(session, self.lease.stream_id)
        if ending is not None:
            if not await store.close(session, self.lease, ending, Counts(self._deltas, chunks)):
                raise LeaseLost(self.lease.stream_id)
            await close_hook(session, self.lease.stream_id, ending)
        return length

    def committed(self, length: int) -> None:
        """Note that the transaction of the last `write` is committed."""
        self._failing_since, self._not_before = None, float("-inf")
        self._chunks += length > self.stored
        self._taken = self._taken[length - self.stored :]
        self.stored = length
        self._told = self._telling
        self._renew_at = self._clock() + self._renew_every
        if self._ends and not self.is_stored.done():
            self.is_stored.set_result(True)

    def failed(self) -> bool:
        """Note that this lane's own write failed, and delay the next one; True if it has failed for too long."""
        now = self._clock()
        self._failing_since = now if self._failing_since is None else self._failing_since
        self._not_before = now + min(max(0.05, now - self._failing_since), 1.0)
        return now - self._failing_since >= AWAY_AFTER

    def lose(self) -> None:
        """Note that the stream is no longer this writer's."""
        if not self.is_stored.done():
            self.is_stored.set_result(False)
        self.on_lost()


class Flusher:
    """Writes the lanes. `run` is its task; the writers open the lanes."""

    def __init__(
        self,
        transactions: Transactions,
        *,
        close_hook: ClosingHook = close_nothing,
        explain_hook: ExplainHook = explain_nothing,
        on_commit: Callable[[], None] = lambda: None,
        on_away: Callable[[bool], None] = lambda _: None,
        on_flush: Callable[[float], None] = lambda _: None,
        renew_every: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        transactions: where the tables are.
        close_hook: called in the transaction that ends a stream.
        explain_hook: called in the transaction that stores why a stream does not grow, or that it grows again.
        on_commit: called after each commit, to wake the readers of the tables; must not block.
        on_away: called with True when replies are given up because the database is away, with False when it answers
            again.
        on_flush: called with the seconds that each transaction took.
        renew_every: seconds between two beats of a stream that has no new text.
        clock: monotonic seconds.
        """
        is_queued = isinstance(transactions, QueuedTransactions)
        self._write_soon = transactions.write_soon if is_queued else transactions.write
        self._close_hook = close_hook
        self._explain_hook = explain_hook
        self._on_commit = on_commit
        self._on_away = on_away
        self._on_flush = on_flush
        self._renew_every = renew_every
        self._clock = clock
        self._lanes: dict[StreamId, Lane] = {}
        self._woken = asyncio.Event()
        self._away_since: float | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._has_given_up = False
        self._has_ended = False

    @contextmanager
    def lane(
        self, lease: Lease, rule: ChunkRule, *, on_lost: Callable[[], None], on_away: Callable[[], None]
    ) -> Generator[Lane]:
        """Open a stream's lane while its writer runs.

        `on_lost` is called when the lease turns out to be lost, or when nothing can be stored for this stream any more.
        `on_away` is called when the database has been away for `AWAY_AFTER` seconds. Neither may block.
        """
        lane = self._lanes[lease.stream_id] = Lane(
            lease,
            rule,
            renew_every=self._renew_every,
            clock=self._clock,
            wake=self._woken.set,
            on_lost=on_lost,
            on_away=on_away,
        )
        self._woken.set()
        if self._has_ended:
            lane.lose()
        try:
            yield lane
        finally:
            if self._lanes.get(lease.stream_id) is lane:
                del self._lanes[lease.stream_id]

    def stored(self, stream_id: StreamId) -> int | None:
        """How many code points of a stream are committed; None if it is not written here."""
        lane = self._lanes.get(stream_id)
        return None if lane is None else lane.stored

    @property
    def is_away(self) -> bool:
        """Whether the last write failed because the database was away."""
        return self._away_since is not None

    async def run(self) -> None:
        """Write for ever; cancel it when the writers have ended.

        Raises:
            NotTransactions: the transactions do not have the methods of `Transactions`; all lanes are lost.
        """
        try:
            await self._write_for_ever()
        finally:
            self._expect_nothing()

    async def _write_for_ever(self) -> None:
        backoff = 0.0
        while True:
            if backoff:
                await asyncio.sleep(backoff)
            else:
                await self._until_due()
            self._expect_answer()
            try:
                async with asyncio.timeout(ANSWER_WITHIN):
                    await self._flush()
            except DATABASE_AWAY as error:
                backoff = min(max(0.05, backoff * 2), 1.0)
                self._note_away(error)
            except NotTransactions:  # trying again is no use
                logger.exception("nothing can be stored; the flusher ends")
                self._has_ended = True
                for lane in tuple(self._lanes.values()):
                    lane.lose()
                raise
            except Exception:
                # An error of one stream is caught in its savepoint. Whatever else fails, the other streams must go on.
                logger.exception("a write failed as a whole")
                backoff = 1.0
            else:
                backoff = 0.0
                self._note_answer()
                await asyncio.sleep(GATHER)

    async def _until_due(self) -> None:
        while True:
            self._woken.clear()
            now = self._clock()
            due = [at for lane in self._lanes.values() if (at := lane.due_at()) is not None]
            wait = min(due) - now if due else None
            if wait is not None and wait <= 0:
                return
            try:
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _flush(self) -> None:
        now = self._clock()
        due = (lane for lane in self._lanes.values() if (at := lane.due_at()) is not None and at <= now)
        if not (batch := list(islice(due, LANES_PER_WRITE))):
            return
        written: list[tuple[Lane, int]] = []
        lost: list[Lane] = []
        async with self._transaction() as session:
            begun = self._clock()
            for lane in batch:
                self._to_the_end(lane)
                try:
                    written.append((lane, await self._write(session, lane)))
                except LeaseLost:
                    lost.append(lane)
                except DATABASE_AWAY:
                    raise
                except Exception:
                    logger.exception("stream %s could not be written", lane.lease.stream_id)
                    if lane.failed():
                        lost.append(lane)
                if self._clock() - begun > WRITE_WITHIN:
                    break
        for lane, length in written:
            lane.committed(length)
        for lane in lost:
            lane.lose()
        self._on_flush(self._clock() - now)
        self._on_commit()

    def _transaction(self) -> AbstractAsyncContextManager[AsyncSession]:
        try:
            transaction = self._write_soon()
        except TypeError as error:
            raise NotTransactions(str(error)) from error
        if not hasattr(transaction, "__aenter__"):
            msg = f"write() gives a {type(transaction).__name__}, which is no async context manager"
            raise NotTransactions(msg)
        return transaction

    async def _write(self, session: AsyncSession, lane: Lane) -> int:
        async with session.begin_nested():
            return await lane.write(session, self._close_hook, self._explain_hook)

    def _to_the_end(self, lane: Lane) -> None:
        """Move a lane to the end, so that lanes take turns when they cannot all be written at once."""
        if self._lanes.get(lane.lease.stream_id) is lane:
            self._lanes[lane.lease.stream_id] = self._lanes.pop(lane.lease.stream_id)

    def _note_away(self, error: Exception) -> None:
        if self._away_since is None:
            self._away_since = self._clock()
            logger.warning("the database does not take writes (%s); trying again", type(error).__name__)

    def _note_answer(self) -> None:
        self._expect_nothing()
        if self._away_since is not None:
            logger.warning("the database answers again after %.1f s", self._clock() - self._away_since)
            self._away_since = None
        if self._has_given_up:
            self._has_given_up = False
            self._on_away(False)

    def _expect_answer(self) -> None:
        """Give the database `AWAY_AFTER` seconds from the first write without success, and then as many again.

        A timer decides, not the next failure, because a write may also hang.
        """
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(AWAY_AFTER, self._give_up)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self._expect_answer()
        if not self._has_given_up:
            self._has_given_up = True
            logger.error("the database has not taken a write for %.0f s; replies under way are given up", AWAY_AFTER)
            self._on_away(True)
        for lane in tuple(self._lanes.values()):
            lane.on_away()
