"""The socket's gate: which socket.io events and which handlers a client may name at all.

Reflex 0.10 leaves both open. A client may emit `connect` itself, with an environment of its own, and so forge its
address and cookies; and an event's data is logged whole when its handler is unknown. Both are dropped here, before
anything else sees them.
"""

import logging
from typing import Any

from reflex.app import App
from reflex_base.registry import RegistrationContext

logger = logging.getLogger(__name__)

SOCKET_EVENTS = {"event": 2, "ping": 1, "client_error": 2}
"""The socket.io events that Reflex's own client emits, and of how many parts their packets are."""
REFLEX_HANDLERS = frozenset(
    {
        "reflex___state____state.hydrate",
        "reflex___state____state.hydrate_and_load",
        "reflex___state____state.reflex___state____on_load_internal_state.on_load_internal",
        "reflex___state____state.reflex___state____update_vars_internal_state.update_vars_internal",
        "reflex___state____state.reflex___state____frontend_event_exception_state.handle_frontend_exception",
    }
)
"""What Reflex's own client calls."""


def guard_socket(app: App) -> None:
    """Close the app's socket to everything but our handlers and Reflex's own.

    Raises:
        AttributeError: Reflex or python-socketio has moved the hooks; do not serve without them.
    """
    namespace, sio = app.event_namespace, app.sio
    assert namespace is not None
    assert sio is not None
    handle_event, on_event = sio._handle_event, namespace.on_event

    async def handle_allowed_event(eio_sid: str, space: str | None, packet_id: int | None, data: Any) -> None:
        if isinstance(data, list) and data and isinstance(data[0], str) and len(data) == SOCKET_EVENTS.get(data[0]):
            await handle_event(eio_sid, space, packet_id, data)

    async def on_allowed_event(sid: str, data: Any) -> None:
        # A socket without a token has no tab, and Reflex would log what it sent.
        if sid not in namespace.sid_to_token or not _is_call(data) or not may_call(data["name"]):
            logger.warning("an event was dropped: its handler is not one of ours")
            return
        await on_event(sid, data)

    sio._handle_event = handle_allowed_event  # pyright: ignore[reportAttributeAccessIssue]
    namespace.on_event = on_allowed_event  # pyright: ignore[reportAttributeAccessIssue]


def _is_call(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and isinstance(data.get("name"), str)
        and isinstance(data.get("payload", {}), dict)
        and isinstance(data.get("router_data", {}), dict)
    )


def may_call(name: str) -> bool:
    """Whether a client may name this handler: Reflex's own few, and those of ours that `state.remote` has made."""
    if name in REFLEX_HANDLERS:
        return True
    registered = RegistrationContext.get().event_handlers.get(name)
    return registered is not None and getattr(registered.handler.fn, "is_remote", False)
