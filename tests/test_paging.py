"""Paging: a tab shows the newest messages, and those before them when its reader asks; replies under way go on."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chat_app.data.db import Database
from chat_app.data.models import Visibility
from chat_app.people.identity import Identity
from chat_app.refusals import ThreadUnknown
from chat_app.threads import message_views
from tests.support.people import person, thread
from tests.support.world import World, running_world
from tributary_streams import Finish

PAGE = 4


@pytest.fixture
async def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(message_views, "NEWEST", PAGE)
    async with running_world(database) as world:
        yield world


async def say(world: World, who: Identity, thread_id: str, *numbers: int) -> list[int]:
    """Post messages; return their ids."""
    return [
        (
            await world.services.messages.post(who, thread_id, f"Message {number}", nonce=f"nonce {number}", tab="ada")
        ).message_id
        for number in numbers
    ]


async def test_scrolling_back_brings_page_after_page_in_order_until_there_is_no_more(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    said = await say(world, ada, thread_id, *range(10))
    async with world.tab("ada", ada, thread_id) as tab:
        await tab.until(f"{said[-1]}.0", "Message 9")
        assert (tab.screen.rows, tab.screen.has_earlier) == (said[-PAGE:], True)
        for shown in (2 * PAGE, 10):
            await world.services.tabs.show_earlier(ada, thread_id, tab.screen.rows[0], tab="ada")
            await tab.until_screen(lambda screen, shown=shown: screen.rows == said[-shown:])
            await tab.until(f"{said[-shown]}.0", f"Message {10 - shown}")
        assert not tab.screen.has_earlier
        (newest,) = await say(world, ada, thread_id, 10)
        await tab.until_screen(lambda screen: screen.rows == [*said, newest])


async def test_paging_disturbs_no_reply_and_a_live_one_that_is_paged_in_is_followed(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as driver:
        long_ago = await world.ask(ada, thread_id, "ada", "@gpt first")
        world.model.source(0).say("Long ago. ")
        await driver.until(long_ago, "Long ago. ")
        await say(world, noor, thread_id, *range(2 * PAGE))
        async with world.tab("noor", noor, thread_id) as late:
            lately = await world.ask(ada, thread_id, "ada", "@gpt second")
            said = ""
            for number in range(6):
                world.model.source(1).say(f"Sentence {number}. ")
                said += f"Sentence {number}. "
                if number % 2 == 0:
                    await world.services.tabs.show_earlier(noor, thread_id, late.screen.rows[0], tab="noor")
                await driver.until(lately, said)
                await late.until(lately, said)
            await late.until(long_ago, "Long ago. ")
            world.model.source(0).say("And at last.", Finish())
            world.model.source(1).say(Finish())
            for tab in (driver, late):
                await tab.until(long_ago, "Long ago. And at last.", "done")
                await tab.until(lately, said, "done")


async def test_a_change_of_what_was_not_paged_in_is_shown_with_its_page(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    said = await say(world, ada, thread_id, *range(2 * PAGE))
    async with world.tab("ada", ada, thread_id) as tab:
        await tab.until(f"{said[-1]}.0", "Message 7")
        await world.services.messages.delete(ada, thread_id, said[0])
        await tab.until_screen(lambda screen: said[0] in screen.gone)
        await world.services.tabs.show_earlier(ada, thread_id, tab.screen.rows[0], tab="ada")
        await tab.until_screen(lambda screen: screen.rows == said[1:])


async def test_many_who_ask_at_once_get_one_page_at_a_time(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    said = await say(world, ada, thread_id, *range(2 * PAGE))
    async with world.tab("ada", ada, thread_id) as tab:
        await tab.until(f"{said[-1]}.0", "Message 7")
        await tab.stand()
        asked = [
            asyncio.create_task(world.services.tabs.show_earlier(ada, thread_id, said[PAGE], tab="ada"))
            for _ in range(5)
        ]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        assert len(tab.tab._history) == PAGE
        tab.is_congested = False
        await asyncio.gather(*asked)
        await tab.until_screen(lambda screen: screen.rows == said)


async def test_nobody_pages_in_a_tab_of_somebody_else_or_on_a_thread_they_may_not_read(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    said = await say(world, ada, thread_id, *range(2 * PAGE))
    async with world.tab("ada", ada, thread_id) as tab:
        await tab.until(f"{said[-1]}.0", "Message 7")
        await world.services.tabs.show_earlier(noor, thread_id, said[PAGE], tab="ada")
        await world.services.members.set_visibility(ada, thread_id, Visibility.PRIVATE)
        with pytest.raises(ThreadUnknown):
            await world.services.tabs.show_earlier(noor, thread_id, said[PAGE], tab="ada")
        (newest,) = await say(world, ada, thread_id, 8)
        await tab.until_screen(lambda screen: newest in screen.rows)
        assert tab.screen.rows == [*said[PAGE:], newest]
