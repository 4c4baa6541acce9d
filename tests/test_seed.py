"""The seeded conversation: once, on an empty database, with real replies that the first tab drives."""

import asyncio
from dataclasses import replace

import pytest

from chat_app.data.db import Database
from chat_app.data.models import Message, Thread
from chat_app.threads import seed
from tests.support.people import count, person, thread
from tests.support.world import running_world
from tributary_streams import Finish


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seed, "MESSAGES", tuple(replace(said, pause=0) for said in seed.MESSAGES))


async def test_it_plays_once_and_its_first_tab_drives_its_replies(database: Database) -> None:
    async with running_world(database) as world:
        ada = await person(database)
        thread_id = await world.services.threads.home(ada, "first tab")
        async with world.tab("first tab", ada, thread_id) as first, world.tab("second tab", ada, thread_id) as second:
            await world.model.was_asked(1)
            world.model.source(0).say("Not stored yet")
            await first.until_screen(lambda screen: "Not stored yet" in screen.texts.values())
            assert "Not stored yet" not in second.screen.texts.values()
            world.model.source(0).say(Finish())
            world.model.source(1).say("And again.", Finish())
            await first.until_screen(lambda screen: list(screen.statuses.values()).count("done") == 2)
        assert await world.services.threads.home(ada, "another tab") == thread_id
        assert await count(database, Thread) == 1


async def test_two_first_tabs_of_two_processes_play_it_once(database: Database) -> None:
    other = Database(str(database.url))
    try:
        async with running_world(database) as one, running_world(other) as two:
            ada, noor = await person(database), await person(database)
            homes = await asyncio.gather(
                *(world.services.threads.home(who, f"{who}") for world in (one, two) for who in (ada, noor))
            )
        assert len(set(homes)) == 1
        assert await count(database, Thread) == 1
    finally:
        await other.close()


async def test_it_plays_whatever_the_limits(database: Database) -> None:
    names = ("chat_messages_per_minute", "chat_messages_per_minute_total", "chat_threads_per_day")
    async with running_world(database, **dict.fromkeys(names, 1)) as world:
        ada = await person(database)
        for number in range(2):
            world.model.source(number).say("Yes.", Finish())
        async with world.tab("tab", ada, await world.services.threads.home(ada, "tab")) as tab:
            await tab.until_screen(lambda screen: list(screen.statuses.values()).count("done") == 2)


async def test_where_somebody_was_before_it_does_not_play(database: Database) -> None:
    async with running_world(database) as world:
        ada = await person(database)
        thread_id = await thread(database, ada)
        assert await world.services.threads.home(ada, "tab") == thread_id
        assert await count(database, Message) == 0


async def test_a_setting_turns_it_off(database: Database) -> None:
    async with running_world(database, chat_seed=False) as world:
        ada = await person(database)
        await world.services.threads.home(ada, "tab")
        assert await count(database, Thread) == 1
        assert await count(database, Message) == 0
