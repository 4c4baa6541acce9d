"""The page: names that stay, messages that are sent once, text that cannot harm, addresses that lead nowhere."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.support.planted import plant_conversation
from tests.support.scripted_model import REFERENCE_DELTAS, Hang, Say
from tests.support.server import running_server
from tests.support.site import Site
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

MakeVisitor = Callable[[], Visitor]


async def test_a_name_is_kept_over_a_reload_and_own_messages_stay_mine(
    production_site: Site, visitor: MakeVisitor
) -> None:
    ada, noor = visitor(), visitor()
    mine = await ada.begin(production_site.server.url)
    theirs = await noor.open(mine.page.url)
    await mine.send("This is mine")
    names = [await tab.page.locator("#my-name").text_content() for tab in (mine, theirs)]
    assert len(set(names)) == 2
    for tab in (mine, theirs):
        await tab.shows("This is mine")

    await mine.page.reload()
    message = await mine.shows("This is mine")

    assert await mine.page.locator("#my-name").text_content() == names[0]
    assert await mine.page.locator(f'article[data-message="{message}"] .person').count() == 0
    assert await theirs.page.locator(f'article[data-message="{message}"] .person').text_content() == names[0]


async def test_the_cookie_is_out_of_reach_of_the_page(production_site: Site, visitor: MakeVisitor) -> None:
    ada = visitor()
    tab = await ada.open(production_site.server.url)
    (cookie,) = [cookie for cookie in await ada.context.cookies() if cookie.get("name") == "tributary"]
    assert cookie.get("httpOnly")
    assert cookie.get("sameSite") == "Lax"
    assert cookie.get("value", "") not in await tab.page.evaluate("document.cookie")
    assert not [payload for payload in tab.received if cookie.get("value", "") in payload]


async def test_enter_twice_sends_once_and_a_blank_sends_nothing(production_site: Site, visitor: MakeVisitor) -> None:
    tab = await visitor().begin(production_site.server.url)
    box = tab.page.get_by_role("textbox", name="Message")
    await box.fill("Once")
    await box.press("Enter")
    await box.press("Enter")
    await expect(box).to_have_value("")
    await box.fill("  \n ")
    await box.press("Enter")
    await box.fill("First line")
    await box.press("Shift+Enter")
    await box.press_sequentially("second line")
    await box.press("Enter")
    await tab.shows("second line")
    await expect(tab.messages()).to_have_count(2)


async def test_what_could_not_be_stored_comes_back_to_the_composer(production_site: Site, visitor: MakeVisitor) -> None:
    tab = await visitor().begin(production_site.server.url)
    lock = sqlite3.connect(production_site.server.database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        await tab.send("Do not lose me")
        box = tab.page.get_by_role("textbox", name="Message")
        await expect(box).to_have_value("")
        await box.press_sequentially("Nor me")
        await expect(box).to_have_value("Do not lose me\n\nNor me", timeout=30_000)
        await expect(tab.page.get_by_role("alert")).to_contain_text("could not be stored")
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    await box.press("Enter")
    await tab.shows("Do not lose me")
    await tab.shows("Nor me")
    await expect(tab.page.locator("[role=alert]")).to_have_text("")


async def test_stop_keeps_the_text_for_everybody(production_site: Site, visitor: MakeVisitor) -> None:
    tab = await visitor().begin(production_site.server.url)
    other = await visitor().open(tab.page.url)
    production_site.model.enqueue(Say(["As far as ", "it got", Hang()]))
    await tab.send("@gpt begin")
    reply = await tab.shows("As far as it got")
    await other.shows("As far as it got")

    await other.page.get_by_role("button", name="Stop this reply").click()

    for each in (tab, other):
        assert await each.ends(reply, "stopped") == "As far as it got"


async def test_markup_in_a_message_does_nothing(production_site: Site, visitor: MakeVisitor) -> None:
    tab = await visitor().begin(production_site.server.url)
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    attack = (
        "<img src=x onerror=\"window.hit=1\"><script async src='https://evil.example/x.js'></script>"
        '<iframe srcdoc="<script>parent.hit=1</script>"></iframe>![](https://evil.example/leak) '
        '<a href="javascript:window.hit=1">x</a><img name=createElement> <title>taken</title> harmless'
    )
    production_site.model.enqueue(Say([attack]))
    await tab.send(f"@gpt {attack}")
    await tab.shows("harmless", status="done")
    assert await tab.page.evaluate("window.hit") is None
    assert [url for url in asked if not url.startswith((production_site.server.url, "data:"))] == []
    assert "Tributary" in await tab.page.title()


async def test_an_address_that_leads_nowhere_says_so(production_site: Site, visitor: MakeVisitor) -> None:
    ada = visitor()
    await ada.open(production_site.server.url)
    for path in ("/t/there-is-no-such-one", "/nowhere"):
        page = await ada.context.new_page()
        await page.goto(production_site.server.url + path)
        await expect(page.get_by_text("There is nothing here")).to_be_visible()


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param(REFERENCE_DELTAS[:500], id="its-beginning"),
        pytest.param(REFERENCE_DELTAS, id="all-of-it", marks=pytest.mark.thorough),
    ],
)
async def test_what_the_reference_reply_costs_on_the_wire(
    production_site: Site, visitor: MakeVisitor, deltas: Sequence[str]
) -> None:
    """Of 2,000 deltas of 4 characters at 100 a second, the driver may get 10 times the text, a follower 3 times."""
    text = "".join(deltas).strip()
    driver = await visitor().begin(production_site.server.url)
    follower = await visitor().open(driver.page.url)
    await follower.send("Morning")
    for tab in (driver, follower):
        await tab.shows("Morning")
    before = [tab.bytes_received for tab in (driver, follower)]
    production_site.model.enqueue(Say(deltas, pace=0.01))

    await driver.send("@gpt the reference")
    reply = await driver.shows("Sentence 1 ")
    for tab in (driver, follower):
        assert await tab.ends(reply) == text

    cost = [tab.bytes_received - was for tab, was in zip((driver, follower), before, strict=True)]
    print(f"driver {cost[0]} bytes, follower {cost[1]} bytes for {len(text)} characters")
    assert cost[0] <= 10 * len(text)
    assert cost[1] <= 3 * len(text)


async def test_a_newcomer_sees_the_seeded_conversation_play_by_the_demo_model(
    tmp_path: Path, visitor: MakeVisitor
) -> None:
    newcomer = visitor()
    with running_server(tmp_path) as server:
        tab = await newcomer.open(server.url)
        await expect(tab.page.get_by_text("Demo model")).to_be_visible()
        await expect(tab.page.locator('article[data-status="done"]')).to_have_count(2, timeout=60_000)
        reply = await tab.page.locator('article[data-status="done"]').last.get_attribute("data-message")
        assert len(await tab.steps(reply or "")) > 10  # by deltas: this tab drives
        await tab.send("@gpt what is 17*23+4?")
        await tab.shows("395", status="done")
        await newcomer.leave()


FIRST_LOAD = 330_000
"""Bytes of script, as they are sent, that a page may need until its first message is drawn."""


async def test_a_page_loads_neither_highlighter_nor_mathematics_before_a_text_needs_them(
    production_site: Site, visitor: MakeVisitor
) -> None:
    thread = plant_conversation(production_site.server.database, ["Hello **you**", "Hello"])
    tab = await visitor().open(f"{production_site.server.url}/t/{thread}")
    await expect(tab.page.locator(".message-text strong")).to_be_visible()
    loaded: list[list[Any]] = await tab.page.evaluate(
        """performance.getEntriesByType("resource").filter(({ name }) => name.endsWith(".js"))
            .map(({ name, encodedBodySize }) => [name.split("/").at(-1), encodedBodySize])"""
    )
    assert sum(size for _, size in loaded) < FIRST_LOAD
    assert [name for name, _ in loaded if name.startswith(("highlight", "math-", "cjk-", "python-"))] == []
