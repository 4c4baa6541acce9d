"""What things cost: idle costs nothing, a reply about its sentences, fifty followers what one costs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from chat_app import tabs
from chat_app.db import Database
from chat_app.streaming import Finish, Stream, flusher, tailer
from tests.support.meter import Meter
from tests.support.people import person, thread
from tests.support.scripted_model import REFERENCE_DELTAS, REFERENCE_TEXT
from tests.support.world import OpenTab, World, running_world

WITHIN = 60
"""Seconds after which a wait has failed."""
NEVER = 3600.0
SENTENCES = 40
"""Of the reference reply, each of 200 characters."""


@pytest.fixture
async def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A server that does nothing by the clock, and waits for nothing that could be more."""
    monkeypatch.setattr(tailer, "HERE", NEVER)
    monkeypatch.setattr(tailer, "IDLE", NEVER)
    for module in (tailer, flusher):
        monkeypatch.setattr(module, "GATHER", 0.0)
    monkeypatch.setattr(tabs, "FRAME_EVERY", 0.0)
    async with (
        asyncio.timeout(WITHIN),
        running_world(database, chat_sweep_every=NEVER, chat_lease_renew=NEVER, chat_seed=False) as world,
    ):
        yield world


@dataclass(frozen=True)
class Cost:
    """What a reply took, from the question to its end on all screens."""

    statements: int
    rows_read: int
    rows_written: int
    driver: OpenTab
    followers: Sequence[OpenTab]
    name: str
    stream: Stream


async def cost_of_a_reply(world: World, *, followers: int, times: int = 1) -> Cost:
    """The cost of the reference reply, said so often in a row, each sentence once the one before has been seen."""
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with AsyncExitStack() as stack:
        driver = await stack.enter_async_context(world.tab("ada", ada, thread_id))
        others = [
            await stack.enter_async_context(world.tab(f"noor-{number}", noor, thread_id)) for number in range(followers)
        ]
        for tab in (driver, *others):
            await tab.until_screen(lambda screen: screen.updates > 0)
        meter = Meter(world.database)
        number = len(world.model.asked)
        name = await world.ask(ada, thread_id, "ada")
        source = world.model.source(number)
        for tab in (driver, *others):
            await tab.until(name, status="streaming")
        length = len(REFERENCE_TEXT)
        for at in range(SENTENCES * times):
            deltas = len(REFERENCE_DELTAS) // SENTENCES
            start = at % SENTENCES * deltas
            source.say(*REFERENCE_DELTAS[start : start + deltas])
            # The last delta of a sentence may hold its end and wait for the next word.
            seen = at // SENTENCES * length + len("".join(REFERENCE_DELTAS[: start + deltas - 2]))
            for tab in (driver, *others):
                await tab.until_screen(lambda screen, seen=seen: len(screen.texts.get(name, "")) >= seen)
        source.say(Finish())
        for tab in (driver, *others):
            await tab.until(name, REFERENCE_TEXT * times, "done")
        cost = (len(meter.statements), meter.rows_read, meter.rows_written)
    async with world.database.read() as session:
        stream = (await session.execute(store_stream())).scalars().one()
    return Cost(*cost, driver, others, name, stream)
