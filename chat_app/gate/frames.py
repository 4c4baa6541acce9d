"""The frames that our pages send over their sockets: read, checked and written anew.

Any other frame is `NotOurs`. A frame of ours is built anew here, so that nothing a client adds to it reaches engine.io,
socket.io or Reflex: no field beyond those named here, no address, header, session or token in the route, no text that
cannot be stored (`clean`). The formats are those of Reflex 0.10.1's own client, engine.io 4 and socket.io 5.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from tributary_streams import clean

SPACE = "/_event"
"""The socket.io namespace of Reflex's events, and the path of their socket."""
PONG, CLOSE = "3", "1"
JOIN, LEAVE, EVENT, REFUSED = f"40{SPACE},", f"41{SPACE},", f"42{SPACE},", f"44{SPACE},"
"""How frames begin that join or leave the namespace, carry an event, or refuse a join (from the server)."""

STATE = "reflex___state____state"
BOOT = f"{STATE}.hydrate_and_load"
"""The only event that the joining frame may carry."""
NAVIGATE = f"{STATE}.reflex___state____on_load_internal_state.on_load_internal"
REPORT = f"{STATE}.reflex___state____frontend_event_exception_state.handle_frontend_exception"
FORM = "__reflex_form_data__"
"""The key that makes a value a form; our pages send fields instead."""
CLIENT_ERROR = "client_error"

DEPTH = 8
ARGUMENTS = 16
PATH_LENGTH = 2_048
QUERY_ENTRIES = 32
HASHES, HASH_LENGTH = 256, 64
REPORT_LENGTH = 1_000
"""How many characters are kept of a browser's report; the log takes fewer."""

Payload = dict[str, Any]


class NotOurs(Exception):
    """Our pages send no such frame. The message names the kind of frame, and nothing of its content."""


@dataclass(frozen=True)
class Plain:
    """A frame without content."""

    text: str

    def encode(self) -> str:
        """The frame as it goes on."""
        return self.text


@dataclass(frozen=True)
class Call:
    """An event that calls a handler."""

    name: str
    payload: Payload
    route: dict[str, Any]

    @property
    def is_report(self) -> bool:
        """Whether it writes a line to the log."""
        return self.name == REPORT

    def encode(self) -> str:
        """The frame as it goes on."""
        return EVENT + _json(["event", self._fields()])

    def _fields(self) -> dict[str, Any]:
        return {"name": self.name, "payload": self.payload, "router_data": self.route}


@dataclass(frozen=True)
class Join:
    """Joins the namespace; with `boot`, the page also boots."""

    boot: Call | None
    schema: str | None

    def encode(self) -> str:
        """The frame as it goes on."""
        auth: dict[str, Any] = {}
        if self.boot is not None:
            auth["event"] = self.boot._fields()
        if self.schema is not None:
            auth["state_schema"] = self.schema
        return JOIN + _json(auth)


@dataclass(frozen=True)
class Report:
    """Reflex's client reports that it could not apply an update."""

    error: dict[str, str]

    def encode(self) -> str:
        """The frame as it goes on."""
        return EVENT + _json([CLIENT_ERROR, self.error])


Frame = Plain | Join | Call | Report


def read_frame(text: str) -> Frame:
    """The frame that a client has sent.

    Raises:
        NotOurs: our pages send no such frame.
    """
    try:
        if text in {PONG, CLOSE, LEAVE}:
            return Plain(text)
        if text.startswith(JOIN):
            return _join(_parse(text.removeprefix(JOIN) or "{}"))
        if text.startswith(EVENT):
            return _event(_parse(text.removeprefix(EVENT)))
        raise NotOurs("a packet of another kind")
    except (ValueError, RecursionError):
        raise NotOurs("what is not JSON") from None


def update(content: dict[str, Any]) -> str:
    """The frame that sends an update to a page."""
    return EVENT + _json(["event", content])


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError


def _parse(text: str) -> Any:
    return _cleaned(json.loads(text, parse_constant=_refuse_constant), DEPTH)


def _cleaned(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and value - value != 0:
        raise NotOurs("a number that is none")  # 1e999 is JSON, and infinite
    if not isinstance(value, dict | list):
        return value
    if not depth:
        raise NotOurs("nested values")
    if isinstance(value, dict):
        if FORM in value:
            raise NotOurs("a form")  # Reflex logs the parts of a form that it cannot read
        return {clean(key): _cleaned(item, depth - 1) for key, item in value.items()}
    return [_cleaned(item, depth - 1) for item in value]


def _join(auth: Any) -> Join:
    if not isinstance(auth, dict):
        raise NotOurs("a join of another shape")
    schema = auth.get("state_schema")
    try:
        boot = _call(auth.get("event"))
    except NotOurs:
        boot = None  # from a page of another version; its schema makes it reload
    return Join(
        boot if boot is not None and boot.name == BOOT else None,
        schema if isinstance(schema, str) and len(schema) <= HASH_LENGTH else None,
    )


def _event(packet: Any) -> Call | Report:
    match packet:
        case ["event", dict(data)]:
            return _call(data)
        case ["client_error", dict(data)]:
            return Report({key: _cut(data[key]) for key in ("message", "error_type", "substate") if key in data})
        case _:
            raise NotOurs("an event of another name or shape")


def _call(data: Any) -> Call:
    match data:
        case {"name": str(name)}:
            payload, route = data.get("payload"), data.get("router_data")
        case _:
            raise NotOurs("a call of another shape")
    # Reflex sends null for undefined values.
    payload = {} if payload is None else payload
    if not isinstance(payload, dict) or len(payload) > ARGUMENTS:
        raise NotOurs("a call of another shape")
    return Call(name, CHECKS.get(name, _any)(payload), _route({} if route is None else route))


def _any(payload: Payload) -> Payload:
    return payload  # our own handlers check their arguments, see `state.remote`


def _boot(payload: Payload) -> Payload:
    """Keep no vars: Reflex would set those that the browser stores, and we have none."""
    hashes = payload.get("hashes")
    if hashes is None:
        return {}
    if not isinstance(hashes, list) or len(hashes) > HASHES:
        raise NotOurs("a boot of another shape")
    if not all(isinstance(each, str) and len(each) <= HASH_LENGTH for each in hashes):
        raise NotOurs("a boot of another shape")
    return {"hashes": hashes}


def _nothing(payload: Payload) -> Payload:
    if payload:
        raise NotOurs("a navigation of another shape")
    return {}


def _report(payload: Payload) -> Payload:
    return {"info": _cut(payload.get("info")), "component_stack": ""}


def _cut(value: Any) -> str:
    if not isinstance(value, str):
        raise NotOurs("a report of another shape")
    return value[:REPORT_LENGTH]


CHECKS: dict[str, Callable[[Payload], Payload]] = {BOOT: _boot, NAVIGATE: _nothing, REPORT: _report}
"""The handlers that Reflex's own client calls, with checks of their arguments: Reflex logs them before it checks."""


def _route(data: Any) -> dict[str, Any]:
    """Where the page says it is. Reflex would also take headers, address, session and token from here."""
    if not isinstance(data, dict):
        raise NotOurs("a route of another shape")
    route: dict[str, Any] = {}
    for key in ("pathname", "asPath"):
        if (path := data.get(key)) is not None:
            route[key] = _path(path)
    query = data.get("query")
    if query is not None:
        if not isinstance(query, dict):
            raise NotOurs("a route of another shape")
        route["query"] = {
            key: value
            for key, value in list(query.items())[:QUERY_ENTRIES]
            if isinstance(value, str) and len(key) + len(value) <= PATH_LENGTH
        }
    return route


def _path(path: Any) -> str:
    if not isinstance(path, str) or not path.startswith("/"):
        raise NotOurs("a path of another shape")
    # Two slashes would begin a host, which Reflex parses. A longer path is cut in its query, which nothing here reads.
    return re.sub(r"^/+", "/", path[:PATH_LENGTH])
