"""Writers: start each reply of this process once, and write it to its end; at shutdown their tails are stored."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.db import Database
from chat_app.data.models import Attempt, Message, Thread
from chat_app.ops.metrics import Metrics
from chat_app.ops.request_id import request_id
from chat_app.ops.tasks import Tasks, report
from chat_app.refusals import UsedUp
from chat_app.replies import context
from chat_app.replies.budget import Budget
from chat_app.replies.llm import OnWait, Turn
from chat_app.replies.place_notices import PlaceNotices
from chat_app.replies.places import Places
from chat_app.settings import Settings
from chat_app.threads import attempts
from tributary_streams import (
    ChunkRule,
    Ending,
    Finish,
    Flusher,
    Granularity,
    Hub,
    Patience,
    SourceError,
    StreamId,
    Sweeper,
    Writer,
    note_reads,
    read_stream,
)

logger = logging.getLogger(__name__)

STORE_TAILS_WITHIN = 1.5
"""Seconds that writers get at shutdown to store their tails; the development server kills its worker after two."""


class Model(Protocol):
    """What writers need of a model; `OpenAIModel` has it, and so do the models of tests."""

    name: str

    def reply(self, turns: Sequence[Turn], model: str, *, on_wait: OnWait) -> AsyncGenerator[str | Finish]:
        """Yield deltas, then a `Finish`; closing the generator ends the request. Raises `SourceError`."""
        ...


class Writers:
    """Writes the replies that this process begins, and pending ones that its sweep finds without a writer."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        model: Model,
        *,
        hub: Hub,
        budget: Budget,
        metrics: Metrics,
        reads: Callable[[StreamId], tuple[int, float]],
        on_growth: Callable[[], None],
        on_commit: Callable[[], None],
        on_away: Callable[[bool], None],
        on_end: Callable[[StreamId], None],
    ) -> None:
        """Args:
        settings: how replies are cut into chunks, timeouts and limits.
        database: where replies are stored.
        model: what answers.
        hub: where deltas are published.
        budget: what replies may cost.
        metrics: where replies are counted.
        reads: returns how many rows of a stream were read here, and the longest time from commit to read, in seconds.
        on_growth: called after a commit of text, or of an end, of a reply written here. No callback may block.
        on_commit: called after any other commit.
        on_away: called with True when replies are given up because the database is away, with False when it is back.
        on_end: called with each stream that is no longer written here, however it ended.
        """
        self._settings = settings
        self._database = database
        self._model = model
        self._hub = hub
        self._budget = budget
        self._metrics = metrics
        self._reads = reads
        self._on_end = on_end
        self._holder = f"{socket.gethostname()[:24]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._flusher = Flusher(
            database,
            close_hook=self._store,
            explain_hook=attempts.change_reply,
            on_commit=on_growth,
            on_away=on_away,
            on_flush=metrics.flushed,
            renew_every=settings.chat_lease_renew,
        )
        self._sweeper = Sweeper(
            database,
            lambda: self._begun,
            start=self.begin,
            close_hook=self._store,
            on_commit=on_commit,
            is_alone=database.is_alone,
            expiry=settings.chat_lease_expiry,
            every=settings.chat_sweep_every,
        )
        self._places = Places(per_person=settings.chat_replies_per_person, at_once=settings.chat_replies_at_once)
        self._place_notices = PlaceNotices(database, self._places, on_commit=on_commit)
        self._begun: set[StreamId] = set()
        self._writers: dict[StreamId, Writer] = {}
        self._writing = Tasks()
        self._work: set[asyncio.Task[None]] = set()
        self._is_closing = False

    @property
    def writing(self) -> int:
        """How many replies are being written here."""
        return len(self._writers)

    @property
    def waiting(self) -> int:
        """How many replies have begun here and are not being written: most wait for a place."""
        return len(self._begun) - len(self._writers)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Write and sweep while the block runs; on the way out begin nothing new, then store tails."""
        work = self._work = {
            asyncio.create_task(self._flusher.run(), name="flusher"),
            asyncio.create_task(self._sweeper.run(), name="sweeper"),
            asyncio.create_task(self._place_notices.run(), name="teller of places"),
        }
        for task in work:
            task.add_done_callback(report)
        try:
            yield
        finally:
            self._is_closing = True
            for task in work:
                task.cancel()
            self._writing.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await self._store_tails()

    async def _store_tails(self) -> None:
        """Let the cancelled writers end. The flusher was cancelled too, so it runs again until they have."""
        if not self._writing:
            return
        last_flush = asyncio.create_task(self._flusher.run(), name="last flush")
        try:
            await asyncio.wait(self._writing, timeout=STORE_TAILS_WITHIN)
        finally:
            last_flush.cancel()
            await asyncio.gather(last_flush, return_exceptions=True)

    def faults(self) -> list[str]:
        """What keeps replies from being written, in words; empty if all is well."""
        faults = [f"the {task.get_name()} has ended" for task in self._work if task.done()]
        if self._is_closing or not self._work:
            faults.append("it is stopping or has not begun")
        if self._flusher.is_away:
            faults.append("the database takes no writes")
        return faults

    def begin(self, stream_id: StreamId) -> None:
        """Write a pending stream in a task; do nothing if it has begun here, or another process writes it."""
        if self._is_closing or stream_id in self._begun:
            return
        self._begun.add(stream_id)
        self._writing.start(self._write(stream_id), f"writer of {stream_id}")

    def stop(self, stream_id: StreamId) -> None:
        """End a reply that is written here as `stopped`, keeping its text."""
        if (writer := self._writers.get(stream_id)) is not None:
            writer.stop()

    def stored(self, stream_id: StreamId) -> int | None:
        """How many code points of a reply are committed; None if it is not written here."""
        return self._flusher.stored(stream_id)

    async def written(self, stream_id: StreamId | None = None) -> None:
        """Wait until this reply, or without an id every reply, is no longer under way here."""
        if stream_id is None:
            await self._writing.ended()
            return
        named = {task for task in self._writing if task.get_name() == f"writer of {stream_id}"}
        if named:
            await asyncio.wait(named)

    async def _write(self, stream_id: StreamId) -> None:
        try:
            async with self._database.read() as session:
                query = (
                    select(Attempt, Thread)
                    .join(Message, col(Message.id) == col(Attempt.message_id))
                    .join(Thread, col(Thread.id) == col(Message.thread_id))
                    .where(col(Attempt.stream_id) == stream_id)
                )
                row = (await session.execute(query)).first()
            if row is None:
                return  # deleted before it began
            attempt, thread = row
            async with self._places.place(stream_id, attempt.asked_by):
                await self._write_now(stream_id, attempt, thread)
        finally:
            self._begun.discard(stream_id)
            self._on_end(stream_id)

    async def _write_now(self, stream_id: StreamId, attempt: Attempt, thread: Thread) -> None:
        settings = self._settings
        writer = Writer(
            stream_id,
            # If the thread's model is no longer offered, the server's own model answers.
            lambda: self._ask(attempt, thread.model if thread.model in settings.models else "", writer.explain),
            claim_hook=attempts.change_reply,
            transactions=self._database,
            hub=self._hub,
            flusher=self._flusher,
            holder=self._holder,
            rule=ChunkRule(
                Granularity(thread.granularity) if thread.granularity else settings.chat_granularity,
                settings.chat_flush_chars,
                settings.chat_flush_pause,
                settings.chat_flush_age,
            ),
            patience=Patience(settings.chat_first_delta_timeout or None, settings.chat_gap_timeout or None),
        )
        self._writers[stream_id] = writer
        try:
            if await writer.run():
                await self._log(stream_id)
        finally:
            del self._writers[stream_id]

    async def _ask(self, attempt: Attempt, model: str, on_wait: OnWait) -> AsyncIterator[str | Finish]:
        settings = self._settings
        async with self._database.read() as session:
            turns = await context.turns_before(
                session,
                attempt.prompt_id,
                limit=settings.chat_context_messages,
                tokens=settings.chat_context_tokens_by_model.get(
                    model or self._model.name, settings.chat_context_tokens
                ),
                system_prompt=settings.chat_system_prompt,
                so_far=(await session.get_one(Message, attempt.message_id)).text[: attempt.base],
            )
        if self._budget.is_limited:
            await self._reserve(attempt, turns)
        async with contextlib.aclosing(self._model.reply(turns, model, on_wait=on_wait)) as items:
            async for item in items:
                yield item

    async def _reserve(self, attempt: Attempt, turns: Sequence[Turn]) -> None:
        tokens_in = sum(map(context.estimated_tokens, turns))
        try:
            async with self._database.write() as session:
                await self._budget.reserve(session, StreamId(attempt.stream_id), attempt.asked_by, tokens_in)
        except UsedUp as error:
            raise SourceError(str(error)) from None

    async def _store(self, session: AsyncSession, stream_id: StreamId, ending: Ending) -> None:
        """Settle the budget and store the reply's text and read counts, in the transaction that ends the stream."""
        await self._budget.settle(session, stream_id, ending)
        await attempts.store_reply(session, stream_id)
        rows_read, lag = self._reads(stream_id)
        await note_reads(session, stream_id, rows_read=rows_read, lag_ms=round(lag * 1000))

    async def _log(self, stream_id: StreamId) -> None:
        """Log one line of JSON for each reply; times are milliseconds since it was asked for."""
        async with self._database.read() as session:
            stream = await read_stream(session, stream_id)
        self._metrics.reply_ended(stream)

        def since_asked(moment: datetime | None) -> int | None:
            return moment and round((moment - stream.created) / timedelta(milliseconds=1))

        asked = {"request": request_id.get()} if request_id.get() else {}
        known: dict[str, Any] = {
            "stream": stream.id,
            "status": stream.status.value,
            "reason": stream.reason,
            "model": stream.model,
        }
        times = {"started": since_asked(stream.started), "first_delta": since_asked(stream.first_delta)}
        counts = stream.model_dump(
            include={"length", "deltas", "chunks", "rows_read", "lag_ms", "tokens_in", "tokens_out"}
        )
        logger.info(json.dumps({**known, **asked, **times, "ended": since_asked(stream.ended), **counts}))
