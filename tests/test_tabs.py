"""Tabs: the one that asked sees every delta, the others what is stored, and all end with the same text."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from chat_app.data.db import Database
from chat_app.data.models import Message
from chat_app.live import tabs
from chat_app.refusals import ThreadUnknown
from tests.support.people import count, person, thread
from tests.support.world import World, running_world
from tributary_streams import Finish, StreamStatus

pytestmark = pytest.mark.on_both_databases


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database) as world:
        yield world


async def test_the_tab_that_asked_sees_deltas_and_others_see_what_is_stored(database: Database) -> None:
    ada, noor = await person(database), await person(database)
    thread_id = await thread(database, ada)
    async with (
        # Half a sentence is stored at the end alone, however slow the machine is.
        running_world(database, chat_flush_pause=60, chat_flush_age=60) as world,
        world.tab("ada-1", ada, thread_id) as driver,
        world.tab("ada-2", ada, thread_id) as second,
        world.tab("noor", noor, thread_id) as other,
    ):
        name = await world.ask(ada, thread_id, "ada-1")
        source = world.model.source(0)
        source.say("Hel")
        await driver.until(name, "Hel")
        assert name not in second.screen.texts
        assert name not in other.screen.texts

        source.say("lo there. And")
        await driver.until(name, "Hello there. And")
        await second.until(name, "Hello there. ")
        await other.until(name, "Hello there. ")

        source.say(" bye.", Finish())
        for tab in (driver, second, other):
            await tab.until(name, "Hello there. And bye.", "done")


async def test_a_reload_shows_again_what_was_shown_and_goes_on_by_deltas(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as driver:
        name = await world.ask(ada, thread_id, "ada")
        source = world.model.source(0)
        source.say("One. Two and")
        await driver.until(name, "One. Two and")
    async with world.tab("ada", ada, thread_id) as again:
        await again.until(name, "One. Two and")
        assert again.screen.steps[name] == ["One. Two and"]
        source.say(" th")
        await again.until(name, "One. Two and th")
        source.say("ree.", Finish())
        await again.until(name, "One. Two and three.", "done")
    assert len(world.model.asked) == 1


async def test_with_nobody_watching_a_reply_completes(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id):
        name = await world.ask(ada, thread_id, "ada")
    source = world.model.source(0)
    source.say("Nobody is here. ", "Still, it is written.", Finish())
    await source.is_closed.wait()
    async with world.tab("later", ada, thread_id) as later:
        await later.until(name, "Nobody is here. Still, it is written.", "done")


async def test_the_next_tab_of_a_person_whose_tab_is_gone_drives(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada-1", ada, thread_id) as driver:
        name = await world.ask(ada, thread_id, "ada-1")
        source = world.model.source(0)
        source.say("Begun")
        await driver.until(name, "Begun")
    async with world.tab("noor", noor, thread_id) as other, world.tab("ada-2", ada, thread_id) as next_one:
        await next_one.until(name, "Begun")
        source.say(" here")
        await next_one.until(name, "Begun here")
        assert other.screen.texts.get(name, "") in {"", "Begun"}
        source.say(".", Finish())
        await other.until(name, "Begun here.", "done")


async def test_two_replies_at_once_do_not_mix(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as one, world.tab("noor", noor, thread_id) as two:
        names = [await world.ask(ada, thread_id, "ada")]
        await world.model.was_asked(1)
        names.append(await world.ask(noor, thread_id, "noor"))
        await world.model.was_asked(2)
        for number in range(20):
            world.model.source(0).say(f"a{number}. ")
            world.model.source(1).say(f"b{number}. ")
        for number in range(2):
            world.model.source(number).say(Finish())
        for tab in (one, two):
            await tab.until(names[0], "".join(f"a{number}. " for number in range(20)), "done")
            await tab.until(names[1], "".join(f"b{number}. " for number in range(20)), "done")


async def test_a_tab_whose_socket_stands_gets_everything_at_once_when_it_drains(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as driver, world.tab("noor", noor, thread_id) as stuck:
        name = await world.ask(ada, thread_id, "ada")
        source = world.model.source(0)
        source.say("First. ")
        await stuck.until(name, "First. ")
        stuck.is_congested = True
        for number in range(30):
            source.say(f"Sentence {number}. ")
        source.say(Finish())
        text = "First. " + "".join(f"Sentence {number}. " for number in range(30))
        await driver.until(name, text, "done")
        shown = stuck.screen.frames
        stuck.is_congested = False
        await stuck.until(name, text, "done")
        assert stuck.screen.frames <= shown + 2  # one may have been on its way


@pytest.mark.on_both_databases(by="thorough")
async def test_a_tab_that_takes_nothing_holds_up_none_of_twenty_others(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with AsyncExitStack() as stack:
        driver = await stack.enter_async_context(world.tab("ada", ada, thread_id))
        others = [await stack.enter_async_context(world.tab(f"noor-{n}", noor, thread_id)) for n in range(20)]
        stuck = await stack.enter_async_context(world.tab("stuck", noor, thread_id))
        name = await world.ask(ada, thread_id, "ada")
        source = world.model.source(0)
        source.say("First. ")
        await stuck.until(name, "First. ", "streaming")
        stuck.is_congested = True

        said, changes = "First. ", len(stuck.tab._news.messages)
        for number in range(30):
            source.say(f"Sentence {number}. ")
            said += f"Sentence {number}. "
            for tab in (driver, *others):
                await tab.until(name, said)
        assert len(stuck.tab._news.messages) == changes
        assert stuck.tab._texts.keys() == others[0].tab._texts.keys()
        assert not stuck.tab._history
        assert stuck.screen.texts[name] == "First. "

        shown = stuck.screen.frames
        stuck.is_congested = False
        await stuck.until(name, said)
        assert stuck.screen.frames == shown + 1
        source.say(Finish())
        for tab in (driver, *others, stuck):
            await tab.until(name, said, "done")


@pytest.mark.on_both_databases(by="thorough")
@pytest.mark.parametrize("is_read", [True, False], ids=["reported", "never advanced"])
async def test_what_waits_for_a_tab_that_takes_nothing_is_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch, is_read: bool
) -> None:
    monkeypatch.setattr(tabs, "BACKLOG", 10)
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as driver, world.tab("noor", noor, thread_id) as stuck:
        name = await world.ask(ada, thread_id, "ada")
        source = world.model.source(0)
        source.say("Before. And")
        await stuck.until(name, "Before. And")
        if is_read:
            stuck.is_congested = True
        else:
            stuck.may_advance.clear()
        updates = stuck.screen.updates
        said = {}
        for number in range(30):
            posted = await world.services.messages.post(
                ada, thread_id, f"Message {number}", nonce=f"{number}", tab="ada"
            )
            said[f"{posted.message_id}.0"] = f"Message {number}"
            await driver.until(f"{posted.message_id}.0", f"Message {number}")
            assert len(stuck.tab._news.messages) + len(stuck.tab._history) <= 10
        gone = int(next(iter(said)).partition(".")[0])
        await world.services.messages.delete(ada, thread_id, gone)
        source.say(" after.", Finish())
        await driver.until(name, "Before. And after.", "done")
        assert stuck.screen.updates <= updates + 1  # one may have been on its way

        stuck.is_congested = False
        stuck.may_advance.set()
        await stuck.until(name, "Before. And after.", "done")
        del said[f"{gone}.0"]
        for message, text in said.items():
            await stuck.until(message, text)
        assert gone in stuck.screen.gone
        assert "".join(stuck.screen.steps[name]) == "Before. And after."


async def test_stop_by_another_person_is_seen_by_all_and_keeps_the_text(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as driver, world.tab("noor", noor, thread_id) as other:
        name = await world.ask(ada, thread_id, "ada")
        source = world.model.source(0)
        source.say("So far and")
        await driver.until(name, "So far and")
        await world.services.replies.stop(noor, thread_id, int(name.partition(".")[0]))
        await source.is_closed.wait()
        for tab in (driver, other):
            await tab.until(name, "So far and", "stopped")
        await world.services.replies.stop(ada, thread_id, int(name.partition(".")[0]))
        await other.until(name, "So far and", "stopped")


async def test_a_message_is_on_every_screen_and_the_list_of_threads_too(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id, elsewhere = await thread(world.database, ada), await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as one, world.tab("noor", noor, thread_id) as two:
        posted = await world.services.messages.post(noor, thread_id, "Morning 🌊", nonce="draft", tab="noor")
        for tab in (one, two):
            await tab.until(f"{posted.message_id}.0", "Morning 🌊", "")
        unseen = await world.services.messages.post(ada, elsewhere, "Elsewhere", nonce="draft", tab="ada")
        assert f"{unseen.message_id}.0" not in one.screen.texts


async def test_a_tab_is_told_once_who_writes_and_how_its_thread_looks(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("noor", noor, thread_id) as other:
        await other.until_screen(lambda screen: screen.updates > 0)
        for number in range(3):
            posted = await world.services.messages.post(ada, thread_id, f"{number}", nonce=f"draft {number}", tab="")
            await other.until(f"{posted.message_id}.0", f"{number}")
        assert [set(update.people) for update in other.told if update.people] == [{noor.user_id}, {ada.user_id}]
        titles = [update.thread.title for update in other.told if update.thread is not None]
        assert titles == ["", "0"]  # the first message is its title
        await world.services.threads.rename(ada, thread_id, "Harbours")
        await other.until_screen(lambda _: (view := other.told[-1].thread) is not None and view.title == "Harbours")


async def test_an_edit_is_on_every_screen_and_costs_its_own_text_alone(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as one, world.tab("noor", noor, thread_id) as two:
        posted = await world.services.messages.post(noor, thread_id, "Mornign", nonce="draft", tab="noor")
        for tab in (one, two):
            await tab.until(f"{posted.message_id}.0", "Mornign", "")
        await world.services.messages.edit(noor, thread_id, posted.message_id, "Morning")
        for tab in (one, two):
            await tab.until(f"{posted.message_id}.1", "Morning", "")
            assert tab.screen.texts[f"{posted.message_id}.0"] == "Mornign"


async def test_an_unknown_thread_opens_no_tab(world: World) -> None:
    ada = await person(world.database)
    with world.services.tabs.open("ada", ada, "nowhere") as tab, pytest.raises(ThreadUnknown):
        async for _ in tab.updates():
            pass


async def test_the_model_is_never_called_when_the_commit_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)

    async def no_disk(*_: object) -> None:
        raise OSError(28, "no space")

    with monkeypatch.context() as patched:
        patched.setattr("sqlalchemy.ext.asyncio.AsyncSession.flush", no_disk)
        with pytest.raises(OSError, match="no space"):
            await world.ask(ada, thread_id, "ada")

    assert await count(world.database, Message) == 0
    assert world.model.asked == []


async def test_at_shutdown_tails_are_stored_and_the_reply_says_why(database: Database) -> None:
    ada = await person(database)
    thread_id = await thread(database, ada)
    async with running_world(database) as world, world.tab("ada", ada, thread_id) as driver:
        name = await world.ask(ada, thread_id, "ada")
        world.model.source(0).say("Not a sentence")
        await driver.until(name, "Not a sentence")
    message, text = await world.services.messages.text_of(ada, thread_id, int(name.partition(".")[0]), 0)
    assert (text, message.status, message.reason) == ("Not a sentence", StreamStatus.ERROR, "The server restarted.")
