"""The flusher: what a commit has stored is stored once, also where nobody heard that it did."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from sqlmodel import col, select

from tests.support.core import Core, HandFed, cancelled
from tests.support.faulty import WITHIN, FaultyDatabase
from tributary_streams import Chunk, Finish, StreamStatus, Writer, flusher, store

pytestmark = pytest.mark.on_both_databases


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[FaultyDatabase]:
    database = FaultyDatabase(database_url)
    yield database
    await database.close()


@asynccontextmanager
async def under_way(core: Core, writer: Writer) -> AsyncIterator[None]:
    """Let a writer write from its claim on; it must have ended well with the block, and none takes for ever."""
    writing = asyncio.create_task(writer.run())
    try:
        async with asyncio.timeout(WITHIN):
            await core.until_published(writer.stream_id, 0)  # the claim's answer has come
            yield
            assert await asyncio.shield(writing)
    finally:
        while not writing.done():
            writing.cancel()  # the first time it would still store its tail
            await asyncio.wait({writing}, timeout=0.1)


async def chunks(database: FaultyDatabase) -> list[tuple[int, str]]:
    async with database.read() as session:
        query = select(col(Chunk.offset), col(Chunk.text)).order_by(col(Chunk.offset))
        return [(offset, text) for offset, text in (await session.execute(query)).all()]


async def test_a_stream_goes_on_after_a_commit_whose_answer_was_lost_and_that_had_stored_all(
    database: FaultyDatabase, core: Core
) -> None:
    stream_id, source = await core.create(), HandFed()
    async with under_way(core, core.writer(stream_id, source)):
        database.loses_answers = True
        source.say("One. ")
        await database.until_failed(2)  # stored by the first, and found stored by the second
        database.loses_answers = False
        await database.until_committed()
        assert await chunks(database) == [(0, "One. ")]
        source.say("Two.", Finish())

    assert (await core.body(stream_id)).status is StreamStatus.DONE
    assert await chunks(database) == [(0, "One. "), (5, "Two.")]


async def reason_of(database: FaultyDatabase, writer: Writer) -> str:
    async with database.read() as session:
        return (await store.read_stream(session, writer.stream_id)).reason


async def test_a_reason_is_taken_back_also_when_nobody_heard_that_it_was_stored(
    database: FaultyDatabase, core: Core
) -> None:
    source = HandFed()
    writer = core.writer(await core.create(), source)
    async with under_way(core, writer):
        database.loses_answers = True
        writer.explain("Busy.")
        await database.until_failed(1)
        assert await reason_of(database, writer) == "Busy."

        database.loses_answers = False
        writer.explain("")
        while await reason_of(database, writer) != "":  # a try of the old one may have been under way
            await database.until_committed()
        source.say(Finish())


async def test_a_reason_that_could_not_be_stored_is_tried_again(database: FaultyDatabase, core: Core) -> None:
    source = HandFed()
    writer = core.writer(await core.create(), source)
    async with under_way(core, writer):
        database.refuses_commits = True
        writer.explain("Busy.")
        await database.until_failed(1)
        assert await reason_of(database, writer) == ""

        database.refuses_commits = False
        await database.until_committed()
        assert await reason_of(database, writer) == "Busy."
        source.say(Finish())


async def test_on_a_slow_machine_a_transaction_ends_before_all_are_in_it_and_they_take_turns(
    database: FaultyDatabase, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flusher, "WRITE_WITHIN", 0.0)  # each stream takes longer
    busy, patient = HandFed(), HandFed()
    writers = [core.writer(await core.create(), source) for source in (busy, patient)]

    async def always_due() -> None:
        while True:
            busy.say("More. ")
            await database.until_committed()

    async with under_way(core, writers[0]), under_way(core, writers[1]):
        saying = asyncio.create_task(always_due())
        await database.until_committed()
        patient.say("A sentence. ")
        while "A sentence. " not in [text for _, text in await chunks(database)]:
            await database.until_committed()
        await cancelled(saying)
        for source in (busy, patient):
            source.say(Finish())


async def test_a_transaction_takes_in_all_that_is_due_while_it_is_quick(database: FaultyDatabase, core: Core) -> None:
    sources = [HandFed() for _ in range(5)]
    writers = [core.writer(await core.create(), source) for source in sources]
    async with AsyncExitStack() as stack:
        for writer in writers:
            await stack.enter_async_context(under_way(core, writer))
        database.hold_writes()
        for source in sources:
            source.say("A sentence. ")
        before = database.commits
        database.release_writes()
        while len(await chunks(database)) < len(sources):
            await database.until_committed()
        assert database.commits - before <= 2  # one may have been under way
        for source in sources:
            source.say(Finish())
