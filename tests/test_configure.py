"""A thread's settings: which messages its next replies answer, by which model, and in what pieces others get them."""

from collections.abc import AsyncIterator

import pytest

from chat_app.data.db import Database
from chat_app.data.models import ReplyMode, ThreadSettings
from chat_app.people.identity import Identity
from chat_app.refusals import SettingRefused
from tests.support.people import person, thread
from tests.support.world import World, running_world, settings
from tributary_streams import Finish

MODELS = {"openai_model": "small", "chat_models": "large, larger"}


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database, **MODELS) as world:
        yield world


async def asks(world: World, who: Identity, thread_id: str, text: str) -> bool:
    """Whether a message is answered; the reply ends at once."""
    number = len(world.model.asked)
    world.model.source(number).say("Yes.", Finish())
    posted = await world.services.messages.post(who, thread_id, text, nonce=f"said {text}", tab="")
    await world.written()
    return posted.stream_id is not None


async def test_the_ai_answers_what_the_thread_says_from_the_next_message_on(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    assert not await asks(world, ada, thread_id, "Anybody?")
    await world.services.threads.configure(ada, thread_id, {"reply_mode": "always"})
    assert await asks(world, ada, thread_id, "Somebody?")
    await world.services.threads.configure(ada, thread_id, {"reply_mode": "mention"})
    assert not await asks(world, ada, thread_id, "And now?")


async def test_the_model_that_answers_is_the_threads_while_the_server_offers_it(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    await asks(world, ada, thread_id, "@gpt one")
    await world.services.threads.configure(ada, thread_id, {"model": "larger"})
    await asks(world, ada, thread_id, "@gpt two")
    assert world.model.models == ["", "larger"]
    with pytest.raises(SettingRefused):
        await world.services.threads.configure(ada, thread_id, {"model": "huge"})
    with pytest.raises(SettingRefused):
        await world.services.threads.create(ada, settings=ThreadSettings(model="huge"))
    async with running_world(world.database) as later:  # where there is one model alone
        await asks(later, ada, thread_id, "@gpt three")
        assert later.model.models == [""]


async def test_a_setting_leaves_the_others_as_they_are(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    for changed in ({"model": "larger"}, {"reply_mode": "always"}, {"granularity": "word"}):
        await world.services.threads.configure(ada, thread_id, changed)
    set_now = (await world.services.threads.find(ada, thread_id)).settings
    assert set_now == ThreadSettings(reply_mode=ReplyMode.ALWAYS, model="larger", granularity="word")


@pytest.mark.parametrize(
    "changed",
    [
        {"title": "Mine"},
        {"owner_id": "1"},
        {"visibility": "open"},
        {"nothing": "x"},
        {"granularity": "letter"},
        {"reply_mode": "never"},
        {"model": "x" * 121},
    ],
    ids=lambda changed: next(iter(changed)),
)
async def test_what_is_no_setting_or_cannot_be_its_value_is_refused(world: World, changed: dict[str, str]) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    before = await world.services.threads.find(ada, thread_id)
    with pytest.raises(SettingRefused):
        await world.services.threads.configure(ada, thread_id, changed)
    assert await world.services.threads.find(ada, thread_id) == before


async def test_others_get_a_reply_in_the_pieces_that_the_thread_says(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await world.services.threads.create(ada, settings=ThreadSettings(granularity="word"))
    async with world.tab("ada", ada, thread_id), world.tab("noor", noor, thread_id) as follower:
        name = await world.ask(ada, thread_id, "ada")
        world.model.source(0).say("One two thr")
        await follower.until(name, "One two ")
        world.model.source(0).say("ee", Finish())
        await follower.until(name, "One two three", "done")


def test_the_models_on_offer_are_the_servers_own_and_those_besides() -> None:
    assert settings(**MODELS).models == ("small", "large", "larger")
    assert settings(openai_model="small", chat_models="small,small").models == ("small",)
    assert settings(openai_api_key=None, chat_models="large").models == ()
