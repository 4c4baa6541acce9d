"""Private parts of Reflex that `reflex_seams.py` and `transcript_feed.js` use: each test fails when one moves."""

import inspect
import json
from pathlib import Path
from typing import Any

import engineio
import reflex as rx
import socketio
from engineio.async_socket import AsyncSocket
from reflex.utils import frontend_skeleton
from reflex_base.compiler import templates
from reflex_base.event.context import EventContext

from chat_app import reflex_seams
from chat_app.components.finder import Finder
from chat_app.settings import PROJECT
from chat_app.state import Viewer


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_reflex_starts_vite_by_the_command_that_we_set() -> None:
    reflex_seams.let_vite_listen_on_host()
    command = rx.constants.PackageJson.Commands.DEV  # pyright: ignore[reportAttributeAccessIssue]
    assert "PackageJson.Commands.DEV" in inspect.getsource(frontend_skeleton)
    assert json.loads((PROJECT / "reflex.lock" / "package.json").read_text())["scripts"]["dev"] == command


def test_a_handler_of_ours_is_found_by_its_full_name_and_one_of_reflexs_is_not_ours() -> None:
    assert reflex_seams.is_remote(f"{Finder.get_full_name()}.find")
    assert not reflex_seams.is_remote(f"{rx.State.get_full_name()}.set_is_hydrated")
    assert not reflex_seams.is_remote("nobody.knows")


def test_a_var_has_the_name_in_an_update_that_we_take_it_to_have() -> None:
    state = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]  # as Reflex makes one
    assert reflex_seams.name_in_browser(Viewer.notice) in state.dict()[Viewer.get_full_name()]


async def test_an_update_goes_past_the_state_by_the_context_of_the_event() -> None:
    assert parameters(EventContext.emit_delta) == ["self", "delta"]
    assert inspect.iscoroutinefunction(EventContext.emit_delta)
    assert callable(EventContext.get)


def test_a_tab_finds_the_queue_of_its_socket() -> None:
    assert parameters(socketio.AsyncManager.eio_sid_from_sid) == ["self", "sid", "namespace"]
    server = engineio.AsyncServer(async_mode="asgi")
    assert server.sockets == {}
    assert AsyncSocket(server, "sid").queue.qsize() == 0


def test_the_page_reads_the_store_of_states_past_the_components() -> None:
    web = Path(inspect.getfile(templates)).parents[1] / ".templates" / "web" / "utils"
    assert "export const StateStoreContext = createContext(null);" in (web / "context-registry.js").read_text()
    made = inspect.getsource(templates)
    assert "StateStoreContext,\n    {{ value: store }}," in made
    assert "getSnapshot: (substateName) => initialState[substateName]," in made
    assert "subscribe: () => () => {{}}," in made
