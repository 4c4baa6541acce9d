"""People who open the pages of really started servers in Chromium."""

from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.support.chromium import find_chromium
from tests.support.site import Site
from tests.support.visitor import Visitor

CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Run the tests of this folder in one event loop, for a browser that they share belongs to its loop."""
    in_one_loop = pytest.mark.asyncio(loop_scope="session")
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and pytest_asyncio.is_async_test(item):
            item.add_marker(in_one_loop, append=False)


@pytest.fixture(params=["production_site", "development_site"])
def site(request: pytest.FixtureRequest) -> Site:
    """Each server in turn."""
    return request.getfixturevalue(request.param)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncGenerator[Browser]:
    """A browser, one for all tests: to start one takes longer than most of them. People have contexts of their own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
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
