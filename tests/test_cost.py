"""What things cost: idle costs nothing, a reply about its sentences, fifty followers what one costs."""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from chat_app.data.db import Database
from chat_app.live import directory, pace, tabs
from chat_app.threads.thread_views import ThreadView
from tests.support.meter import metered
from tests.support.model import Screen
from tests.support.people import person, thread
from tests.support.scripted_model import REFERENCE_DELTAS, REFERENCE_TEXT
from tests.support.world import World, running_world
from tributary_streams import Finish, Stream, flusher, tailer

NEVER = 3600.0
DELTAS = 50
"""Of each sentence of the reference reply, which has 40 sentences."""


@pytest.fixture
async def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A server that does nothing by the clock, and waits for nothing that could be more."""
    monkeypatch.setattr(tailer, "HERE", NEVER)
    monkeypatch.setattr(tailer, "IDLE", NEVER)
    for module in (tailer, flusher):
        monkeypatch.setattr(module, "GATHER", 0.0)
    monkeypatch.setattr(pace, "FRAME_EVERY", 0.0)
    async with running_world(database, chat_sweep_every=NEVER) as world:
        yield world


@dataclass(frozen=True)
class Cost:
    """What a reply took, from the question to its end on all screens."""

    statements: int
    rows_read: int
    rows_written: int
    chunks: int
    driver: Screen
    followers: Sequence[Screen]
    name: str


def sentences(count: int) -> Iterator[tuple[str, ...]]:
    """The deltas of a text of so many sentences of 200 characters; 40 are the reference reply."""
    for number in range(count):
        start = DELTAS * (39 if number == count - 1 else number % 39)
        yield REFERENCE_DELTAS[start : start + DELTAS]


async def cost_of_a_reply(world: World, *, followers: int = 1, length: int = 40, is_slow: bool = False) -> Cost:
    """The cost of a reply of `length` sentences, each said when everybody has seen the one before.

    A slow model says each delta when the driver has seen the one before.
    """
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with AsyncExitStack() as stack:
        driver = await stack.enter_async_context(world.tab("ada", ada, thread_id))
        others = [
            await stack.enter_async_context(world.tab(f"noor-{number}", noor, thread_id)) for number in range(followers)
        ]
        everybody = (driver, *others)
        for tab in everybody:
            await tab.until_screen(lambda screen: screen.updates > 0)
        with metered(world.database) as meter:
            source = world.model.source(len(world.model.asked))
            name = await world.ask(ada, thread_id, "ada")
            for tab in everybody:
                await tab.until(name, status="streaming")
            before = [tab.screen.updates for tab in everybody]
            text = ""
            for number, deltas in enumerate(sentences(length), start=1):
                for delta in deltas:
                    source.say(delta)
                    text += delta
                    if is_slow:
                        await driver.until(name, text)
                for tab in everybody if number < length else ():
                    await tab.until(name, text)
            source.say(Finish())
            for tab in everybody:
                await tab.until(name, text, "done")
    for tab, updates in zip(everybody, before, strict=True):
        tab.screen.updates -= updates
    async with world.database.read() as session:
        newest = select(Stream).order_by(col(Stream.created).desc()).limit(1)
        stream = (await session.execute(newest)).scalar_one()
    assert stream.deltas == length * DELTAS
    return Cost(
        len(meter.statements),
        meter.rows_read,
        meter.rows_written,
        stream.chunks,
        driver.screen,
        [tab.screen for tab in others],
        name,
    )


def characters(screen: Screen, name: str) -> int:
    """How much text was sent to a screen."""
    return sum(len(step) for step in screen.steps[name])


async def test_with_nobody_there_only_the_sweep_asks_anything(database: Database) -> None:
    async with running_world(database, chat_sweep_every=0.01) as world:
        with metered(database) as meter:
            await meter.until_asked(20)  # what a server does once, at its start, is among them
            meter.reset()
            await meter.until_asked(20)
            assert len(set(meter.statements)) == 1
            assert "stream.status IN" in meter.statements[0]
            assert meter.rows_read == 0
        assert world.services._tailer.ticks == 0


async def test_fifty_idle_tabs_cost_one_cheap_question_a_tick(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await person(database)
    thread_id = await thread(database, ada)
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(world.tab(f"{number}", ada, thread_id)) for number in range(50)]
        for tab in opened:
            await tab.until_screen(lambda screen: screen.updates > 0)
        monkeypatch.setattr(tailer, "IDLE", 0.01)
        with metered(database) as meter:
            world.services._tailer.wake()
            await meter.until_asked(10)
            meter.reset()
            await meter.until_asked(20)
            assert set(meter.statements) == {"PRAGMA data_version"}

            # Somebody else writes: one statement more, for all of them.
            assert database.url.database
            meter.reset()  # before, for a tick that is under way may see it at once
            with closing(sqlite3.connect(database.url.database)) as other, other:
                other.execute("UPDATE user SET hue = 1")
            await meter.until_asked(20)
            assert len([statement for statement in meter.statements if statement != "PRAGMA data_version"]) == 1


async def test_a_message_costs_no_look_at_every_thread_for_every_person(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that have changed of late are read again for a while: commits may come late."""
    monkeypatch.setattr(directory, "DIRECTORY_EVERY", 0.0)
    monkeypatch.setattr(tabs, "MARKS_EVERY", 0.0)
    looked: list[str] = []
    row_of = directory._row_of

    def noted(thread: ThreadView, *arguments: Any) -> directory.SidebarThread:
        looked.append(thread.id)
        return row_of(thread, *arguments)

    monkeypatch.setattr(directory, "_row_of", noted)
    async with running_world(database) as world, AsyncExitStack() as stack:
        people = [await person(database) for _ in range(20)]
        threads = [await thread(database, each) for each in people]
        opened = [
            await stack.enter_async_context(world.tab(f"{each.user_id}", each, there))
            for each, there in zip(people, threads, strict=True)
        ]
        for tab in opened:  # a tab that is still opening reads its whole list
            await tab.until_screen(lambda screen: len(screen.directory) >= len(threads))
        for number, title in enumerate(("First", "Second")):
            await world.services.messages.post(people[0], threads[number], title, nonce=f"{title} draft", tab="")
            for tab in opened:
                await tab.until_screen(lambda screen, line=(threads[number], title): line in screen.directory)
            if not number:
                looked.clear()
        assert len(looked) < len(people) * len(threads) / 4


async def test_fifty_followers_cost_the_database_what_one_costs(world: World) -> None:
    one = await cost_of_a_reply(world, followers=1)
    fifty = await cost_of_a_reply(world, followers=50)

    # A statement for each of the 49 more, be it one in the whole reply, would be 49; a tick more is the moment's.
    assert fifty.statements < one.statements + 25
    assert fifty.rows_read < one.rows_read + 49
    assert fifty.rows_written < one.rows_written + 25


async def test_a_reply_costs_about_its_sentences_and_not_its_deltas(world: World) -> None:
    cost = await cost_of_a_reply(world, is_slow=True)

    # Twice, for a machine that stands still for half a second writes a half sentence too.
    assert cost.chunks <= 2 * 40
    assert cost.rows_written <= 2 * cost.chunks + 20
    assert cost.followers[0].updates <= cost.chunks + 5
    assert cost.followers[0].updates < len(REFERENCE_DELTAS) / 5


async def test_everybody_is_sent_the_text_once(world: World) -> None:
    cost = await cost_of_a_reply(world, followers=2)

    for screen in (cost.driver, *cost.followers):
        assert characters(screen, cost.name) == len(REFERENCE_TEXT)


async def test_a_reply_ten_times_as_long_costs_ten_times_as_much(world: World) -> None:
    short = await cost_of_a_reply(world, length=20)
    long = await cost_of_a_reply(world, length=200)

    assert long.statements <= 11 * short.statements
    assert long.rows_read <= 11 * short.rows_read
    assert long.rows_written <= 11 * short.rows_written
    for few, many in ((short.driver, long.driver), (short.followers[0], long.followers[0])):
        assert many.frames <= 11 * few.frames
        assert characters(many, long.name) <= 11 * characters(few, short.name)
