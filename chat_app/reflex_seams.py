"""The private seams: all that this app's Python uses of Reflex's inside, as of reflex 0.10.1.

Each says what to ask of Reflex, and has a test in tests/test_reflex_seams.py that fails when the private part moves.
So has the one seam in JavaScript: `transcript_feed.js` subscribes to the store of states.
"""

from collections.abc import Callable
from typing import Any

import reflex as rx
from reflex_base.event.context import EventContext
from reflex_base.registry import RegistrationContext


def let_vite_listen_on_host() -> None:
    """Let the development server of the page listen on $HOST; Reflex has it listen on every address.

    The variable and not its value, for Reflex stores the command in reflex.lock. `exec`, so that a signal reaches it
    through npm's shell. To ask for: a setting for the host.
    """
    rx.constants.PackageJson.Commands.DEV = "exec react-router dev --host $HOST"  # pyright: ignore[reportAttributeAccessIssue]


def mark_remote(handler: Callable[..., Any]) -> None:
    """Let clients call this handler. To ask for: handlers that no client can call; Reflex lets them call any."""
    handler.is_remote = True  # pyright: ignore[reportFunctionMemberAccess]


def is_remote(name: str) -> bool:
    """Whether a client may call the handler of this full name."""
    registered = RegistrationContext.get().event_handlers.get(name)
    return registered is not None and getattr(registered.handler.fn, "is_remote", False)


def name_in_browser(var: Any) -> str:
    """What a var is called in an update: Reflex marks it with a suffix. To ask for: the name as an attribute."""
    return str(var).rpartition(".")[2]


async def send_past_state(state: type[rx.State], fields: dict[str, Any]) -> None:
    """Send the tab of the event at hand these fields of a state, by their names in the browser.

    The state itself neither compares nor keeps them: that costs far more, and a reload would bring them back. To ask
    for: fields that are sent and not kept.
    """
    await EventContext.get().emit_delta({state.get_full_name(): fields})


def waiting_packets(session_id: str) -> Callable[[], int]:
    """Tells how many packets wait for a socket. To ask for: an `emit` that waits; engine.io queues without a limit."""
    app = RegistrationContext.get().app
    sio, namespace = app.sio, app.event_namespace
    assert sio is not None
    assert namespace is not None
    engine_id = sio.manager.eio_sid_from_sid(session_id, namespace.namespace)
    sockets = sio.eio.sockets

    def waiting() -> int:
        engine_socket = sockets.get(engine_id)
        return 0 if engine_socket is None else engine_socket.queue.qsize()

    return waiting
