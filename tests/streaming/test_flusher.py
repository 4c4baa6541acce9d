"""The flusher: what a commit has stored is stored once, also where nobody heard that it did."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlmodel import col, select

from chat_app.streaming import Chunk, Finish, StreamStatus, Writer, store
from tests.support.core import Core, HandFed
from tests.support.faulty import WITHIN, FaultyDatabase

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
        await database.until_committed()
        assert await reason_of(database, writer) == ""
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
