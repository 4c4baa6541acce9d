"""The socket's gate: what a client may call at all is a list, and a new entry is a decision."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.conftest import Site
from tests.support.server import PROJECT, app_environment
from tests.support.visitor import Visitor

ENTRY_POINTS = {
    "reflex___state____state.hydrate",
    "reflex___state____state.hydrate_and_load",
    "reflex___state____state.reflex___state____on_load_internal_state.on_load_internal",
    "reflex___state____state.reflex___state____update_vars_internal_state.update_vars_internal",
    "reflex___state____state.reflex___state____frontend_event_exception_state.handle_frontend_exception",
    "reflex___state____state.chat_app___state____live.catch_up",
    "reflex___state____state.chat_app___state____live.look_at",
    "reflex___state____state.chat_app___state____live.watch",
    "reflex___state____state.chat_app___pages___home____home.lead",
    "reflex___state____state.chat_app___pages___thread____composer.delete",
    "reflex___state____state.chat_app___pages___thread____composer.delete_thread",
    "reflex___state____state.chat_app___pages___thread____composer.go_on",
    "reflex___state____state.chat_app___pages___thread____composer.new_thread",
    "reflex___state____state.chat_app___pages___thread____composer.retry",
    "reflex___state____state.chat_app___pages___thread____composer.send",
    "reflex___state____state.chat_app___pages___thread____composer.stop",
    "reflex___state____state.chat_app___pages___account____account.make_token",
    "reflex___state____state.chat_app___pages___account____account.revoke_token",
    "reflex___state____state.chat_app___pages___account____account.show",
    "reflex___state____state.chat_app___pages___account____account.sign_out_elsewhere",
    "reflex___state____state.chat_app___pages___account____account.sign_out_everywhere",
    "reflex___state____state.chat_app___pages___join____join.join",
    "reflex___state____state.chat_app___pages___thread____composer.clear",
    "reflex___state____state.chat_app___pages___thread____composer.rename",
    "reflex___state____state.chat_app___sharing____sharing.forget",
    "reflex___state____state.chat_app___sharing____sharing.hand_over",
    "reflex___state____state.chat_app___sharing____sharing.leave",
    "reflex___state____state.chat_app___sharing____sharing.look",
    "reflex___state____state.chat_app___sharing____sharing.make_invite",
    "reflex___state____state.chat_app___sharing____sharing.remove",
    "reflex___state____state.chat_app___sharing____sharing.set_role",
    "reflex___state____state.chat_app___sharing____sharing.set_visibility",
    "reflex___state____state.chat_app___sharing____sharing.withdraw",
}

NEW_THREAD = "reflex___state____state.chat_app___pages___thread____composer.new_thread"

LIST = """
import json
import chat_app.chat_app
from chat_app.socket_guard import REFLEX_HANDLERS, may_call
from reflex_base.registry import RegistrationContext
handlers = RegistrationContext.get().event_handlers
assert REFLEX_HANDLERS <= handlers.keys(), REFLEX_HANDLERS - handlers.keys()
print(json.dumps([name for name in handlers if may_call(name)]))
"""


def test_what_a_client_may_call_is_this_list() -> None:
    listed = subprocess.run(
        [sys.executable, "-c", LIST], cwd=PROJECT, env=app_environment(), capture_output=True, text=True, check=True
    )
    assert set(json.loads(listed.stdout.splitlines()[-1])) == ENTRY_POINTS


RAW_SOCKET = """
async ([frames, quiet]) => {
  const socket = new WebSocket(`ws://${location.host}/_event/?EIO=4&transport=websocket&token=raw-${Math.random()}`);
  const received = [];
  socket.onmessage = ({ data }) => {
    received.push(data);
    if (data.startsWith("0")) socket.send("40/_event,");
    if (data.startsWith("40")) frames.forEach((frame) => socket.send(frame));
  };
  await new Promise((resolve) => setTimeout(resolve, quiet));
  socket.close();
  return received;
}
"""


async def heard(page: Page, *frames: str) -> list[str]:
    """What the server answers to these packets within a second and a half."""
    return await page.evaluate(RAW_SOCKET, [list(frames), 1500])


def event(handler: str, **payload: Any) -> str:
    name = next(entry for entry in ENTRY_POINTS if entry.endswith(f".{handler}"))
    data = {"name": name, "payload": payload, "router_data": {"pathname": "/", "query": {}}}
    return f"42/_event,{json.dumps(['event', data])}"


@pytest.mark.server
@pytest.mark.browser
async def test_a_forged_connect_changes_nothing_about_who_one_is(
    production_site: Site, visitor: Callable[[], Visitor]
) -> None:
    tab = await visitor().open(production_site.server.url)
    forged = {"asgi.scope": {"headers": [], "client": ["6.6.6.6", 1]}, "QUERY_STRING": "token=stolen"}
    answers = await heard(tab.page, f"42/_event,{json.dumps(['connect', forged])}", event("new_thread"))
    assert any("_redirect" in answer for answer in answers)  # still known by the genuine handshake's cookie
    assert not any("6.6.6.6" in answer for answer in answers)


@pytest.mark.server
@pytest.mark.browser
async def test_unknown_events_and_handlers_are_dropped_and_their_cookies_stay_out_of_the_log(
    production_site: Site, visitor: Callable[[], Visitor]
) -> None:
    ada = visitor()
    tab = await ada.open(production_site.server.url)
    frames = [
        f"42/_event,{json.dumps(packet)}"
        for packet in (["event", {"name": "reflex___state____state.setvar", "payload": {"var_name": "x", "value": 1}}],)
    ]
    frames += [
        '42/_event,["event"]',
        '42/_event,["event", {}, {}]',
        '42/_event,["ping", 1]',
        '42/_event,["event", {"name": 1}]',
    ]
    frames += [
        f"42/_event,{json.dumps(['event', {'name': NEW_THREAD, **wrong}])}"
        for wrong in ({"payload": []}, {"payload": "x"}, {"router_data": []}, {"router_data": 1})
    ]
    frames += ['42/_event,["nonsense", {}]', "42/_event,[{}]", '42/_event,[["x"]]', '42/_event,["event", "text"]']
    answers = await heard(tab.page, *frames, event("new_thread"))
    assert any("_redirect" in answer for answer in answers)
    log = production_site.server.log.read_text()
    (cookie,) = [cookie for cookie in await ada.context.cookies() if cookie.get("name") == "tributary"]
    assert cookie.get("value", "") not in log
    assert "Traceback" not in log


WRONG: tuple[tuple[str, dict[str, Any]], ...] = (
    ("stop", {"message_id": {"a": 1}}),
    ("stop", {"message_id": 2**70}),
    ("stop", {}),
    ("retry", {"message_id": "1"}),
    ("retry", {"message_id": 1, "self": 1}),
    ("send", {"form": [1]}),
    ("send", {"form": {"text": "hi", "nonce": "\ud800" * 10}}),
    ("send", {"form": {"text": "hi", "nonce": "0123456789", "author": 1}}),
    ("catch_up", {"name": "1.1; DROP", "have": 0}),
    ("catch_up", {"name": "1.1", "have": -1}),
    ("look_at", {"message_id": 1, "version": None}),
    ("watch", {"surprise": 1}),
    ("rename", {"title": ["x"]}),
    ("set_visibility", {"visibility": "public"}),
    ("make_invite", {"role": "owner", "lasts": "day"}),
    ("make_invite", {"role": "member", "lasts": 3600}),
    ("set_role", {"member_id": "1", "role": "viewer"}),
    ("hand_over", {"member_id": "1 or 1"}),
    ("withdraw", {"invite_id": True}),
    ("revoke_token", {"token_id": "%"}),
    ("make_token", {"name": None}),
)


@pytest.mark.server
@pytest.mark.browser
async def test_arguments_of_the_wrong_kind_are_refused_in_words(
    production_site: Site, visitor: Callable[[], Visitor]
) -> None:
    tab = await visitor().open(production_site.server.url)
    answers = await heard(tab.page, *(event(handler, **payload) for handler, payload in WRONG))
    assert sum("something unexpected" in answer for answer in answers) == len(WRONG)
    assert "Traceback" not in production_site.server.log.read_text()
