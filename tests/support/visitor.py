"""Somebody who uses the page in a browser of their own."""

import asyncio
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, WebSocket, expect

expect.set_options(timeout=20_000)  # the sidebar may be told 4 s after a commit, and machines stall

RECORDER = """
window.steps = {};
const note = () => {
  for (const article of document.querySelectorAll("article[data-message]")) {
    const shown = article.querySelector(".message-text");
    if (!shown) continue;
    const steps = (window.steps[article.dataset.message] ??= []);
    const text = shown.textContent;
    if (steps.at(-1)?.text !== text) steps.push({ at: performance.timeOrigin + performance.now(), text });
  }
};
new MutationObserver(note).observe(document, { childList: true, subtree: true, characterData: true });
"""
"""Notes each state of each message's text as the DOM takes it, and when, in milliseconds of the machine's clock."""

BENIGN = ("Download the React DevTools", "[vite]")


class Tab:
    """A page that somebody has open."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.received: list[str] = []
        """The payloads of its socket."""
        self._looks = asyncio.Event()
        """Whether the page has told last that somebody looks at the end of its thread."""
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda data: self.received.append(data if isinstance(data, str) else data.decode()))
        socket.on("framesent", self._note_sent)

    def _note_sent(self, data: str | bytes) -> None:
        text = data if isinstance(data, str) else data.decode()
        if "presence.look" in text:
            is_looking = '"is_looking":true' in text.replace(" ", "")
            (self._looks.set if is_looking else self._looks.clear)()

    async def looks(self) -> None:
        """Wait until the page has told last that somebody looks at the end of its thread."""
        async with asyncio.timeout(20):
            await self._looks.wait()

    async def send(self, text: str) -> None:
        """Type a message and press Enter."""
        box = self.page.get_by_role("textbox", name="Message")
        await box.fill(text)
        await box.press("Enter")

    def messages(self) -> Any:
        """The rows of the transcript."""
        return self.page.locator("article[data-message]")

    async def shows(self, text: str, *, status: str | None = None) -> str:
        """Wait for a row with this text, and this status if one is given; return the message's id."""
        selector = "article[data-message]" + (f'[data-status="{status}"]' if status is not None else "")
        row = self.page.locator(selector, has_text=text).last
        await expect(row).to_be_visible()
        return await row.get_attribute("data-message") or ""

    async def text_of(self, message: str) -> str:
        """A message's text as it stands in the DOM; "" before its first character."""
        shown = self.page.locator(f'article[data-message="{message}"] .message-text')
        return (await shown.text_content() or "") if await shown.count() else ""

    async def ends(self, message: str, status: str = "done") -> str:
        """Wait for a reply's end and return its text."""
        await expect(self.page.locator(f'article[data-message="{message}"]')).to_have_attribute(
            "data-status", status, timeout=60_000
        )
        return await self.text_of(message)

    async def steps(self, message: str) -> list[tuple[float, str]]:
        """The states that a message's text went through, with their times in milliseconds."""
        steps = await self.page.evaluate("message => window.steps[message] ?? []", message)
        return [(step["at"], step["text"]) for step in steps]

    @property
    def bytes_received(self) -> int:
        """Bytes of its socket's payloads so far."""
        return sum(len(payload.encode()) for payload in self.received)


class Visitor:
    """A person: a browser context with its own cookies, and the tabs in it."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._context: BrowserContext | None = None
        self.complaints: list[str] = []
        """What the console said that it should not."""

    async def open(self, url: str) -> Tab:
        """Open a tab and wait for its thread."""
        if self._context is None:
            self._context = await self._browser.new_context(viewport={"width": 1200, "height": 800})
            await self._context.add_init_script(RECORDER)
        page = await self._context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        tab = Tab(page)
        await page.goto(url)
        await expect(page.get_by_role("textbox", name="Message")).to_be_visible(timeout=60_000)
        await expect(page.get_by_role("log")).to_be_visible()
        return tab

    async def begin(self, url: str) -> Tab:
        """Open a tab and begin a thread of one's own in it."""
        tab = await self.open(url)
        before = tab.page.url
        await tab.page.get_by_role("button", name="New thread").click()
        await tab.page.wait_for_url(lambda now: now != before and "/t/" in now)
        await expect(tab.messages()).to_have_count(0)
        return tab

    @property
    def context(self) -> BrowserContext:
        """The browser context, once a tab was opened."""
        assert self._context is not None
        return self._context

    async def leave(self) -> None:
        """Close the browser."""
        if self._context is not None:
            await self._context.close()
            self._context = None

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"warning", "error"} and not message.text.startswith(BENIGN):
            self.complaints.append(f"{message.type}: {message.text}")
