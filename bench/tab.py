"""A tab without a browser: it says what a page says, and counts what comes over its socket."""

import asyncio
import json
import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientSession, ClientWebSocketResponse, ClientWSTimeout, DummyCookieJar, WSMsgType

from chat_app.state import Row
from tests.support.raw_socket import LIVE, call, join, new_token

_TEXTS, _ROWS = "f_rx_state_", "r_rx_state_"
_PACKET = "42/_event,"
CLOSES_WITHIN = ClientWSTimeout(ws_close=1)  # pyright: ignore[reportCallIssue]  # made by attrs, which it is not told
"""Seconds that a server gets to answer a closing socket."""


@dataclass(frozen=True)
class Arrival:
    """A frame with new text of one reply: when it came, how far the text then reached, and the frame's sizes."""

    at: float
    length: int
    new: int
    size: int
    is_alone: bool
    """Whether nothing else came with it."""


class Tab:
    """An open socket on a thread's page, whose frames are read in C: a thousand tabs share a core with the model."""

    def __init__(self, connection: ClientWebSocketResponse, path: str) -> None:
        self.path = path
        self.frames = 0
        """Payloads received, and their bytes."""
        self.bytes = 0
        self.arrivals: dict[str, list[Arrival]] = {}
        """By the text's name, in order."""
        self.statuses: dict[int, str] = {}
        """Of the replies, by message."""
        self.is_shown = False
        """Whether the page has what it shows at first."""
        self.is_closed = False
        self._connection = connection
        self._unread: deque[tuple[str, float]] = deque()
        """Frames and when they came. They are looked into when somebody asks: with a thousand tabs in this process, the
        clock of one would else tell how long the others took to be read."""
        self._texts: dict[str, str] = {}
        self._news = asyncio.Event()

    async def listen(self) -> None:
        """Take in what comes, and answer pings, until it is closed."""
        with suppress(ConnectionError):
            async for message in self._connection:
                if message.type is not WSMsgType.TEXT:
                    break
                frame: str = message.data
                if frame == "2":
                    await self._connection.send_str("3")
                    continue
                self.frames += 1
                self.bytes += len(frame.encode())
                self._unread.append((frame, time.time()))
                self._news.set()
        self.is_closed = True
        self._news.set()

    def _read(self) -> None:
        """Look into all that has come."""
        while self._unread:
            self._take(*self._unread.popleft())

    def _take(self, frame: str, now: float) -> None:
        size = len(frame.encode())
        if frame.startswith(_PACKET):
            packet = json.loads(frame[len(_PACKET) :])
            delta = packet[1].get("delta", {}) if packet[0] == "event" else {}
            live = delta.get(LIVE, {})
            texts = live.get(_TEXTS, ())
            self._take_texts(texts, size, now, is_alone=len(delta) == len(live) == len(texts) == 1)
            self._take_rows(live.get(_ROWS))

    def _take_rows(self, frames: Sequence[tuple[str, Sequence[Any]]] | None) -> None:
        for kind, rows, *_ in frames or ():
            self.is_shown |= kind == "page"
            self.statuses |= {row.message: row.status for row in map(Row._make, rows)}

    def _take_texts(self, frames: Sequence[tuple[str, int, str]], size: int, now: float, *, is_alone: bool) -> None:
        for name, offset, text in frames:
            have = self._texts.get(name, "")
            if offset > len(have):
                continue  # a page would ask for what is between
            grown = have[:offset] + text
            if len(grown) > len(have):
                self._texts[name] = grown
                self.arrivals.setdefault(name, []).append(Arrival(now, len(grown), len(text.encode()), size, is_alone))

    async def send(self, text: str) -> float:
        """Post a message as the composer does; return when."""
        now = time.time()
        await self._connection.send_str(call("send", self.path, text=text, nonce=secrets.token_hex(8)))
        return now

    async def call(self, handler: str, **payload: Any) -> None:
        """Call any handler of the page."""
        await self._connection.send_str(call(handler, self.path, **payload))

    async def until(self, is_so: Callable[["Tab"], Any], within: float = 60.0) -> Any:
        """Wait until something is so of it, and return what.

        Raises:
            TimeoutError: it was not within so many seconds.
            ConnectionError: the server has closed the socket.
        """
        async with asyncio.timeout(within):
            while True:
                self._read()
                if found := is_so(self):
                    return found
                if self.is_closed:
                    msg = "the server closed the socket"
                    raise ConnectionError(msg)
                self._news.clear()
                await self._news.wait()

    async def asks(self, order: str, within: float = 60.0) -> int:
        """Ask for a reply, and return the reply's message once it is listed."""
        self._read()
        before = set(self.statuses)
        await self.send(f"@gpt {order}")
        return await self.until(
            lambda tab: next((each for each, status in tab.statuses.items() if status and each not in before), 0),
            within,
        )

    async def over(self, message: int, within: float = 120.0) -> None:
        """Wait for a reply's end, whatever it is."""
        await self.until(lambda tab: tab.statuses.get(message, "") not in {"", "pending", "streaming"}, within)

    async def ends(self, message: int, within: float = 120.0) -> str:
        """Wait for a reply to be done, and return its text."""
        await self.over(message, within)
        assert self.statuses[message] == "done", f"message {message} ended as {self.statuses[message]}"
        return self._texts.get(f"{message}.1", "")

    def text(self, message: int) -> str:
        """What has come of a reply."""
        self._read()
        return self._texts.get(f"{message}.1", "")

    def of(self, message: int) -> Sequence[Arrival]:
        """How a reply came."""
        self._read()
        return self.arrivals.get(f"{message}.1", [])


@asynccontextmanager
async def open_tab(url: str, path: str, cookie: str, *, token: str | None = None) -> AsyncGenerator[Tab]:
    """Open a page's socket on a thread, and wait until the page has what it shows at first."""
    asked = {"EIO": "4", "transport": "websocket", "token": token or new_token()}
    target = f"{url}/_event/?{urlencode(asked)}"
    async with (
        ClientSession(cookie_jar=DummyCookieJar(), headers={"Cookie": cookie}) as http,
        http.ws_connect(target, max_msg_size=0, timeout=CLOSES_WITHIN) as connection,
    ):
        tab = Tab(connection, path)
        listener = asyncio.create_task(tab.listen())
        try:
            await connection.send_str(join(path))
            await tab.until(lambda tab: tab.is_shown)
            yield tab
        finally:
            await connection.close()
            await listener
