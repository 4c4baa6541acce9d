"""The tailer: a look asks for the text of those streams alone that may have some, and misses none of it."""

import asyncio

import pytest

from chat_app.data.db import Database
from tests.support.core import Core, HandFed, cancelled
from tests.support.meter import metered
from tributary_streams import ChunkRule, End, Ending, Finish, Piece, StreamStatus, follow, store, tailer
from tributary_streams.store import Lease

pytestmark = pytest.mark.on_both_databases

DONE = Ending(StreamStatus.DONE)
NEVER = 3600.0
WITHIN = 30
"""Seconds after which a wait has failed."""
CHUNKS = "FROM chunk"


async def claimed_elsewhere(core: Core, stream_id: store.StreamId) -> Lease:
    """The lease of another process, of whose commits nobody here is told."""
    async with core.transactions.write() as session:
        lease = await store.claim(session, stream_id, "elsewhere")
    assert lease is not None
    return lease


async def test_what_waits_for_a_writer_and_what_is_all_read_is_not_asked_for_text(
    core: Core, database: Database
) -> None:
    waiting, quiet, source = await core.create(), await core.create(), HandFed()
    running = asyncio.create_task(core.writer(quiet, source, rule=ChunkRule(max_age=0.0)).run())
    source.say("All there is. ")
    with core.tailer.watched(waiting) as other, core.tailer.watched(quiet) as tail:
        grown = asyncio.Event()
        with tail.subscribed(grown.set), other.subscribed(grown.set):
            while tail.since(0) != "All there is. " or other.row is None:
                await grown.wait()
                grown.clear()
        with metered(database) as meter:
            await core.tailer.tick()
    await cancelled(running)
    looks = [each for each in meter.statements if "stream.length" in each]
    assert looks
    assert not any(CHUNKS in each for each in looks)


async def test_the_text_of_another_process_is_read_though_nobody_says_that_it_began(core: Core) -> None:
    stream_id = await core.create()
    with core.tailer.watched(stream_id) as tail:
        await tail.is_read.wait()  # it waits, and has no text
        lease = await claimed_elsewhere(core, stream_id)
        async with core.transactions.write() as session:
            await store.append(session, lease, 0, "From elsewhere. ", first_delta=None)
            await store.append(session, lease, 16, "And more.", first_delta=None)
            await store.close(session, lease, DONE)

        got = [each async for each in follow(core.tailer, stream_id)]

    assert got == [Piece(0, "From elsewhere. And more."), End(StreamStatus.DONE, "", 25)]


async def test_one_look_is_enough_while_another_process_writes(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tailer, "ELSEWHERE", NEVER)
    stream_id = await core.create()
    lease = await claimed_elsewhere(core, stream_id)
    with core.tailer.watched(stream_id) as tail:
        await tail.is_read.wait()
        async with core.transactions.write() as session:
            await store.append(session, lease, 0, "From elsewhere. ", first_delta=None)

        await core.tailer.tick()

        assert tail.since(0) == "From elsewhere. "


async def test_the_text_of_who_took_a_stream_over_is_read_beside_the_lane_that_lost_it(core: Core) -> None:
    stream_id, source = await core.create(), HandFed()
    running = asyncio.create_task(core.writer(stream_id, source).run())
    await core.until_published(stream_id, 0)
    assert core.flusher.stored(stream_id) == 0
    with core.tailer.watched(stream_id) as tail:
        await tail.is_read.wait()
        async with core.transactions.write() as session:
            await store.append(session, Lease(stream_id, 1), 0, "Not of this lane.", first_delta=None)

        async with asyncio.timeout(WITHIN):
            assert await anext(aiter(follow(core.tailer, stream_id))) == Piece(0, "Not of this lane.")
    source.say(Finish())
    await running
