"""The event socket of a really started server, against whoever says to it what no page would.

Each attack comes from a loopback address of its own, so that what it uses up is nobody else's.
"""

import asyncio
import itertools
import json
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from chat_app.gate.allowances import EVENTS, TOO_MUCH
from chat_app.gate.guard import TOO_LONG
from chat_app.people.identity import COOKIE
from chat_app.people.secrets import new_secret
from tests.support.raw_socket import (
    BOOT,
    LIVE,
    STATE,
    TRANSCRIPT,
    VIEWER,
    RawSocket,
    call,
    emit,
    join,
    joined,
    new_cookie,
    new_token,
    raw_socket,
    route,
)
from tests.support.scripted_model import Hold, Say
from tests.support.server import PROJECT, app_environment
from tests.support.site import Site, running_site

pytestmark = pytest.mark.server

ENTRY_POINTS = {
    "reflex___state____state.chat_app___components___dialogs___details_dialog____details.forget",
    "reflex___state____state.chat_app___components___dialogs___details_dialog____details.look",
    "reflex___state____state.chat_app___components___finder____finder.find",
    "reflex___state____state.chat_app___components___dialogs___share_dialog____sharing.forget",
    "reflex___state____state.chat_app___components___dialogs___share_dialog____sharing.hand_over",
    "reflex___state____state.chat_app___components___dialogs___share_dialog____sharing.leave",
    "reflex___state____state.chat_app___components___dialogs___share_dialog____sharing.look",
    "reflex___state____state.chat_app___components___dialogs___share_dialog____sharing.make_invite",
    "reflex___state____state.chat_app___components___dialogs___share_dialog____sharing.remove",
    "reflex___state____state.chat_app___components___dialogs___share_dialog____sharing.set_role",
    "reflex___state____state.chat_app___components___dialogs___share_dialog____sharing.set_visibility",
    "reflex___state____state.chat_app___components___dialogs___share_dialog____sharing.withdraw",
    "reflex___state____state.chat_app___components___sidebar____sidebar.new_thread",
    "reflex___state____state.chat_app___components___thread___thread_menu____thread_menu.clear",
    "reflex___state____state.chat_app___components___thread___thread_menu____thread_menu.rename",
    "reflex___state____state.chat_app___components___dialogs___thread_settings____configuration.configure",
    "reflex___state____state.chat_app___components___thread___deletion____deletion.delete_message",
    "reflex___state____state.chat_app___components___thread___deletion____deletion.delete_thread",
    "reflex___state____state.chat_app___components___thread___deletion____deletion.keep_deleted",
    "reflex___state____state.chat_app___components___thread___deletion____deletion.undo",
    "reflex___state____state.chat_app___pages___account____account.make_token",
    "reflex___state____state.chat_app___pages___account____account.rename",
    "reflex___state____state.chat_app___pages___account____account.revoke_token",
    "reflex___state____state.chat_app___pages___account____account.sign_out_elsewhere",
    "reflex___state____state.chat_app___pages___account____account.sign_out_everywhere",
    "reflex___state____state.chat_app___pages___thread____composer.edit",
    "reflex___state____state.chat_app___pages___thread____composer.go_on",
    "reflex___state____state.chat_app___pages___thread____composer.retry",
    "reflex___state____state.chat_app___pages___thread____composer.send",
    "reflex___state____state.chat_app___pages___thread____composer.stop",
    "reflex___state____state.chat_app___state____live.catch_up",
    "reflex___state____state.chat_app___state____live.look_at",
    "reflex___state____state.chat_app___state____live.replay",
    "reflex___state____state.chat_app___state____live.show_earlier",
    "reflex___state____state.chat_app___state____presence.answer",
    "reflex___state____state.chat_app___state____presence.look",
    "reflex___state____state.chat_app___state____presence.type",
    "reflex___state____state.hydrate_and_load",
    "reflex___state____state.reflex___state____frontend_event_exception_state.handle_frontend_exception",
    "reflex___state____state.reflex___state____on_load_internal_state.on_load_internal",
}
"""What a client may call; a new one is a decision."""

LIST = """
import json
from chat_app.chat_app import with_guard
from reflex_base.registry import RegistrationContext
guard = with_guard(None)
print(json.dumps([name for name in RegistrationContext.get().event_handlers if guard.may_call(name)]))
"""
BEHIND_A_PROXY = """
import asyncio, json
import httpx
from starlette.responses import HTMLResponse
from chat_app.chat_app import with_cookie, with_proxies

async def page(scope, receive, send):
    await HTMLResponse(scope["client"][0])(scope, receive, send)

async def main():
    said = {"x-forwarded-for": "6.6.6.6, 192.0.2.7", "x-forwarded-proto": "https"}
    for peer in ("10.0.0.2", "198.51.100.1"):
        transport = httpx.ASGITransport(with_proxies(with_cookie(page)), client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://chat.example") as client:
            answer = await client.get("/", headers=said)
            print(json.dumps([answer.text, "Secure" in answer.headers["set-cookie"]]))

asyncio.run(main())
"""
ADDRESSES = (f"127.0.{number // 250}.{number % 250 + 2}" for number in itertools.count())


@pytest.fixture
def address() -> str:
    """A loopback address that nobody has used."""
    address = next(ADDRESSES)
    with socket.socket() as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            pytest.skip("this system has one loopback address")
    return address


@pytest.fixture
def url(production_site: Site) -> str:
    return production_site.server.url


@pytest.fixture(autouse=True)
def _log_is_quiet(request: pytest.FixtureRequest) -> Any:
    """Whatever is sent, the log says no more than that something was dropped."""
    if "production_site" not in request.fixturenames:
        yield
        return
    log: Path = request.getfixturevalue("production_site").server.log
    before = log.stat().st_size
    yield
    with log.open() as lines:
        lines.seek(before)
        said = lines.read()
    assert "Traceback" not in said
    assert COOKIE not in said
    assert all(len(line) < 500 for line in said.splitlines())


@pytest.fixture
async def cookie(url: str) -> str:
    return await new_cookie(url)


@pytest.fixture
async def bystander(production_site: Site) -> AsyncGenerator["Bystander"]:
    """Somebody in a thread of their own, whose reply is being written."""
    url = production_site.server.url
    production_site.model.enqueue(Say(["It goes ", "on, ", Hold(), "and ends well."]))
    cookie = await new_cookie(url)
    async with joined(url, cookie=cookie) as lobby:
        await lobby.send(call("new_thread"))
        path = await lobby.redirected()
    async with joined(url, path, cookie=cookie) as tab:
        await tab.until(lambda raw: raw.var(TRANSCRIPT, "is_loaded"))
        await tab.send(call("send", path, text="@gpt go on", nonce="bystander"))
        await tab.until(lambda raw: "It goes on, " in raw.texts.values())
        yield Bystander(production_site, tab)


class Bystander:
    def __init__(self, site: Site, tab: RawSocket) -> None:
        self.site = site
        self.tab = tab

    async def gets_all(self) -> None:
        self.site.model.release()
        await self.tab.until(lambda raw: "It goes on, and ends well." in raw.texts.values())
        assert self.tab.notices == []


def in_the_app(script: str, **variables: str) -> list[str]:
    """What a script prints in a process of its own, for the app exists once in a process."""
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, env=app_environment(**variables), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return ran.stdout.splitlines()


async def own_thread(url: str, cookie: str) -> str:
    """The path of a new thread."""
    async with joined(url, cookie=cookie) as tab:
        await tab.redirected()
        tab.frames.clear()
        await tab.send(call("new_thread"))
        return await tab.redirected()


def session(tab: RawSocket) -> dict[str, str]:
    return tab.var(STATE, "rx_router_session")


# --- what may be called -----------------------------------------------------------------------------------------------


def test_what_a_client_may_call_is_this_list() -> None:
    assert set(json.loads(in_the_app(LIST)[-1])) == ENTRY_POINTS


UNKNOWN = [
    emit("event", {"name": f"{STATE}.setvar", "payload": {"var_name": "x", "value": 1}}),
    emit("event", {"name": f"{STATE}.hydrate", "payload": {}}),
    emit("event", {"name": f"{STATE}.set_is_hydrated", "payload": {"value": False}}),
    emit("event", {"name": f"{LIVE}.watch", "payload": {}, "router_data": route()}),
    emit("event", {"name": f"{STATE}.chat_app___pages___home____home.lead", "payload": {}}),
    emit("event", {"name": f"{STATE}.nobody.knows", "payload": {}}),
    emit("event"),
    emit("event", {}, {}),
    emit("event", {}),
    emit("event", {"name": 1}),
    emit("event", "text"),
    emit("ping"),
    emit("disconnect"),
    emit("nonsense", {}),
    emit({}),
    emit(["x"]),
    emit(),
    call("new_thread").replace('"payload": {}', '"payload": []'),
    call("new_thread").replace('"payload": {}', '"payload": {"__reflex_form_data__": 1}'),
    *(
        emit("event", {"name": f"{STATE}.chat_app___components___sidebar____sidebar.new_thread", "router_data": wrong})
        for wrong in ([], 1, {"pathname": 1}, {"pathname": "no slash"}, {"query": []})
    ),
]


async def test_what_no_page_sends_is_dropped_and_the_socket_lives(url: str, cookie: str, address: str) -> None:
    async with joined(url, cookie=cookie, address=address) as tab:
        await tab.redirected()
        await tab.send(*UNKNOWN)
        before = len(tab.frames)
        await tab.alive()
        assert len(tab.frames) == before + 1


BROKEN: tuple[str | bytes, ...] = (
    *("", "x", "b", "b!!!", "4", "40", "42", "4x", "5", "6", "0{}", "2probe", "3", "3probe", "𝟜𝟚", "²"),
    *("40/other,", "40/_event,[", "41/other,", "43/_event,1[]", "44/_event,{}", "45/_event,1-[]"),
    *("42/_event,", "42/_event,[", "42[]", '42/other,["event",{}]', '42/_event,["event",{"name":NaN}]'),
    *("42/_event," + "[" * 100_000, "42/_event,[" + "9" * 5_000 + "]"),
    *(b"", b"\x00\xff", b"42"),
)


@pytest.mark.parametrize("frame", BROKEN, ids=lambda frame: repr(frame[:20]))
async def test_a_broken_packet_ends_nothing(url: str, cookie: str, frame: str | bytes) -> None:
    async with joined(url, cookie=cookie) as tab:
        await tab.send(frame)
        await tab.alive()


async def test_a_second_join_changes_nothing(url: str, cookie: str) -> None:
    async with joined(url, cookie=cookie) as tab:
        await tab.send(join(), join(boot={"name": BOOT, "payload": {}}))
        await tab.alive()
        assert sum(frame.startswith("40") for frame in tab.frames) == 1


async def test_nothing_can_be_called_before_the_socket_has_joined(url: str, cookie: str) -> None:
    async with raw_socket(url, cookie=cookie) as tab:
        await tab.send(call("new_thread"), join())
        await tab.until(lambda raw: raw.var(STATE, "is_hydrated") is not None)
        assert await tab.redirected()
        await tab.alive()


# --- arguments --------------------------------------------------------------------------------------------------------

WRONG: tuple[tuple[str, dict[str, Any]], ...] = (
    ("stop", {"message_id": {"a": 1}}),
    ("stop", {"message_id": 2**70}),
    ("stop", {}),
    ("retry", {"message_id": "1"}),
    ("retry", {"message_id": 1, "self": 1}),
    ("send", {"text": [1], "nonce": "0123456789"}),
    ("send", {"text": "hi", "nonce": "\ud800" * 10}),
    ("send", {"text": "hi", "nonce": "0123456789", "author": 1}),
    ("catch_up", {"name": "1.1; DROP", "have": 0}),
    ("catch_up", {"name": "1.1", "have": -1}),
    ("look_at", {"message_id": 1, "version": None}),
    ("new_thread", {"surprise": 1}),
)


async def test_arguments_of_the_wrong_kind_are_refused_in_words(url: str, cookie: str) -> None:
    async with joined(url, cookie=cookie) as tab:
        await tab.redirected()
        await tab.send(*(call(handler, **payload) for handler, payload in WRONG))
        await tab.until(lambda raw: sum("something unexpected" in notice for notice in raw.notices) == len(WRONG))
        await tab.alive()


async def test_what_reflex_itself_offers_cannot_be_misused(url: str, cookie: str, address: str) -> None:
    stored = {f"{VIEWER}.name_rx_state_": "Somebody Else", f"{LIVE}.f": [], "x": 1}
    boots = [{"vars": stored}, {"hashes": [1]}, {"hashes": ["x"] * 1_000}, {"hashes": "x"}, {"vars": 1}, {"other": 1}]
    for payload in boots:
        boot = {"name": BOOT, "payload": payload, "router_data": route()}
        async with raw_socket(url, cookie=cookie, address=address) as tab:
            await tab.send(join(boot=boot), emit("event", boot))
            await tab.alive()
            assert "Somebody Else" not in "".join(tab.frames)
    async with joined(url, cookie=cookie, address=address) as tab:
        misused: tuple[tuple[str, dict[str, Any]], ...] = (
            ("update_vars_internal_state.update_vars_internal", {"vars": stored}),
            ("update_vars_internal_state.update_vars_internal", {"vars": None}),
            ("on_load_internal_state.on_load_internal", {"surprise": 1}),
            ("frontend_event_exception_state.handle_frontend_exception", {"info": {}, "component_stack": 1}),
            ("frontend_event_exception_state.handle_frontend_exception", {}),
        )
        for name, payload in misused:
            await tab.send(call(f"{STATE}.reflex___state____{name}", **payload))
        await tab.send(emit("client_error", []), emit("client_error", {"message": {}}), emit("client_error"))
        await tab.alive()
        assert "Somebody Else" not in "".join(tab.frames)


async def test_what_a_page_reports_is_one_short_line_and_few_of_them(
    production_site: Site, cookie: str, address: str
) -> None:
    log = production_site.server.log
    before = len(log.read_text())
    report = f"{STATE}.reflex___state____frontend_event_exception_state.handle_frontend_exception"
    async with joined(production_site.server.url, cookie=cookie, address=address) as tab:
        for number in range(20):
            info = f"report {number}\n\x1b[31mforged line " + "x" * 50_000
            await tab.send(call(report, info=info, component_stack=""))
            await tab.send(emit("client_error", {"message": info, "error_type": info, "substate": info}))
        await tab.alive()
    said = log.read_text()[before:]
    assert said.count("report ") <= 5
    assert "\x1b" not in said
    assert not any(line.startswith("forged") for line in said.splitlines())


async def test_lone_surrogates_and_nul_are_stored_as_what_can_be_stored(url: str, cookie: str) -> None:
    path = await own_thread(url, cookie)
    async with joined(url, path, cookie=cookie) as tab:
        await tab.until(lambda raw: raw.var(TRANSCRIPT, "is_loaded"))
        sent = {"text": "one \ud800\x00 half, \ud83d\ude00 whole", "nonce": "surrogates"}
        await tab.send(call("send", path, **sent))
        await tab.until(lambda raw: "one \ufffd half, \U0001f600 whole" in raw.texts.values())
        await tab.send(call("catch_up", path, name="\ud800.1", have=0), call("new_thread", "/t/\ud800\x00"))
        await tab.alive()


# --- who one is -------------------------------------------------------------------------------------------------------


async def test_nothing_that_is_sent_changes_who_one_is_or_where_one_connects_from(url: str, cookie: str) -> None:
    forged = {"headers": {"cookie": f"{COOKIE}={new_secret()}"}, "ip": "6.6.6.6", "token": "stolen", "sid": "stolen"}
    environment = {"asgi.scope": {"headers": [], "client": ["6.6.6.6", 1]}, "QUERY_STRING": "token=stolen"}
    lies = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "Forwarded": "for=6.6.6.6",
        "X-Real-IP": "6.6.6.6",
    }
    path = await own_thread(url, cookie)
    async with joined(url, path, cookie=cookie) as tab:
        known = await tab.until(lambda raw: raw.var(VIEWER, "name"))
    boot = {"name": BOOT, "payload": {}, "router_data": {**route(path), **forged}, "token": "stolen"}
    async with raw_socket(url, cookie=cookie, headers=lies) as tab:
        await tab.send(join(boot=boot))
        await tab.until(lambda raw: raw.var(TRANSCRIPT, "is_loaded"))
        honest = session(tab)
        await tab.send(emit("connect", environment), emit("connect", environment, {}))
        await tab.send(
            emit("event", {**json.loads(call("new_thread", path)[10:])[1], "router_data": {**route(path), **forged}})
        )
        await tab.until(lambda raw: any("_redirect" in frame for frame in raw.frames))
        assert session(tab) == honest
        assert honest["client_ip"] == "127.0.0.1"
        assert "stolen" not in honest.values()
        assert tab.var(VIEWER, "name") == known
        assert "6.6.6.6" not in json.dumps(session(tab))


def test_a_proxy_is_believed_only_if_the_operator_names_it() -> None:
    # That none is believed by default is seen where nothing that is sent changes from where one connects.
    assert [json.loads(line) for line in in_the_app(BEHIND_A_PROXY, TRUSTED_PROXIES="10.0.0.0/8")[-2:]] == [
        ["192.0.2.7", True], ["198.51.100.1", False],
    ]  # fmt: skip


async def test_a_weak_or_stolen_token_shows_nothing_of_its_owners_tab(url: str, cookie: str) -> None:
    path = await own_thread(url, cookie)
    for token in ("1", new_token()):
        async with joined(url, path, cookie=cookie, token=token) as owner:
            await owner.until(lambda raw: raw.var(TRANSCRIPT, "is_loaded"))
            name = owner.var(VIEWER, "name")
            # While the owner is there…
            assert name not in await seen_with(url, token)
            await owner.alive()
            kept = session(owner)["client_token"]
        # …and when they have left.
        assert name not in await seen_with(url, token)
        async with joined(url, path, cookie=cookie, token=token) as owner:
            await owner.until(lambda raw: raw.var(TRANSCRIPT, "is_loaded") is not None)
            assert session(owner)["client_token"] == kept


async def seen_with(url: str, token: str) -> str:
    """All that somebody else is sent who comes with this token."""
    async with joined(url, cookie=await new_cookie(url), token=token) as thief:
        await thief.redirected()
        return "".join(thief.frames)


@pytest.mark.parametrize("token", ["", "x" * 65, "x" * 5_000, "a b", "../x", "ä", "\x00", "a\nb", "%00", "token'--"])
async def test_a_token_of_another_form_is_refused(url: str, cookie: str, token: str) -> None:
    with pytest.raises(InvalidStatus):
        async with raw_socket(url, cookie=cookie, query={"token": token}):
            pass


async def test_without_a_cookie_one_is_nobody_and_is_told(url: str) -> None:
    for wrong in (None, f"{COOKIE}=short", f"{COOKIE}={'x' * 5_000}"):
        async with joined(url, cookie=wrong) as tab:
            await tab.until(lambda raw: any("keeps no cookies" in notice for notice in raw.notices))
            assert not any("_redirect" in frame for frame in tab.frames)


# --- coming back ------------------------------------------------------------------------------------------------------


async def test_a_connection_of_which_nothing_is_heard_is_given_up_within_a_minute(url: str) -> None:
    async with raw_socket(url) as raw:
        greeting = json.loads((await raw.until(lambda raw: raw.frames and raw.frames[0])).removeprefix("0"))
    assert greeting["pingInterval"] + greeting["pingTimeout"] <= 60_000
    assert greeting["pingTimeout"] >= 15_000, "a phone on a bad network answers late"


async def test_after_a_half_open_reconnect_it_is_the_same_person_on_the_same_thread_and_the_text_goes_on(
    production_site: Site, cookie: str
) -> None:
    url, token = production_site.server.url, new_token()
    path = await own_thread(url, cookie)
    production_site.model.enqueue(Say(["Before ", "the cut, ", Hold(), "and after."]))
    async with joined(url, path, cookie=cookie, token=token) as half_open:
        await half_open.until(lambda raw: raw.var(TRANSCRIPT, "is_loaded"))
        await half_open.send(call("send", path, text="@gpt go on", nonce="half-open"))
        await half_open.until(lambda raw: "Before the cut, " in raw.texts.values())
        # The server has not noticed yet that the first socket is dead.
        async with joined(url, path, cookie=cookie, token=token) as tab:
            await tab.until(lambda raw: any('"new_token"' in frame for frame in raw.frames))
            await tab.until(lambda raw: any(text.startswith("Before") for text in raw.texts.values()))
            assert session(tab)["client_token"] != session(half_open)["client_token"]
            assert tab.var(VIEWER, "me") == half_open.var(VIEWER, "me")
            assert tab.var(TRANSCRIPT, "thread") == half_open.var(TRANSCRIPT, "thread")
            production_site.model.release()
            await tab.until(lambda raw: "Before the cut, and after." in raw.texts.values())


# --- from where -------------------------------------------------------------------------------------------------------


async def test_only_our_own_pages_may_connect(url: str, cookie: str) -> None:
    for foreign in (
        "http://evil.example",
        f"{url}.evil.example",
        url.replace("http", "https"),
        "null",
        f"{url}/",
        url + "0",
    ):
        with pytest.raises(InvalidStatus):
            async with raw_socket(url, cookie=cookie, origin=foreign):
                pass
    async with joined(url, cookie=cookie, origin=url) as tab:
        await tab.alive()


async def test_no_other_way_leads_to_the_socket_and_no_other_site_reads_an_answer(url: str, cookie: str) -> None:
    headers = {"Cookie": cookie, "Origin": "http://evil.example"}
    async with raw_socket(url, cookie=cookie) as tab, httpx.AsyncClient(base_url=url, headers=headers) as evil:
        opened = await tab.until(lambda raw: json.loads(raw.frames[0][1:])["sid"] if raw.frames else None)
        for path in ("/_event", "/_event/", "/_event/x"):
            for query in (
                "",
                "?EIO=4&transport=polling",
                "?EIO=4&transport=websocket",
                f"?EIO=4&transport=polling&sid={opened}",
            ):
                assert (await evil.get(path + query)).status_code == 400
                assert (await evil.post(path + query, content='40/_event,{"token":"x"}')).status_code == 400
        for path in ("/", "/_health"):
            assert "access-control-allow-origin" not in (await evil.get(path)).headers
        preflight = await evil.options("/", headers={"Access-Control-Request-Method": "POST"})
        assert "access-control-allow-origin" not in preflight.headers
        ours = await evil.get("/", headers={"Origin": url})
        assert ours.headers["access-control-allow-origin"] == url


@pytest.mark.parametrize("query", [{"EIO": "3"}, {"transport": "polling"}, {"EIO": "4'"}])
async def test_another_protocol_is_refused(url: str, query: dict[str, str]) -> None:
    with pytest.raises(InvalidStatus):
        async with raw_socket(url, query=query):
            pass


# --- too much ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [200_000, 2_000_000])
async def test_what_is_too_long_is_answered_and_the_socket_stays(url: str, cookie: str, length: int) -> None:
    path = await own_thread(url, cookie)
    async with joined(url, path, cookie=cookie) as tab:
        await tab.until(lambda raw: raw.var(TRANSCRIPT, "is_loaded"))
        await tab.send(call("send", path, text="x" * length, nonce="far-too-long"))
        await tab.until(lambda raw: raw.notices == [TOO_LONG])
        await tab.alive()


async def test_a_message_of_full_length_in_which_each_character_is_escaped_is_sent(url: str, cookie: str) -> None:
    path = await own_thread(url, cookie)
    async with joined(url, path, cookie=cookie) as tab:
        await tab.until(lambda raw: raw.var(TRANSCRIPT, "is_loaded"))
        await tab.send(call("send", path, text="\x01é" * 8_000, nonce="full-length"))
        await tab.until(lambda raw: [len(text) for text in raw.texts.values()] == [16_000])
        assert tab.notices == []


async def test_a_flood_is_slowed_down_in_words_and_nobody_else_feels_it(
    url: str, cookie: str, address: str, bystander: Bystander
) -> None:
    async with joined(url, cookie=cookie, address=address) as flooder:
        await flooder.redirected()
        flood = asyncio.create_task(flooder.send(*[call("new_thread")] * 3 * EVENTS.amount))
        await flooder.until(lambda raw: TOO_MUCH in raw.notices)
        await bystander.gets_all()
        flood.cancel()
        async with joined(url, cookie=cookie) as tab:
            await tab.alive()
        assert sum("_redirect" in frame for frame in flooder.frames) <= EVENTS.amount + 2


async def test_an_address_may_have_only_so_many_connections(url: str, address: str) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(200):
            await stack.enter_async_context(raw_socket(url, address=address))
        with pytest.raises(InvalidStatus):
            await stack.enter_async_context(raw_socket(url, address=address))
        async with raw_socket(url, address=next(ADDRESSES)):
            pass


# --- with other settings, on servers of their own ---------------------------------------------------------------------


@pytest.mark.security
async def test_behind_a_trusted_proxy_the_address_is_the_one_it_tells_and_the_cookie_is_secure(tmp_path: Path) -> None:
    with running_site(tmp_path, "prod", TRUSTED_PROXIES="127.0.0.1") as site:
        said = {"X-Forwarded-For": "6.6.6.6, 192.0.2.7", "X-Forwarded-Proto": "https"}
        async with httpx.AsyncClient(base_url=site.server.url) as browser:
            answer = await browser.get("/", headers=said)
            assert "Secure" in answer.headers["set-cookie"]
            cookie = answer.headers["set-cookie"].partition(";")[0]
        async with joined(site.server.url, cookie=cookie, headers=said) as tab:
            await tab.redirected()
            assert session(tab)["client_ip"] == "192.0.2.7"


@pytest.mark.security
async def test_a_state_that_has_really_expired_rebuilds_itself_unseen(tmp_path: Path) -> None:
    with running_site(tmp_path, "prod", REFLEX_REDIS_TOKEN_EXPIRATION="1") as site:
        url = site.server.url
        cookie = await new_cookie(url)
        path = await own_thread(url, cookie)
        async with joined(url, path, cookie=cookie) as tab:
            await tab.until(lambda raw: raw.var(TRANSCRIPT, "is_loaded"))
            me = tab.var(VIEWER, "me")
            await asyncio.sleep(3)
            tab.frames.clear()
            await tab.send(call("send", path, text="still here", nonce="still-here"))
            await tab.until(lambda raw: "still here" in raw.texts.values())
            assert tab.var(VIEWER, "me") == me
