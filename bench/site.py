"""The server that is measured: really started, in production, with nothing in the way of load and a model beside it."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.endpoint import Endpoint, running_endpoint
from bench.processes import Usage, usage
from bench.replies import Reply
from bench.tab import Tab, open_tab
from chat_app.people.identity import COOKIE
from tests.support.server import Server, running_server

TOKEN = "for-the-bench"
UNLIMITED = {
    "CHAT_CONNECTIONS": "20000",
    "CHAT_CONNECTIONS_PER_ADDRESS": "20000",
    "CHAT_REPLIES_PER_PERSON": "1000",
    "CHAT_REPLIES_AT_ONCE": "10000",
    "CHAT_MESSAGES_PER_MINUTE_TOTAL": "0",
    "CHAT_GUESTS_PER_HOUR_PER_ADDRESS": "0",
    "CHAT_SEED": "false",
}
"""What keeps people from using up a server, and would keep the bench from it."""


@dataclass(frozen=True)
class Reading:
    """What the server and its processes have used by a moment."""

    usage: Usage
    statements: float
    chunks: float
    deltas: float
    tabs: float

    def since(self, before: "Reading") -> "Reading":
        """What was used between two; memory and handles by how much they grew."""
        used = Usage(
            self.usage.cpu - before.usage.cpu,
            self.usage.memory - before.usage.memory,
            self.usage.handles - before.usage.handles,
        )
        return Reading(
            used,
            self.statements - before.statements,
            self.chunks - before.chunks,
            self.deltas - before.deltas,
            self.tabs - before.tabs,
        )


class Site:
    """A benched server and the model that answers in it."""

    def __init__(self, server: Server, endpoint: Endpoint, http: httpx.AsyncClient, token: str) -> None:
        self.server = server
        self.endpoint = endpoint
        self._http = http
        self._authorization = {"Authorization": f"Bearer {token}"}

    async def read(self) -> Reading:
        """What has been used by now."""
        metrics = await self.metrics()
        return Reading(
            usage(self.server.process.pid),
            metrics["tributary_statements_total"],
            metrics["tributary_chunks_total"],
            metrics["tributary_deltas_total"],
            metrics["tributary_tabs"],
        )

    async def metrics(self) -> dict[str, float]:
        """All that the server counts, by name."""
        answer = await self._http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        answer.raise_for_status()
        lines = (line for line in answer.text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    async def new_cookie(self) -> str:
        """The cookie of a new browser, as a Cookie header."""
        self._http.cookies.clear()
        answer = await self._http.get("/")
        cookie = answer.cookies[COOKIE]
        self._http.cookies.clear()
        return f"{COOKIE}={cookie}"

    async def new_thread(self, **more: Any) -> str:
        """Begin a thread; return its page's path."""
        return (await self._post("/api/threads", more))["url"]

    async def post(self, path: str, text: str) -> None:
        """Post a message to a thread that nobody is asked to answer."""
        await self._post(f"/api/threads/{path.removeprefix('/t/')}/messages", {"text": text, "reply": False})

    async def ask(self, path: str, reply: Reply) -> None:
        """Ask for a reply, and wait for its end."""
        answer = await self._http.post(
            f"/api/threads/{path.removeprefix('/t/')}/messages",
            json={"text": reply.order, "reply": True},
            headers=self._authorization | {"Accept": "text/plain"},
            timeout=120,
        )
        answer.raise_for_status()
        assert answer.text == reply.text, f"{len(answer.text)} characters of {len(reply.text)}"

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._http.post(path, json=body, headers=self._authorization)
        answer.raise_for_status()
        return answer.json()

    @asynccontextmanager
    async def tab(self, path: str, cookie: str | None = None, *, token: str | None = None) -> AsyncGenerator[Tab]:
        """Open a tab, of somebody new unless a cookie is given; with a token again, it is the same tab reloaded."""
        async with open_tab(self.server.url, path, cookie or await self.new_cookie(), token=token) as tab:
            yield tab

    @asynccontextmanager
    async def tabs(self, paths: Sequence[str], at_once: int = 20) -> AsyncGenerator[list[Tab]]:
        """Open a tab of somebody new on each path, some at a time."""
        async with AsyncExitStack() as stack:
            gate = asyncio.Semaphore(at_once)

            async def opened(path: str) -> Tab:
                async with gate:
                    return await stack.enter_async_context(self.tab(path))

            yield list(await asyncio.gather(*map(opened, paths)))


@asynccontextmanager
async def running_site(directory: Path, **variables: str) -> AsyncGenerator[Site]:
    """Start the server and its model for the time of the block."""
    async with AsyncExitStack() as stack:
        endpoint = await stack.enter_async_context(running_endpoint())
        server = stack.enter_context(
            running_server(
                directory,
                OPENAI_BASE_URL=endpoint.base_url,
                OPENAI_API_KEY=secrets.token_hex(16),
                CHAT_METRICS_TOKEN=TOKEN,
                **{**UNLIMITED, **variables},  # pyright: ignore[reportArgumentType]  # of the environment, none of its own
            )
        )
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=server.url, timeout=60))
        guest = await http.post("/api/guests", json={"name": "Bench"})
        guest.raise_for_status()
        yield Site(server, endpoint, http, guest.json()["token"])
