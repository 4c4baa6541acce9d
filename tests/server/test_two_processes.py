"""Several processes on one database: one of them writes, each of them can follow and stop, any of them outlives it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest

from chat_app.data.db import Database
from tests.support.other_process import OtherProcess
from tests.support.scripted_model import Hold, Say, ScriptedModel
from tributary_streams import Body, End, Piece, StreamId, StreamStatus, Sweeper, body, store

pytestmark = pytest.mark.server

DELTAS = ("One sentence. ", "And half ", "of another")
TEXT = "".join(DELTAS)
on_both_by_chaos = pytest.mark.on_both_databases(by="chaos")
"""It starts several processes, each of which takes its seconds."""
RESTARTED = End(StreamStatus.ERROR, "The server restarted.", len(TEXT))
EXPIRY = 2.0
"""Seconds; many beats long, so that a busy machine takes no living writer for a dead one."""


@pytest.fixture(autouse=True)
async def patience() -> AsyncIterator[None]:
    """No test here may wait for ever."""
    async with asyncio.timeout(60):
        yield


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        yield model


async def pending(database: Database) -> StreamId:
    async with database.write() as session:
        return store.create_stream(session)


async def followed(process: OtherProcess, stream_id: StreamId) -> tuple[str, End]:
    """All that a follower in this process gets."""
    text = ""
    async for item in process.follow(stream_id):
        if isinstance(item, End):
            return text, item
        assert item.offset == len(text)
        text += item.text
    raise AssertionError("the follower was sent away without an end")


async def until_followed(process: OtherProcess, stream_id: StreamId, text: str) -> None:
    """Wait until a follower in this process has had this text: by then it is stored."""
    got, items = "", process.follow(stream_id)
    while len(got) < len(text):
        item = await anext(items)
        assert isinstance(item, Piece)
        got += item.text
    assert got == text


@asynccontextmanager
async def running(
    count: int, database: Database, model: ScriptedModel, **timing: float
) -> AsyncIterator[list[OtherProcess]]:
    """So many processes at work on the database; unless told otherwise each of them sweeps once, at its start."""
    timing = timing or {"sweep_every": 600, "expiry": 3600}
    async with AsyncExitStack() as stack:
        starting = (
            stack.enter_async_context(OtherProcess.running(database, model.base_url, **timing)) for _ in range(count)
        )
        yield await asyncio.gather(*starting)


@on_both_by_chaos
async def test_of_twenty_starts_in_four_processes_one_calls_the_model_and_all_follow(
    database: Database, model: ScriptedModel
) -> None:
    model.enqueue(Say([*DELTAS, Hold(), "."]))
    async with running(4, database, model) as processes:
        stream_id = await pending(database)
        following = [asyncio.create_task(followed(process, stream_id)) for process in processes]
        starting = [asyncio.create_task(process.start(stream_id, times=5)) for process in processes]
        await model.held(1)
        for process in processes:
            await until_followed(process, stream_id, TEXT)  # while it is being written
        model.release()

        results = [result for start in starting for result in await start]
        assert sorted(results) == [False] * 19 + [True]
        assert len(model.requests) == 1
        for follower in following:
            assert await follower == (TEXT + ".", End(StreamStatus.DONE, "", len(TEXT) + 1))


@on_both_by_chaos
async def test_a_stop_from_another_process_cancels_the_model_and_keeps_the_text(
    database: Database, model: ScriptedModel
) -> None:
    model.enqueue(Say([*DELTAS, Hold()]), Say([Hold()]))
    async with running(2, database, model) as (writing, other):
        for number, text in enumerate((TEXT, "")):
            stream_id = await pending(database)
            start = asyncio.create_task(writing.start(stream_id))
            await model.held(number + 1)
            await until_followed(other, stream_id, text)

            await other.stop(stream_id)
            await other.stop(stream_id)

            await model.cancelled(number)
            assert await followed(other, stream_id) == (text, End(StreamStatus.STOPPED, "Stopped.", len(text)))
            assert await start == [True]


@pytest.mark.on_both_databases
async def test_a_process_that_begins_takes_nothing_from_a_living_one(database: Database, model: ScriptedModel) -> None:
    model.enqueue(Say([*DELTAS, Hold(), "."]))
    async with running(1, database, model) as (writing,):
        stream_id = await pending(database)
        start = asyncio.create_task(writing.start(stream_id))
        await until_followed(writing, stream_id, TEXT)

        async with running(1, database, model) as (newcomer,):  # has swept by now
            assert (await body(database, stream_id)).status is StreamStatus.STREAMING
            model.release()
            assert await followed(newcomer, stream_id) == (TEXT + ".", End(StreamStatus.DONE, "", len(TEXT) + 1))
        assert await start == [True]


@on_both_by_chaos
async def test_a_killed_process_is_outlived_by_its_text_and_by_its_neighbours(
    database: Database, model: ScriptedModel
) -> None:
    model.enqueue(Say([*DELTAS, Hold()]), Say([*DELTAS, Hold(), "."]))
    async with running(3, database, model, renew_every=0.2, expiry=EXPIRY, sweep_every=0.2) as (dying, living, other):
        doomed, healthy = await pending(database), await pending(database)
        asyncio.create_task(dying.start(doomed))  # noqa: RUF006  # it has no end
        await model.held(1)
        start = asyncio.create_task(living.start(healthy))
        await model.held(2)
        following = asyncio.create_task(followed(other, doomed))
        await until_followed(other, doomed, TEXT)

        dying.kill()

        assert await following == (TEXT, RESTARTED)
        # Its beat was as still as the dead one's text for all that time, but for its signs of life.
        assert (await body(database, healthy)).status is StreamStatus.STREAMING
        model.release(2)
        assert await followed(other, healthy) == (TEXT + ".", End(StreamStatus.DONE, "", len(TEXT) + 1))
        assert await start == [True]
        assert len(model.requests) == 2


async def test_a_lone_process_ends_what_a_killed_one_left_and_starts_what_it_never_began(
    database: Database, model: ScriptedModel
) -> None:
    model.enqueue(Say([*DELTAS, Hold()]), Say(["Better late."]))
    async with running(1, database, model) as (dying,):
        begun = await pending(database)
        asyncio.create_task(dying.start(begun))  # noqa: RUF006  # it has no end
        await until_followed(dying, begun, TEXT)
        waiting = await pending(database)
        dying.kill()

    async with running(1, database, model) as (next_one,):  # its first sweep is over, its second far away
        assert await body(database, begun) == Body(TEXT, StreamStatus.ERROR, RESTARTED.reason, len(TEXT))
        assert await followed(next_one, waiting) == ("Better late.", End(StreamStatus.DONE, "", 12))
        assert len(model.requests) == 2


@pytest.mark.on_both_databases
async def test_a_jump_of_the_wall_clock_ends_no_living_reply_and_spares_no_dead_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monotonic = 1000.0
    sweeper = Sweeper(database, frozenset, expiry=30, clock=lambda: monotonic)
    dead, alive = await pending(database), await pending(database)
    async with database.write() as session:
        await store.claim(session, dead, "elsewhere")
        lease = await store.claim(session, alive, "elsewhere")
        assert lease is not None

    for passed, year, is_dead in ((0, 2026, False), (29.5, 2036, False), (30.5, 2016, True)):
        monkeypatch.setattr(store, "utc_now", lambda year=year: datetime(year, 1, 1, tzinfo=UTC))
        monotonic = 1000 + passed
        async with database.write() as session:
            await store.renew(session, lease)
        await sweeper.sweep()

        assert (await body(database, alive)).status is StreamStatus.STREAMING
        assert (await body(database, dead)).status is (StreamStatus.ERROR if is_dead else StreamStatus.STREAMING)
