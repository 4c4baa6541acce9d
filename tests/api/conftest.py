"""The HTTP interface on a loopback port, with a fake model behind it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette

from chat_app.api.app import create_api, mounted
from chat_app.api.asking import running
from chat_app.data.db import Database
from chat_app.ops.request_id import RequestIds
from tests.support.world import World, running_world

ORIGIN = "http://chat.example"


class Caller:
    """Somebody with a token."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self.http = http
        self.token = token
        http.headers["Authorization"] = f"Bearer {token}"

    async def thread(self, **values: str) -> str:
        """Begin a thread; its id."""
        return (await self.http.post("/api/threads", json=values)).json()["id"]

    async def ask(self, thread_id: str, text: str = "@gpt hi") -> str:
        """Post; the id of the stream that answers."""
        answer = await self.http.post(f"/api/threads/{thread_id}/messages", json={"text": text})
        return answer.json()["reply"]["stream_id"]


class Interface:
    """The interface as it is served."""

    def __init__(self, world: World, app: FastAPI, url: str) -> None:
        self.world = world
        self.app = app
        self.url = url

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """Somebody nobody knows."""
        # Nothing here speaks TLS, and certificates take longer to be read than most tests.
        async with httpx.AsyncClient(base_url=self.url, timeout=30, verify=False) as http:
            yield http

    @asynccontextmanager
    async def guest(self) -> AsyncIterator[Caller]:
        """Somebody new, with a token."""
        async with self.client() as http:
            answer = await http.post("/api/guests", json={})
            yield Caller(http, answer.json()["token"])


@pytest.fixture
async def interface(database: Database) -> AsyncIterator[Interface]:
    """The interface, served."""
    async with running_world(database, chat_guests_per_hour_per_address=0, chat_threads_per_day=0) as world:
        api = create_api(lambda origin: origin == ORIGIN)
        api.dependency_overrides[running] = lambda: world.services
        app = RequestIds(Starlette(routes=[mounted(api)]))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", ws="none"))
        with socket.create_server(("127.0.0.1", 0)) as listener:  # who connects before it accepts is kept waiting
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)  # little hides an unread answer
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does that to sockets of its own
            serving = asyncio.create_task(server.serve([listener]))
            try:
                yield Interface(world, api, f"http://127.0.0.1:{listener.getsockname()[1]}")
            finally:
                world.services.http_readers.end_all()
                server.should_exit = True
                await serving
