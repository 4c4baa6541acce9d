"""Permissions: every handler, route and service that somebody can name, for each kind of person, against the one table.

A new entry point fails the tests of coverage until it has a line here that says which verb it needs.
"""

import asyncio
import importlib
import inspect
import pkgutil
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from operator import attrgetter
from typing import Any

import httpx
import pytest
import reflex as rx
from reflex.istate.data import RouterData
from reflex.route import get_route_args
from reflex_base.registry import RegistrationContext
from sqlalchemy import select
from sqlmodel import SQLModel, col

from chat_app import pages
from chat_app import services as services_module
from chat_app import state as state_module
from chat_app.api.app import create_api
from chat_app.api.asking import running as asked_services
from chat_app.components.dialogs.details_dialog import Details
from chat_app.components.dialogs.share_dialog import Sharing
from chat_app.data.db import Database
from chat_app.data.models import Attempt, Invite, Member, MemberRole, Message, Thread, Visibility
from chat_app.gate import cookie
from chat_app.live.tabs import Frame
from chat_app.pages import thread
from chat_app.people.identity import COOKIE, Identity
from chat_app.people.secrets import new_secret
from chat_app.refusals import WORDS, NotPermitted, NotRecognised, ThreadUnknown, Unknown
from chat_app.services import Services
from chat_app.state import NO_ROWS, Live, RowFrame, Transcript, Viewer
from chat_app.threads.access import Verb, allowed
from tests.support.world import WITHIN, World, running_world
from tributary_streams import SourceError, Stream

for found in pkgutil.iter_modules(pages.__path__):
    importlib.import_module(f"{pages.__name__}.{found.name}")
rx.State.setup_dynamic_args(get_route_args(thread.ROUTE))  # as adding the page does

SECRET = "What nobody outside may know"
DAY = timedelta(days=1)
READERS = {Verb.READ}
"""Verbs that change nothing; whether it was done is whether the text was sent."""

# --- who ---------------------------------------------------------------------------------------------------------

ROLES: dict[str, MemberRole | None] = {
    "stranger": None,
    "removed": None,
    "viewer": MemberRole.VIEWER,
    "member": MemberRole.MEMBER,
    "owner": MemberRole.OWNER,
}
"""Who is somebody; `removed` has been a member, and their tab is still connected. Nobody has no cookie."""

MATTERS = {
    Visibility.OPEN: ("stranger",),
    Visibility.PRIVATE: ("viewer", "member", "owner"),
}
"""Who may do something because of the visibility, or whatever it is. A scene takes a while: these are enough."""
# The services are tried for all in each run: they decide, and pages and routes call them.
whoever = pytest.mark.parametrize(
    "visibility", [Visibility.OPEN, pytest.param(Visibility.PRIVATE, marks=pytest.mark.thorough)]
)


@dataclass
class Scene:
    """A thread with a reply that has ended twice and one that streams, an invite, and somebody of each kind."""

    world: World
    thread_id: str = ""
    people: dict[str, Identity] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    spare: int = 0
    prompt: int = 0
    ended: int = 0
    live: int = 0
    invite: int = 0

    async def rows(self) -> list[str]:
        """All that the deeds here can change, but for what the reply under way adds by itself."""
        async with self.world.database.read() as session:
            return [
                str((await session.execute(select(*columns))).all())
                for columns in (
                    [getattr(table, name) for name in table.model_fields if name not in kept]
                    for table, kept in TABLES.items()
                )
            ]


TABLES: dict[type[SQLModel], set[str]] = {
    Thread: {"version", "changed"},
    Member: set(),
    Invite: set(),
    Attempt: set(),
    Message: {"version"},
    Stream: set(Stream.model_fields) - {"id", "stop_requested"},
}
"""What is compared, and what of it is not: a refused deed may have been rolled back, and a reply writes on."""


@asynccontextmanager
async def running(database: Database) -> AsyncIterator[World]:
    async with running_world(database, chat_replies_at_once=1000, chat_replies_per_person=1000) as world:
        services_module._current.append(world.services)
        try:
            yield world
        finally:
            services_module._current.remove(world.services)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running(database) as world:
        yield world


async def scene(world: World, visibility: Visibility) -> Scene:
    """Set a scene anew, beside those that were set before."""
    services, now = world.services, Scene(world)
    for name in (*ROLES, "spare"):
        now.cookies[name] = f"{COOKIE}={new_secret()}"
        now.people[name] = await services.people.recognise(now.cookies[name])
    owner = now.people["owner"]
    now.spare = now.people["spare"].user_id
    now.thread_id = await services.threads.create(owner)
    for name, role in (*ROLES.items(), ("spare", MemberRole.MEMBER)):
        if name in {"owner", "stranger"}:
            continue
        _, secret = await services.members.invite(owner, now.thread_id, role or MemberRole.MEMBER, DAY)
        await services.members.join(now.people[name], secret)
    await services.members.remove(owner, now.thread_id, now.people["removed"].user_id)
    view, _ = await services.members.invite(owner, now.thread_id, MemberRole.MEMBER, DAY)
    now.invite = view.id
    model, under_way = world.model, set(services._writers._writing)

    async def fails() -> None:
        await asyncio.wait(set(services._writers._writing) - under_way)

    asked = len(model.asked)
    for number in range(2):
        model.source(asked + number).say(f"{SECRET}. ", SourceError("It broke."))
    posted = await services.messages.post(owner, now.thread_id, f"@gpt {SECRET}", nonce="the first", tab="owner")
    now.prompt, now.ended = posted.message_id, posted.message_id + 1
    await fails()
    await services.replies.retry(owner, now.thread_id, now.ended, tab="owner")
    await fails()
    now.live = (
        await services.messages.post(owner, now.thread_id, "@gpt more", nonce="the second", tab="owner")
    ).message_id + 1
    await model.was_asked(asked + 3)
    await services.members.set_visibility(owner, now.thread_id, visibility)
    return now


# --- what --------------------------------------------------------------------------------------------------------

Arguments = Callable[[Scene], dict[str, Any]]


@dataclass(frozen=True)
class Entry:
    """What somebody can name: the verb it needs, on which object, and what it is given; no verb where anybody may."""

    verb: Verb | None
    on: str = "thread"
    arguments: Arguments = lambda _: {}


HANDLERS: dict[str, Entry] = {
    "live.watch": Entry(Verb.READ),
    "live.catch_up": Entry(Verb.READ, "stream", lambda now: {"name": f"{now.ended}.2", "have": 0}),
    "live.show_earlier": Entry(Verb.READ, arguments=lambda now: {"before": now.ended}),
    "live.replay": Entry(Verb.READ, "stream", lambda now: {"message_id": now.ended, "version": 1}),
    "details.look": Entry(Verb.READ, "stream", lambda now: {"message_id": now.ended}),
    "details.forget": Entry(None),
    "live.look_at": Entry(Verb.READ, "stream", lambda now: {"message_id": now.ended, "version": 1}),
    "presence.answer": Entry(None),
    "presence.look": Entry(None),  # of one's own open tab, which has been let in and is cut off; tests/test_presence.py
    "presence.type": Entry(None),  # the same
    "finder.find": Entry(None),  # among the threads that one's sidebar may list
    "home.lead": Entry(None),
    "sidebar.new_thread": Entry(None),
    "composer.send": Entry(Verb.POST, arguments=lambda _: {"text": "Hello", "nonce": "0123456789"}),
    "composer.edit": Entry(  # its author's alone, who is the owner here
        Verb.CLEAR, "message", lambda now: {"message_id": now.prompt, "text": "Other", "nonce": "0123456789"}
    ),
    "composer.stop": Entry(Verb.STOP, "stream", lambda now: {"message_id": now.live}),
    "composer.retry": Entry(Verb.RETRY, "stream", lambda now: {"message_id": now.ended}),
    "composer.go_on": Entry(Verb.CONTINUE, "stream", lambda now: {"message_id": now.ended}),
    "deletion.delete_message": Entry(Verb.CLEAR, "message", lambda now: {"message_id": now.prompt}),  # somebody else's
    "thread_menu.rename": Entry(Verb.RENAME, arguments=lambda _: {"title": "Another"}),
    "configuration.configure": Entry(Verb.CONFIGURE, arguments=lambda _: {"name": "granularity", "value": "word"}),
    "deletion.undo": Entry(None),  # of what this tab has deleted; tests/test_undo.py
    "deletion.keep_deleted": Entry(None),
    "thread_menu.clear": Entry(Verb.CLEAR),
    "deletion.delete_thread": Entry(Verb.DELETE),
    "sharing.look": Entry(Verb.READ),
    "sharing.forget": Entry(None),
    "sharing.set_visibility": Entry(Verb.SHARE, arguments=lambda _: {"visibility": "link"}),
    "sharing.make_invite": Entry(Verb.SHARE, arguments=lambda _: {"role": "viewer", "lasts": "day"}),
    "sharing.withdraw": Entry(Verb.SHARE, arguments=lambda now: {"invite_id": now.invite}),
    "sharing.set_role": Entry(Verb.SHARE, arguments=lambda now: {"member_id": now.spare, "role": "viewer"}),
    "sharing.remove": Entry(Verb.SHARE, arguments=lambda now: {"member_id": now.spare}),
    "sharing.hand_over": Entry(Verb.SHARE, arguments=lambda now: {"member_id": str(now.spare)}),
    "sharing.leave": Entry(Verb.LEAVE),
    "join.join": Entry(None),
    "account.show": Entry(None),
    "account.rename": Entry(None),
    "account.make_token": Entry(None),
    "account.revoke_token": Entry(None),
    "account.sign_out_elsewhere": Entry(None),
    "account.sign_out_everywhere": Entry(None),
}
ROUTES: dict[str, Entry] = {
    "GET /session.js": Entry(None),
    "POST /guests": Entry(None),
    "GET /threads": Entry(None),
    "POST /threads": Entry(None),
    "GET /threads/{thread_id}": Entry(Verb.READ),
    "GET /threads/{thread_id}/messages": Entry(Verb.READ, "message"),
    "GET /threads/{thread_id}/export": Entry(Verb.READ, "message"),
    "GET /streams/{stream_id}": Entry(Verb.READ, "stream"),
    "GET /streams/{stream_id}/events": Entry(Verb.READ, "stream"),
    "POST /threads/{thread_id}/messages": Entry(Verb.POST, arguments=lambda _: {"text": "Hello"}),
    "POST /streams/{stream_id}/stop": Entry(Verb.STOP, "stream"),
    "POST /streams/{stream_id}/retry": Entry(Verb.RETRY, "stream"),
    "POST /streams/{stream_id}/continue": Entry(Verb.CONTINUE, "stream"),
    "DELETE /threads/{thread_id}": Entry(Verb.DELETE),
    "PATCH /threads/{thread_id}/messages/{message_id}": Entry(  # its author's, who is the owner
        Verb.CLEAR, "message", lambda _: {"text": "Other"}
    ),
}
"""By method and path below /api, with the body that is sent."""
SERVICES: dict[str, Entry] = {
    # Of whoever asks, or nobody's:
    "people.recognise": Entry(None),
    "people.has_ended": Entry(None),
    "threads.home": Entry(None),
    "threads.create": Entry(None),
    "threads.listed": Entry(None),
    "directory.rows": Entry(None),
    "endings.until_ended": Entry(None),
    "directory.find": Entry(None),
    "people.new_guest": Entry(None),
    "faults": Entry(None),
    "replies.stream": Entry(None),  # by its id alone, which cannot be guessed; ROUTES has it
    "replies.location": Entry(None),  # the same
    "people.rename": Entry(None),
    "people.add_token": Entry(None),
    "people.tokens": Entry(None),
    "people.revoke_token": Entry(None),
    "people.sign_out": Entry(None),
    "members.join": Entry(None),
    # Of a thread:
    "messages.post": Entry(Verb.POST, arguments=lambda _: {"text": "Hello", "nonce": "0123456789", "tab": "tab"}),
    "threads.rename": Entry(Verb.RENAME, arguments=lambda _: {"title": "Another"}),
    "threads.configure": Entry(Verb.CONFIGURE, arguments=lambda _: {"changed": {"reply_mode": "always"}}),
    "threads.restore": Entry(None),  # there is nothing to restore; tests/test_undo.py has who may
    "messages.restore": Entry(None),
    "threads.clear": Entry(Verb.CLEAR),
    "members.listed": Entry(Verb.READ),
    "members.set_visibility": Entry(Verb.SHARE, arguments=lambda _: {"visibility": Visibility.LINK}),
    "members.invite": Entry(Verb.SHARE, arguments=lambda _: {"role": MemberRole.VIEWER, "lasts": DAY}),
    "members.withdraw": Entry(Verb.SHARE, arguments=lambda now: {"invite_id": now.invite}),
    "members.remove": Entry(Verb.SHARE, arguments=lambda now: {"member_id": now.spare}),
    "members.set_role": Entry(Verb.SHARE, arguments=lambda now: {"member_id": now.spare, "role": MemberRole.VIEWER}),
    "members.hand_over": Entry(Verb.SHARE, arguments=lambda now: {"member_id": now.spare}),
    "members.leave": Entry(Verb.LEAVE),
    "threads.delete": Entry(Verb.DELETE),
    "threads.find": Entry(Verb.READ),
    "messages.newest": Entry(Verb.READ),
    "tabs.show_earlier": Entry(Verb.READ, arguments=lambda now: {"message_id": now.ended, "tab": "tab"}),
    # Of a message or its stream:
    "replies.reply_to": Entry(Verb.READ, "message", lambda now: {"message_id": now.prompt}),
    "replies.stop": Entry(Verb.STOP, "stream", lambda now: {"message_id": now.live}),
    "replies.retry": Entry(Verb.RETRY, "stream", lambda now: {"message_id": now.ended, "tab": "tab"}),
    "replies.continue_reply": Entry(Verb.CONTINUE, "stream", lambda now: {"message_id": now.ended, "tab": "tab"}),
    "messages.edit": Entry(  # its author's, who is the owner
        Verb.CLEAR, "message", lambda now: {"message_id": now.prompt, "text": "Other"}
    ),
    "messages.delete": Entry(Verb.CLEAR, "message", lambda now: {"message_id": now.prompt}),
    "replies.attempts": Entry(Verb.READ, "stream", lambda now: {"message_id": now.ended}),
    "replies.timeline_of": Entry(Verb.READ, "stream", lambda now: {"message_id": now.ended, "version": 1}),
    "replies.version_of": Entry(Verb.READ, "stream", lambda now: {"message_id": now.ended, "version": 1}),
    "messages.text_of": Entry(Verb.READ, "stream", lambda now: {"message_id": now.ended, "offset": 0}),
}
"""By noun and deed."""
OBJECTS = {"thread", "message", "stream"}


def registered() -> dict[str, Callable[..., Coroutine[Any, Any, Any]]]:
    """The functions of all handlers of ours, called by a client or by a page's load, as "state.handler"."""
    handlers = RegistrationContext.get().event_handlers
    return {
        ".".join((name.split(".")[-2].rpartition("____")[2], name.split(".")[-1])): handlers[name].handler.fn
        for name in handlers
        if ".chat_app___" in name and not name.endswith(".setvar")  # Reflex adds that to each state
    }


def served() -> set[str]:
    """The routes of the HTTP interface, as its document names them."""
    paths = create_api(lambda _: False).openapi()["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


def deeds(services: Services) -> set[str]:
    """What the services hand out to be called, as "noun.deed", and their own."""
    nouns = {f"{noun}.": type(part) for noun, part in vars(services).items() if not noun.startswith("_")}
    return {
        f"{noun}{name}"
        for noun, part in {"": Services, **nouns}.items()
        for name, _ in inspect.getmembers(part, inspect.iscoroutinefunction)
        if not name.startswith("_")
    }


async def test_every_entry_point_has_a_line_in_the_matrix(world: World) -> None:
    assert registered().keys() == HANDLERS.keys()
    assert served() | {f"GET {route.path}" for route in cookie.routes} == ROUTES.keys()
    assert deeds(world.services) == SERVICES.keys()


@pytest.mark.parametrize("entries", [HANDLERS, ROUTES, SERVICES], ids=["handlers", "routes", "services"])
def test_the_matrix_is_of_threads_messages_and_streams(entries: dict[str, Entry]) -> None:
    assert {entry.on for entry in entries.values()} == OBJECTS


# --- handlers ----------------------------------------------------------------------------------------------------


STATES = rx.State.get_substates()


@dataclass
class Outcome:
    """What came of a call: whether it was done, what the person was told, and all that their page holds."""

    is_done: bool
    notice: str
    page: str


class Handed:
    """An open tab, as far as earlier messages are handed to it."""

    def __init__(self, told: list[Any]) -> None:
        self._told = told

    async def drained(self) -> None: ...

    def show_earlier(self, _thread: Any, messages: Any, _people: Any, *, has_more: bool) -> bool:
        self._told.append((messages, has_more))
        return True


PROOFS = {"sharing.look": "MemberLine(", "details.look": "AttemptLine(", "live.replay": "[(0, 0), "}
"""What a page holds that was told, where that is no message's text."""


def new_root() -> rx.State:
    """The state of a new tab."""
    return rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]  # as Reflex makes one


async def call(
    now: Scene, name: str, cookie: str, thread_id: str, monkeypatch: pytest.MonkeyPatch, root: rx.State | None = None
) -> Outcome:
    """Call a handler as Reflex would for a tab at the thread's address; `root` is its state if it is not new."""
    root = root or new_root()
    root.router = RouterData.from_router_data(
        {"headers": {"cookie": cookie}, "token": "tab", "query": {"thread_id": thread_id}, "pathname": "/t/[thread_id]"}
    )
    short = name.partition(".")[0]
    state = await root.get_state(next(each for each in STATES if each.get_name().rpartition("____")[2] == short))
    viewer, transcript = await root.get_state(Viewer), await root.get_state(Transcript)
    before, sent = await now.rows(), asyncio.Event()
    brought: list[Any] = []
    send = Live._send

    async def note(self: Live, update: Any) -> None:
        await send(self, update)
        sent.set()

    async def take(frames: Sequence[Frame] = (), rows: Sequence[RowFrame] = (), timeline: object = None) -> None:
        brought.extend((frames, rows, timeline))

    with monkeypatch.context() as patched:
        patched.setattr(Live, "_send", note)
        patched.setattr(state_module, "_bring", take)  # there is no event either
        patched.setattr(now.world.services.tabs, "_on_thread", lambda *_: Handed(brought))
        patched.setattr(state_module, "_congestion", lambda _: lambda: False)  # there is no socket
        task = asyncio.create_task(registered()[name](state, **HANDLERS[name].arguments(now)))
        first = asyncio.create_task(sent.wait())
        async with asyncio.timeout(WITHIN):
            await asyncio.wait({task, first}, return_when=asyncio.FIRST_COMPLETED)
        for each in (task, first):
            each.cancel()
        results = await asyncio.gather(task, first, return_exceptions=True)
    assert not isinstance(results[0], Exception), results[0]
    sharing = await root.get_state(Sharing)
    attempts = (await root.get_state(Details)).attempts
    page = f"{brought} {transcript.dict()} {viewer.dict()} {sharing.members} {attempts} {results[0]}"
    is_read, proof = HANDLERS[name].verb in READERS, PROOFS.get(name, SECRET)
    return Outcome(proof in page if is_read else await now.rows() != before, viewer.notice, page)


def permitted(name: str, entries: dict[str, Entry], who: str, visibility: Visibility) -> bool:
    verb = entries[name].verb
    return verb is None or verb in allowed(ROLES[who], visibility)


of_threads = [name for name, entry in HANDLERS.items() if entry.verb is not None]


@pytest.mark.parametrize("visibility", Visibility)
async def test_a_handler_refuses_whoever_may_not_and_changes_and_tells_nothing(
    world: World, visibility: Visibility, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = await scene(world, visibility)
    for name in of_threads:
        for who in (None, *ROLES):
            if who is not None and permitted(name, HANDLERS, who, visibility):
                continue
            cookie = "" if who is None else now.cookies[who]
            outcome = await call(now, name, cookie, now.thread_id, monkeypatch)
            may_read = who is not None and Verb.READ in allowed(ROLES[who], visibility)
            notice = WORDS[NotRecognised if who is None else NotPermitted if may_read else Unknown]
            told = "" if name == "live.watch" and who is not None else notice  # it shows the page of what is not there
            assert (name, who, outcome.is_done, outcome.notice) == (name, who, False, told)
            assert SECRET not in outcome.page


@whoever
async def test_a_handler_does_it_for_whoever_may(
    world: World, visibility: Visibility, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = await scene(world, visibility)
    for name in of_threads:
        for who in MATTERS[visibility]:
            if not permitted(name, HANDLERS, who, visibility):
                continue
            outcome = await call(now, name, now.cookies[who], now.thread_id, monkeypatch)
            assert (name, who, outcome.is_done, outcome.notice) == (name, who, True, "")
            if HANDLERS[name].verb not in READERS and name != "composer.send":
                now = await scene(world, visibility)


@pytest.mark.parametrize("visibility", Visibility)
async def test_a_message_is_unknown_without_its_threads_address_like_one_that_never_was(
    world: World, visibility: Visibility, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can count: a stranger at a thread of their own names the messages of another."""
    now = await scene(world, visibility)
    own = await world.services.threads.create(now.people["stranger"])
    for name, entry in HANDLERS.items():
        if entry.on == "thread":
            continue
        there = await call(now, name, now.cookies["stranger"], own, monkeypatch)
        never = Scene(world, now.thread_id, now.people, now.cookies, prompt=99_999, ended=99_999, live=99_999)
        nowhere = await call(never, name, now.cookies["stranger"], own, monkeypatch)
        assert (name, there.is_done, there.notice) == (name, False, WORDS[Unknown])
        assert there.page == nowhere.page
        if visibility is Visibility.PRIVATE:
            there = await call(now, name, now.cookies["stranger"], now.thread_id, monkeypatch)
            nowhere = await call(never, name, now.cookies["stranger"], now.thread_id, monkeypatch)
            assert (there.is_done, there.page) == (False, nowhere.page)


async def test_a_reload_shows_nothing_to_who_was_removed_of_what_their_tab_showed_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, root = await scene(world, Visibility.PRIVATE), new_root()
    for shows in (True, False):
        outcome = await call(now, "live.watch", now.cookies["member"], now.thread_id, monkeypatch, root)
        transcript = await root.get_state(Transcript)
        assert outcome.is_done is shows
        assert (str(NO_ROWS) in outcome.page) is not shows
        assert [bool(held) for held in (transcript.people, transcript.may)] == [shows] * 2
        if shows:
            member = now.people["member"].user_id
            await world.services.members.remove(now.people["owner"], now.thread_id, member)


@pytest.mark.parametrize(
    ("shown", "left"),
    [(Transcript, {"thread", "is_loaded", "is_missing", "is_unsaved"}), (Viewer, {"is_demo", "models"})],
)
async def test_what_a_tab_has_shown_is_emptied_as_one_so_that_no_new_var_is_forgotten(
    shown: type[Transcript | Viewer], left: set[str]
) -> None:
    state = await new_root().get_state(shown)
    fields = shown.get_fields()
    defaults = {name: fields[name].default_value() for name in shown.base_vars}
    filled: dict[type, Any] = {str: "x", int: 1, bool: True, list: ["x"], dict: {"x": "x"}, tuple: ("x", ["x"])}
    for name, value in defaults.items():
        setattr(state, name, filled[type(value)])
    state._empty()
    assert {name for name, value in defaults.items() if getattr(state, name) != value} == left


# --- routes ------------------------------------------------------------------------------------------------------

of_routes = [name for name, entry in ROUTES.items() if entry.verb is not None]


async def request(now: Scene, name: str, who: str | None) -> httpx.Response:
    """What the interface answers to somebody; of the streams, the one under way is stopped, the ended one all else."""
    api = create_api(lambda _: False)
    api.dependency_overrides[asked_services] = lambda: now.world.services
    async with now.world.database.read() as session:
        query = select(col(Attempt.stream_id)).where(
            col(Attempt.message_id) == (now.live if ROUTES[name].verb is Verb.STOP else now.ended)
        )
        stream_id = (await session.execute(query.order_by(col(Attempt.number).desc()))).scalars().first()
    method, path = name.format(thread_id=now.thread_id, stream_id=stream_id, message_id=now.prompt).split(" ")
    headers = {"Accept": "application/json"}
    if who is not None:
        headers["Authorization"] = f"Bearer {await now.world.services.people.add_token(now.people[who], name[:60])}"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://x", headers=headers) as http:
        return await http.request(method, path, json=ROUTES[name].arguments(now) or None)


@pytest.mark.parametrize("visibility", Visibility)
async def test_a_route_refuses_whoever_may_not_and_changes_and_tells_nothing(
    world: World, visibility: Visibility
) -> None:
    now = await scene(world, visibility)
    before = await now.rows()
    for name in of_routes:
        for who in (None, *ROLES):
            if who is not None and permitted(name, ROUTES, who, visibility):
                continue
            answer = await request(now, name, who)
            may_read = who is not None and Verb.READ in allowed(ROLES[who], visibility)
            status = 401 if who is None else 403 if may_read else 404
            assert (name, who, answer.status_code) == (name, who, status)
            assert SECRET not in answer.text
    assert await now.rows() == before


@whoever
async def test_a_route_does_it_for_whoever_may(world: World, visibility: Visibility) -> None:
    now = await scene(world, visibility)
    for name in of_routes:
        for who in MATTERS[visibility]:
            if not permitted(name, ROUTES, who, visibility):
                continue
            before = await now.rows()
            answer = await request(now, name, who)
            assert (name, who, answer.is_success) == (name, who, True)
            if ROUTES[name].verb in READERS:
                assert SECRET in answer.text
                continue
            assert await now.rows() != before
            now = await scene(world, visibility)


# --- services ----------------------------------------------------------------------------------------------------

of_services = [name for name, entry in SERVICES.items() if entry.verb is not None]


@pytest.mark.parametrize("visibility", Visibility)
async def test_a_service_refuses_whoever_may_not_and_changes_nothing(world: World, visibility: Visibility) -> None:
    now = await scene(world, visibility)
    before = await now.rows()
    for name in of_services:
        for who, role in ROLES.items():
            if permitted(name, SERVICES, who, visibility):
                continue
            refusal = NotPermitted if Verb.READ in allowed(role, visibility) else ThreadUnknown
            with pytest.raises(refusal):
                await attrgetter(name)(world.services)(now.people[who], now.thread_id, **SERVICES[name].arguments(now))
    assert await now.rows() == before


@pytest.mark.parametrize("visibility", MATTERS)
async def test_a_service_does_it_for_whoever_may(world: World, visibility: Visibility) -> None:
    now = await scene(world, visibility)
    for name in of_services:
        for who in MATTERS[visibility]:
            if not permitted(name, SERVICES, who, visibility):
                continue
            before = await now.rows()
            answer = await attrgetter(name)(world.services)(
                now.people[who], now.thread_id, **SERVICES[name].arguments(now)
            )
            if SERVICES[name].verb in READERS:
                assert answer
            else:
                assert (name, who, await now.rows() != before) == (name, who, True)
                now = await scene(world, visibility)


@pytest.mark.parametrize("name", [name for name, entry in SERVICES.items() if entry.on != "thread"])
async def test_a_message_is_named_with_its_thread_or_unknown(world: World, name: str) -> None:
    now = await scene(world, Visibility.LINK)
    owner = now.people["owner"]
    own = await world.services.threads.create(owner)
    before = await now.rows()
    for thread_id in (own, "nowhere"):  # not even for the owner of both
        with pytest.raises(ThreadUnknown):
            await attrgetter(name)(world.services)(owner, thread_id, **SERVICES[name].arguments(now))
    assert await now.rows() == before
