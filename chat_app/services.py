"""What handlers and routes call; it owns the hub, the flusher, the tailer, the sweeper, the writers and the model."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app import context, identity, seed, threads, views
from chat_app.db import Database
from chat_app.demo_model import DEMO_MODEL, serve_demo_model
from chat_app.feeds import Directory, ThreadFeed
from chat_app.identity import Identity
from chat_app.limits import Turns
from chat_app.llm import OnWait, OpenAIModel, Turn
from chat_app.models import Attempt, Message, Thread
from chat_app.settings import Settings
from chat_app.streaming import (
    ChunkRule,
    Ending,
    Finish,
    Flusher,
    Granularity,
    Hub,
    Patience,
    StreamId,
    Sweeper,
    Tailer,
    Writer,
    store,
)
from chat_app.streaming.flusher import DATABASE_AWAY
from chat_app.streaming.tables import utc_now
from chat_app.streaming.writer import STOPPED
from chat_app.tabs import Tabs
from chat_app.threads import Posted
from chat_app.views import MessageView

logger = logging.getLogger(__name__)
replies = logging.getLogger("chat_app.replies")

WAITING = "Waiting for its turn."
"""What is said of a reply that may not begin yet."""
RETRY_AFTER = 1.0
"""Seconds until what the database refused aside from replies is tried again."""
PRUNE_EVERY = 3600.0
"""Seconds between two looks for chunks that are old enough to go."""
STORE_TAILS_WITHIN = 1.5
"""Seconds that writers get at shutdown to store their tails; the development server kills its worker after two."""


class Model(Protocol):
    """What answers: `OpenAIModel`, or a test's own."""

    name: str

    def reply(self, turns: Sequence[Turn], model: str, *, on_wait: OnWait) -> AsyncGenerator[str | Finish]:
        """Deltas, and at last a `Finish`; closing it lets go of the model. Raises `SourceError`."""
        ...


class NotRunning(Exception):
    """The services are used outside of the server's lifespan."""


class Services:
    """Everything a running server does, for people who are already known."""

    def __init__(self, settings: Settings, database: Database, model: Model) -> None:
        self.settings = settings
        self.database = database
        self._model = model
        self._holder = f"{socket.gethostname()[:24]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._hub = Hub(on_open=self._channel_opened)
        self._flusher = Flusher(
            database,
            close_hook=self._store_reply,
            explain_hook=threads.change_reply,
            on_commit=self._committed,
            on_away=self._away,
            renew_every=settings.chat_lease_renew,
        )
        feed, directory = ThreadFeed(database), Directory()
        self._tailer = Tailer(
            database, self._hub, probes=(feed, directory), stop=self._stop_here, has_changed=database.has_changed
        )
        self._sweeper = Sweeper(
            database,
            lambda: self._begun,
            start=self._begin,
            close_hook=self._store_reply,
            on_commit=self._committed,
            is_alone=database.is_alone,
            expiry=settings.chat_lease_expiry,
            every=settings.chat_sweep_every,
        )
        self.tabs = Tabs(database, self._hub, self._tailer, feed, directory)
        self._turns = Turns(per_person=settings.chat_replies_per_person, at_once=settings.chat_replies_at_once)
        self._begun: set[StreamId] = set()
        self._writers: dict[StreamId, Writer] = {}
        self._writing: set[asyncio.Task[Any]] = set()
        self._aside: set[asyncio.Task[Any]] = set()
        self._is_closing = False

    async def recognise(self, cookie_header: str) -> Identity:
        """The person behind a request's or handshake's cookies.

        Raises:
            NotRecognised: the cookie is missing or malformed.
        """
        return await identity.recognise(self.database, cookie_header)

    async def home(self, who: Identity, tab: str) -> str:
        """The thread that `/` leads to: the newest in this person's list, or a new one.

        On an empty database the seeded conversation begins, and this tab drives its replies.
        """
        if (newest := await self._newest(who)) is not None:
            return newest
        if self.settings.chat_seed and (claimed := await seed.claim(self.database)) is not None:
            thread_id, speakers = claimed
            self._keep(self._aside, self._play_seed(thread_id, speakers, tab), "seeded conversation")
            return thread_id
        return await self._newest(who) or await self.new_thread(who)

    async def _newest(self, who: Identity) -> str | None:
        async with self.database.read() as session:
            listed = await views.listed(session, who.user_id)
        return listed[0].id if listed else None

    async def new_thread(self, who: Identity) -> str:
        """Begin an open thread; return its id."""
        async with self.database.write() as session:
            thread_id = await threads.create(session, who.user_id)
        self._committed()
        return thread_id

    async def post(self, who: Identity, thread_id: str, text: str, *, nonce: str, tab: str) -> Posted:
        """Store a message, then let the AI answer where it is asked: the model is called only after the commit.

        Raises:
            ThreadUnknown: there is no such thread for this person to write in.
            MessageRefused: the text cannot be posted.
        """
        async with self.database.write() as session:
            posted = await threads.post(
                session, thread_id, who.user_id, text, nonce=nonce, tab=tab, model=self._model.name
            )
        self._committed()
        if posted.stream_id is not None:
            self._begin(posted.stream_id)
        return posted

    async def stop(self, who: Identity, message_id: int) -> None:
        """Stop a reply, whichever process writes it, keeping its text; one that has ended stays as it is.

        Raises:
            ThreadUnknown: there is no such reply for this person.
        """
        async with self.database.write() as session:
            stream_id = await threads.stoppable(session, message_id, who.user_id)
            if await store.close_pending(session, stream_id, STOPPED):
                await threads.store_reply(session, stream_id)
            else:
                await store.request_stop(session, stream_id)
        self._stop_here(stream_id)
        self._committed()

    async def retry(self, who: Identity, message_id: int, *, tab: str) -> None:
        """Answer again in a new version; of several at once one begins.

        Raises:
            ThreadUnknown: there is no such reply for this person.
            NotNow: it is being answered.
        """
        async with self.database.write() as session:
            stream_id = await threads.retry(session, message_id, who.user_id, tab=tab, model=self._model.name)
        self._committed()
        self._begin(stream_id)

    async def continue_reply(self, who: Identity, message_id: int, *, tab: str) -> None:
        """Let the model go on from a reply's text; of several at once one begins.

        Raises:
            ThreadUnknown: there is no such reply for this person.
            NotNow: it is being answered, or complete.
        """
        async with self.database.write() as session:
            stream_id = await threads.continue_reply(session, message_id, who.user_id, tab=tab, model=self._model.name)
        self._committed()
        self._begin(stream_id)

    async def delete_message(self, who: Identity, message_id: int) -> None:
        """Take a message away for everybody; if it is being written, its writer ends quietly.

        Raises:
            ThreadUnknown: there is no such message for this person to delete.
        """
        async with self.database.write() as session:
            stream_ids = await threads.delete_message(session, message_id, who.user_id)
            await _end_quietly(session, stream_ids)
        self._deleted(stream_ids)

    async def delete_thread(self, who: Identity, thread_id: str) -> None:
        """Take a thread away for everybody; replies under way end quietly.

        Raises:
            ThreadUnknown: there is no such thread for this person to delete.
        """
        async with self.database.write() as session:
            stream_ids = await threads.delete_thread(session, thread_id, who.user_id)
            await _end_quietly(session, stream_ids)
        self._deleted(stream_ids)

    async def version_of(self, who: Identity, message_id: int, version: int) -> tuple[MessageView, str]:
        """A reply, and the text of one of its versions.

        Raises:
            ThreadUnknown: there is no such message for this person.
        """
        async with self.database.read() as session:
            message = await views.message_view(session, message_id, who.user_id)
            return message, await views.version_text(session, message, version)

    async def text_of(self, who: Identity, message_id: int, offset: int) -> tuple[MessageView, str]:
        """A message, and its stored text from `offset` on, for a tab that has missed some.

        Raises:
            ThreadUnknown: there is no such message for this person.
        """
        async with self.database.read() as session:
            message = await views.message_view(session, message_id, who.user_id)
            text = message.text
            if message.is_live and message.stream_id is not None:
                text = text[: message.base] + await store.read_text(session, message.stream_id)
        return message, text[offset:]

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Services"]:
        """Do the work of a server for the time of the block; on the way out refuse new work first, then store tails."""
        self.database.take_part()
        work = {
            asyncio.create_task(part.run(), name=type(part).__name__.lower())
            for part in (self._flusher, self._tailer, self._sweeper)
        }
        for task in work:
            task.add_done_callback(_report)
        self._keep(self._aside, self._clear(), "clearing what was deleted")
        self._keep(self._aside, self._prune(), "pruning of old chunks")
        try:
            yield self
        finally:
            self._is_closing = True
            self.tabs.end_all()
            for task in (*self._aside, *work):
                task.cancel()
            for task in self._writing:
                if not task.cancelling():  # a second cancellation would cost it its tail
                    task.cancel()
            await asyncio.gather(*self._aside, *work, return_exceptions=True)
            await self._store_tails()

    async def _store_tails(self) -> None:
        """Let the cancelled writers end; the flusher, cancelled with all else, is run anew until they have."""
        if not self._writing:
            return
        last_flush = asyncio.create_task(self._flusher.run(), name="last flush")
        try:
            await asyncio.wait(self._writing, timeout=STORE_TAILS_WITHIN)
        finally:
            last_flush.cancel()
            await asyncio.gather(last_flush, return_exceptions=True)

    async def _store_reply(self, session: AsyncSession, stream_id: StreamId, _: Ending) -> None:
        await threads.store_reply(session, stream_id)
        rows_read, lag = self._tailer.chunks.reads(stream_id)
        await store.note_reads(session, stream_id, rows_read=rows_read, lag_ms=round(lag * 1000))

    def _channel_opened(self, stream_id: StreamId) -> None:
        self.tabs.channel_opened(stream_id)
        self._tailer.wake()  # a request to stop it may come from elsewhere, with nobody watching here

    def _committed(self) -> None:
        self._tailer.wake()

    def _away(self, is_away: bool) -> None:  # a callback's signature
        self.tabs.tell_unsaved(is_away)

    def _deleted(self, stream_ids: Sequence[StreamId]) -> None:
        for stream_id in stream_ids:
            self._stop_here(stream_id)
        self._committed()
        self._keep(self._aside, self._clear(), "clearing what was deleted")

    async def written(self) -> None:
        """Wait until no reply is under way here."""
        while self._writing:
            await asyncio.wait(self._writing)

    async def cleared(self) -> None:
        """Wait until what was deleted has left no rows."""
        await self._clear()

    async def _clear(self) -> None:
        """Remove the rows of what was deleted, a bounded part at a time; what is left over a restart is next."""
        has_more = True
        while has_more:
            try:
                async with self.database.write() as session:
                    has_more = await threads.clear_deleted(session)
            except DATABASE_AWAY:
                await asyncio.sleep(RETRY_AFTER)

    async def _prune(self) -> None:
        while self.settings.chat_keep_chunks:
            before = utc_now() - timedelta(days=self.settings.chat_keep_chunks)
            try:
                while await self._prune_some(before):
                    pass
            except DATABASE_AWAY as error:
                logger.warning("old chunks could not be pruned (%s); trying again later", type(error).__name__)
            await asyncio.sleep(PRUNE_EVERY)

    async def _prune_some(self, before: datetime) -> bool:
        async with self.database.write() as session:
            return await store.prune_chunks(session, before)

    def _begin(self, stream_id: StreamId) -> None:
        if self._is_closing or stream_id in self._begun:
            return
        self._begun.add(stream_id)
        self._keep(self._writing, self._write(stream_id), f"writer of {stream_id}")

    async def _write(self, stream_id: StreamId) -> None:
        try:
            async with self.database.read() as session:
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
            async with self._turns.turn(attempt.asked_by, lambda: self._keep_waiting(stream_id)):
                await self._write_now(stream_id, attempt, thread)
        finally:
            self._begun.discard(stream_id)
            self.tabs.forget(stream_id)

    async def _keep_waiting(self, stream_id: StreamId) -> None:
        async with self.database.write() as session:
            if await store.keep_waiting(session, stream_id, WAITING):
                await threads.change_reply(session, stream_id)
        self._committed()

    async def _write_now(self, stream_id: StreamId, attempt: Attempt, thread: Thread) -> None:
        settings = self.settings
        writer = Writer(
            stream_id,
            lambda: self._ask(attempt, thread.model, writer.explain),
            claim_hook=threads.change_reply,
            transactions=self.database,
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

    async def _log(self, stream_id: StreamId) -> None:
        """One line of JSON for each reply; times in milliseconds since it was asked for."""
        async with self.database.read() as session:
            stream = await store.read_stream(session, stream_id)

        def since_asked(moment: datetime | None) -> int | None:
            return moment and round((moment - stream.created) / timedelta(milliseconds=1))

        known = {"stream": stream.id, "status": stream.status.value, "reason": stream.reason, "model": stream.model}
        times = {"started": since_asked(stream.started), "first_delta": since_asked(stream.first_delta)}
        counts = stream.model_dump(
            include={"length", "deltas", "chunks", "rows_read", "lag_ms", "tokens_in", "tokens_out"}
        )
        replies.info(json.dumps({**known, **times, "ended": since_asked(stream.ended), **counts}))

    async def _ask(self, attempt: Attempt, model: str, on_wait: OnWait) -> AsyncIterator[str | Finish]:
        settings = self.settings
        async with self.database.read() as session:
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
        async with contextlib.aclosing(self._model.reply(turns, model, on_wait=on_wait)) as items:
            async for item in items:
                yield item

    def _stop_here(self, stream_id: StreamId) -> None:
        if (writer := self._writers.get(stream_id)) is not None:
            writer.stop()

    async def _play_seed(self, thread_id: str, speakers: dict[str, int], tab: str) -> None:
        for number, line in enumerate(seed.LINES):
            await asyncio.sleep(line.pause)
            who = Identity(speakers[line.speaker], line.speaker, 0)
            posted = await self.post(who, thread_id, line.text, nonce=f"seed-{number}", tab=tab)
            while posted.stream_id is not None and (task := self._task_of(posted.stream_id)) is not None:
                await asyncio.wait({task})

    def _task_of(self, stream_id: StreamId) -> asyncio.Task[Any] | None:
        return next((task for task in self._writing if task.get_name() == f"writer of {stream_id}"), None)

    def _keep(self, owner: set[asyncio.Task[Any]], work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        owner.add(task)
        task.add_done_callback(owner.discard)
        task.add_done_callback(_report)


async def _end_quietly(session: AsyncSession, stream_ids: Sequence[StreamId]) -> None:
    """End what has not begun, and ask whichever process writes the rest to stop: nobody will read it."""
    for stream_id in stream_ids:
        if not await store.close_pending(session, stream_id, STOPPED):
            await store.request_stop(session, stream_id)


def _report(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("%s failed", task.get_name(), exc_info=error)


_current: list[Services] = []


def services() -> Services:
    """The services of this process.

    Raises:
        NotRunning: outside of the server's lifespan; Reflex imports the application outside of its worker too.
    """
    if not _current:
        raise NotRunning
    return _current[-1]


@asynccontextmanager
async def serving(settings: Settings) -> AsyncGenerator[Services]:
    """Migrate, start the model's side and the server's work, and let `services()` find it while the block runs."""
    async with AsyncExitStack() as stack:
        database = Database(settings.database_url)
        stack.push_async_callback(database.close)
        await database.migrate()
        if settings.uses_demo_model:
            base_url = await stack.enter_async_context(serve_demo_model())
            model = OpenAIModel(settings, base_url=base_url, name=DEMO_MODEL)
        else:
            model = OpenAIModel(settings)
        stack.push_async_callback(model.close)
        running = await stack.enter_async_context(Services(settings, database, model).running())
        _current.append(running)
        stack.callback(_current.remove, running)
        yield running
