"""Read receipts and the marks of the sidebar: who has read how far, what is new to them, and where a reply runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import select

from chat_app.data.db import Database
from chat_app.data.models import ReadReceipt, Visibility
from chat_app.live import directory, read_receipts, tabs
from chat_app.live.directory import SidebarThread
from chat_app.live.read_receipts import ReadReceipts
from chat_app.people.identity import Identity
from chat_app.threads import thread_views
from tests.support.meter import metered
from tests.support.people import person, thread
from tests.support.world import WITHIN, OpenTab, World, running_world
from tributary_streams import Finish

pytestmark = pytest.mark.on_both_databases

NEVER = 3600.0


@pytest.fixture
async def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A server that stores what is read when a test says so, and tells tabs at once what is new elsewhere."""
    monkeypatch.setattr(read_receipts, "STORE_EVERY", NEVER)
    monkeypatch.setattr(directory, "DIRECTORY_EVERY", 0.0)
    monkeypatch.setattr(tabs, "MARKS_EVERY", 0.0)
    async with running_world(database) as world:
        yield world


async def stored(database: Database) -> dict[tuple[int, str], int]:
    async with database.read() as session:
        rows = (await session.execute(select(ReadReceipt))).scalars()
        return {(reading.user_id, reading.thread_id): reading.position for reading in rows}


async def say(world: World, who: Identity, thread_id: str, text: str) -> int:
    """Post a message; return its id."""
    return (await world.services.messages.post(who, thread_id, text, nonce=f"said {text}", tab="")).message_id


def line(tab: OpenTab, thread_id: str) -> SidebarThread:
    """The line of a thread on the screen; an empty one until it is there."""
    return tab.screen.sidebar.get(thread_id, SidebarThread("", "", 0, 0, False))


async def test_what_was_read_is_what_came_while_somebody_looked(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("noor", noor, thread_id) as tab:
        first = await say(world, ada, thread_id, "One")
        await tab.until(f"{first}.0", "One")
        await world.services._read_receipts.store()
        assert await stored(world.database) == {}

        tab.tab.look(is_looking=True)
        second = await say(world, ada, thread_id, "Two")
        await tab.until(f"{second}.0", "Two")
        tab.tab.look(is_looking=False)
        third = await say(world, ada, thread_id, "Three")
        await tab.until(f"{third}.0", "Three")
        await world.services._read_receipts.store()
        assert await stored(world.database) == {(noor.user_id, thread_id): 2}


async def test_a_reply_has_been_read_once_it_has_ended(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as tab:
        tab.tab.look(is_looking=True)
        name = await world.ask(ada, thread_id, "ada")
        world.model.source(0).say("Begun. ")
        await tab.until(name, "Begun. ")
        await world.services._read_receipts.store()
        assert await stored(world.database) == {(ada.user_id, thread_id): 1}
        world.model.source(0).say("Ended.", Finish())
        await tab.until(name, "Begun. Ended.", "done")
        await world.services._read_receipts.store()
        assert await stored(world.database) == {(ada.user_id, thread_id): 2}


async def test_who_comes_and_who_comes_back_is_told_where_the_new_begins(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    first = await say(world, ada, thread_id, "One")
    async with world.tab("noor", noor, thread_id) as tab:
        await tab.until(f"{first}.0", "One")
        assert tab.screen.read_up_to == 0  # who has never been here is not told that all is new
        tab.tab.look(is_looking=True)
        second = await say(world, ada, thread_id, "Two")
        await tab.until(f"{second}.0", "Two")
        assert tab.screen.read_up_to == 0
    await world.services._read_receipts.store()

    await say(world, noor, thread_id, "My own, from elsewhere")
    third = await say(world, ada, thread_id, "Three")
    async with world.tab("noor", noor, thread_id) as tab:
        await tab.until(f"{third}.0", "Three")
        assert tab.screen.read_up_to == third - 1
        tab.tab.look(is_looking=True)
        fourth = await say(world, ada, thread_id, "Four")
        await tab.until(f"{fourth}.0", "Four")
        assert tab.screen.read_up_to == third - 1  # the line stays where it is while they look
        tab.tab.look(is_looking=False)
        fifth = await say(world, ada, thread_id, "Five")
        await tab.until(f"{fifth}.0", "Five")
        tab.tab.look(is_looking=True)
        await tab.until_screen(lambda screen: screen.read_up_to == fifth - 1)


async def test_what_is_new_elsewhere_is_marked_until_it_is_read_in_any_tab(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    here, there = await thread(world.database, ada), await thread(world.database, ada)
    async with world.tab("noor", noor, here) as tab, world.tab("noor-2", noor, there) as second:
        second.tab.look(is_looking=True)
        first = await say(world, ada, there, "One")
        await second.until(f"{first}.0", "One")
        await tab.until_screen(lambda _: (line(tab, there).title, line(tab, there).unread) == ("One", 0))
        second.tab.look(is_looking=False)
        await say(world, ada, there, "Two")
        await tab.until_screen(lambda _: line(tab, there).unread == 1)
        second.tab.look(is_looking=True)
        await tab.until_screen(lambda _: line(tab, there).unread == 0)
        assert line(tab, here).unread == 0


async def test_who_never_was_in_a_thread_has_no_mark_for_it(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    here, there = await thread(world.database, ada), await thread(world.database, ada)
    async with world.tab("noor", noor, here) as tab:
        await say(world, ada, there, "One")
        await tab.until_screen(lambda _: line(tab, there).title == "One")
        assert line(tab, there).unread == 0


async def test_a_reply_is_marked_wherever_it_runs_until_it_ends(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    here, there = await thread(world.database, ada), await thread(world.database, ada)
    async with world.tab("noor", noor, here) as tab:
        await tab.until_screen(lambda screen: there in screen.sidebar)
        await world.ask(ada, there, "ada")
        await tab.until_screen(lambda _: line(tab, there).is_live)
        async with world.tab("late", noor, here) as late:
            await late.until_screen(lambda screen: there in screen.sidebar)
            assert line(late, there).is_live
        world.model.source(0).say("Done.", Finish())
        await tab.until_screen(lambda _: not line(tab, there).is_live)


async def test_read_receipts_never_go_back_and_leave_nothing_of_a_deleted_thread(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    kept, gone = await thread(world.database, ada), await thread(world.database, ada)
    one, other = ReadReceipts(world.database), ReadReceipts(world.database)
    one.note(noor.user_id, kept, 7)
    other.note(noor.user_id, kept, 3)
    other.note(noor.user_id, gone, 1)
    await one.store()
    await world.services.threads.delete(ada, gone)
    await other.store()
    assert await stored(world.database) == {(noor.user_id, kept): 7}
    other.note(ada.user_id, kept, 0)
    other.note(noor.user_id, kept, 9)
    await other.store()
    assert await stored(world.database) == {(noor.user_id, kept): 9, (ada.user_id, kept): 0}


async def test_fifty_people_who_read_are_one_statement(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    async with AsyncExitStack() as stack:
        tabs = []
        for number in range(50):
            who = await person(world.database)
            tabs.append(await stack.enter_async_context(world.tab(f"{number}", who, thread_id)))
            await tabs[-1].until_screen(lambda screen: screen.updates > 0)
            tabs[-1].tab.look(is_looking=True)
        for number in range(10):
            said = await say(world, ada, thread_id, f"{number}")
            for tab in tabs:
                await tab.until(f"{said}.0", f"{number}")
        with metered(world.database) as meter:
            await world.services._read_receipts.store()
            written = [statement for statement in meter.statements if "reading" in statement]
            assert len(written) == 1
            assert meter.rows_written == 50


async def test_what_was_read_last_is_stored_at_shutdown(database: Database) -> None:
    ada = await person(database)
    thread_id = await thread(database, ada)
    async with running_world(database) as world, world.tab("ada", ada, thread_id) as tab:
        tab.tab.look(is_looking=True)
        said = await say(world, ada, thread_id, "One")
        await tab.until(f"{said}.0", "One")
    assert await stored(database) == {(ada.user_id, thread_id): 1}


async def test_who_leaves_as_soon_as_they_have_looked_has_read_what_was_there(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as tab:
        said = await say(world, ada, thread_id, "One")
        await tab.until(f"{said}.0", "One")
        tab.tab.look(is_looking=True)  # and the tab ends before it is sent anything more
    await world.services._read_receipts.store()
    assert await stored(world.database) == {(ada.user_id, thread_id): 1}


async def test_a_search_finds_what_is_not_listed_any_more_and_nothing_that_is_not_for_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat_app.threads.thread_views.LISTED", 3)
    ada, noor = await person(world.database), await person(world.database)
    old = await world.services.threads.create(ada, title="The 100% plan_of old")
    private = await world.services.threads.create(ada, title="A private plan", visibility=Visibility.PRIVATE)
    by_link = await world.services.threads.create(ada, title="A plan by link", visibility=Visibility.LINK)
    for number in range(3):
        await world.services.threads.create(ada, title=f"Newer {number}")
    assert old not in {entry.id for entry in await world.services.directory.rows(noor)}

    async def found(who: Identity, words: str) -> set[str]:
        return {entry.id for entry in await world.services.directory.find(who, words)}

    assert await found(noor, "PLAN") == {old}
    assert await found(ada, "plan") == {old, private, by_link}
    assert await found(noor, "old the") == {old}
    assert await found(noor, "0% plan_") == {old}
    assert await found(noor, "1_0%") == set()  # what means "any" in a query is a character like others


async def test_a_list_that_was_read_long_before_it_is_watched_takes_nothing_back(world: World) -> None:
    """A tab reads its list, is slow to say so, and closes: the person's other tab has been told more meanwhile."""
    ada = await person(world.database)
    meeting, private = await thread(world.database, ada), await thread(world.database, ada)
    await world.services.members.set_visibility(ada, private, Visibility.PRIVATE)
    directory = world.services.tabs.directory
    async with world.tab("ada", ada, meeting) as tab, world.database.read() as session:
        await tab.until_screen(lambda screen: private in screen.sidebar)
        long_ago = await thread_views.listed(session, ada.user_id)
        await world.services.threads.rename(ada, private, "Plans")
        await tab.until_screen(lambda screen: screen.sidebar[private].title == "Plans")
        with directory.watched(ada.user_id, slow := lambda _: None):
            directory.seen(slow, long_ago, {})
        await world.services.threads.rename(ada, meeting, "Meeting")
        await tab.until_screen(lambda screen: screen.sidebar[meeting].title == "Meeting")
        assert directory._whole(ada.user_id)[private].title == "Plans"


async def test_the_list_is_read_again_after_its_last_tab_left_as_a_read_began(database: Database) -> None:
    ada, changes = await person(database), asyncio.Queue[Any]()
    sidebar = directory.Directory(database)
    with sidebar.watched(ada.user_id, changes.put_nowait):
        sidebar.deliver([("directory", "", None, None, "1")], 0.0)
    await asyncio.sleep(0)  # the read is cancelled before its first step
    with sidebar.watched(ada.user_id, changes.put_nowait):
        sidebar.seen(changes.put_nowait, [], {})
        new = await thread(database, ada)
        sidebar.deliver([("directory", "", None, None, "2")], 0.0)
        assert new in await asyncio.wait_for(changes.get(), WITHIN)
