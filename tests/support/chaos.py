"""A case of chaos: one reply, written and read while everything around it goes wrong, and what must hold all the same.

Two processes share a database. The first writes the reply, unless it is kept from it; readers join either. Names of
invariants (I2 to I6) are those of the design.
"""

import asyncio
import re
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Protocol

from sqlalchemy import text as sql
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col, create_engine

from tests.support.unreliable_database import Fault, Line, Outage
from tests.support.virtual_time import VirtualTimeLoop
from tributary_streams import (
    ChunkRule,
    End,
    Ending,
    Finish,
    Flusher,
    GrowingText,
    Hub,
    Patience,
    SourceEndedEarly,
    SourceError,
    Stream,
    StreamId,
    StreamStatus,
    Sweeper,
    Tailer,
    Usage,
    Writer,
    follow,
    store,
)
from tributary_streams.errors import DATABASE_AWAY
from tributary_streams.flusher import AWAY_AFTER
from tributary_streams.store import Lease
from tributary_streams.writer import FAILED, FELL_SILENT, NEVER_BEGAN, NOT_SAVED, RESTARTED, STOPPED

LEASE_EXPIRY = 30.0
"""Seconds of a standing beat after which another process takes a writer for dead."""
SWEEP_EVERY = 4.0
"""Seconds between sweeps; short enough for one to see a stream at work."""
TAKEN_OVER = "⟂ written by another process"
"""What a process that took the stream over appends."""
SOON = 600.0
"""Seconds within which every case has to be over; nothing in one lasts longer than a tenth of that."""


OVERLOADED = "The model is overloaded."
BROKE_OFF = SourceEndedEarly().reason


class Broken(AssertionError):
    """What must always hold did not; says what, and when."""


class EndsWith(StrEnum):
    """How the model ends."""

    FINISH = "finish"
    ERROR = "error"
    EXCEPTION = "exception"
    BREAK_OFF = "break-off"
    SILENCE = "silence"


class Outcome(StrEnum):
    """How the model's side ended as seen from there."""

    NOT_BEGUN = "not begun"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    LET_GO = "let go"


class Blow(StrEnum):
    """What befalls the writing process, or its lease."""

    SHUTDOWN = "shutdown"
    IMPATIENT_SHUTDOWN = "shutdown that does not wait"
    KILL = "kill"
    TAKEN_OVER = "taken over"
    ENDED_ELSEWHERE = "ended elsewhere"


@dataclass(frozen=True)
class Join:
    """A follower comes at a moment, asks for the text from an offset, and reconnects after so many pieces, or never."""

    at: float
    offset: int
    process: int
    reconnects_after: int | None


@dataclass(frozen=True)
class Stop:
    """Somebody asks for the stop at a moment: in this process, in the other, or twice."""

    at: float
    process: int
    times: int


@dataclass(frozen=True)
class Case:
    """Everything that is drawn."""

    deltas: Sequence[tuple[float, str]] = ()
    """What the model says, each after a pause in seconds."""
    ends_with: EndsWith = EndsWith.FINISH
    last_pause: float = 0.0
    rule: ChunkRule = field(default_factory=ChunkRule)
    patience: Patience = field(default_factory=Patience)
    starts: int = 1
    faults: Sequence[Fault | None] = ()
    outages: Sequence[Outage] = ()
    """For everybody."""
    cut_off: Outage | None = None
    """For the writing process alone."""
    joins: Sequence[Join] = ()
    refreshes: Sequence[float] = ()
    stops: Sequence[Stop] = ()
    blow: tuple[float, Blow] | None = None
    lone: bool = True
    """After a kill: whether the new process knows that it is alone."""


def fit(text: str) -> str:
    """The text a reader must see, written down a second time: no NUL, pairs joined, U+FFFD for each lonely half."""

    def joined(pair: re.Match[str]) -> str:
        high, low = (ord(half) for half in pair[0])
        return chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00)

    return re.sub("[\ud800-\udfff]", "\ufffd", re.sub("[\ud800-\udbff][\udc00-\udfff]", joined, text.replace("\0", "")))


class ScriptedSource:
    """A model that says its lines and remembers what it has said."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.starts = 0
        self.said = ""
        self.outcome = Outcome.NOT_BEGUN

    @property
    def has_finished(self) -> bool:
        return self.outcome is Outcome.FINISHED

    async def __call__(self) -> AsyncIterator[str | Finish]:
        self.starts += 1
        self.outcome = Outcome.RUNNING
        try:
            for pause, delta in self._case.deltas:
                if pause:
                    await asyncio.sleep(pause)
                self.said += delta
                yield delta
            if self._case.last_pause:
                await asyncio.sleep(self._case.last_pause)
            if self._case.ends_with is EndsWith.SILENCE:
                await asyncio.get_running_loop().create_future()
            self.outcome = Outcome.FINISHED if self._case.ends_with is EndsWith.FINISH else Outcome.FAILED
            match self._case.ends_with:
                case EndsWith.FINISH:
                    yield Finish("", Usage(1, 2))
                case EndsWith.ERROR:
                    raise SourceError(OVERLOADED)
                case EndsWith.EXCEPTION:
                    raise RuntimeError("not to be shown to anybody")
                case EndsWith.BREAK_OFF | EndsWith.SILENCE:
                    pass
        finally:
            if self.outcome is Outcome.RUNNING:
                self.outcome = Outcome.LET_GO


@dataclass(frozen=True)
class Stored:
    """One consistent look at the database, as a stranger to the core would take it."""

    status: StreamStatus
    reason: str
    epoch: int
    length: int
    chunks: tuple[tuple[int, str], ...]
    reply: str | None
    """What the closing hook stored."""

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.chunks)


class Sea:
    """The database of all cases, one at a time, and a process's line to it for each of two processes."""

    def __init__(self, path: Path) -> None:
        engine = create_engine(f"sqlite:///{path}")
        tables = [SQLModel.metadata.tables[name] for name in ("stream", "chunk")]
        SQLModel.metadata.create_all(engine, tables=tables)
        engine.dispose()
        self._eye = sqlite3.connect(path, isolation_level=None)
        self._eye.execute("PRAGMA journal_mode = WAL")
        self._eye.execute("PRAGMA synchronous = OFF")
        self._eye.execute("CREATE TABLE reply (stream_id TEXT PRIMARY KEY, text TEXT)")
        self.lines = (Line(path), Line(path))

    def empty(self) -> None:
        for table in ("reply", "chunk", "stream"):
            self._eye.execute(f"DELETE FROM {table}")

    def look(self, stream_id: StreamId) -> Stored | None:
        self._eye.execute("BEGIN")
        row = self._eye.execute(
            "SELECT status, reason, epoch, length FROM stream WHERE id = ?", (stream_id,)
        ).fetchone()
        chunks = self._eye.execute(
            "SELECT offset, text FROM chunk WHERE stream_id = ? ORDER BY offset", (stream_id,)
        ).fetchall()
        reply = self._eye.execute("SELECT text FROM reply WHERE stream_id = ?", (stream_id,)).fetchone()
        self._eye.execute("COMMIT")
        if row is None:
            return None
        status, reason, epoch, length = row
        return Stored(StreamStatus(status), reason, epoch, length, tuple(chunks), reply and reply[0])


class Process:
    """One server process: hub, flusher, tailer, sweeper and writers over its line."""

    def __init__(self, run: "Run", line: Line, name: str) -> None:
        clock = asyncio.get_running_loop().time
        self._run = run
        self._name = name
        self.line = line
        self.is_closing = False
        self.is_alone = False
        self.opened: set[Callable[[], None]] = set()
        self.hub = Hub(on_open=self._channel_opened)
        self.flusher = Flusher(line, close_hook=store_reply, on_commit=self._committed, clock=clock)
        self.tailer = Tailer(line, self.hub, stop=self.stop_here, stored_here=self.flusher.stored, clock=clock)
        self.sweeper = Sweeper(
            line,
            self.hub.written_here,
            start=self.begin,
            close_hook=self._sweep_up,
            on_commit=self._committed,
            is_alone=lambda: self.is_alone,
            expiry=LEASE_EXPIRY,
            every=SWEEP_EVERY,
            clock=clock,
        )
        self.writers: dict[asyncio.Task[None], Writer] = {}
        self._parts = (self.flusher, self.tailer, self.sweeper)
        self.work = [asyncio.create_task(part.run(), name=f"{name} {type(part).__name__}") for part in self._parts]

    def begin(self, stream_id: StreamId) -> None:
        """Start a writer, like a request or a sweep would."""
        if not self.is_closing and not self.writers:
            self.begin_another(stream_id)

    def begin_another(self, stream_id: StreamId) -> None:
        """Start a writer even if there is one already."""
        case = self._run.case
        writer = Writer(
            stream_id,
            self._run.source,
            transactions=self.line,
            hub=self.hub,
            flusher=self.flusher,
            holder=self._name,
            rule=case.rule,
            patience=case.patience,
        )
        task = asyncio.create_task(self._write(writer), name=f"{self._name} writer")
        self.writers[task] = writer
        task.add_done_callback(lambda task: self.writers.pop(task))

    async def _write(self, writer: Writer) -> None:
        try:
            await writer.run()
        except DATABASE_AWAY:
            self._run.claim_failed = True

    async def _sweep_up(self, session: AsyncSession, stream_id: StreamId, ending: Ending) -> None:
        self._run.swept()
        await store_reply(session, stream_id, ending)

    def stop_here(self, _: StreamId) -> None:
        for writer in self.writers.values():
            writer.stop()

    def _channel_opened(self, _: StreamId) -> None:
        self._run.channel_opened(self)
        self.tailer.wake()
        for wake in self.opened:
            wake()

    def _committed(self) -> None:
        self.tailer.wake()

    async def end(self) -> None:
        """Leave nothing running, politely or not."""
        while tasks := [task for task in (*self.writers, *self.work) if not task.done()]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.1)
        await asyncio.gather(*self.work, return_exceptions=True)


async def store_reply(session: AsyncSession, stream_id: StreamId, _: Ending) -> None:
    """What an application keeps beside the stream: its text."""
    text = await store.read_text(session, stream_id)
    await session.execute(sql("INSERT INTO reply VALUES (:stream_id, :text)"), {"stream_id": stream_id, "text": text})


class Run:
    """One case as it happens. `problems` says what did not hold."""

    def __init__(self, case: Case, sea: Sea, loop: VirtualTimeLoop) -> None:
        self.case = case
        self.problems: list[str] = []
        self.source = ScriptedSource(case)
        self.claim_failed = False
        self.stream_id = StreamId("")
        self._sea = sea
        self._loop = loop
        self._last: Stored | None = None
        self._was_swept = False
        self._lost_lease = False
        self._blow: Blow | None = None
        self._channels: list[GrowingText] = []
        self._is_over = asyncio.Event()
        self._readers: dict[asyncio.Task[None], Reader] = {}
        self._outages = [*case.outages, *([case.cut_off] if case.cut_off else [])]
        sea.empty()
        sea.lines[0].reset(on_commit=self._look)
        sea.lines[1].reset(on_commit=self._look)
        self._processes = [Process(self, line, name) for line, name in zip(sea.lines, "ab", strict=True)]

    async def live_through(self) -> None:
        """Let it all happen, then look at what is left."""
        case, (first, second) = self.case, self._processes
        async with first.line.write() as session:
            self.stream_id = store.create_stream(session)
        first.line.reset(case.faults, self._outages, on_commit=self._look)
        second.line.reset((), case.outages, on_commit=self._look)
        events = [asyncio.create_task(self._later(at, event)) for at, event in self._events()]
        self._spawn(Driver(self))
        for _ in range(case.starts):
            first.begin_another(self.stream_id)
        try:
            async with asyncio.timeout(SOON):
                await asyncio.gather(*events)
                await self._is_over.wait()
                while running := [task for task in self._readers if not task.done()]:
                    await asyncio.wait(running)
                while first.writers and self._blow is not Blow.KILL:
                    await asyncio.wait(first.writers)
        except TimeoutError:
            self.problems.append(f"I8: not over after {SOON} s: {self._last}")
        for task in self._readers:
            task.cancel()
        found = await asyncio.gather(*self._readers, return_exceptions=True)
        self.problems += [repr(error) for error in found if isinstance(error, Exception)]
        self._judge()
        for process in self._processes:
            await process.end()
        self._look_for_leaks()

    def _events(self) -> list[tuple[float, Callable[[], Awaitable[None]]]]:
        case = self.case
        events: list[tuple[float, Callable[[], Awaitable[None]]]] = []
        events += [(join.at, partial(self._joins, join)) for join in case.joins]
        events += [(at, self._refresh) for at in case.refreshes]
        events += [(stop.at, partial(self._stop, stop)) for stop in case.stops]
        if case.blow is not None:
            events.append((case.blow[0], partial(self._strike, case.blow[1])))
        return events

    # What happens

    async def _later(self, pause: float, event: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(pause)
        await event()

    async def _joins(self, join: Join) -> None:
        self._spawn(Follower(self, join))

    async def _refresh(self) -> None:
        self._spawn(Driver(self))

    async def _stop(self, stop: Stop) -> None:
        for _ in range(stop.times):
            await self._despite_the_database(self._request_stop)
            self.process(stop.process).stop_here(self.stream_id)

    async def _request_stop(self) -> None:
        async with self._processes[1].line.write() as session:
            if await store.close_pending(session, self.stream_id, STOPPED):
                await store_reply(session, self.stream_id, STOPPED)
            else:
                await store.request_stop(session, self.stream_id)

    async def _strike(self, blow: Blow) -> None:
        self._blow = blow
        first, second = self._processes
        match blow:
            case Blow.SHUTDOWN | Blow.IMPATIENT_SHUTDOWN:
                first.is_closing = True
                for _ in range(2 if blow is Blow.IMPATIENT_SHUTDOWN else 1):
                    for task in tuple(first.writers):
                        task.cancel()
                    await asyncio.sleep(0.01)
            case Blow.KILL:
                first.line.cut()
                first.is_closing = True
                second.is_alone = self.case.lone
                self._move_readers()
            case Blow.TAKEN_OVER:
                await self._despite_the_database(self._take_over)
            case Blow.ENDED_ELSEWHERE:
                await self._despite_the_database(self._end_elsewhere)

    async def _take_over(self) -> None:
        line = self._processes[1].line
        raised = update(Stream).where(col(Stream.id) == self.stream_id, col(Stream.status) == StreamStatus.STREAMING)
        async with line.write() as session:
            await session.execute(raised.values(epoch=Stream.epoch + 1, holder="another"))
            stream = await store.read_stream(session, self.stream_id)
            if stream.status is not StreamStatus.STREAMING:
                return
            lease = Lease(self.stream_id, stream.epoch)
            await store.append(session, lease, stream.length, TAKEN_OVER, first_delta=None)
        self._lost_lease = True
        await asyncio.sleep(0.5)
        await self._despite_the_database(lambda: self._close(lease, STOPPED))

    async def _end_elsewhere(self) -> None:
        async with self._processes[1].line.read() as session:
            stream = await store.read_stream(session, self.stream_id)
        if stream.status is StreamStatus.STREAMING:
            await self._despite_the_database(lambda: self._close(Lease(self.stream_id, stream.epoch), RESTARTED))
            # While the database was away the writer may have been faster.
            now = self.stored()
            self._lost_lease = Ending(now.status, now.reason) == RESTARTED

    async def _close(self, lease: Lease, ending: Ending) -> None:
        async with self._processes[1].line.write() as session:
            if await store.close(session, lease, ending):
                await store_reply(session, self.stream_id, ending)

    async def _despite_the_database(self, deed: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await deed()
            except DATABASE_AWAY:
                await asyncio.sleep(0.7)

    # Who looks on

    def process(self, number: int) -> Process:
        """The process of this number, or the one that is left."""
        return self._processes[1 if self._blow is Blow.KILL else number]

    def channel_opened(self, process: Process) -> None:
        """A writer has begun there."""
        channel = process.hub.find(self.stream_id)
        assert channel is not None
        self._channels.append(channel)

    def swept(self) -> None:
        """A sweeper takes the writer for dead."""
        self._was_swept = True

    def stored(self) -> Stored:
        """What the database holds now."""
        stored = self._sea.look(self.stream_id)
        assert stored is not None
        return stored

    def expect(self, is_so: bool, problem: str) -> None:
        """Note what does not hold; raising here would reach the core instead of the test."""
        if not is_so:
            self.problems.append(f"at {self._loop.time():.3f} s: {problem}")

    def shown_so_far(self) -> str:
        """The most that any driver has shown."""
        return max(
            (driver.shown for driver in self._readers.values() if isinstance(driver, Driver)), key=len, default=""
        )

    @property
    def may_lose_its_tail(self) -> bool:
        """Whether the writing process has died, or has lost its stream: its driver may have seen more than that."""
        return self._lost_lease or self._was_swept or self._blow in (Blow.KILL, Blow.IMPATIENT_SHUTDOWN)

    def _spawn(self, reader: "Reader") -> None:
        self._readers[asyncio.create_task(reader.run(), name=type(reader).__name__)] = reader

    def _move_readers(self) -> None:
        for task, reader in tuple(self._readers.items()):
            if not task.done() and reader.number == 0:
                task.cancel()
                self._spawn(reader.elsewhere())

    def _look(self) -> None:
        """After each commit: I3, I4, B4."""
        if (now := self._sea.look(self.stream_id)) is None:
            return
        before, self._last = self._last, now
        length = 0
        for offset, text in now.chunks:
            self.expect(offset == length and text != "", f"I3: a gap, an overlap or an empty chunk: {now.chunks}")
            length += len(text)
        self.expect(now.length == length, f"I3: the length says {now.length}: {now.chunks}")
        said = fit(self.source.said)
        if before is not None:
            self.expect(now.text.startswith(before.text), f"I3: stored text changed: {before.text!r}, {now.text!r}")
            self.expect(not before.status.is_terminal or now == before, f"I4: not sticky: {before}, {now}")
            self.expect(now.epoch in (before.epoch, before.epoch + 1), f"I2: epochs {before.epoch}, {now.epoch}")
            if now.epoch > 1:
                added = TAKEN_OVER if now.epoch > before.epoch else ""
                self.expect(now.text == before.text + added, f"I2: written after the lease was lost: {now.text!r}")
        if now.epoch <= 1:
            self.expect(said.startswith(now.text), f"I3: {now.text!r} is stored, {said!r} was said")
        self.expect(now.reply == (now.text if now.status.is_terminal else None), f"B4: the reply is {now.reply!r}")
        if now.status is StreamStatus.DONE:
            self.expect(self.source.has_finished and now.text == said, f"I3: done with {now.text!r} of {said!r}")
        if now.status.is_terminal:
            self._is_over.set()

    def _judge(self) -> None:
        end = self.stored()
        self.expect(end.status.is_terminal, f"I8: left {end.status}")
        self.expect(self.source.starts <= 1, f"I2: the model was called {self.source.starts} times")
        self.expect(end == self._last, f"a change without a commit: {self._last}, {end}")
        self.expect(
            self._is_allowed(end), f"ended as {end.status}, {end.reason!r}; the model's end: {self.source.outcome}"
        )
        if not self.may_lose_its_tail:
            for channel in self._channels:
                shown = channel.since(0)
                self.expect(shown == end.text, f"I5: {shown!r} was published, {end.text!r} is stored")
        if self._blow is not Blow.KILL:
            self.expect(self.source.outcome is not Outcome.RUNNING, "the model was not let go")
        for process in self._processes:
            for part in process.work:
                self.expect(not part.done(), f"{part.get_name()} has ended")

    def _is_allowed(self, end: Stored) -> bool:
        case, outcome = self.case, self.source.outcome
        was_restarted = (end.status, end.reason) == (RESTARTED.status, RESTARTED.reason)
        if self._was_swept and was_restarted:
            return self.claim_failed or case.cut_off is not None or self._blow is not None
        if self._lost_lease:
            return was_restarted or end.status is StreamStatus.STOPPED
        match outcome:
            case Outcome.FINISHED:
                return end.status is StreamStatus.DONE
            case Outcome.FAILED:
                own = {EndsWith.ERROR: OVERLOADED, EndsWith.EXCEPTION: FAILED.reason, EndsWith.BREAK_OFF: BROKE_OFF}
                return (end.status, end.reason) == (StreamStatus.ERROR, own.get(case.ends_with))
            case Outcome.LET_GO | Outcome.NOT_BEGUN | Outcome.RUNNING:
                may_be = {STOPPED} if case.stops else set()
                if self._blow is not None:
                    may_be.add(RESTARTED)
                if any(outage.length >= AWAY_AFTER for outage in self._outages):
                    may_be.add(NOT_SAVED)
                if outcome is Outcome.LET_GO:
                    may_be |= {FELL_SILENT, NEVER_BEGAN}
                return Ending(end.status, end.reason) in may_be

    def _look_for_leaks(self) -> None:
        for process in self._processes:
            self.expect(not process.hub.written_here(), "a channel was left open")
            self.expect(not process.flusher._lanes, "a lane was left open")
            self.expect(not process.tailer.chunks._tails, "a tail was left open")
        for channel in self._channels:
            self.expect(not channel.subscribers, "somebody is still subscribed")
        this = asyncio.current_task()
        for task in self._loop.tasks:
            self.expect(task.done() or task is this, f"{task} still runs")
        self.problems += self._loop.unseen_errors()


class Reader(Protocol):
    """Somebody who looks at the reply, in the process of this number."""

    number: int

    async def run(self) -> None: ...

    def elsewhere(self) -> "Reader":
        """The same, after this process was killed."""
        ...


class Follower:
    """Reads the stored text from an offset: exactly what comes after it, in order (I6), and at last the end (I4)."""

    def __init__(self, run: Run, join: Join) -> None:
        self.number = join.process
        self._run = run
        self._join = join
        self._received = ""

    async def run(self) -> None:
        while not await self._read():
            self.number = 1 - self.number

    def elsewhere(self) -> "Follower":
        self.number = 1
        return self

    async def _read(self) -> bool:
        expect, start = self._run.expect, self._join.offset
        pieces = 0
        offset = start + len(self._received)
        following = follow(self._run.process(self.number).tailer, self._run.stream_id, offset)
        assert isinstance(following, AsyncGenerator)
        async with aclosing(following) as items:
            async for item in items:
                now = self._run.stored()
                if isinstance(item, End):
                    expect((item.status, item.reason) == (now.status, now.reason), f"I4: {item} was told, {now} stored")
                    expect(item.offset == now.length, f"I4: {item} was told of {now}")
                    expect(
                        self._received == now.text[start:], f"I6: at the end {self._received!r} from {start} of {now}"
                    )
                    return True
                expect(item.offset == start + len(self._received) and item.text != "", f"I6: {item} is no continuation")
                self._received += item.text
                expect(now.text[start:].startswith(self._received), f"I6: {self._received!r} from {start} of {now}")
                pieces += 1
                if pieces == self._join.reconnects_after:
                    break
        return False


class Driver:
    """Sees each delta where the stream is written in its process, else what is stored; a refresh is another one."""

    def __init__(self, run: Run) -> None:
        self.number = 0
        self.shown = ""
        self._run = run
        self._before = run.shown_so_far()

    async def run(self) -> None:
        run, process = self._run, self._run.process(0)
        woken = asyncio.Event()
        channel: GrowingText | None = None
        with ExitStack() as stack:
            tail = stack.enter_context(process.tailer.watched(run.stream_id))
            stack.enter_context(tail.subscribed(woken.set))
            process.opened.add(woken.set)
            stack.callback(process.opened.discard, woken.set)
            while not tail.is_complete or len(self.shown) < tail.length:
                woken.clear()
                found = process.hub.find(run.stream_id)
                if found is not None and found is not channel:
                    channel = found
                    stack.enter_context(channel.subscribed(woken.set))
                if found is not None or tail.is_read.is_set():
                    self.shown += (found or tail).since(len(self.shown))
                if found is not None and not run.may_lose_its_tail:
                    is_all_there = len(self.shown) >= len(self._before)
                    run.expect(is_all_there, f"B18: a refresh shows {self.shown!r} after {self._before!r}")
                if tail.is_complete:
                    break
                await woken.wait()
        end = run.stored()
        if run.may_lose_its_tail:
            return
        run.expect(self.shown == end.text, f"I5: the driver shows {self.shown!r}, {end.text!r} is stored")

    def elsewhere(self) -> "Driver":
        return Driver(self._run)


async def live_through(case: Case, sea: Sea, loop: VirtualTimeLoop) -> None:
    """Let a case happen and raise what did not hold in it.

    Raises:
        Broken: something that must hold did not.
    """
    run = Run(case, sea, loop)
    await run.live_through()
    if run.problems:
        raise Broken("\n".join(run.problems))
