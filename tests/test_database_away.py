"""A database that is slow, locked, full or away: the driver streams on, and what is stored in the end is right."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlmodel import col

from chat_app.live import tabs
from chat_app.people.identity import Identity
from tests.support.core import HandFed
from tests.support.faulty import FaultyDatabase
from tests.support.people import person, thread
from tests.support.world import OpenTab, World, running_world
from tributary_streams import Chunk, Finish, StreamStatus, flusher, tailer, transactions

WITHIN = 30
"""Seconds after which a wait has failed."""


@pytest.fixture
async def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FaultyDatabase]:
    monkeypatch.setattr(transactions, "BUSY_TIMEOUT_MS", 50)
    monkeypatch.setattr("chat_app.live.pace.FRAME_EVERY", 0.01)  # a test waits for each delta
    database = FaultyDatabase(database_url)
    yield database
    await database.close()


class Reply:
    """A reply under way, on its driver's tab and on a follower's."""

    def __init__(self, world: World, ada: Identity, name: str, driver: OpenTab, follower: OpenTab) -> None:
        self.world = world
        self.ada = ada
        self.name = name
        self.driver = driver
        self.follower = follower
        self.said = ""

    @property
    def source(self) -> HandFed:
        return self.world.model.source(0)

    async def say(self, *deltas: str) -> None:
        """Let the model say these deltas, each once the driver has seen the one before."""
        for delta in deltas:
            self.source.say(delta)
            self.said += delta
            await self.driver.until(self.name, self.said)

    async def is_over(self, status: str) -> None:
        """Wait until both tabs say so, with all the text, and the database has the same."""
        for tab in (self.driver, self.follower):
            await tab.until(self.name, self.said, status)
        message, text = await self.world.services.messages.text_of(
            self.ada, self.driver.tab.thread_id, int(self.name.partition(".")[0]), 0
        )
        assert (text, message.status) == (self.said, StreamStatus(status))

    async def is_given_up(self) -> None:
        """Wait until nobody listens to the model any more."""
        async with asyncio.timeout(WITHIN):
            await self.source.is_closed.wait()

    async def stored(self) -> list[str]:
        """The chunks of its stream, whose offsets must leave no gap and not overlap."""
        async with self.world.database.read() as session:
            query = select(col(Chunk.offset), col(Chunk.text)).order_by(col(Chunk.offset))
            rows = (await session.execute(query)).all()
        end = 0
        for offset, text in rows:
            assert offset == end
            end += len(text)
        return [text for _, text in rows]


@pytest.fixture
async def reply(database: FaultyDatabase) -> AsyncIterator[Reply]:
    """A reply of which "Begun. " is said and stored."""
    ada, noor = await person(database, "Ada"), await person(database, "Noor")
    thread_id = await thread(database, ada)
    async with (
        running_world(database) as world,
        world.tab("ada", ada, thread_id) as driver,
        world.tab("noor", noor, thread_id) as follower,
    ):
        reply = Reply(world, ada, await world.ask(ada, thread_id, "ada"), driver, follower)
        await reply.say("Begun. ")
        await follower.until(reply.name, "Begun. ")
        yield reply


SENTENCES = tuple(f"Sentence {number}. " for number in range(20))


async def test_the_driver_sees_every_delta_while_no_write_comes_through(reply: Reply, database: FaultyDatabase) -> None:
    database.hold_writes()
    commits = database.commits

    await reply.say(*SENTENCES)

    assert database.commits == commits
    assert reply.follower.screen.texts[reply.name] == "Begun. "
    reply.source.say(Finish())
    database.release_writes()
    await reply.is_over("done")


async def test_writes_of_one_second_hold_up_no_delta(reply: Reply, database: FaultyDatabase) -> None:
    database.delay = 1.0
    commits = database.commits

    await reply.say(*SENTENCES)

    # A model that waited for each sentence to be stored would have been held up by as many writes.
    assert database.commits - commits < len(SENTENCES) / 2
    reply.source.say(Finish())
    await reply.is_over("done")


async def test_what_was_refused_is_stored_once_when_the_database_is_back(
    reply: Reply, database: FaultyDatabase
) -> None:
    database.refuses_writes = True
    for number in range(4):
        await reply.say(*SENTENCES[number * 5 : number * 5 + 5])
        await database.until_failed(1)
    assert "".join(await reply.stored()) == "Begun. "
    assert not reply.driver.screen.is_unsaved

    database.refuses_writes = False
    await reply.follower.until(reply.name, reply.said)
    await reply.say("The end")
    reply.source.say(Finish())

    await reply.is_over("done")
    assert "".join(await reply.stored()) == reply.said


async def test_a_commit_whose_answer_was_lost_is_not_written_again(reply: Reply, database: FaultyDatabase) -> None:
    database.loses_answers = True
    await reply.say(*SENTENCES[:5])
    await database.until_failed(3)
    database.loses_answers = False
    await database.until_committed()
    await reply.say(*SENTENCES[5:10])
    reply.source.say(Finish())

    await reply.is_over("done")
    assert "".join(await reply.stored()) == reply.said


async def test_what_waits_for_the_database_is_held_once(reply: Reply, database: FaultyDatabase) -> None:
    database.refuses_writes = True
    await reply.say(*SENTENCES)
    await database.until_failed(1)
    tasks = len(asyncio.all_tasks())
    await database.until_failed(4)

    (lane,) = reply.world.services._writers._flusher._lanes.values()
    assert len(lane._taken) + lane._chunker.pending == len(reply.said) - lane.stored
    assert len(asyncio.all_tasks()) <= tasks
    database.refuses_writes = False
    reply.source.say(Finish())
    await reply.is_over("done")


@pytest.mark.parametrize("hangs", [False, True], ids=["refused", "hanging"])
async def test_a_database_away_for_too_long_ends_the_reply_and_gets_its_text_when_it_answers(
    reply: Reply, database: FaultyDatabase, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    monkeypatch.setattr(flusher, "AWAY_AFTER", 0.2)
    if hangs:
        database.hold_writes()
    else:
        database.refuses_writes = True
    await reply.say("Not saved. ")

    await reply.is_given_up()
    for tab in (reply.driver, reply.follower):
        await tab.until_screen(lambda screen: screen.is_unsaved)
    assert reply.driver.screen.texts[reply.name] == reply.said
    assert reply.driver.screen.statuses[reply.name] == "streaming"
    assert reply.follower.screen.texts[reply.name] == "Begun. "

    database.refuses_writes = False
    database.release_writes()
    await reply.is_over("error")
    assert reply.driver.screen.reasons[reply.name] == "The database was away for too long."
    for tab in (reply.driver, reply.follower):
        await tab.until_screen(lambda screen: not screen.is_unsaved)
    assert "".join(await reply.stored()) == reply.said


async def test_a_tab_that_opens_meanwhile_is_told_too(
    reply: Reply, database: FaultyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flusher, "AWAY_AFTER", 0.2)
    database.refuses_writes = True
    await reply.say("Not saved. ")
    await reply.is_given_up()

    async with reply.world.tab("late", reply.ada, reply.driver.tab.thread_id) as late:
        await late.until(reply.name, "Begun. ")
        assert late.screen.is_unsaved
        database.refuses_writes = False
        await late.until_screen(lambda screen: not screen.is_unsaved)
        await late.until(reply.name, reply.said, "error")


async def test_a_locked_file_holds_up_nobody(reply: Reply, database: FaultyDatabase) -> None:
    assert database.url.database
    with closing(sqlite3.connect(database.url.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await reply.say(*SENTENCES)
        await database.until_failed(2)
        assert "".join(await reply.stored()) == "Begun. "
        other.execute("ROLLBACK")
    reply.source.say(Finish())

    await reply.is_over("done")
    assert "".join(await reply.stored()) == reply.said


async def test_a_full_disk_loses_nothing_once_there_is_room(reply: Reply, database: FaultyDatabase) -> None:
    pages = 1  # SQLite takes what is in use already for the least

    def limit(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(database.writer.sync_engine, "checkout", limit)
    await reply.say(*(f"{'A long way to say it, again. ' * 400}\n" for _ in range(3)))
    await database.until_failed(2)
    pages = 1_000_000
    reply.source.say(Finish())

    await reply.is_over("done")
    assert "".join(await reply.stored()) == reply.said


async def test_readers_recover_from_a_database_that_does_not_answer(
    reply: Reply, database: FaultyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailer, "HERE", 0.05)
    monkeypatch.setattr(tabs, "RETRY_AFTER", 0.05)
    database.refuses_reads = True
    await reply.say(*SENTENCES[:3])
    async with reply.world.tab("late", reply.ada, reply.driver.tab.thread_id) as late:
        await database.until_failed(3)
        assert reply.follower.screen.texts[reply.name] == "Begun. "
        assert reply.name not in late.screen.texts

        database.refuses_reads = False
        await late.until(reply.name, reply.said)
        await reply.follower.until(reply.name, reply.said)
        reply.source.say(Finish())
        await reply.is_over("done")


async def test_an_end_that_could_not_be_read_is_shown_when_it_can(reply: Reply, database: FaultyDatabase) -> None:
    database.refuses_reads = True
    await reply.say("The end.")
    reply.source.say(Finish())
    await reply.is_given_up()
    await database.until_failed(1)

    database.refuses_reads = False
    await reply.is_over("done")


async def test_a_quiet_page_recovers_too(
    reply: Reply, database: FaultyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply.source.say(Finish())
    await reply.is_over("done")
    monkeypatch.setattr(tailer, "IDLE", 0.05)
    database.refuses_has_changed = True
    await database.until_failed(2)
    database.refuses_has_changed = False

    posted = await reply.world.services.messages.post(
        reply.ada, reply.driver.tab.thread_id, "Still here?", nonce="draft", tab="ada"
    )
    await reply.follower.until(f"{posted.message_id}.0", "Still here?", "")


async def test_a_reply_that_could_not_begin_begins_when_the_database_is_back(database: FaultyDatabase) -> None:
    ada = await person(database)
    thread_id = await thread(database, ada)
    async with running_world(database, chat_sweep_every=0.05) as world:
        database.refuses_reads = True
        await world.ask(ada, thread_id, "ada")
        await database.until_failed(2)
        assert world.model.asked == []
        database.refuses_reads = False
        await world.model.was_asked(1)
