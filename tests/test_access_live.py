"""Access of open tabs: who loses it gets not one character more, whoever takes it and wherever."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from chat_app.data.db import Database
from chat_app.data.models import Member, MemberRole, Session, Visibility
from chat_app.live import directory, tabs
from chat_app.people.identity import Identity
from chat_app.people.secrets import hash_of
from chat_app.refusals import NotPermitted, ThreadUnknown
from chat_app.services import Services
from chat_app.threads.access import Verb, allowed
from tests.support.core import HandFed
from tests.support.meter import metered
from tests.support.model import FakeModel
from tests.support.people import count, person, thread
from tests.support.world import WITHIN, OpenTab, World, running_world, settings
from tributary_streams import Chunk, Finish, tailer

NEVER = 3600.0
BEFORE = "Before. "
SECRET = "What nobody outside may know. "


@pytest.fixture
async def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A server that waits for nothing that could be more."""
    monkeypatch.setattr("chat_app.live.pace.FRAME_EVERY", 0.0)
    monkeypatch.setattr(tabs, "CONGESTED_WAIT", 0.01)
    monkeypatch.setattr(directory, "DIRECTORY_EVERY", 0.0)
    monkeypatch.setattr(tabs, "MARKS_EVERY", 0.0)
    for pace in ("IDLE", "HERE"):
        monkeypatch.setattr(tailer, pace, 0.05)
    async with running_world(database) as world:
        yield world


async def with_session(database: Database, who: Identity) -> Identity:
    """The same person, known by a session."""
    digest = hash_of(str(who.user_id))
    async with database.write() as session:
        session.add(Session(hash=digest, user_id=who.user_id))
    return replace(who, session=digest)


async def joins(database: Database, thread_id: str, who: Identity, role: MemberRole) -> None:
    async with database.write() as session:
        session.add(Member(thread_id=thread_id, user_id=who.user_id, role=role))


@dataclass
class Scene:
    """A private thread of Ada's in which a reply streams, and Noor's open tab on it."""

    world: World
    ada: Identity
    noor: Identity
    thread_id: str
    name: str
    source: HandFed
    driver: OpenTab
    tab: OpenTab

    async def says(self, text: str) -> None:
        """The model says more, and the one who asked sees it."""
        before = self.driver.screen.texts.get(self.name, "")
        self.source.say(text)
        await self.driver.until(self.name, before + text)


@asynccontextmanager
async def scene(world: World, role: MemberRole | None = MemberRole.MEMBER) -> AsyncIterator[Scene]:
    """Noor sees what the model has said before; without a role she is there because the thread is open."""
    ada, noor = await person(world.database), await with_session(world.database, await person(world.database))
    thread_id = await thread(world.database, ada)
    if role is not None:
        await joins(world.database, thread_id, noor, role)
        await world.services.members.set_visibility(ada, thread_id, Visibility.PRIVATE)
    async with world.tab("ada", ada, thread_id) as driver, world.tab("noor", noor, thread_id) as tab:
        source = world.model.source(len(world.model.asked))
        name = await world.ask(ada, thread_id, "ada")
        source.say(BEFORE)
        for each in (driver, tab):
            await each.until(name, BEFORE, "streaming")
        yield Scene(world, ada, noor, thread_id, name, source, driver, tab)


Taking = Callable[[Services, Scene], Awaitable[None]]


async def remove(services: Services, scene: Scene) -> None:
    await services.members.remove(scene.ada, scene.thread_id, scene.noor.user_id)


async def leave(services: Services, scene: Scene) -> None:
    await services.members.leave(scene.noor, scene.thread_id)


async def make_private(services: Services, scene: Scene) -> None:
    await services.members.set_visibility(scene.ada, scene.thread_id, Visibility.PRIVATE)


async def delete(services: Services, scene: Scene) -> None:
    await services.threads.delete(scene.ada, scene.thread_id)


async def sign_out(services: Services, scene: Scene) -> None:
    await services.people.sign_out(scene.noor, is_everywhere=True)


async def sign_out_elsewhere(services: Services, scene: Scene) -> None:
    await services.people.sign_out(replace(scene.noor, session="of another browser"), is_everywhere=False)


WAYS: tuple[tuple[Taking, MemberRole | None], ...] = (
    (remove, MemberRole.MEMBER),
    (remove, MemberRole.VIEWER),
    (leave, MemberRole.MEMBER),
    (make_private, None),
    (delete, MemberRole.MEMBER),
    (sign_out, MemberRole.MEMBER),
    (sign_out_elsewhere, MemberRole.MEMBER),
)
ways = pytest.mark.parametrize(("take", "role"), WAYS, ids=[f"{take.__name__}-{role}" for take, role in WAYS])
whose = pytest.mark.parametrize("is_elsewhere", [False, True], ids=["here", "elsewhere"])


@asynccontextmanager
async def services_of(world: World, *, is_elsewhere: bool) -> AsyncIterator[Services]:
    """The services that take access: this process's, or others on the same database that wake nobody here."""
    if not is_elsewhere:
        yield world.services
        return
    url = world.database.url.render_as_string(hide_password=False)
    database = Database(url)
    try:
        yield Services(settings(), database, FakeModel())
    finally:
        await database.close()


async def is_cut_off(scene: Scene, shown: str = BEFORE) -> None:
    """The tab hears of it, and of nothing else from then on, though the reply goes on, ends, and others write."""
    await scene.tab.until_screen(lambda screen: screen.is_gone or screen.is_signed_out)
    updates = scene.tab.screen.updates
    if not scene.driver.screen.is_gone:
        await scene.says(SECRET)
        scene.source.say(Finish())
        await scene.driver.until(scene.name, BEFORE + SECRET, "done")
        posted = await scene.world.services.messages.post(scene.ada, scene.thread_id, SECRET, nonce="secret", tab="ada")
        await scene.driver.until(f"{posted.message_id}.0", SECRET.strip())
    assert scene.tab.screen.updates == updates
    assert scene.tab.screen.texts[scene.name] == shown
    assert SECRET.strip() not in "".join(scene.tab.screen.texts.values())
    assert not scene.tab.tab._texts
    assert not scene.tab.tab._history


@pytest.mark.on_both_databases
@pytest.mark.parametrize("take", [remove, sign_out])
async def test_on_either_database_another_process_takes_access_as_surely(world: World, take: Taking) -> None:
    async with scene(world) as now, services_of(world, is_elsewhere=True) as services:
        await take(services, now)
        await is_cut_off(now)


@whose
@ways
async def test_who_loses_access_while_a_reply_streams_gets_not_one_character_more(
    world: World, take: Taking, role: MemberRole | None, is_elsewhere: bool
) -> None:
    async with scene(world, role) as now, services_of(world, is_elsewhere=is_elsewhere) as services:
        await take(services, now)
        if take is delete:
            await now.driver.until_screen(lambda screen: screen.is_gone)
        await is_cut_off(now)


async def told(tab: OpenTab) -> None:
    """Wait until a tab whose socket stands has been told that it is cut off."""
    async with asyncio.timeout(WITHIN):
        while not tab.tab._is_cut_off:
            tab.tab._woken.clear()
            await tab.tab._woken.wait()


@ways
async def test_a_tab_whose_socket_stands_never_gets_what_waited_for_it(
    world: World, take: Taking, role: MemberRole | None
) -> None:
    async with scene(world, role) as now:
        await now.tab.stand()
        await now.says(SECRET)
        posted = await world.services.messages.post(now.ada, now.thread_id, SECRET, nonce="secret", tab="ada")
        await now.driver.until(f"{posted.message_id}.0", SECRET.strip())
        await take(world.services, now)
        await told(now.tab)
        now.tab.is_congested = False
        await now.tab.until_screen(lambda screen: screen.is_gone or screen.is_signed_out)
        assert now.tab.screen.texts[now.name] == BEFORE
        for held in (now.tab.screen.texts, now.tab.screen.statuses):
            assert f"{posted.message_id}.0" not in held


@pytest.mark.parametrize(("take", "role"), WAYS[:5], ids=[f"{take.__name__}-{role}" for take, role in WAYS[:5]])
async def test_a_tab_that_is_behind_reads_that_it_may_not_catch_up(
    world: World, take: Taking, role: MemberRole | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tabs, "BACKLOG", 2)
    for pace in ("HERE", "IDLE"):
        monkeypatch.setattr(tailer, pace, NEVER)  # nobody tells it
    async with scene(world, role) as now, services_of(world, is_elsewhere=True) as elsewhere:
        await now.tab.stand()
        for number in range(6):
            posted = await world.services.messages.post(
                now.ada, now.thread_id, SECRET, nonce=f"nonce {number}", tab="ada"
            )
            await now.driver.until(f"{posted.message_id}.0", SECRET.strip())
        assert now.tab.tab._is_behind
        shown = dict(now.tab.screen.texts)
        await take(elsewhere, now)
        now.tab.is_congested = False
        await now.tab.until_screen(lambda screen: screen.is_gone)
        assert now.tab.screen.texts == shown


async def test_a_tab_that_waits_for_its_first_text_hears_that_it_is_cut_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = asyncio.Event()

    async def note_wait(text: tabs._Text) -> None:
        waits.set()
        await text._is_at_hand.wait()

    async with scene(world) as now:
        monkeypatch.setattr(tabs._Text, "first_read", note_wait)
        monkeypatch.setattr(tailer.ChunkProbe, "deliver", lambda *_: None)  # nothing is ever read
        now.world.services._tailer.chunks._tails.clear()
        async with world.tab("noor again", now.noor, now.thread_id) as again:
            await waits.wait()
            await remove(world.services, now)
            await again.until_screen(lambda screen: screen.is_gone)
            assert again.screen.texts == {}


async def test_who_is_cut_off_before_a_reply_begins_takes_no_delta_from_the_tab_that_asked(database: Database) -> None:
    async with running_world(database, chat_replies_at_once=1) as world, scene(world) as now:
        waiting = await world.ask(now.ada, now.thread_id, "ada", "@gpt and then?")
        await now.tab.until(waiting, status="pending")
        await remove(world.services, now)
        await now.tab.until_screen(lambda screen: screen.is_gone)
        now.source.say(Finish())
        await world.model.was_asked(2)
        world.model.source(1).say("Not a sentence yet, but")
        await now.driver.until(waiting, "Not a sentence yet, but")
        assert await chunks(world.database) == 1  # of the first reply


async def test_a_tab_whose_role_is_lowered_learns_what_it_may_no_longer_and_reads_on(world: World) -> None:
    async with scene(world) as now:
        await now.tab.until_screen(lambda screen: Verb.POST in screen.may)
        await world.services.members.set_role(now.ada, now.thread_id, now.noor.user_id, MemberRole.VIEWER)
        await now.tab.until_screen(lambda screen: screen.may == allowed(MemberRole.VIEWER, Visibility.PRIVATE))
        with pytest.raises(NotPermitted):
            await world.ask(now.noor, now.thread_id, "noor")
        with pytest.raises(NotPermitted):
            await world.services.replies.stop(now.noor, now.thread_id, int(now.name.partition(".")[0]))
        await now.says("After.")
        now.source.say(Finish())
        await now.tab.until(now.name, BEFORE + "After.", "done")
        await world.services.members.set_role(now.ada, now.thread_id, now.noor.user_id, MemberRole.MEMBER)
        await now.tab.until_screen(lambda screen: Verb.POST in screen.may)


async def test_who_was_cut_off_cannot_open_the_thread_again(world: World) -> None:
    async with scene(world) as now:
        await remove(world.services, now)
        await now.tab.until_screen(lambda screen: screen.is_gone)
        with world.services.tabs.open("noor", now.noor, now.thread_id) as again, pytest.raises(ThreadUnknown):
            await anext(again.updates())


async def test_fifty_idle_tabs_of_fifty_people_cost_what_one_costs(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pace in ("HERE", "IDLE"):
        monkeypatch.setattr(tailer, pace, NEVER)
    monkeypatch.setattr(directory, "DIRECTORY_EVERY", NEVER)
    async with running_world(database, chat_sweep_every=NEVER) as world:
        ticks = world.services._tailer
        ada = await person(database)
        thread_id = await thread(database, ada)
        people = [await with_session(database, await person(database)) for _ in range(50)]
        for who in people:
            await joins(database, thread_id, who, MemberRole.MEMBER)
        await world.services.members.set_visibility(ada, thread_id, Visibility.PRIVATE)
        async with AsyncExitStack() as stack:
            for group in (people[:1], people[1:]):
                for who in group:
                    tab = await stack.enter_async_context(world.tab(f"{who.user_id}", who, thread_id))
                    await tab.until_screen(lambda screen: screen.updates > 0)
                with metered(database) as meter:
                    monkeypatch.setattr(tailer, "IDLE", 0.001)
                    monkeypatch.setattr(ticks, "_has_changed", None)  # so that each tick asks
                    ticks.wake()
                    await meter.until_asked(20)  # of opening tabs too
                    meter.reset()
                    before = ticks.ticks
                    await meter.until_asked(20)
                    assert abs(len(meter.statements) - (ticks.ticks - before)) <= 1  # one may be on its way


async def test_a_change_of_access_is_read_once_for_fifty_tabs(database: Database) -> None:
    async with running_world(database, chat_sweep_every=NEVER) as world:
        asked: list[int] = []
        for crowd in (1, 50):
            ada = await person(database)
            thread_id = await thread(database, ada)
            async with AsyncExitStack() as stack:
                opened: list[OpenTab] = []
                for number in range(crowd):
                    who = await person(database)
                    opened.append(await stack.enter_async_context(world.tab(f"{crowd} {number}", who, thread_id)))
                    await opened[-1].until_screen(lambda screen: screen.updates > 0)
                with metered(database) as meter:
                    await world.services.members.set_visibility(ada, thread_id, Visibility.PRIVATE)
                    for tab in opened:
                        await tab.until_screen(lambda screen: screen.is_gone)
                asked.append(len(meter.statements))
        assert asked[1] < asked[0] + 25  # one for each tab more would be 49; a tick more is the moment's


async def test_the_sidebar_lists_a_private_thread_for_its_members_alone_and_as_it_is_called(world: World) -> None:
    ada, noor, mallory = [await person(world.database) for _ in range(3)]
    meeting = await thread(world.database, ada)
    private = await thread(world.database, ada)
    await world.services.members.set_visibility(ada, private, Visibility.PRIVATE)
    await world.services.threads.rename(ada, private, "Plans")
    async with world.tab("noor", noor, meeting) as tab, world.tab("mallory", mallory, meeting) as stranger:
        for each in (tab, stranger):
            await each.until_screen(lambda screen: [entry[0] for entry in screen.directory] == [meeting])
        _, secret = await world.services.members.invite(ada, private, MemberRole.VIEWER, timedelta(days=1))
        await world.services.members.join(noor, secret)
        await tab.until_screen(lambda screen: (private, "Plans") in screen.directory)
        await world.services.threads.rename(ada, private, "Other plans")
        await tab.until_screen(lambda screen: (private, "Other plans") in screen.directory)
        await world.services.members.remove(ada, private, noor.user_id)
        await tab.until_screen(lambda screen: private not in dict(screen.directory))
        # What is told after all of it, so that a list with the thread in it would have come before.
        await world.services.threads.rename(ada, meeting, "Meeting")
        await stranger.until_screen(lambda screen: screen.directory == [(meeting, "Meeting")])
        assert private not in {entry[0] for listed in stranger.screen.directories for entry in listed}

        await world.services.members.set_visibility(ada, private, Visibility.OPEN)
        await stranger.until_screen(lambda screen: (private, "Other plans") in screen.directory)
        await world.services.members.set_visibility(ada, private, Visibility.LINK)
        for each in (tab, stranger):
            await each.until_screen(lambda screen: private not in dict(screen.directory))


async def chunks(database: Database) -> int:
    return await count(database, Chunk)


async def test_a_page_without_a_thread_hears_who_is_signed_out_and_is_let_go_by_a_server_that_stops(
    database: Database,
) -> None:
    ada, noor = [await with_session(database, await person(database)) for _ in range(2)]
    async with asyncio.timeout(WITHIN):
        async with running_world(database) as world:
            of_ada, of_noor = [
                asyncio.create_task(world.services.endings.until_ended(who.session)) for who in (ada, noor)
            ]
            await world.services.people.sign_out(ada, is_everywhere=True)
            assert await of_ada
            assert not of_noor.done()
        assert not await of_noor
