"""Undo: what was deleted is gone for everybody at once, and comes back for whoever deleted it, for a while."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from chat_app.data.db import Database
from chat_app.data.models import Attempt, Deletion, MemberRole, Message, Thread, Visibility
from chat_app.live import directory, tabs
from chat_app.people.identity import Identity
from chat_app.refusals import NotNow, NotPermitted, ThreadUnknown
from chat_app.replies import retention
from chat_app.threads import message_views
from tests.support.people import count, person, thread
from tests.support.world import World, running_world
from tributary_streams import Chunk, Finish, Stream, StreamStatus
from tributary_streams.columns import utc_now

pytestmark = pytest.mark.on_both_databases

DAY = timedelta(days=1)


@pytest.fixture
async def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A server that tells tabs at once."""
    monkeypatch.setattr(directory, "DIRECTORY_EVERY", 0.0)
    monkeypatch.setattr(tabs, "MARKS_EVERY", 0.0)
    async with running_world(database) as world:
        yield world


async def say(world: World, who: Identity, thread_id: str, text: str) -> int:
    """Post a message; return its id."""
    return (await world.services.messages.post(who, thread_id, text, nonce=f"said {text}", tab="")).message_id


async def texts(world: World, who: Identity, thread_id: str) -> list[str]:
    return [message.text for message in (await world.services.messages.newest(who, thread_id))[0]]


async def test_a_deleted_thread_comes_back_with_all_that_was_in_it(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id, meeting = await thread(world.database, ada), await thread(world.database, ada)
    await say(world, ada, thread_id, "Keep me")
    async with world.tab("noor", noor, meeting) as other, world.tab("ada", ada, thread_id) as own:
        await other.until_screen(lambda screen: thread_id in screen.sidebar)
        await own.until_screen(lambda screen: screen.updates > 0)
        await world.services.threads.delete(ada, thread_id)
        await own.until_screen(lambda screen: screen.is_gone)
        await other.until_screen(lambda screen: thread_id not in screen.sidebar)
        with pytest.raises(ThreadUnknown):
            await world.services.threads.find(ada, thread_id)
        await world.services.threads.restore(ada, thread_id)
        await other.until_screen(lambda screen: thread_id in screen.sidebar)
    assert await texts(world, noor, thread_id) == ["Keep me"]


async def test_only_who_may_delete_a_thread_brings_it_back_and_only_what_was_deleted(world: World) -> None:
    ada, noor, mallory = [await person(world.database) for _ in range(3)]
    thread_id = await thread(world.database, ada)
    _, secret = await world.services.members.invite(ada, thread_id, MemberRole.MEMBER, DAY)
    await world.services.members.join(noor, secret)
    with pytest.raises(NotNow):
        await world.services.threads.restore(ada, thread_id)
    await world.services.threads.delete(ada, thread_id)
    for who in (noor, mallory):
        with pytest.raises(NotNow):
            await world.services.threads.restore(who, thread_id)
    assert await count(world.database, Thread) == 1
    await world.cleared()
    with pytest.raises(NotNow):
        await world.services.threads.restore(ada, thread_id)
    assert await count(world.database, Thread) == 0


async def test_a_deleted_message_is_told_to_nobody_and_comes_back_in_its_place(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    first, second, third = [await say(world, noor, thread_id, text) for text in ("One", "Two", "Three")]
    async with world.tab("ada", ada, thread_id) as tab:
        await tab.until(f"{third}.0", "Three")
        await world.services.messages.delete(noor, thread_id, second)
        await tab.until_screen(lambda screen: second in screen.gone)
        async with world.tab("late", ada, thread_id) as late:
            await late.until(f"{third}.0", "Three")
            await say(world, ada, thread_id, "Four")  # what has changed since is read anew
            await late.until_screen(lambda screen: "Four" in screen.texts.values())
            assert f"{second}.0" not in late.screen.texts
        assert await texts(world, ada, thread_id) == ["One", "Three", "Four"]
        async with world.database.read() as session:  # as a page is told that lacks the message
            changed = {each.id: each for each in await message_views.messages_changed_since(session, thread_id, 0)}
        assert (changed[second].is_deleted, changed[second].text, changed[second].length) == (True, "", 0)

        with pytest.raises(NotNow):  # not even its thread's owner: it was not theirs to delete
            await world.services.messages.restore(ada, thread_id, second)
        await world.services.messages.restore(noor, thread_id, second)
        assert await texts(world, ada, thread_id) == ["One", "Two", "Three", "Four"]
        async with world.tab("later", ada, thread_id) as later:
            await later.until(f"{second}.0", "Two")
    assert first < second


async def test_who_may_write_no_more_brings_nothing_back(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id, elsewhere = await thread(world.database, ada), await thread(world.database, ada)
    said = await say(world, noor, thread_id, "Mine")
    await world.services.messages.delete(noor, thread_id, said)
    with pytest.raises(NotNow):
        await world.services.messages.restore(noor, elsewhere, said)
    await world.services.members.set_visibility(ada, thread_id, Visibility.PRIVATE)
    with pytest.raises(ThreadUnknown):
        await world.services.messages.restore(noor, thread_id, said)
    _, secret = await world.services.members.invite(ada, thread_id, MemberRole.VIEWER, DAY)
    await world.services.members.join(noor, secret)
    with pytest.raises(NotPermitted):
        await world.services.messages.restore(noor, thread_id, said)


async def test_a_reply_deleted_in_mid_stream_comes_back_stopped_with_the_text_it_had(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as tab:
        name = await world.ask(ada, thread_id, "ada")
        reply = int(name.partition(".")[0])
        source = world.model.source(0)
        source.say("So far and")
        await tab.until(name, "So far and")
        await world.services.messages.delete(ada, thread_id, reply)
        await tab.until_screen(lambda screen: reply in screen.gone)
        await source.is_closed.wait()
        await world.written()
        await world.services.messages.restore(ada, thread_id, reply)
        await tab.until(name, "So far and", "stopped")
    message, text = await world.services.messages.text_of(ada, thread_id, reply, 0)
    assert (message.status, text) == (StreamStatus.STOPPED, "So far and")


async def test_clearing_a_thread_leaves_nothing_to_undo(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    said = await say(world, ada, thread_id, "Gone")
    await world.services.messages.delete(ada, thread_id, said)
    await world.services.threads.clear(ada, thread_id)
    with pytest.raises(NotNow):
        await world.services.messages.restore(ada, thread_id, said)
    assert await count(world.database, Deletion) == 0
    async with world.database.read() as session:
        assert (await session.get_one(Message, said)).text == ""


async def test_what_can_be_undone_outlives_a_restart_and_what_cannot_does_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await person(database)
    thread_id, other = await thread(database, ada), await thread(database, ada)
    async with running_world(database) as world:
        world.model.source(0).say("A reply.", Finish())
        name = await world.ask(ada, thread_id, "ada")
        reply = int(name.partition(".")[0])
        await world.written()
        await world.services.messages.delete(ada, thread_id, reply)
        await world.services.threads.delete(ada, other)
    async with running_world(database) as world:
        await world.services.threads.restore(ada, other)
        await world.services.messages.restore(ada, thread_id, reply)
        assert (await texts(world, ada, thread_id))[1] == "A reply."
        await world.services.messages.delete(ada, thread_id, reply)
        await world.services.threads.delete(ada, other)
    monkeypatch.setattr(retention, "UNDO_FOR", timedelta(0))
    async with running_world(database) as world:
        await asyncio.gather(*(task for task in world.services._aside if task.get_name().startswith("clearing")))
        left = [await count(database, table) for table in (Attempt, Stream, Chunk, Deletion)]
        assert (left, await count(database, Thread)) == ([0, 0, 0, 0], 1)


async def test_what_was_deleted_goes_when_its_time_is_over_and_not_before(world: World) -> None:
    ada = await person(world.database)
    early, late = await thread(world.database, ada), await thread(world.database, ada)
    for thread_id in (early, late):
        await world.services.threads.delete(ada, thread_id)
    async with world.database.write() as session:
        (await session.get_one(Thread, early)).deleted = utc_now() - 2 * retention.UNDO_FOR
    async with world.database.read() as session:
        due = (await session.get_one(Thread, late)).deleted
    assert await world.services._retention.clear(retention.UNDO_FOR) == due
    assert await count(world.database, Thread) == 1
