"""Timelines: how a reply grew is told from its chunks, and shown at the pace that it had."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlmodel import col

from chat_app.data.db import Database
from chat_app.threads import reply_views
from tests.support.javascript import run_javascript
from tests.support.people import person, thread
from tests.support.world import World, running_world
from tributary_streams import Chunk, Finish, SourceError, Stream

STEPS = [[0, 0], [100, 1000], [100, 3000], [150, 4000]]


def shown(call: str) -> Any:
    return run_javascript("timeline.js", f"return page.{call};")


def length_at(ms: int, *, is_stepwise: bool = False) -> int:
    return shown(f"lengthAt({json.dumps(STEPS)}, {ms}, {json.dumps(is_stepwise)})")


def test_between_two_steps_the_text_grows_evenly_and_in_a_pause_not_at_all() -> None:
    assert [length_at(ms) for ms in (0, 500, 1000, 2000, 3500, 4000, 9000)] == [0, 50, 100, 100, 125, 150, 150]


def test_who_wants_less_motion_sees_the_steps() -> None:
    assert [length_at(ms, is_stepwise=True) for ms in (0, 999, 1000, 3999, 4000)] == [0, 0, 100, 100, 150]


def test_lengths_count_code_points() -> None:
    assert shown("firstOf('🌊🌊a', 2)") == "🌊🌊"


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database) as world:
        yield world


async def test_a_reply_and_its_continuation_are_one_timeline_until_it_is_pruned(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as tab:
        name = await world.ask(ada, thread_id, "ada")
        reply = int(name.partition(".")[0])
        world.model.source(0).say("Once upon ", SourceError("It broke."))
        await tab.until(name, "Once upon ", "error")
        world.model.source(1).say("a time. The end.", Finish())
        await world.services.replies.continue_reply(ada, thread_id, reply, tab="ada")
        await tab.until(name, "Once upon a time. The end.", "done")
    async with world.database.write() as session:
        first = (await session.execute(select(Stream).order_by(col(Stream.created)))).scalars().first()
        assert first is not None
        assert first.first_delta is not None
        chunk = (await session.execute(select(Chunk).where(col(Chunk.stream_id) == first.id))).scalars().one()
        chunk.created = first.first_delta + timedelta(milliseconds=1500)

    _, steps = await world.services.replies.timeline_of(ada, thread_id, reply, 1)

    assert steps[:3] == [(0, 0), (10, 1500), (10, 1500 + reply_views.BETWEEN_ATTEMPTS_MS)]
    assert steps[-1][0] == len("Once upon a time. The end.")
    assert steps == sorted(steps, key=lambda step: step[1])
    assert (await world.services.replies.timeline_of(ada, thread_id, reply, 2))[1] == []
    async with world.database.write() as session:
        await session.execute(delete(Chunk))
    assert (await world.services.replies.timeline_of(ada, thread_id, reply, 1))[1] == []


async def test_a_reply_of_which_only_the_first_chunks_were_pruned_has_no_timeline_any_more(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as tab:
        name = await world.ask(ada, thread_id, "ada")
        reply = int(name.partition(".")[0])
        world.model.source(0).say("Once upon a time.", Finish())
        await tab.until(name, "Once upon a time.", "done")
    async with world.database.write() as session:
        first = (await session.execute(select(Chunk))).scalars().one()
        session.add(Chunk(stream_id=first.stream_id, offset=10, text=first.text[10:]))
        first.text = first.text[:10]
    lengths = [length for length, _ in (await world.services.replies.timeline_of(ada, thread_id, reply, 1))[1]]
    assert lengths == [0, 10, 17]
    async with world.database.write() as session:
        await session.execute(delete(Chunk).where(col(Chunk.offset) == 0))

    assert (await world.services.replies.timeline_of(ada, thread_id, reply, 1))[1] == []


def test_a_reply_stored_by_the_delta_has_a_bounded_timeline_that_ends_where_it_did() -> None:
    steps = [(length, length) for length in range(50_000)]
    thinned = reply_views._thinned(steps)
    assert len(thinned) <= reply_views.TIMELINE_STEPS + 2
    assert (thinned[0], thinned[-1]) == (steps[0], steps[-1])


async def test_the_details_of_a_reply_tell_each_attempt(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as tab:
        name = await world.ask(ada, thread_id, "ada")
        reply = int(name.partition(".")[0])
        world.model.source(0).say("Half", SourceError("It broke."))
        await tab.until(name, "Half", "error")
        world.model.source(1).say("All ", "of it.", Finish())
        await world.services.replies.retry(ada, thread_id, reply, tab="ada")
        await tab.until(f"{reply}.2", "All of it.", "done")
    newest, first = await world.services.replies.attempts(ada, thread_id, reply)
    assert (newest.kind, newest.status, newest.length, newest.deltas) == ("retry", "done", 10, 2)
    assert (first.kind, first.status, first.length) == ("first", "error", 4)
    assert await world.services.replies.attempts(ada, thread_id, reply - 1) == []
