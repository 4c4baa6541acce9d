"""The writer: the task that runs the model for one stream, exactly one at a time.

It claims the stream, then does three things with each delta, none of which waits: clean it, publish it, hand it to the
stream's lane. However the source ends (finish, error, silence, stop, shutdown), the text so far is stored with a status
that says so.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from tributary_streams import store
from tributary_streams.chunker import ChunkRule
from tributary_streams.errors import SourceEndedEarly, SourceError
from tributary_streams.flusher import Flusher, Lane
from tributary_streams.hub import GrowingText, Hub
from tributary_streams.store import Ending, Transactions, Usage
from tributary_streams.tables import StreamId, StreamStatus
from tributary_streams.text import Cleaner

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finish:
    """A source's last item: all text has been given. `reason` is for people, "" if there is nothing to say.

    A stream without it has failed: nothing else tells a model that has ended from a connection that broke.
    """

    reason: str = ""
    usage: Usage | None = None


Source = Callable[[], AsyncIterator[str | Finish]]
"""Starts the model. Yields deltas ("" for activity without text, such as reasoning), then a `Finish`; raises
`SourceError`. The writer closes it when it needs no more; it must then release the model."""


def finished(texts: AsyncIterable[str]) -> Source:
    """A source made from text that is complete when it ends, such as a file. A model must yield `Finish` itself."""

    async def source() -> AsyncIterator[str | Finish]:
        async with aclosing(_closable(aiter(texts))) as items:
            async for text in items:
                yield text
        yield Finish()

    return source


ClaimHook = Callable[[AsyncSession, StreamId], Awaitable[None]]
"""Called in the transaction in which a stream begins, so that the application can change its own rows."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a silent model, in seconds; None waits for ever."""

    first_delta: float | None = 120.0
    gap: float | None = 60.0


STOPPED = Ending(StreamStatus.STOPPED, "Stopped.")
RESTARTED = Ending(StreamStatus.ERROR, "The server restarted.")
FAILED = Ending(StreamStatus.ERROR, "The model failed.")
NEVER_BEGAN = Ending(StreamStatus.TIMEOUT, "The model did not answer in time.")
FELL_SILENT = Ending(StreamStatus.TIMEOUT, "The model fell silent.")
NOT_SAVED = Ending(StreamStatus.ERROR, "The database was away for too long.")


GAP_SLACK = 0.01
"""How much longer than the gap a silence may last before it is noticed, as a share of the gap."""


class Writer:
    """Runs one stream from its claim to its end."""

    def __init__(
        self,
        stream_id: StreamId,
        source: Source,
        *,
        transactions: Transactions,
        hub: Hub,
        flusher: Flusher,
        holder: str,
        rule: ChunkRule | None = None,
        patience: Patience | None = None,
        claim_hook: ClaimHook | None = None,
    ) -> None:
        """Args:
        stream_id: a `pending` stream.
        source: starts the model; called once, after the claim.
        transactions: where the tables are.
        hub: where deltas are published.
        flusher: stores the deltas as chunks.
        holder: names this process in the stream's row.
        rule: where the text is cut into chunks.
        patience: how long to wait for a silent model.
        claim_hook: called in the transaction of the claim.
        """
        self.stream_id = stream_id
        self._source = source
        self._transactions = transactions
        self._hub = hub
        self._flusher = flusher
        self._holder = holder
        self._rule = rule or ChunkRule()
        self._patience = patience or Patience()
        self._claim_hook = claim_hook
        self._verdict: Ending | None = None
        self._pump: asyncio.Task[Ending] | None = None
        self._lane: Lane | None = None

    async def run(self) -> bool:
        """Write the stream to its end; False if another writer had it or took it.

        When cancelled, as at shutdown, it first stores the text so far as `error: The server restarted.`
        """
        async with self._transactions.write() as session:
            lease = await store.claim(session, self.stream_id, self._holder)
            if lease is not None and self._claim_hook is not None:
                await self._claim_hook(session, self.stream_id)
        if lease is None:
            return False
        with (
            self._hub.channel(self.stream_id) as channel,
            self._flusher.lane(lease, self._rule, on_lost=self._lost, on_away=self._away) as lane,
        ):
            self._lane = lane
            self._pump = asyncio.create_task(self._read_model(channel, lane), name=f"model of {self.stream_id}")
            if self._verdict is not None:
                self._pump.cancel()
            try:
                await asyncio.wait({self._pump})
                return await asyncio.shield(lane.end(self._ending()))
            except asyncio.CancelledError:
                self._give_up(RESTARTED)
                await asyncio.wait({self._pump})
                await _despite_cancellation(lane.end(self._ending()))
                raise

    def stop(self) -> None:
        """End the stream as `stopped` and keep its text. May be called before the first delta, and more than once."""
        self._give_up(STOPPED)

    def explain(self, reason: str) -> None:
        """Say why the source gives nothing at the moment, in a sentence for people; "" once it gives text again.

        The source calls this. It never blocks; the reason is in the stream's row soon after.
        """
        if self._lane is not None:
            self._lane.explain(reason)

    def _lost(self) -> None:
        self._give_up(STOPPED)  # this ending is not stored: the stream belongs to another writer

    def _away(self) -> None:
        self._give_up(NOT_SAVED)

    def _give_up(self, verdict: Ending) -> None:
        if self._verdict is None:
            self._verdict = verdict
            if self._pump is not None:
                self._pump.cancel()

    def _ending(self) -> Ending:
        assert self._pump is not None
        if self._pump.cancelled():
            return self._verdict or RESTARTED
        return self._pump.result()

    async def _read_model(self, channel: GrowingText, lane: Lane) -> Ending:
        cleaner = Cleaner()

        def publish(text: str) -> None:
            if text:
                channel.grow(text)
                lane.add(text)

        now = asyncio.get_running_loop().time
        gap = self._patience.gap
        move_at = -math.inf  # when the deadline is moved again: a timer for each delta would cost more than the delta
        has_begun = False
        try:
            async with (
                asyncio.timeout(self._patience.first_delta) as deadline,
                aclosing(_closable(self._source())) as items,
            ):
                async for item in items:
                    if isinstance(item, Finish):
                        publish(cleaner.rest())
                        return Ending(StreamStatus.DONE, item.reason, item.usage)
                    has_begun = True
                    if gap is None:
                        deadline.reschedule(None)
                    elif (heard := now()) >= move_at:
                        move_at = heard + GAP_SLACK * gap
                        deadline.reschedule(move_at + gap)
                    publish(cleaner.feed(item))
            raise SourceEndedEarly
        except TimeoutError:
            ending = FELL_SILENT if has_begun else NEVER_BEGAN
        except SourceError as error:
            ending = Ending(StreamStatus.ERROR, error.reason)
        except Exception as error:  # noqa: BLE001  # whatever a source raises, the stream has to end
            # Only the type: a provider's message may contain a key or an address.
            logger.error("the model of stream %s failed: %s", self.stream_id, type(error).__name__)
            ending = FAILED
        publish(cleaner.rest())
        return ending


async def _closable(items: AsyncIterator[str | Finish]) -> AsyncGenerator[str | Finish]:
    """The same items from an async generator, so that `aclosing` works with any iterator."""
    try:
        async for item in items:
            yield item
    finally:
        if (close := getattr(items, "aclose", None)) is not None:
            await close()


async def _despite_cancellation(future: asyncio.Future[bool]) -> None:
    """Wait for `future` in a task that has been cancelled; a second cancellation is final."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.shield(future)
