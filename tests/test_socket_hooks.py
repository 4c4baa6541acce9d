"""What the socket relies on inside Reflex, engine.io and socket.io; if one moves, a guard may hang in the air."""

import inspect
from typing import Any

import reflex as rx
from engineio import packet as engine_packet
from reflex.app import EventNamespace
from reflex.constants import Endpoint
from reflex.state import State
from reflex_base.constants import CompileVars, RouteVar, SocketEvent
from reflex_base.event import _EVENT_FIELDS
from reflex_base.event.processor import BaseStateEventProcessor
from reflex_base.registry import RegistrationContext
from reflex_base.utils.form import FORM_DATA_ENTRIES_KEY
from socketio import packet

from chat_app.gate import frames
from chat_app.gate.frames import BOOT, CHECKS, CLIENT_ERROR, FORM, NAVIGATE, REPORT, SPACE


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_the_wire_is_as_the_frames_have_it():
    assert rx.Config(app_name="chat_app").get_event_namespace() == str(Endpoint.EVENT) == SPACE
    assert (CompileVars.CONNECT_AUTH_EVENT, CompileVars.CONNECT_AUTH_STATE_SCHEMA) == ("event", "state_schema")
    assert {"name", "payload", "router_data"} == _EVENT_FIELDS
    assert (str(SocketEvent.EVENT), str(SocketEvent.PING)) == ("event", "ping")
    assert {name for name in dir(EventNamespace) if name.startswith("on_")} == {
        "on_connect", "on_disconnect", "on_event", "on_ping", f"on_{CLIENT_ERROR}",
    }  # fmt: skip
    assert FORM_DATA_ENTRIES_KEY == FORM
    assert (engine_packet.PING, engine_packet.PONG, engine_packet.CLOSE) == (2, 3, 1)
    assert (packet.CONNECT, packet.DISCONNECT, packet.EVENT, packet.CONNECT_ERROR) == (0, 1, 2, 4)


def test_the_frames_are_what_socket_io_itself_would_send():
    event = packet.Packet(packet.EVENT, ["event", {"delta": {}}], namespace=SPACE)
    assert "4" + str(event.encode()) == frames.update({"delta": {}})


def test_reflex_takes_address_headers_and_session_from_the_connection_and_only_the_route_from_the_event():
    assert parameters(EventNamespace.on_event) == ["self", "sid", "data"]
    assert parameters(EventNamespace.on_connect) == ["self", "sid", "environ", "auth"]
    assert parameters(EventNamespace._build_static_router_data) == ["self", "sid", "environ"]
    assert {RouteVar.PATH, RouteVar.ORIGIN, RouteVar.QUERY} == {"pathname", "asPath", "query"}
    namespace = EventNamespace(SPACE, rx.App())
    scope = {"client": ["192.0.2.1", 1], "headers": [(b"x-forwarded-for", b"6.6.6.6"), (b"cookie", b"a=b")]}
    built = namespace._build_static_router_data("sid", {"asgi.scope": scope})
    assert (built[RouteVar.CLIENT_IP], built[RouteVar.SESSION_ID]) == ("192.0.2.1", "sid")
    assert built[RouteVar.HEADERS]["cookie"] == "a=b"


def test_reflexs_own_handlers_are_called_and_take_what_we_check_for():
    handlers = RegistrationContext.get().event_handlers
    assert handlers.keys() >= CHECKS.keys()
    taken = {name: parameters(handlers[name].handler.fn)[1:] for name in CHECKS}
    assert taken == {BOOT: ["vars", "hashes"], NAVIGATE: [], REPORT: ["info", "component_stack"]}


def test_the_load_of_a_page_ends_with_its_socket():
    assert parameters(BaseStateEventProcessor._on_disconnect) == ["self", "token"]
    assert RegistrationContext.get().event_handlers[NAVIGATE].handler.supersedes


def test_no_var_is_stored_by_the_browser():
    assert not [name for name in State.get_fields() if State._is_client_storage(name)]
