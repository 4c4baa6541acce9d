"""A connection that goes, or that only seems to be there: nothing is lost, and nothing is said twice."""

from collections.abc import Callable

import pytest
from playwright.async_api import WebSocketRoute, expect

from tests.support.site import Site
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

MakeVisitor = Callable[[], Visitor]


async def test_a_message_written_without_a_connection_is_sent_once_when_it_is_back(
    production_site: Site, visitor: MakeVisitor
) -> None:
    ada = visitor()
    tab = await ada.begin(production_site.server.url)
    sign, waiting = tab.page.locator(".connection-sign"), tab.page.locator(".composer-waiting")
    await ada.context.set_offline(True)
    await expect(sign).to_have_text("Connection lost. Trying again…")
    await tab.send("Written on a train")
    await expect(waiting).to_contain_text("Not sent yet")
    await expect(tab.page.get_by_role("textbox", name="Message")).to_have_value("")
    await tab.send("And this")
    await waiting.get_by_role("button", name="Take back").click()
    await expect(tab.page.get_by_role("textbox", name="Message")).to_have_value("Written on a train\n\nAnd this")
    await tab.page.get_by_role("textbox", name="Message").press("Enter")

    await ada.context.set_offline(False)
    await expect(sign).to_have_text("Connected again")
    await tab.shows("Written on a train")
    await expect(waiting).to_have_text("")
    await tab.page.reload()
    await tab.shows("Written on a train")
    await expect(tab.messages()).to_have_count(1)
    ada.complaints[:] = [line for line in ada.complaints if "ERR_INTERNET_DISCONNECTED" not in line]


SLEEP = """
([state, passed]) => {
  const now = Date.now;
  Date.now = () => now() + passed;
  Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""
"""Chromium without a window never hides a page: it is told that it is hidden or not, and that time has passed."""


class Wire:
    """The way of a page's sockets, each of which can be cut so that neither end notices."""

    def __init__(self) -> None:
        self.sockets: list[WebSocketRoute] = []
        self.dead: set[WebSocketRoute] = set()

    def connect(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        self.sockets.append(socket)
        socket.on_message(lambda data: None if socket in self.dead else server.send(data))
        server.on_message(lambda data: None if socket in self.dead else socket.send(data))
        socket.on_close(lambda *_: None)  # the server is not told either

    def cut(self) -> None:
        self.dead.update(self.sockets)


async def test_a_tab_that_wakes_on_a_dead_connection_shows_at_once_what_it_has_missed(
    production_site: Site, visitor: MakeVisitor
) -> None:
    ada, noor, wire = visitor(), visitor(), Wire()
    theirs = await noor.begin(production_site.server.url)
    mine = await ada.open(production_site.server.url)
    await mine.page.route_web_socket("**/_event/**", wire.connect)
    await mine.page.goto(theirs.page.url)
    await theirs.send("Before")
    await mine.shows("Before")

    browser = await ada.context.new_cdp_session(mine.page)
    await mine.page.evaluate(SLEEP, ["hidden", 0])
    await browser.send("Page.setWebLifecycleState", {"state": "frozen"})
    wire.cut()
    await theirs.send("While you were asleep")
    await theirs.shows("While you were asleep")
    await browser.send("Page.setWebLifecycleState", {"state": "active"})
    await mine.page.evaluate(SLEEP, ["visible", 10_000])  # so short that engine.io sees nothing amiss

    await mine.shows("While you were asleep")
    await mine.send("I am back")
    await theirs.shows("I am back")
    await expect(theirs.messages()).to_have_count(3)


async def test_a_message_sent_into_a_dead_connection_is_sent_again(production_site: Site, visitor: MakeVisitor) -> None:
    ada, wire = visitor(), Wire()
    tab = await ada.begin(production_site.server.url)
    await tab.page.route_web_socket("**/_event/**", wire.connect)
    await tab.page.reload()
    await tab.send("Heard")
    await tab.shows("Heard")
    wire.cut()
    await tab.send("Into the void")
    await tab.shows("Into the void")
    await expect(tab.messages()).to_have_count(2)
