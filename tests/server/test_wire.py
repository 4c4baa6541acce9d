"""What a tab is sent, in bytes: for a message the same in any thread, and little beside a reply's text."""

import pytest

from bench.tab import open_tab
from tests.support.raw_socket import LIVE, TRANSCRIPT, RawSocket, call, joined, new_cookie, new_token
from tests.support.scripted_model import REFERENCE_DELTAS, REFERENCE_TEXT, Say
from tests.support.site import Site

pytestmark = pytest.mark.server

REPLIES = 10
MESSAGES = 20
MESSAGE = "A message of ordinary length, to somebody who only looks on. " * 4
MESSAGE_COSTS = 4096
"""Bytes that a message of 200 characters may cost an idle tab."""
BEYOND_TEXT = 150
"""Bytes that a frame may have beyond its new text."""


async def new_path(url: str, cookie: str) -> str:
    """The page of a new thread."""
    async with joined(url, cookie=cookie) as home:
        await home.redirected()
        before = len(home.frames)
        await home.send(call("new_thread"))
        await home.until(lambda raw: any("_redirect" in frame for frame in raw.frames[before:]))
        return await home.redirected()


async def test_a_message_costs_an_idle_tab_the_same_whatever_stands_above_it(production_site: Site) -> None:
    url = production_site.server.url
    ada, noor = await new_cookie(url), await new_cookie(url)
    path = await new_path(url, ada)
    async with open_tab(url, path, ada) as writer, open_tab(url, path, noor) as idle:
        costs: list[int] = []
        for number in range(REPLIES + MESSAGES):
            if number < REPLIES:
                production_site.model.enqueue(Say([REFERENCE_TEXT]))
                assert await idle.ends(await writer.asks("the reference")) == REFERENCE_TEXT
            before = idle.bytes
            text = f"{number:02} {MESSAGE}"[:200]
            await writer.send(text)
            await idle.until(lambda tab, before=before: tab.bytes > before + 200)
            costs.append(idle.bytes - before)
    assert max(costs) <= MESSAGE_COSTS
    # The first gives the thread its title, and marks come now and then.
    assert max(costs[1:]) <= 3 * min(costs[1:])


async def test_texts_and_rows_come_past_the_state_and_a_reload_brings_none_back(production_site: Site) -> None:
    url = production_site.server.url
    ada, noor = await new_cookie(url), await new_cookie(url)
    path, token = await new_path(url, ada), new_token()
    async with joined(url, path, cookie=noor, token=token) as follower, open_tab(url, path, ada) as driver:
        await follower.until(lambda raw: raw.var(LIVE, "r"))
        production_site.model.enqueue(Say([REFERENCE_TEXT]))
        message = await driver.asks("the reference")
        await follower.until(lambda raw: raw.texts.get(f"{message}.1") == REFERENCE_TEXT)
        _, *deltas = [each["delta"] for each in follower.updates if LIVE in each.get("delta", {})]
        assert all(set(delta) == {LIVE} for delta in deltas)
        assert {name for delta in deltas for name in delta[LIVE]} == {"f_rx_state_", "r_rx_state_"}
    async with joined(url, path, cookie=noor, token=token) as reloaded:
        booted = await reloaded.until(
            lambda raw: next((each["delta"] for each in raw.updates if LIVE in each.get("delta", {})), None)
        )
        assert booted[LIVE] == {"f_rx_state_": [], "r_rx_state_": [], "t_rx_state_": ["", []]}


async def test_who_comes_back_is_told_the_names_of_who_wrote_meanwhile_before_their_rows(production_site: Site) -> None:
    url = production_site.server.url
    ada, noor = await new_cookie(url), await new_cookie(url)
    path, token = await new_path(url, noor), new_token()

    def told(raw: RawSocket, state: str, name: str) -> list[int]:
        """When something was sent of a var, as places among all updates."""
        return [
            at for at, each in enumerate(raw.updates) if each.get("delta", {}).get(state, {}).get(f"{name}_rx_state_")
        ]

    async with joined(url, path, cookie=noor, token=token) as before:
        await before.until(lambda raw: raw.var(LIVE, "r"))
        await before.until(lambda raw: raw.var(TRANSCRIPT, "is_loaded"))
    async with open_tab(url, path, ada) as writer:
        await writer.send("Somebody new")
        await writer.until(lambda tab: tab.statuses)
    async with joined(url, path, cookie=noor, token=token) as again:
        await again.until(lambda raw: raw.var(LIVE, "r"))
        hydrated, *named = told(again, TRANSCRIPT, "people")
        assert hydrated < named[0] < told(again, LIVE, "r")[0]


async def test_a_frame_is_hardly_larger_than_its_text(production_site: Site) -> None:
    url = production_site.server.url
    ada, noor = await new_cookie(url), await new_cookie(url)
    path = await new_path(url, ada)
    async with open_tab(url, path, ada) as driver, open_tab(url, path, noor) as follower:
        production_site.model.enqueue(Say(REFERENCE_DELTAS[:150], pace=0.01))
        message = await driver.asks("the beginning of the reference")
        for tab in (driver, follower):
            assert await tab.ends(message) == "".join(REFERENCE_DELTAS[:150])
        frames = [each for each in driver.of(message) if each.is_alone]
        assert len(frames) >= 3
        assert max(each.size - each.new for each in frames) <= BEYOND_TEXT
        assert len(follower.of(message)) < len(driver.of(message))
