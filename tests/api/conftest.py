"""The HTTP interface on a loopback port, with a fake model behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from chat_app.api.app import PREFIX, create_api
from chat_app.api.asking import running
from chat_app.db import Database
from tests.support.server import free_port
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

    def __init__(self, world: World, url: str) -> None:
        self.world = world
        self.url = url

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """Somebody nobody knows."""
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as http:
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
    async with running_world(database) as world:
        api = create_api(lambda origin: origin == ORIGIN)
        api.dependency_overrides[running] = lambda: world.services
        port = free_port()
        config = uvicorn.Config(
            Starlette(routes=[Mount(PREFIX, api)]), port=port, log_level="warning", lifespan="off", ws="none"
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        try:
            async with asyncio.timeout(30):
                while not server.started:
                    await asyncio.sleep(0.01)
            yield Interface(world, f"http://127.0.0.1:{port}")
        finally:
            world.services.readers.end_all()
            server.should_exit = True
            await serving
