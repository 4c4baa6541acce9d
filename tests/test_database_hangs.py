"""A PostgreSQL that takes connections and never answers: the driver streams on, and all is well when it does again."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import make_url

from chat_app.data.db import Database
from chat_app.people.identity import Identity
from tests.support.people import person, thread
from tests.support.postgres import Postgres
from tests.support.proxy import Proxy
from tests.support.world import WITHIN, OpenTab, World, running_world
from tributary_streams import Finish, flusher

SENTENCES = tuple(f"Sentence {number}. " for number in range(20))


@pytest.fixture
async def proxy(postgres: Postgres) -> AsyncIterator[Proxy]:
    port = make_url(postgres.template).port
    assert port is not None
    async with Proxy.running(port) as proxy:
        yield proxy


@pytest.fixture
async def database(postgres: Postgres, proxy: Proxy) -> AsyncIterator[Database]:
    url = make_url(postgres.new_database()).set(port=proxy.port)
    database = Database(url.render_as_string(hide_password=False))
    yield database
    await database.close()


class Reply:
    """A reply under way, on its driver's tab and on a follower's."""

    def __init__(
        self, world: World, ada: Identity, thread_id: str, name: str, driver: OpenTab, follower: OpenTab
    ) -> None:
        self.world = world
        self.ada = ada
        self.thread_id = thread_id
        self.name = name
        self.driver = driver
        self.follower = follower
        self.said = ""

    async def say(self, *deltas: str) -> None:
        """Let the model say these deltas, each once the driver has seen the one before."""
        for delta in deltas:
            self.world.model.source(0).say(delta)
            self.said += delta
            await self.driver.until(self.name, self.said)

    async def is_given_up(self) -> None:
        """Wait until the model is let go, and both tabs say that what they show is not saved."""
        async with asyncio.timeout(WITHIN):
            await self.world.model.source(0).is_closed.wait()
        for tab in (self.driver, self.follower):
            await tab.until_screen(lambda screen: screen.is_unsaved)
        assert self.driver.screen.texts[self.name] == self.said

    async def is_over(self, status: str) -> None:
        """Wait until both tabs say so, with all the text, and the database has the same."""
        for tab in (self.driver, self.follower):
            await tab.until(self.name, self.said, status)
            await tab.until_screen(lambda screen: not screen.is_unsaved)
        _, text = await self.world.services.messages.text_of(
            self.ada, self.thread_id, int(self.name.partition(".")[0]), 0
        )
        assert text == self.said


@pytest.fixture
async def reply(database: Database) -> AsyncIterator[Reply]:
    """A reply of which "Begun. " is said and stored."""
    ada, noor = await person(database, "Ada"), await person(database, "Noor")
    thread_id = await thread(database, ada)
    async with (
        running_world(database) as world,
        world.tab("ada", ada, thread_id) as driver,
        world.tab("noor", noor, thread_id) as follower,
    ):
        reply = Reply(world, ada, thread_id, await world.ask(ada, thread_id, "ada"), driver=driver, follower=follower)
        await reply.say("Begun. ")
        await follower.until(reply.name, "Begun. ")
        yield reply


async def test_the_driver_streams_on_while_it_hangs_and_all_is_stored_when_it_answers(
    reply: Reply, proxy: Proxy
) -> None:
    proxy.hang()
    await reply.say(*SENTENCES)
    assert reply.follower.screen.texts[reply.name] == "Begun. "

    proxy.go_on()
    reply.world.model.source(0).say(Finish())
    await reply.is_over("done")
    assert not reply.driver.screen.is_unsaved


async def test_a_reply_is_given_up_after_its_time_and_stored_with_its_error_when_it_answers(
    reply: Reply, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flusher, "AWAY_AFTER", 0.5)
    proxy.hang()
    await reply.say("Not saved. ")
    await reply.is_given_up()
    assert reply.follower.screen.texts[reply.name] == "Begun. "

    proxy.go_on()
    await reply.is_over("error")
    assert reply.driver.screen.reasons[reply.name] == "The database was away for too long."


@pytest.mark.chaos
async def test_connections_that_hang_for_ever_are_left_behind(reply: Reply, proxy: Proxy) -> None:
    proxy.hang()
    before = asyncio.get_running_loop().time()
    await reply.say("Not saved. ")
    await reply.is_given_up()
    assert asyncio.get_running_loop().time() - before >= flusher.AWAY_AFTER

    proxy.begin_anew()
    await reply.is_over("error")
