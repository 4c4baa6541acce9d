"""A page in Chromium: what comes over its sockets, and when each piece of a reply's text stood in its DOM."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Locator, Page, WebSocket, async_playwright

from bench.replies import Reply
from tests.browser.conftest import CHROMIUM_FLAGS
from tests.support.chromium import find_chromium

RECORDER = """
window.expected = [];
window.steps = {};
const note = () => {
  const shown = [...document.querySelectorAll(SELECTOR)].map((element) => element.textContent);
  const now = performance.timeOrigin + performance.now();
  for (const [key, text] of window.expected) {
    const steps = (window.steps[key] ??= []);
    const length = Math.max(0, ...shown.filter((each) => each && text.startsWith(each)).map((each) => each.length));
    if (length > (steps.at(-1)?.[1] ?? 0)) steps.push([now, length]);
  }
};
new MutationObserver(note).observe(document, { childList: true, subtree: true, characterData: true });
"""
"""Notes how far each expected text stands in the DOM, and when, in milliseconds of the machine's clock."""


class Screen:
    """One page that is watched."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames = 0
        self.bytes = 0
        self._connected = asyncio.Event()
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._count)

    def _count(self, data: str | bytes) -> None:
        self.frames += 1
        self._connected.set()
        self.bytes += len(data if isinstance(data, bytes) else data.encode())

    @property
    def box(self) -> Locator:
        """Where a message is written, in any of the chats."""
        return self.page.get_by_role("textbox", name="Message").first

    async def connected(self) -> None:
        """Wait until the server has sent it something."""
        await self._connected.wait()

    async def expect(self, *replies: Reply) -> None:
        """Watch for the texts of these replies, which differ from their first characters on."""
        await self.page.evaluate("expected => { window.expected = expected; }", [[r.key, r.text] for r in replies])

    async def ask(self, reply: Reply) -> float:
        """Type a message that asks for a reply, and send it; return when."""
        box = self.box
        await box.fill(reply.order)
        now = time.time()
        await box.press("Enter")
        return now

    async def shown(self, reply: Reply, within: float = 120.0) -> None:
        """Wait until all of a reply stands in the DOM."""
        whole = len(reply.text.rstrip())
        async with asyncio.timeout(within):
            while not (steps := await self.steps(reply)) or steps[-1][1] < whole:  # noqa: ASYNC110  # in the page
                await asyncio.sleep(0.5)

    async def steps(self, reply: Reply) -> list[tuple[float, int]]:
        """How a reply's text grew in the DOM: (seconds since the epoch, characters)."""
        steps: Sequence[tuple[float, int]] = await self.page.evaluate("key => window.steps[key] ?? []", reply.key)
        return [(at / 1000, length) for at, length in steps]


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """A browser for the time of the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def screen(browser: Browser, url: str, texts: str) -> AsyncGenerator[Screen]:
    """Open a page in a browser context of its own; `texts` selects the elements in which replies stand."""
    context = await browser.new_context(viewport={"width": 1200, "height": 800})
    await context.add_init_script(RECORDER.replace("SELECTOR", json.dumps(texts)))
    try:
        opened = Screen(await context.new_page())
        await opened.page.goto(url)
        yield opened
    finally:
        await context.close()
