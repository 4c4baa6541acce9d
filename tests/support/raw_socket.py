"""A client that says to the event socket what no browser would: its own framing, cookies, headers, token and Origin."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from chat_app.people.identity import COOKIE

WITHIN = 20.0
STATE = "reflex___state____state"
BOOT = f"{STATE}.hydrate_and_load"
LIVE, VIEWER, TRANSCRIPT = (f"{STATE}.chat_app___state____{name}" for name in ("live", "viewer", "transcript"))
HANDLERS = {
    "catch_up": f"{LIVE}.catch_up",
    "look_at": f"{LIVE}.look_at",
    **{
        name: f"{STATE}.chat_app___pages___thread____composer.{name}"
        for name in ("send", "edit", "stop", "retry", "go_on")
    },
    "delete": f"{STATE}.chat_app___components___thread___deletion____deletion.delete_message",
    "delete_thread": f"{STATE}.chat_app___components___thread___deletion____deletion.delete_thread",
    "new_thread": f"{STATE}.chat_app___components___sidebar____sidebar.new_thread",
}

Update = dict[str, Any]


def new_token() -> str:
    return secrets.token_hex(16)


def route(path: str = "/") -> dict[str, Any]:
    """Where a page says it is, as Reflex's client says it."""
    thread = path.removeprefix("/t/") if path.startswith("/t/") else None
    return {"pathname": path, "asPath": path, **({"query": {"thread_id": thread}} if thread else {})}


def call(handler: str, path: str = "/", **payload: Any) -> str:
    """The frame that calls a handler, ours by its short name."""
    data = {"name": HANDLERS.get(handler, handler), "payload": payload, "router_data": route(path)}
    return f"42/_event,{json.dumps(['event', data])}"


def emit(*packet: Any) -> str:
    """The frame of any socket.io event."""
    return f"42/_event,{json.dumps(packet)}"


def join(path: str = "/", *, boot: Any = None, **auth: Any) -> str:
    """The frame that joins the namespace and boots the page."""
    event = boot or {"name": BOOT, "payload": {}, "router_data": route(path)}
    return f"40/_event,{json.dumps({'event': event, **auth})}"


async def new_cookie(url: str) -> str:
    """The cookie that the server gives to a new browser, as a Cookie header."""
    async with httpx.AsyncClient() as browser:
        await browser.get(url)
        return f"{COOKIE}={browser.cookies[COOKIE]}"


class RawSocket:
    """One open WebSocket; what comes is kept, pings are answered."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[str] = []
        self._news = asyncio.Condition()
        self.is_closed = False

    async def listen(self) -> None:
        try:
            async for frame in self.connection:
                if frame == "2":
                    await self.connection.send("3")
                async with self._news:
                    self.frames.append(frame if isinstance(frame, str) else frame.decode())
                    self._news.notify_all()
        except ConnectionClosed:
            pass
        finally:
            async with self._news:
                self.is_closed = True
                self._news.notify_all()

    async def send(self, *frames: str | bytes) -> None:
        for frame in frames:
            await self.connection.send(frame)

    @property
    def updates(self) -> list[Update]:
        """What the server has sent for the page, in order."""
        packets = [json.loads(frame[10:]) for frame in self.frames if frame.startswith("42/_event,")]
        return [packet[1] for packet in packets if packet[0] == "event"]

    async def until(self, is_there: Callable[["RawSocket"], Any]) -> Any:
        """Wait for something in what was received, and return it."""
        async with asyncio.timeout(WITHIN), self._news:
            while not (found := is_there(self)):
                assert not self.is_closed, f"closed, after {self.frames[-3:]}"
                await self._news.wait()
        return found

    async def closed(self) -> None:
        """Wait until the server has closed it."""
        async with asyncio.timeout(WITHIN), self._news:
            await self._news.wait_for(lambda: self.is_closed)

    def var(self, state: str, name: str) -> Any:
        """A var of the page's state as it was sent last; None if it never was."""
        values = [
            update["delta"][state][f"{name}_rx_state_"]
            for update in self.updates
            if f"{name}_rx_state_" in update.get("delta", {}).get(state, {})
        ]
        return values[-1] if values else None

    @property
    def notices(self) -> list[str]:
        """The sentences that it was shown."""
        deltas = [update.get("delta", {}).get(VIEWER, {}) for update in self.updates]
        return [delta["notice_rx_state_"] for delta in deltas if delta.get("notice_rx_state_")]

    @property
    def texts(self) -> dict[str, str]:
        """The texts that have arrived, by name, merged by offset as the page does."""
        texts: dict[str, str] = {}
        for update in self.updates:
            for name, offset, text in update.get("delta", {}).get(LIVE, {}).get("f_rx_state_", []):
                have = texts.setdefault(name, "")
                if offset <= len(have):
                    texts[name] = have[:offset] + text + have[offset + len(text) :]
        return texts

    async def redirected(self) -> str:
        """Wait for the page to be sent elsewhere, and return where."""
        return await self.until(
            lambda raw: next(
                (
                    event["payload"]["path"]
                    for update in reversed(raw.updates)
                    for event in update.get("events", [])
                    if event["name"] == "_redirect"
                ),
                None,
            )
        )

    async def alive(self) -> None:
        """Make sure that the socket still does what it is told."""
        before = len(self.frames)
        await self.send(call("new_thread"))
        await self.until(lambda raw: any("_redirect" in frame for frame in raw.frames[before:]))


@asynccontextmanager
async def raw_socket(
    url: str,
    *,
    cookie: str | None = None,
    token: str | None = None,
    origin: str | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    address: str | None = None,
) -> AsyncGenerator[RawSocket]:
    """Open a socket that has not joined yet; `address` is a loopback address to come from (Linux has 127.0.0.0/8)."""
    asked = {"EIO": "4", "transport": "websocket", "token": token or new_token(), **(query or {})}
    target = f"ws://{urlsplit(url).netloc}/_event/?{urlencode(asked)}"
    sent = {**({"Cookie": cookie} if cookie else {}), **(headers or {})}
    options: dict[str, Any] = {"local_addr": (address, 0)} if address else {}
    options |= {"origin": origin, "max_size": None, "proxy": None, "close_timeout": 1}
    async with connect(target, additional_headers=sent, **options) as connection:
        raw = RawSocket(connection)
        listener = asyncio.create_task(raw.listen())
        try:
            yield raw
        finally:
            await connection.close()
            await listener


@asynccontextmanager
async def joined(url: str, path: str = "/", **options: Any) -> AsyncGenerator[RawSocket]:
    """Open a socket, and the page at `path` in it."""
    async with raw_socket(url, **options) as raw:
        await raw.send(join(path))
        await raw.until(lambda raw: any(frame.startswith("40/_event,") for frame in raw.frames))
        yield raw
