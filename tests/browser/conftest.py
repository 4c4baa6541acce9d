"""Servers that are really started, and people who open their pages in Chromium."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.support import canary
from tests.support.chromium import find_chromium
from tests.support.scripted_model import ScriptedModelThread
from tests.support.server import Mode, Server, running_server
from tests.support.visitor import Visitor

CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Site:
    """A server and the model that answers in it."""

    def __init__(self, server: Server, model: ScriptedModelThread) -> None:
        self.server = server
        self.model = model

    @property
    def asked(self) -> int:
        """How many requests the model has had."""
        return len(self.model.requests)

    async def was_asked(self, times: int) -> None:
        """Wait until the model has had so many requests."""
        await asyncio.to_thread(self.model.received, times)

    async def has_let_go(self, number: int) -> None:
        """Wait until the server has left the request of this number, from 0, before its end."""
        await asyncio.to_thread(self.model.cancelled, number)

    async def has_said_all(self, number: int) -> None:
        """Wait until the model has played its script for the request of this number, from 0."""
        await asyncio.to_thread(self.model.finished, number)


def _site(directory: Path, mode: Mode) -> Generator[Site]:
    with (
        ScriptedModelThread() as model,
        running_server(
            directory,
            mode,
            build="site",
            OPENAI_BASE_URL=model.base_url,
            OPENAI_API_KEY=canary.KEY,
            CHAT_LOG_LEVEL="debug",
            CHAT_SEED="false",
        ) as server,
    ):
        yield Site(server, model)
        assert canary.leaks(server, canary.MARK) == [], "the key got out in one of the tests"


@pytest.fixture(scope="session")
def production_site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    """The production server."""
    yield from _site(tmp_path_factory.mktemp("production"), "prod")


@pytest.fixture(scope="session")
def development_site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    """The development server, `reflex run`."""
    yield from _site(tmp_path_factory.mktemp("development"), "dev")


@pytest.fixture(params=["production_site", "development_site"])
def site(request: pytest.FixtureRequest) -> Site:
    """Each server in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
async def chromium() -> AsyncGenerator[Browser]:
    """A browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def visitor(chromium: Browser) -> AsyncGenerator[Callable[[], Visitor]]:
    """Makes people, each with a browser context of their own; at the end their consoles must have been quiet."""
    visitors: list[Visitor] = []

    def make() -> Visitor:
        visitors.append(Visitor(chromium))
        return visitors[-1]

    yield make
    for each in visitors:
        await each.leave()
    assert [line for each in visitors for line in each.complaints] == []
