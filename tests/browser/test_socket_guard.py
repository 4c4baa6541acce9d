"""The socket: whatever a client sends, it stays who its handshake says and reaches only what is meant to be reached."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from simple_websocket import AioClient
from simple_websocket.errors import ConnectionError as Refused

from chat_app.identity import COOKIE, secret_in
from chat_app.socket_guard import guard_socket
from tests.support.scripted_model import ScriptedModelThread
from tests.support.server import PROJECT, Server, app_environment, running_server

PATIENCE = 20.0
"""Seconds after which a test that waits for the server has failed."""
STATE = "reflex___state____state"
HOME = f"{STATE}.chat_app___pages___home____home"
COMPOSER = f"{STATE}.chat_app___pages___thread____composer"
LIVE = f"{STATE}.chat_app___state____live"
VIEWER = f"{STATE}.chat_app___state____viewer"
ON_LOAD = f"{STATE}.reflex___state____on_load_internal_state"
STORAGE = f"{STATE}.reflex___state____update_vars_internal_state"
EXCEPTIONS = f"{STATE}.reflex___state____frontend_event_exception_state"
SHARED = f"{STATE}.reflex___istate___shared____shared_state_base_internal"

REMOTE_ENTRY_POINTS = {
    f"{HOME}.lead",
    f"{COMPOSER}.delete",
    f"{COMPOSER}.delete_thread",
    f"{COMPOSER}.go_on",
    f"{COMPOSER}.new_thread",
    f"{COMPOSER}.retry",
    f"{COMPOSER}.send",
    f"{COMPOSER}.stop",
    f"{LIVE}.catch_up",
    f"{LIVE}.look_at",
    f"{LIVE}.watch",
    f"{STATE}.hydrate",
    f"{STATE}.hydrate_and_load",
    f"{ON_LOAD}.on_load_internal",
    f"{STORAGE}.update_vars_internal",
    f"{EXCEPTIONS}.handle_frontend_exception",
}
"""All that any client may call, with any arguments. Who adds to it has decided what a stranger may do with it."""

LIST_ENTRY_POINTS = """
import json
import chat_app.chat_app
from chat_app.socket_guard import may_call
from reflex_base.registry import RegistrationContext
print(json.dumps([name for name in RegistrationContext.get().event_handlers if may_call(name)]))
"""


class Socket:
    """A client that says what it likes on a socket that was opened as a page's."""

    def __init__(self, client: AioClient, server: Server, secret: str) -> None:
        self.server = server
        self.secret = secret
        self.client = client
        self._logged = len(server.log.read_bytes())

    async def emit(self, *data: Any) -> None:
        """Emit a socket.io event."""
        await self.client.send(f"42/_event,{json.dumps(data)}")

    async def call(self, name: Any, payload: Any = None, thread: str = "") -> None:
        """Call a handler, as the page of this thread would."""
        place = {"pathname": thread or "/", "asPath": thread or "/", "query": {"thread_id": thread.removeprefix("/t/")}}
        await self.emit("event", {"name": name, "payload": payload or {}, "router_data": place})

    async def until(self, find: Callable[[Any], Any]) -> Any:
        """Wait for an update in which something is found; return that."""
        async with asyncio.timeout(PATIENCE):
            while True:
                packet = await self.client.receive()
                assert isinstance(packet, str)
                if packet == "2":
                    await self.client.send("3")
                elif packet.startswith("42/_event,"):
                    event, *data = json.loads(packet.removeprefix("42/_event,"))
                    found = find(data[0] if event == "event" else {event: True})
                    if found is not None:
                        return found

    async def until_var(self, state: str, name: str) -> Any:
        """Wait until a var is sent."""
        return await self.until(lambda update: update.get("delta", {}).get(state, {}).get(f"{name}_rx_state_"))

    async def settled(self) -> list[Any]:
        """Wait until all that was sent has been taken or dropped; return the updates that came."""
        updates: list[Any] = []
        await self.emit("ping")
        await self.until(lambda update: updates.append(update) if "ping" not in update else True)
        return updates

    async def begin(self) -> str:
        """Begin a thread; its address."""
        await self.call(f"{COMPOSER}.new_thread")
        events = await self.until(lambda update: update.get("events"))
        return events[0]["payload"]["path"]

    async def who(self, thread: str) -> tuple[int, str]:
        """Whom the server takes this client for, and at which address."""
        await self.call(f"{STATE}.hydrate_and_load", thread=thread)
        return await self.told_who()

    async def told_who(self) -> tuple[int, str]:
        """Wait for what a page that loads is told of that."""
        news: dict[str, dict[str, Any]] = {}

        def take(update: Any) -> Any:
            delta = update.get("delta", {})
            for state, values in delta.items():
                news.setdefault(state, {}).update(values)
            # First all that the server remembers of the tab, then what the thread's page finds out anew.
            return True if LIVE in delta and STATE not in delta else None

        await self.until(take)
        return news[VIEWER]["me_rx_state_"], news[STATE]["rx_router_session_rx_state_"]["client_ip"]

    def logged(self) -> str:
        """What the server has logged since the socket was opened."""
        return self.server.log.read_bytes()[self._logged :].decode()

    def assert_log_is_calm(self) -> None:
        """No trace of a failure, and nothing that would let a reader of the log be somebody else."""
        logged = self.logged()
        assert "Traceback" not in logged
        assert "a handler failed" not in logged
        assert "CANARY" not in logged
        assert self.secret not in logged
        assert "cookie" not in logged.lower()


def new_secret_of(server: Server) -> str:
    """What the page gives a new browser to be known by."""
    secret = secret_in(httpx.get(server.url).headers["set-cookie"])
    assert secret is not None
    return secret


@asynccontextmanager
async def opened(
    server: Server, *, secret: str | None = None, origin: str | None = None, tab: str | None = None, auth: str = ""
) -> AsyncGenerator[Socket]:
    """A socket of somebody new, or of the browser with this secret; without a tab's name if that is ""."""
    secret = secret or new_secret_of(server)
    token = uuid4().hex if tab is None else tab
    client = AioClient(
        f"{server.url.replace('http', 'ws', 1)}/_event/?EIO=4&transport=websocket&token={token}",
        headers={"Cookie": f"{COOKIE}={secret}", "Origin": origin or server.url},
    )
    try:
        # And not by `AioClient.connect`, which leaves the connection open when it is refused.
        await client._connect()  # pyright: ignore[reportAttributeAccessIssue]  # of a package without types
        socket = Socket(client, server, secret)
        await client.send(f"40/_event,{auth}")
        async with asyncio.timeout(PATIENCE):
            while not str(await client.receive()).startswith("40/_event"):
                pass
        yield socket
    finally:
        if client.connected:
            await client.close()
        if client.wsock is not None:
            client.wsock.close()
            await client.wsock.wait_closed()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """The production server."""
    with (
        ScriptedModelThread() as model,
        running_server(
            tmp_path_factory.mktemp("socket"), "prod", OPENAI_BASE_URL=model.base_url, CHAT_SEED="false"
        ) as server,
    ):
        yield server


def test_what_a_client_may_call_is_this_and_no_more() -> None:
    listed = subprocess.run(
        [sys.executable, "-c", LIST_ENTRY_POINTS],
        cwd=PROJECT,
        env=app_environment(PYTHONPATH=str(PROJECT)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert listed.returncode == 0, listed.stderr
    assert set(json.loads(listed.stdout.splitlines()[-1])) == REMOTE_ENTRY_POINTS


@pytest.mark.parametrize(
    ("sio", "namespace"),
    [
        (SimpleNamespace(), SimpleNamespace(on_event=None, sid_to_token={})),
        (SimpleNamespace(_handle_event=None), SimpleNamespace(sid_to_token={})),
        (None, SimpleNamespace(on_event=None, sid_to_token={})),
        (SimpleNamespace(_handle_event=None), None),
    ],
)
def test_the_app_does_not_start_where_the_hooks_have_moved(sio: Any, namespace: Any) -> None:
    app: Any = SimpleNamespace(sio=sio, event_namespace=namespace)

    with pytest.raises((AttributeError, AssertionError)):
        guard_socket(app)


@pytest.mark.server
async def test_a_forged_connect_changes_nothing_about_who_one_is(server: Server) -> None:
    async with opened(server) as victim:
        await victim.who(await victim.begin())
    async with opened(server) as socket:
        thread = await socket.begin()
        before = await socket.who(thread)

        cookie = f"{COOKIE}={victim.secret}"
        headers = [["cookie", cookie], ["x-forwarded-for", "6.6.6.6"]]
        await socket.emit("connect", {"asgi.scope": {"headers": headers, "client": ["6.6.6.6", 1]}})
        await socket.emit("connect", {"HTTP_COOKIE": cookie, "REMOTE_ADDR": "6.6.6.6"}, {"token": "CANARY"})
        # Header names are bytes in a genuine environment, which a client can send as attachments.
        pair = [{"_placeholder": True, "num": 0}, {"_placeholder": True, "num": 1}]
        environment = {"asgi.scope": {"headers": [pair], "client": ["6.6.6.6", 1]}}
        await socket.client.send(f"452-/_event,{json.dumps(['connect', environment])}")
        await socket.client.send(b"cookie")
        await socket.client.send(cookie.encode())
        await socket.settled()

        assert await socket.who(thread) == before
        assert before[1] == "127.0.0.1"
        assert victim.secret not in socket.logged()
        socket.assert_log_is_calm()


@pytest.mark.server
async def test_headers_that_an_event_brings_along_change_nothing_about_who_one_is(server: Server) -> None:
    async with opened(server) as victim:
        stranger = await victim.who(await victim.begin())
    async with opened(server) as socket:
        thread = await socket.begin()
        place = {"pathname": thread, "asPath": thread, "query": {"thread_id": thread.removeprefix("/t/")}}
        forged = {
            "headers": {"cookie": f"{COOKIE}={victim.secret}"},
            "ip": "6.6.6.6",
            "session_id": "CANARY",
            "token": "CANARY",
        }
        await socket.emit("event", {"name": f"{STATE}.hydrate_and_load", "payload": {}, "router_data": place | forged})

        me, address = await socket.told_who()

        assert (me, address) == await socket.who(thread)
        assert (me != stranger[0], address) == (True, "127.0.0.1")


@pytest.mark.server
@pytest.mark.parametrize(
    "data",
    [
        ("shout", {"CANARY": 1}),
        ("disconnect",),
        ("connect",),
        ("message", "CANARY"),
        ("", "CANARY"),
        ({"event": 1}, {"name": f"{STATE}.hydrate"}),
        (["event"], "CANARY"),
        (None,),
        (),
        ("event",),
        ("event", {"name": f"{STATE}.hydrate"}, "CANARY"),
        ("ping", "CANARY"),
        ("client_error", {"message": "CANARY"}, 2),
    ],
    ids=repr,
)
async def test_a_socket_event_that_is_not_reflexs_own_is_dropped(data: tuple[Any, ...], server: Server) -> None:
    async with opened(server) as socket:
        await socket.emit(*data)

        assert await socket.settled() == []
        assert "was dropped" in socket.logged()
        socket.assert_log_is_calm()


@pytest.mark.server
@pytest.mark.parametrize(
    "name",
    [
        "CANARY",
        "",
        None,
        5,
        ["CANARY"],
        f"{STATE}.set_is_hydrated",
        f"{STATE}.setvar",
        f"{VIEWER}.setvar",
        f"{VIEWER}.set_me",
        f"{SHARED}.setvar",
        f"{ON_LOAD}.set_is_hydrated",
        f"{COMPOSER}._send",
        f"{COMPOSER}.send.send",
        f"{COMPOSER}",
        "chat_app___pages___thread____composer.send",
        f"{STATE}.chat_app___nowhere____none.CANARY",
        "_redirect",
    ],
    ids=repr,
)
async def test_a_handler_that_is_not_to_be_called_is_not(name: Any, server: Server) -> None:
    async with opened(server) as socket:
        await socket.call(name, {"var_name": "me", "value": "CANARY"})

        assert await socket.settled() == []
        assert "an event was dropped" in socket.logged()
        socket.assert_log_is_calm()


@pytest.mark.server
@pytest.mark.parametrize(
    "event",
    [
        "CANARY",
        "{}",
        5,
        None,
        ["CANARY"],
        {"payload": {}},
        {"name": f"{COMPOSER}.stop", "payload": ["CANARY"]},
        {"name": f"{COMPOSER}.stop", "payload": "CANARY"},
        {"name": f"{COMPOSER}.stop", "payload": None},
        {"name": f"{COMPOSER}.stop", "payload": {"message_id": 1}, "router_data": ["CANARY"]},
        {"name": f"{COMPOSER}.stop", "payload": {"message_id": 1}, "router_data": None},
        {"name": f"{COMPOSER}.stop", "payload": {"message_id": 1}, "router_data": {"query": "CANARY"}},
        {"name": f"{COMPOSER}.stop", "payload": {"message_id": 1}, "router_data": {"pathname": {"CANARY": 1}}},
    ],
    ids=repr,
)
async def test_an_event_without_the_form_of_one_is_dropped(event: Any, server: Server) -> None:
    async with opened(server) as socket:
        await socket.emit("event", event)

        assert await socket.settled() == []
        assert "an event was dropped" in socket.logged()
        socket.assert_log_is_calm()


@pytest.mark.server
async def test_the_event_that_comes_with_the_handshake_is_no_way_in(server: Server) -> None:
    for event in ({"name": f"{VIEWER}.setvar", "payload": {"var_name": "me", "value": 1}}, "CANARY", ["CANARY"]):
        async with opened(server, auth=json.dumps({"event": event})) as socket:
            assert await socket.settled() == []
            socket.assert_log_is_calm()


@pytest.mark.server
async def test_a_socket_without_a_tab_calls_nothing_and_is_not_logged(server: Server) -> None:
    async with opened(server, tab="") as socket:
        await socket.call(f"{COMPOSER}.send", {"form": {"text": "CANARY", "nonce": "n" * 8}}, thread="/t/x")

        assert await socket.settled() == []
        assert "an event was dropped" in socket.logged()
        socket.assert_log_is_calm()


@pytest.mark.server
@pytest.mark.parametrize(
    ("name", "payload"),
    [
        (f"{HOME}.lead", {"more": "CANARY"}),
        (f"{COMPOSER}.new_thread", {"more": "CANARY"}),
        (f"{LIVE}.watch", {"self": "CANARY"}),
        (f"{COMPOSER}.send", {}),
        (f"{COMPOSER}.send", {"form": "CANARY"}),
        (f"{COMPOSER}.send", {"form": ["CANARY"]}),
        (f"{COMPOSER}.send", {"form": {}}),
        (f"{COMPOSER}.send", {"form": {"text": ["CANARY"], "nonce": "n" * 8}}),
        (f"{COMPOSER}.send", {"form": {"text": "CANARY", "nonce": 12345678}}),
        (f"{COMPOSER}.send", {"form": {"text": "CANARY", "nonce": "../../CANARY"}}),
        (f"{COMPOSER}.send", {"form": {"text": "CANARY", "nonce": "n" * 8, "author": 1}}),
        (f"{COMPOSER}.send", {"form": {"text": "CANARY", "nonce": "n" * 8}, "self": 1}),
        (f"{COMPOSER}.stop", {}),
        (f"{COMPOSER}.stop", {"message_id": "CANARY"}),
        (f"{COMPOSER}.stop", {"message_id": {"CANARY": 1}}),
        (f"{COMPOSER}.stop", {"message_id": "1"}),
        (f"{COMPOSER}.stop", {"message_id": 1.5}),
        (f"{COMPOSER}.stop", {"message_id": 2**31}),
        (f"{COMPOSER}.stop", {"message_id": 2**63}),
        (f"{COMPOSER}.stop", {"message_id": -1}),
        (f"{COMPOSER}.stop", {"message_id": True}),
        (f"{COMPOSER}.stop", {"message_id": None}),
        (f"{COMPOSER}.stop", {"message_id": 1, "self": "CANARY"}),
        (f"{COMPOSER}.stop", {"message_id": 1, "more": "CANARY"}),
        (f"{COMPOSER}.retry", {"message_id": "CANARY"}),
        (f"{COMPOSER}.go_on", {"message_id": ["CANARY"]}),
        (f"{COMPOSER}.delete", {"message_id": None}),
        (f"{COMPOSER}.delete_thread", {"thread_id": "CANARY"}),
        (f"{LIVE}.look_at", {"message_id": "CANARY", "version": 1}),
        (f"{LIVE}.look_at", {"message_id": 1, "version": 2**63}),
        (f"{LIVE}.catch_up", {"name": "1.1"}),
        (f"{LIVE}.catch_up", {"name": 1, "have": 0}),
        (f"{LIVE}.catch_up", {"name": ["CANARY"], "have": 0}),
        (f"{LIVE}.catch_up", {"name": "1.1", "have": "CANARY"}),
        (f"{LIVE}.catch_up", {"name": "1.1", "have": None}),
        (f"{LIVE}.catch_up", {"name": "1.1", "have": -1}),
        (f"{LIVE}.catch_up", {"name": "1.1", "have": 2**63}),
        (f"{LIVE}.catch_up", {"name": "CANARY", "have": 0}),
        (f"{LIVE}.catch_up", {"name": f"{2**63}.1", "have": 0}),
    ],
    ids=repr,
)
async def test_arguments_that_no_page_sends_are_refused_with_a_notice(
    name: str, payload: dict[str, Any], server: Server
) -> None:
    async with opened(server) as socket:
        await socket.call(name, payload, thread="/t/x")

        assert await socket.until_var(VIEWER, "notice") == "The page sent something unexpected. Reload it."
        socket.assert_log_is_calm()


@pytest.mark.server
@pytest.mark.parametrize(
    ("name", "payload"),
    [
        *((f"{COMPOSER}.{deed}", {"message_id": 2**31 - 1}) for deed in ("stop", "retry", "go_on", "delete")),
        (f"{COMPOSER}.delete_thread", {}),
        (f"{LIVE}.look_at", {"message_id": 2**31 - 1, "version": 1}),
        (f"{LIVE}.catch_up", {"name": "999999999.1", "have": 0}),
        (f"{COMPOSER}.send", {"form": {"text": "CANARY", "nonce": "n" * 8}}),
    ],
    ids=repr,
)
async def test_what_does_not_exist_is_told_with_a_notice(name: str, payload: dict[str, Any], server: Server) -> None:
    async with opened(server) as socket:
        await socket.call(name, payload, thread="/t/x")

        assert await socket.until_var(VIEWER, "notice") == "This does not exist any more, or is not for you."
        socket.assert_log_is_calm()


@pytest.mark.server
async def test_without_a_cookie_a_handler_says_what_to_do(server: Server) -> None:
    async with opened(server, secret="short") as socket:
        await socket.call(f"{COMPOSER}.new_thread")

        assert "cookies" in await socket.until_var(VIEWER, "notice")


@pytest.mark.server
async def test_a_page_of_another_origin_gets_no_socket(server: Server) -> None:
    host = server.url.removeprefix("http://")
    for origin in ("http://evil.example", f"http://{host}.evil.example", f"https://{host}", "null", f"{server.url}/"):
        with pytest.raises(Refused):
            async with opened(server, origin=origin):
                pass
    async with opened(server, origin=server.url.replace("127.0.0.1", "localhost")) as socket:
        assert await socket.settled() == []
