"""Presence: who is here and who is typing, told to a thread's tabs now and then, and to no database ever."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from itertools import pairwise

import pytest

from chat_app.data.db import Database
from chat_app.data.models import Visibility
from chat_app.live import directory, presence, tabs
from chat_app.live.presence import Crowd, PresenceTracker
from chat_app.people.identity import Identity, session_of
from chat_app.state import Presence as PresenceState
from chat_app.threads.access import Verb
from tests.support.meter import metered
from tests.support.people import person, thread
from tests.support.virtual_time import VirtualTimeLoop, run_in_virtual_time
from tests.support.world import OpenTab, World, running_world

MINUTE = 60.0


def somebody(number: int) -> Identity:
    return Identity(number, f"Amber Otter {number}", number % 360)


class Listener:
    """A tab that remembers what it was told, and when."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.told: list[tuple[float, Crowd]] = []

    def __call__(self, crowd: Crowd) -> None:
        self.told.append((self.loop.time(), crowd))

    @property
    def now(self) -> Crowd:
        return self.told[-1][1]


def names(crowd: Crowd) -> list[int]:
    return [each.id for each in crowd.people]


def bytes_of(state: PresenceState) -> int:
    """What the page's socket carries of what has changed: the frame that Reflex writes for it."""
    delta = state.get_delta()
    state._clean()
    return len(f'42/_event,["event",{json.dumps({"delta": delta}, ensure_ascii=False)}]') if delta else 0


def test_people_are_named_once_however_many_tabs_and_a_reload_is_no_leaving() -> None:
    async def story(loop: VirtualTimeLoop) -> None:
        here, told = PresenceTracker(), Listener(loop)
        with here.here("t", somebody(1), told) as crowd:
            assert (names(crowd), crowd.count, crowd.tabs) == ([1], 1, 1)
            with here.here("t", somebody(2), Listener(loop)), here.here("t", somebody(2), Listener(loop)):
                await asyncio.sleep(presence.TOLD_EVERY * 2)
                assert (names(told.now), told.now.count, told.now.tabs) == ([1, 2], 2, 3)
            await asyncio.sleep(presence.LINGERS / 2)
            with here.here("t", somebody(2), Listener(loop)):
                await asyncio.sleep(presence.LINGERS * 2)
                assert all(crowd.count == 2 for _, crowd in told.told[1:])
            await asyncio.sleep(presence.LINGERS * 2)
            assert (names(told.now), told.now.count, told.now.tabs) == ([1], 1, 1)
        assert here._threads == {}

    run_in_virtual_time(story)


def test_typing_ends_by_itself_when_sent_and_when_the_typist_leaves() -> None:
    async def story(loop: VirtualTimeLoop) -> None:
        here, told = PresenceTracker(), Listener(loop)
        with ExitStack() as stack:
            stack.enter_context(here.here("t", somebody(1), told))
            for number in (2, 3, 4):
                stack.enter_context(here.here("t", somebody(number), Listener(loop)))
            leaving = stack.enter_context(ExitStack())
            leaving.enter_context(here.here("t", somebody(5), Listener(loop)))
            for number in (2, 3, 4, 5, 99):
                here.type("t", number)
            here.type("elsewhere", 2)
            await asyncio.sleep(3)
            assert [each.id for each in told.now.typing] == [2, 3, 4, 5]
            here.type("t", 2)
            here.stop_typing("t", 3)
            leaving.close()
            await asyncio.sleep(presence.TOLD_EVERY + 1)
            assert [each.id for each in told.now.typing] == [2, 4]
            await asyncio.sleep(2)
            assert [each.id for each in told.now.typing] == [2]
            await asyncio.sleep(presence.TYPING_LASTS)
            assert told.now.typing == ()

    run_in_virtual_time(story)


def test_twenty_are_named_and_the_others_counted_and_twenty_can_be_seen_typing() -> None:
    async def story(loop: VirtualTimeLoop) -> None:
        here, told = PresenceTracker(), Listener(loop)
        with ExitStack() as stack:
            stack.enter_context(here.here("t", somebody(1), told))
            for number in range(2, 31):
                stack.enter_context(here.here("t", somebody(number), Listener(loop)))
                here.type("t", number)
            await asyncio.sleep(presence.TOLD_EVERY * 2)
            assert (len(told.now.people), told.now.count, len(told.now.typing)) == (20, 30, 20)
            here.rename(1, "Another Name", 7)
            await asyncio.sleep(MINUTE)
            assert (told.now.people[0].name, told.now.people[0].hue) == ("Another Name", 7)

    run_in_virtual_time(story)


@pytest.mark.parametrize("leave", [False, True], ids=["who stay", "who come and go"])
def test_a_thousand_joins_in_a_minute_cost_a_tab_10_kb_at_most(leave: bool) -> None:
    async def story(loop: VirtualTimeLoop) -> None:
        here, told = PresenceTracker(), Listener(loop)
        with ExitStack() as stack:
            stack.enter_context(here.here("t", somebody(0), told))
            for number in range(1, 1001):
                with ExitStack() as guest:
                    guest.enter_context(here.here("t", somebody(number), Listener(loop)))
                    await asyncio.sleep(MINUTE / 1000)
                    if not leave:
                        stack.push(guest.pop_all())
            assert told.now.count > 20
            moments = [at for at, _ in told.told if at <= MINUTE]
            assert all(later - sooner >= presence.TOLD_EVERY for sooner, later in pairwise(moments))
        state = PresenceState(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]  # as Reflex makes one
        sent = 0
        for _, crowd in told.told:
            state._show(crowd, 0)
            sent += bytes_of(state)
        assert 500 < sent <= 10_000

    run_in_virtual_time(story)


@pytest.fixture
async def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A server that tells at once."""
    monkeypatch.setattr(presence, "TOLD_EVERY", 0.0)
    monkeypatch.setattr(presence, "GATHER", 0.0)
    monkeypatch.setattr(presence, "TYPING_LASTS", 3600.0)
    monkeypatch.setattr(tabs, "MARKS_EVERY", 0.0)
    async with running_world(database) as world:
        yield world


def typing(tab: OpenTab) -> set[int]:
    return {each.id for each in tab.screen.crowd.typing}


async def test_typing_is_seen_by_the_others_until_it_is_sent_and_wakes_no_database(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(world.tab("ada", ada, thread_id))
        typists = [await person(world.database) for _ in range(20)]
        opened = [await stack.enter_async_context(world.tab(f"{who.user_id}", who, thread_id)) for who in typists]
        await reader.until_screen(lambda screen: screen.crowd.count == 21)
        for tab in opened:
            await tab.until_screen(lambda screen: screen.updates > 0)
        with metered(world.database) as meter:
            for _ in range(5):
                for tab in opened:
                    tab.tab.type()
                await reader.until_screen(lambda _: typing(reader) == {who.user_id for who in typists})
            # One for each who types would be a hundred; a tick more, and what it leads to, is the moment's.
            assert len(meter.statements) < 10
            assert meter.rows_written == 0
        await world.services.messages.post(typists[0], thread_id, "Here it is", nonce="sent it", tab="")
        await reader.until_screen(lambda _: typing(reader) == {who.user_id for who in typists[1:]})


async def test_who_may_not_write_is_not_seen_typing(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as reader, world.tab("noor", noor, thread_id) as stranger:
        await reader.until_screen(lambda screen: screen.crowd.count == 2)
        await stranger.until_screen(lambda screen: Verb.POST in screen.may)
        await world.services.members.set_visibility(ada, thread_id, Visibility.PRIVATE)
        await stranger.until_screen(lambda screen: screen.is_gone)
        stranger.tab.type()
        reader.tab.type()
        await reader.until_screen(lambda _: typing(reader) == {ada.user_id})


async def test_marks_of_all_kinds_come_together_and_not_more_often_than_they_may(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the loop's clock: whatever happens meanwhile, two updates with marks are so far apart."""
    monkeypatch.setattr(tabs, "MARKS_EVERY", 0.5)  # not its 2 seconds, for all of them are waited for
    monkeypatch.setattr(directory, "DIRECTORY_EVERY", 0.0)
    async with running_world(database) as world:
        ada, noor = await person(database), await person(database)
        here, there = await thread(database, ada), await thread(database, ada)
        async with world.tab("noor", noor, here) as tab:
            await tab.until_screen(lambda screen: screen.updates > 0)
            for number in range(3):
                tab.tab._crowd_changed(Crowd(count=number + 2))
                await world.services.threads.rename(ada, there, f"Title {number}")
                await tab.until_screen(lambda screen, title=f"Title {number}": (there, title) in screen.directory)
            moments = tab.screen.marked_at
            assert len(moments) >= 3
            apart = [later - sooner for sooner, later in pairwise(moments)]
            assert min(apart) >= tabs.MARKS_EVERY
            assert tab.screen.crowd.count == 4


async def test_a_tab_is_found_by_its_name_and_its_browser_together(world: World) -> None:
    cookie, other = f"tributary={'a' * 43}", f"tributary={'b' * 43}"
    ada, mallory = await world.services.people.recognise(cookie), await world.services.people.recognise(other)
    thread_id = await thread(world.database, ada)
    assert session_of(cookie) == ada.session != mallory.session
    with world.services.tabs.open("ada", ada, thread_id) as tab:
        assert world.services.tabs.find("ada", session_of(cookie)) is tab
        assert world.services.tabs.find("ada", session_of(other)) is None
        assert world.services.tabs.find("ada", session_of("")) is None
        assert world.services.tabs.find("another", session_of(cookie)) is None
    assert world.services.tabs.find("ada", session_of(cookie)) is None
