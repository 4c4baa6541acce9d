"""The transcript: what was said before comes when it is looked for, and nothing that is looked at moves."""

from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.support.planted import plant_conversation
from tests.support.scripted_model import Hold, Say
from tests.support.site import Site
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

MakeVisitor = Callable[[], Visitor]

SCROLL_UP = """
async () => {
  const box = document.querySelector("[role=log]");
  const rows = () => [...box.querySelectorAll("[data-message]")];
  box.scrollTop = 400;
  await new Promise(requestAnimationFrame);
  const row = rows().find((each) => each.getBoundingClientRect().bottom > box.getBoundingClientRect().top);
  window.looked = row;
  window.placed = row.getBoundingClientRect().top;
  window.moved = 0;
  // After each frame's layout and our own observers, which were there first: as it is painted.
  new ResizeObserver(() => {
    window.moved = Math.max(window.moved, Math.abs(row.getBoundingClientRect().top - window.placed));
  }).observe(box.firstElementChild);
}
"""


COLOURED = """
() => new Set([...document.querySelectorAll("pre span")].map((span) => getComputedStyle(span).color)).size > 2
"""
"""Whether code is highlighted."""


async def test_scrolling_back_moves_nothing_and_disturbs_no_reply(production_site: Site, visitor: MakeVisitor) -> None:
    texts = [f"Message {number}\n\n" + "* some **words**\n" * (number % 7) for number in range(250)]
    thread = plant_conversation(production_site.server.database, texts)
    tab = await visitor().open(f"{production_site.server.url}/t/{thread}")
    await expect(tab.messages()).to_have_count(100)
    production_site.model.enqueue(Say(["So ", "far.", Hold(), "\n\nAnd ", "on."], pace=0.01))
    await tab.send("@gpt what do you think?")
    reply = await tab.shows("So far.", status="streaming")

    await tab.page.evaluate(SCROLL_UP)
    await expect(tab.messages()).to_have_count(202)
    production_site.model.release()

    assert await tab.ends(reply) == "So far.And on."
    await expect(tab.page.locator(".message-plain")).to_have_count(0)  # all are rendered
    assert await tab.page.evaluate("window.moved") < 2
    await tab.page.get_by_role("button", name="More below").click()
    await expect(tab.page.locator(f'article[data-message="{reply}"]')).to_be_in_viewport()
    await tab.page.get_by_role("log").evaluate("box => { box.scrollTop = 0; }")
    await expect(tab.messages()).to_have_count(252)
    await expect(tab.page.get_by_role("button", name="Earlier messages")).to_have_count(0)
    first, last = await tab.messages().first.text_content(), await tab.messages().last.text_content()
    assert "Message 0" in (first or "")
    assert "And on." in (last or "")


async def test_what_came_below_is_counted_and_leads_there(production_site: Site, visitor: MakeVisitor) -> None:
    thread = plant_conversation(production_site.server.database, [f"Message {number}" for number in range(60)])
    ada, noor = visitor(), visitor()
    reading = await ada.open(f"{production_site.server.url}/t/{thread}")
    writing = await noor.open(f"{production_site.server.url}/t/{thread}")
    await expect(reading.messages()).to_have_count(60)
    await reading.page.get_by_role("log").evaluate("box => { box.scrollTop = 300; }")
    await expect(reading.page.get_by_role("button", name="Go to the newest message")).to_be_visible()

    for number, label in enumerate(("1 new message", "2 new messages")):
        await writing.send(f"News {number}")
        await expect(reading.page.get_by_role("button", name=label)).to_be_visible()
    await reading.page.get_by_role("button", name="2 new messages").click()

    await expect(reading.page.get_by_text("News 1")).to_be_in_viewport()
    await expect(reading.page.locator(".scroll-follow-end")).to_have_count(0)
    await writing.send("News 2")
    await expect(reading.page.get_by_text("News 2")).to_be_in_viewport()


async def test_messages_stand_under_their_days_and_under_one_name(production_site: Site, visitor: MakeVisitor) -> None:
    ada, noor = visitor(), visitor()
    mine = await ada.begin(production_site.server.url)
    theirs = await noor.open(mine.page.url)
    for text in ("One", "Two", "Three"):
        await mine.send(text)
        await theirs.shows(text)
    await expect(theirs.page.get_by_role("log").get_by_role("heading", name="Today")).to_have_count(1)
    await expect(theirs.page.locator("article .person")).to_have_count(1)
    await theirs.send("Four")
    await mine.send("Five")
    await theirs.shows("Five")
    await expect(theirs.page.locator("article .person")).to_have_count(2)


async def test_live_text_becomes_stored_text_where_it_stands(production_site: Site, visitor: MakeVisitor) -> None:
    """B40: what was shown is not shown anew, nor in another size."""
    tab = await visitor().begin(production_site.server.url)
    text = (
        "A *paragraph*.\n\n```python\nfor each in range(3):\n    print(each)\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    production_site.model.enqueue(Say([text, Hold()]))
    await tab.send("@gpt show us")
    reply = await tab.shows("paragraph", status="streaming")
    row = tab.page.locator(f'article[data-message="{reply}"]')
    await tab.page.wait_for_function(COLOURED)
    before = await row.evaluate(
        "row => { window.nodes = [...row.querySelectorAll('.message-text, .message-text *')]; "
        "return row.querySelector('.message-text').getBoundingClientRect().height; }"
    )
    production_site.model.release()
    await tab.ends(reply)

    assert await row.evaluate("row => row.querySelector('.message-text').getBoundingClientRect().height") == before
    gone = "window.nodes.filter((node) => !node.isConnected).map((node) => node.outerHTML.slice(0, 100))"
    assert await tab.page.evaluate(gone) == []


async def test_a_message_is_copied_as_it_was_written(production_site: Site, visitor: MakeVisitor) -> None:
    ada = visitor()
    tab = await ada.begin(production_site.server.url)
    await ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
    production_site.model.enqueue(Say(["**Bold** and\n\n* a list"]))
    await tab.send("@gpt show us")
    reply = await tab.shows("a list", status="done")
    await tab.page.locator(f'article[data-message="{reply}"]').get_by_role("button", name="Copy this message").click()
    await expect(tab.page.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    assert await tab.page.evaluate("navigator.clipboard.readText()") == "**Bold** and\n\n* a list"
