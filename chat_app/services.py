"""The services: build, start and stop the parts of a running server, and give access to them by noun."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from sqlalchemy import select

from chat_app.data.changes import Changes
from chat_app.data.db import Database
from chat_app.demo.model import DemoModel
from chat_app.live.directory import Directory
from chat_app.live.feeds import Endings, Names, ThreadFeed
from chat_app.live.http_readers import HttpReaders
from chat_app.live.notifier import Notifier
from chat_app.live.presence import PresenceTracker
from chat_app.live.read_receipts import ReadReceipts
from chat_app.live.tabs import Tabs
from chat_app.ops.metrics import Metrics
from chat_app.ops.tasks import Tasks, report
from chat_app.people.limits import Rates
from chat_app.people.people import People
from chat_app.replies.budget import Budget
from chat_app.replies.llm import OpenAIModel
from chat_app.replies.replies import Replies
from chat_app.replies.retention import Retention
from chat_app.replies.writers import Model, Writers
from chat_app.settings import Settings
from chat_app.threads.members import Members
from chat_app.threads.mentions import MENTION
from chat_app.threads.messages import Messages
from chat_app.threads.seed import Seed
from chat_app.threads.threads import Threads
from tributary_streams import DATABASE_AWAY, Hub, StreamId, Tailer

READY_WITHIN = 2.0
"""Seconds within which the database must answer for the server to be ready."""
STORE_RECEIPTS_WITHIN = 0.2
"""Seconds at shutdown to store the last read receipts, once the tails of replies are stored."""


class NotRunning(Exception):
    """The services were used outside of the server's lifespan."""


class Services:
    """Everything that a running server does, one attribute for each noun."""

    people: People
    threads: Threads
    messages: Messages
    members: Members
    replies: Replies
    tabs: Tabs
    http_readers: HttpReaders
    directory: Directory
    endings: Endings

    def __init__(self, settings: Settings, database: Database, model: Model) -> None:
        self.settings = settings
        self.metrics = Metrics(database)
        self._database = database
        self._hub = Hub(on_open=self._channel_opened)
        self._aside = Tasks()
        self._work: list[asyncio.Task[None]] = []
        self._build_replies(model)
        self._build_live()
        self._build_nouns(model)
        self._show_counts()

    def _build_replies(self, model: Model) -> None:
        budget = Budget(self.settings)
        self._retention = Retention(self._database, budget, keep_chunks=self.settings.chat_keep_chunks)
        self._writers = Writers(
            self.settings,
            self._database,
            model,
            hub=self._hub,
            budget=budget,
            metrics=self.metrics,
            reads=self._reads,
            on_growth=self._grown,
            on_commit=self._committed,
            on_away=self._away,
            on_end=self._written,
        )

    def _build_live(self) -> None:
        database, feed = self._database, ThreadFeed(self._database)
        self.directory = Directory(database)
        self.endings = Endings(wake=self._wake)
        names = Names(self._renamed, lambda: self.tabs.count > 0)
        self._tailer = Tailer(
            database,
            self._hub,
            probes=(feed, self.directory, self.endings, names),
            stop=self._writers.stop,
            stored_here=self._writers.stored,
            has_changed=database.has_changed,
        )
        self._notifier = Notifier(database, concerns=self._watches_any, on_notice=self._tailer.wake)
        self._presence = PresenceTracker()
        self._read_receipts = ReadReceipts(database, on_note=self.directory.read_up_to)
        self.tabs = Tabs(
            database,
            self._hub,
            self._tailer,
            feed=feed,
            directory=self.directory,
            endings=self.endings,
            read_receipts=self._read_receipts,
            presence=self._presence,
        )
        self.http_readers = HttpReaders(database, self._hub, self._tailer, feed=feed, endings=self.endings)

    def _build_nouns(self, model: Model) -> None:
        changes, rates = Changes(self._database, self._committed), Rates(self.settings)
        self.people = People(self._database, changes, rates)
        self.members = Members(changes)
        self.messages = Messages(
            changes,
            rates,
            model=model.name,
            begin=self._writers.begin,
            on_post=self._presence.stop_typing,
            on_delete=self._deleted,
        )
        seed = Seed(self._database, self.messages, start=self._aside.start, written=self._writers.written)
        self.threads = Threads(
            changes,
            rates,
            models=self.settings.models,
            on_delete=self._deleted,
            seed=seed.begin if self.settings.chat_seed else _no_seed,
        )
        self.replies = Replies(changes, rates, self._writers, model=model.name)

    def _show_counts(self) -> None:
        watch = self.metrics.watch
        watch("replies_writing", "Replies that are being written here.", lambda: self._writers.writing)
        watch("replies_waiting", "Replies that wait for a place here.", lambda: self._writers.waiting)
        watch("tabs", "Open tabs.", lambda: self.tabs.count)
        watch("readers", "Replies that are being read over HTTP.", lambda: self.http_readers.count)
        watch("watched", "Watchers of stored texts.", lambda: self._tailer.chunks.watchers)
        watch("tasks", "Tasks of the event loop.", lambda: len(asyncio.all_tasks()))
        watch("loop_lag_seconds", "By which the event loop is late, as tabs see it.", lambda: self.tabs.pace.lag)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Services"]:
        """Do the work of a server while the block runs; on the way out refuse new work first, then store tails."""
        self._database.take_part()
        self._work = [
            asyncio.create_task(self._tailer.run(), name="tailer"),
            asyncio.create_task(self._read_receipts.run(), name="storing of read receipts"),
        ]
        for task in self._work:
            task.add_done_callback(report)
        self._aside.start(self._retention.clear_in_time(), "clearing what was deleted")
        self._aside.start(self._retention.prune(), "pruning of old chunks")
        self._aside.start(self._notifier.run(), "notifier")
        try:
            async with self._writers.running():
                try:
                    yield self
                finally:
                    self.tabs.end_all()
                    self.http_readers.end_all()
                    self.endings.end_all()
                    self._aside.cancel()
                    for task in self._work:
                        task.cancel()
        finally:
            await asyncio.gather(*self._work, *self._aside, return_exceptions=True)
            await self._store_receipts()

    async def _store_receipts(self) -> None:
        with contextlib.suppress(*DATABASE_AWAY):
            async with asyncio.timeout(STORE_RECEIPTS_WITHIN):
                await self._read_receipts.store()

    async def faults(self) -> list[str]:
        """What keeps this server from doing its work, in words; empty if it is ready."""
        faults = self._writers.faults()
        faults += [f"the {task.get_name()} has ended" for task in self._work if task.done()]
        try:
            async with asyncio.timeout(READY_WITHIN), self._database.read() as session:
                await session.execute(select(1))
        except DATABASE_AWAY:
            faults.append("the database does not answer")
        return faults

    def _channel_opened(self, stream_id: StreamId) -> None:
        self.tabs.channel_opened(stream_id)
        self.http_readers.channel_opened(stream_id)
        self._tailer.wake()  # another process may ask to stop it, even if nobody watches it here
        self._notifier.notify()

    # Callbacks between the parts; some parts are built before the parts that they call.

    def _wake(self) -> None:
        self._tailer.wake()

    def _reads(self, stream_id: StreamId) -> tuple[int, float]:
        return self._tailer.chunks.reads(stream_id)

    def _away(self, is_away: bool) -> None:  # a callback's signature
        self.tabs.tell_unsaved(is_away)

    def _written(self, stream_id: StreamId) -> None:
        self.tabs.forget(stream_id)

    def _renamed(self, user_id: int, name: str, hue: int) -> None:
        self.tabs.renamed(user_id, name, hue)

    def _committed(self) -> None:
        self._tailer.wake()
        self._notifier.notify()

    def _grown(self) -> None:
        self._tailer.wake()
        self._notifier.notify(self._hub.written_here())

    def _watches_any(self, stream_ids: Collection[StreamId]) -> bool:
        return not self._tailer.chunks.live().isdisjoint(stream_ids)

    def _deleted(self, stream_ids: Sequence[StreamId]) -> None:
        for stream_id in stream_ids:
            self._writers.stop(stream_id)
        self._aside.start(self._retention.clear_in_time(), "clearing what was deleted")


async def _no_seed(_: str) -> None:
    """Begin no conversation."""


_current: list[Services] = []


def services() -> Services:
    """The services of this process.

    Raises:
        NotRunning: this is outside of the server's lifespan; Reflex imports the application in other processes too.
    """
    if not _current:
        raise NotRunning
    return _current[-1]


@asynccontextmanager
async def serving(settings: Settings) -> AsyncGenerator[Services]:
    """Migrate, start the model client and the services, and let `services()` find them while the block runs."""
    async with AsyncExitStack() as stack:
        database = Database(settings.database_url)
        stack.push_async_callback(database.close)
        await database.migrate()
        if settings.uses_demo_model:
            model = DemoModel(MENTION)
        else:
            model = OpenAIModel(settings)
            stack.push_async_callback(model.close)
        running = await stack.enter_async_context(Services(settings, database, model).running())
        _current.append(running)
        stack.callback(_current.remove, running)
        yield running
