"""Attempts: retry keeps what was, continue goes on from it, delete takes it away, and turns are taken in order."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlmodel import col, select

from chat_app.data.db import Database
from chat_app.data.models import Attempt, Member, Message, Thread
from chat_app.refusals import NotNow, NotPermitted, ThreadUnknown
from chat_app.replies.context import GO_ON
from chat_app.replies.place_notices import waiting_at
from chat_app.threads import messages
from tests.support.people import count, person, thread
from tests.support.world import World, running_world
from tributary_streams import Chunk, Finish, SourceError, Stream, StreamStatus, utc_now

pytestmark = pytest.mark.on_both_databases


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database) as world:
        yield world


def id_of(name: str) -> int:
    return int(name.partition(".")[0])


async def test_retry_is_a_new_version_and_the_earlier_one_can_be_looked_at(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as tab, world.tab("noor", noor, thread_id) as other:
        name = await world.ask(ada, thread_id, "ada")
        world.model.source(0).say("First try. ", SourceError("It broke."))
        await tab.until(name, "First try. ", "error")

        await world.services.replies.retry(noor, thread_id, id_of(name), tab="noor")
        again = f"{id_of(name)}.2"
        world.model.source(1).say("Second")
        await other.until(again, "Second")  # who asks drives
        world.model.source(1).say(" try.", Finish())
        for each in (tab, other):
            await each.until(again, "Second try.", "done")

        message, text = await world.services.replies.version_of(ada, thread_id, id_of(name), 1)
        assert (message.text, text) == ("Second try.", "First try. ")


async def test_continue_goes_on_from_the_partial_text_and_sends_it_nobody_twice(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as tab:
        name = await world.ask(ada, thread_id, "ada")
        world.model.source(0).say("Once upon", SourceError("It broke."))
        await tab.until(name, "Once upon", "error")

        await world.services.replies.continue_reply(ada, thread_id, id_of(name), tab="ada")
        world.model.source(1).say(" a time.")
        await tab.until(name, "Once upon a time.", "streaming")
        assert "".join(tab.screen.steps[name]) == "Once upon a time."
        assert [turn.text for turn in world.model.asked[1][-2:]] == ["Once upon", GO_ON]

        async with world.tab("late", ada, thread_id) as late:
            await late.until_screen(lambda screen: screen.texts.get(name, "").startswith("Once upon"))
            world.model.source(1).say(" The end.", Finish())
            for each in (tab, late):
                await each.until(name, "Once upon a time. The end.", "done")
    message, text = await world.services.messages.text_of(ada, thread_id, id_of(name), 10)
    assert (text, message.length, message.base) == ("a time. The end.", 26, 9)


async def test_of_twenty_retries_at_once_one_begins(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    name = await world.ask(ada, thread_id, "ada")
    world.model.source(0).say("No.", Finish())
    async with world.tab("ada", ada, thread_id) as tab:
        await tab.until(name, "No.", "done")
        world.model.source(1).say("Yes.")
        begun = await asyncio.gather(
            *(world.services.replies.retry(ada, thread_id, id_of(name), tab="ada") for _ in range(20)),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in begun if isinstance(outcome, Exception)] == [NotNow] * 19
        await tab.until(f"{id_of(name)}.2", "Yes.")
        assert len(world.model.asked) == 2


async def test_a_complete_reply_has_nothing_to_continue_and_a_live_one_not_either(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as tab:
        name = await world.ask(ada, thread_id, "ada")
        with pytest.raises(NotNow):
            await world.services.replies.continue_reply(ada, thread_id, id_of(name), tab="ada")
        world.model.source(0).say("All.", Finish())
        await tab.until(name, "All.", "done")
        with pytest.raises(NotNow):
            await world.services.replies.continue_reply(ada, thread_id, id_of(name), tab="ada")


async def test_a_reply_that_was_cut_off_by_its_length_can_go_on(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as tab:
        name = await world.ask(ada, thread_id, "ada")
        world.model.source(0).say("Long", Finish("Cut off at the length limit."))
        await tab.until(name, "Long", "done")
        await world.services.replies.continue_reply(ada, thread_id, id_of(name), tab="ada")
        world.model.source(1).say("er.", Finish())
        await tab.until(name, "Longer.", "done")


async def test_a_message_deleted_in_mid_stream_vanishes_everywhere_and_leaves_no_rows(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as tab, world.tab("noor", noor, thread_id) as other:
        name = await world.ask(ada, thread_id, "ada")
        source = world.model.source(0)
        source.say("A sentence. And more")
        await other.until_screen(lambda screen: screen.texts.get(name, "").startswith("A sentence. "))
        with pytest.raises(NotPermitted):
            await world.services.messages.delete(noor, thread_id, id_of(name))

        await world.services.messages.delete(ada, thread_id, id_of(name))

        await source.is_closed.wait()
        for each in (tab, other):
            await each.until_screen(lambda screen: id_of(name) in screen.gone)
    await world.cleared()
    assert [await count(world.database, table) for table in (Stream, Chunk, Attempt)] == [0, 0, 0]


async def test_a_thread_deleted_in_mid_stream_is_gone_for_all_and_leaves_no_rows(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id, kept = await thread(world.database, ada), await thread(world.database, noor)
    async with world.tab("ada", ada, thread_id) as tab, world.tab("noor", noor, thread_id) as other:
        name = await world.ask(ada, thread_id, "ada")
        source = world.model.source(0)
        source.say("A sentence. And more")
        await other.until_screen(lambda screen: screen.texts.get(name, "").startswith("A sentence. "))
        with pytest.raises(NotPermitted):
            await world.services.threads.delete(noor, thread_id)

        await world.services.threads.delete(ada, thread_id)

        await source.is_closed.wait()
        for each in (tab, other):
            await each.until_screen(lambda screen: screen.is_gone)
        with pytest.raises(ThreadUnknown):
            await world.ask(noor, thread_id, "noor", "Hello?")
    await world.cleared()
    left = [await count(world.database, table) for table in (Stream, Chunk, Attempt, Message, Thread, Member)]
    assert left == [0, 0, 0, 0, 1, 1]
    assert await world.services.threads.home(noor, "noor") == kept


async def test_what_a_dead_server_had_not_cleared_is_cleared_at_the_next_start(database: Database) -> None:
    ada = await person(database)
    thread_id = await thread(database, ada)
    async with database.write() as session:
        await messages.post(session, thread_id, ada.user_id, "@gpt hi", nonce="nonce", tab="", model="")
        (await session.get_one(Thread, thread_id)).deleted = utc_now()
    async with running_world(database) as world:
        await world.cleared()
    assert [await count(database, table) for table in (Stream, Attempt, Message, Thread)] == [0, 0, 0, 0]


@pytest.mark.on_both_databases(by="thorough")
async def test_replies_beyond_the_limit_wait_in_order_and_say_so(database: Database) -> None:
    async with running_world(database, chat_replies_per_person=1, chat_replies_at_once=2) as world:
        ada, noor, max_ = [await person(database) for _ in range(3)]
        thread_id = await thread(database, ada)
        async with world.tab("ada", ada, thread_id) as tab:
            first = await world.ask(ada, thread_id, "ada", "@gpt 1")
            await world.model.was_asked(1)
            second = await world.ask(ada, thread_id, "ada", "@gpt 2")
            await tab.until_screen(lambda screen: screen.reasons.get(second) == waiting_at(1))
            third = await world.ask(noor, thread_id, "noor", "@gpt 3")  # hers is free: she passes
            await world.model.was_asked(2)
            fourth = await world.ask(max_, thread_id, "max", "@gpt 4")
            await tab.until_screen(lambda screen: screen.reasons.get(fourth) == waiting_at(2))

            world.model.source(0).say("One.", Finish())
            await world.model.was_asked(3)
            assert world.model.asked[2][-1].text == "@gpt 2"
            await tab.until_screen(lambda screen: screen.reasons.get(second) == "")
            await tab.until_screen(lambda screen: screen.reasons.get(fourth) == "Waiting: next in line.")
            for number, (name, text) in enumerate(((third, "Three."), (second, "Two.")), 1):
                world.model.source(number).say(text, Finish())
                await tab.until(name, text, "done")
            await world.model.was_asked(4)
            world.model.source(3).say("Four.", Finish())
            await tab.until(fourth, "Four.", "done")
            await tab.until(first, "One.", "done")


async def test_a_model_that_is_waited_for_says_so_until_it_goes_on(database: Database) -> None:
    busy = "The model is busy; trying again in 7 s."
    # No sign of life is due meanwhile, with which it would be told anyway.
    async with running_world(database, chat_lease_renew=600, chat_lease_expiry=3600) as world:
        ada, noor = [await person(database) for _ in range(2)]
        thread_id = await thread(database, ada)
        async with world.tab("ada", ada, thread_id) as driver, world.tab("noor", noor, thread_id) as follower:
            tabs = (driver, follower)
            reply = await world.ask(ada, thread_id, "ada")
            await world.model.was_asked(1)
            (on_wait,) = world.model.on_wait
            for reason in (busy, "", busy):
                on_wait(reason)
                for tab in tabs:
                    await tab.until_screen(
                        lambda screen, reason=reason: (
                            (screen.statuses.get(reply), screen.reasons.get(reply)) == ("streaming", reason)
                        )
                    )

            on_wait("")
            world.model.source(0).say("Here. ")
            for tab in tabs:
                await tab.until_screen(
                    lambda screen: screen.texts.get(reply) == "Here. " and screen.reasons.get(reply) == ""
                )
            on_wait(busy)
            await world.services.replies.stop(ada, thread_id, int(reply.partition(".")[0]))
            on_wait(busy)
            for tab in tabs:
                await tab.until_screen(lambda screen: screen.reasons.get(reply) == "Stopped.")
                await tab.until(reply, "Here. ", "stopped")


async def test_who_waits_is_not_lost_over_a_restart(database: Database) -> None:
    ada = await person(database)
    thread_id = await thread(database, ada)
    async with running_world(database, chat_replies_per_person=1) as world:
        await world.ask(ada, thread_id, "ada", "@gpt 1")
        await world.model.was_asked(1)
        waiting = await world.ask(ada, thread_id, "ada", "@gpt 2")
    impatient = {"chat_lease_renew": 0.5, "chat_lease_expiry": 1.1, "chat_sweep_every": 0.5}
    async with (
        running_world(database, chat_replies_per_person=1, **impatient) as world,
        world.tab("ada", ada, thread_id) as tab,
    ):
        await world.model.was_asked(1)
        assert world.model.asked[0][-1].text == "@gpt 2"
        world.model.source(0).say("At last.", Finish())
        await tab.until(waiting, "At last.", "done")


async def test_who_waits_can_be_stopped(database: Database) -> None:
    async with running_world(database, chat_replies_at_once=1) as world:
        ada = await person(database)
        thread_id = await thread(database, ada)
        async with world.tab("ada", ada, thread_id) as tab:
            first = await world.ask(ada, thread_id, "ada", "@gpt 1")
            waiting = await world.ask(ada, thread_id, "ada", "@gpt 2")
            await tab.until(waiting, status="pending")
            await world.services.replies.stop(ada, thread_id, id_of(waiting))
            await tab.until(waiting, status="stopped")
            world.model.source(0).say("One.", Finish())
            await tab.until(first, "One.", "done")
        assert len(world.model.asked) == 1


async def test_what_a_reply_took_is_kept_and_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    caplog.set_level("INFO", logger="chat_app.replies.writers")
    async with world.tab("ada", ada, thread_id) as tab, world.tab("noor", noor, thread_id) as other:
        name = await world.ask(ada, thread_id, "ada")
        source = world.model.source(0)
        for sentence in ("One. ", "Two. ", "Three. "):
            source.say(*sentence)
            await other.until_screen(lambda screen, so_far=sentence: screen.texts.get(name, "").endswith(so_far))
        source.say(Finish())
        await tab.until(name, "One. Two. Three. ", "done")
    async with world.database.read() as session:
        stream = (await session.execute(select(Stream).order_by(col(Stream.created)))).scalar_one()
    assert (stream.deltas, stream.chunks, stream.length) == (17, 3, 17)
    assert 1 <= stream.rows_read <= 3
    assert stream.first_delta is not None
    assert stream.status is StreamStatus.DONE
    await world.written()
    (line,) = [record.message for record in caplog.records if record.name == "chat_app.replies.writers"]
    assert f'"stream": "{stream.id}"' in line
    assert '"deltas": 17' in line
