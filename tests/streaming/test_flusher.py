"""The flusher: what a commit has stored is stored once, also where nobody heard that it did."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlmodel import col, select

from chat_app.streaming import Chunk, Finish, StreamStatus, store
from tests.support.core import Core, HandFed
from tests.support.faulty import FaultyDatabase

pytestmark = pytest.mark.on_both_databases


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[FaultyDatabase]:
    database = FaultyDatabase(database_url)
    await database.migrate()
    yield database
    await database.close()


async def chunks(database: FaultyDatabase) -> list[tuple[int, str]]:
    async with database.read() as session:
        query = select(col(Chunk.offset), col(Chunk.text)).order_by(col(Chunk.offset))
        return [(offset, text) for offset, text in (await session.execute(query)).all()]


async def test_a_stream_goes_on_after_a_commit_whose_answer_was_lost_and_that_had_stored_all(
    database: FaultyDatabase, core: Core
) -> None:
    stream_id, source = await core.create(), HandFed()
    writing = asyncio.create_task(core.writer(stream_id, source).run())
    await core.until_published(stream_id, 0)  # the claim's answer has come
    database.loses_answers = True
    source.say("One. ")
    await database.until_failed(2)  # stored by the first, and found stored by the second

    database.loses_answers = False
    await database.until_committed()
    assert await chunks(database) == [(0, "One. ")]
    source.say("Two.", Finish())

    assert await writing
    assert (await core.body(stream_id)).status is StreamStatus.DONE
    assert await chunks(database) == [(0, "One. "), (5, "Two.")]


async def test_a_reason_is_taken_back_also_when_nobody_heard_that_it_was_stored(
    database: FaultyDatabase, core: Core
) -> None:
    stream_id, source = await core.create(), HandFed()
    writer = core.writer(stream_id, source)
    writing = asyncio.create_task(writer.run())
    await core.until_published(stream_id, 0)
    reasons: list[str] = []
    for loses_answers, reason in ((True, "Busy."), (False, "")):
        database.loses_answers = loses_answers
        writer.explain(reason)
        await (database.until_failed(1) if loses_answers else database.until_committed())
        async with database.read() as session:
            reasons.append((await store.read_stream(session, stream_id)).reason)
    assert reasons == ["Busy.", ""]
    source.say(Finish())
    assert await writing
