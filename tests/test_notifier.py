"""The notifier: what one process commits, another one sees at once, and without the notifier a tick later."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text as sql

from chat_app.data.db import Database
from chat_app.live import notifier
from chat_app.live.notifier import Notifier
from chat_app.threads import messages
from tests.support.meter import Meter, metered
from tests.support.people import person, thread
from tests.support.postgres import Postgres
from tests.support.world import WITHIN, World, running_world
from tributary_streams import StreamId, tailer

LISTENERS = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


@dataclass
class Two:
    """Two servers on one PostgreSQL."""

    here: World
    there: World

    async def cut_off(self) -> int:
        """End the connections that listen, as a restart of the server or a firewall does; how many there were."""
        async with self.here.database.read() as session:
            return len((await session.execute(sql(f"SELECT pg_terminate_backend(pid) {LISTENERS}"))).all())

    async def listen(self, count: int = 2) -> None:
        """Wait until so many connections listen."""
        async with asyncio.timeout(WITHIN):
            while True:
                async with self.here.database.read() as session:
                    if (await session.execute(sql(f"SELECT count(*) {LISTENERS}"))).scalar_one() == count:
                        return
                await asyncio.sleep(0.02)


@asynccontextmanager
async def two_servers(url: str, **values: Any) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        worlds: list[World] = []
        for _ in range(2):
            database = Database(url)
            stack.push_async_callback(database.close)
            worlds.append(await stack.enter_async_context(running_world(database, **values)))
        yield Two(*worlds)


@pytest.fixture
def no_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks by themselves."""
    for pace in ("ELSEWHERE", "HERE", "IDLE"):
        monkeypatch.setattr(tailer, pace, 3600.0)


async def read_and_stop(two: Two) -> None:
    """Write a reply in one process and let somebody read and stop it in the other."""
    ada = await person(two.here.database)
    thread_id = await thread(two.here.database, ada)
    async with two.here.tab("ada", ada, thread_id), two.there.tab("other", ada, thread_id) as other:
        await other.until_screen(lambda screen: screen.updates > 0)
        name = await two.here.ask(ada, thread_id, "ada")
        source = two.here.model.source(len(two.here.model.asked))
        source.say("One. ")
        await other.until(name, "One. ", "streaming")
        source.say("Two. ")
        await other.until(name, "One. Two. ")

        await two.there.services.replies.stop(ada, thread_id, int(name.partition(".")[0]))

        await other.until(name, "One. Two. ", "stopped")
        await two.here.written()


@pytest.mark.usefixtures("no_tick")
async def test_what_another_process_writes_and_asks_for_is_heard_without_a_tick(postgres: Postgres) -> None:
    async with two_servers(postgres.new_database()) as two:
        await two.listen()
        await read_and_stop(two)


@pytest.mark.usefixtures("no_tick")
async def test_who_was_cut_off_listens_again_and_looks_at_once(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notifier, "AGAIN_AFTER", 0.05)
    async with two_servers(postgres.new_database()) as two:
        await two.listen()
        ada = await person(two.here.database)
        thread_id = await thread(two.here.database, ada)
        async with two.there.tab("other", ada, thread_id) as other:
            await other.until_screen(lambda screen: screen.updates > 0)
            async with two.here.database.write() as session:  # nobody is notified
                await messages.post(session, thread_id, ada.user_id, "News", nonce="1", tab="", model="")
            with caplog.at_level(logging.WARNING, notifier.__name__):
                assert await two.cut_off() == 2
                await other.until_screen(lambda screen: "News" in screen.texts.values())
        await two.listen()
        assert "other processes are not heard" in caplog.text
        await read_and_stop(two)


async def test_a_process_that_hears_nothing_sees_it_by_its_tick(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf_and_dumb(_: Notifier) -> None:
        """No notifier in this server."""

    monkeypatch.setattr(Notifier, "run", deaf_and_dumb)
    async with two_servers(postgres.new_database()) as two:
        await read_and_stop(two)


class Ear:
    """Counts how often a process was told to look."""

    def __init__(self) -> None:
        self.looks = 0
        self._has_heard = asyncio.Event()

    def hear(self) -> None:
        self.looks += 1
        self._has_heard.set()

    async def heard(self) -> None:
        """Wait for the next time."""
        await self._has_heard.wait()
        self._has_heard.clear()


@asynccontextmanager
async def notifying(database: Database, ear: Ear, *watched: StreamId) -> AsyncIterator[Notifier]:
    one = Notifier(database, concerns=lambda ids: not set(watched).isdisjoint(ids), on_notice=ear.hear)
    async with asyncio.timeout(WITHIN), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(one.run())
        await ear.heard()  # it looks once when it begins to listen
        yield one
        running.cancel()


def notices(meter: Meter) -> int:
    return sum("pg_notify" in statement for statement in meter.statements)


async def test_many_commits_are_one_notice_and_wake_only_whom_they_concern(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.new_database()
    here, there = Database(url), Database(url)
    mine, ours, theirs = StreamId("mine"), StreamId("ours"), StreamId("theirs")
    monkeypatch.setattr(notifier, "EVERY", 0.0)
    ear_here, ear_there = Ear(), Ear()
    async with notifying(here, ear_here, mine, ours) as one, notifying(there, ear_there, ours, theirs) as other:
        with metered(here) as meter:
            for _ in range(500):
                one.notify([mine])
            one.notify([ours])
            await ear_there.heard()
            assert notices(meter) == 1

            one.notify([mine])
            await meter.until_asked(2)
            other.notify([mine, theirs])  # one's own notice wakes nobody
            await ear_here.heard()

            one.notify([StreamId(f"{number:022}") for number in range(400)])  # more than fits: then it is for everybody
            await ear_there.heard()
            one.notify()
            await ear_there.heard()
    assert (ear_here.looks, ear_there.looks) == (2, 4)
    await here.close()
    await there.close()


async def test_on_sqlite_nobody_is_notified(database: Database) -> None:
    one = Notifier(database, concerns=lambda _: True, on_notice=pytest.fail)
    with metered(database) as meter:
        one.notify()
        await one.run()  # it has ended
    assert not meter.statements
