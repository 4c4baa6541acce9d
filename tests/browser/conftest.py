"""People who open the pages of really started servers in Chromium."""

from collections.abc import AsyncGenerator, Callable

import pytest
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
