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


COPIED = """
async () => {
  const [item] = await navigator.clipboard.read();
  return Promise.all(["text/plain", "text/html"].map(async (type) => (await item.getType(type)).text()));
}
"""
"""What is in the clipboard, as text and as HTML."""
SELECT_WORDS = """
(reply) => {
  const nodes = document.createTreeWalker(document.querySelector(`[data-message="${reply}"] p`), NodeFilter.SHOW_TEXT);
  const node = nodes.nextNode();
  const start = node.data.indexOf("words");
  document.getSelection().setBaseAndExtent(node, start, node, start + 5);
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


async def test_a_reply_is_copied_as_written_and_as_shown_also_while_it_grows(
    production_site: Site, visitor: MakeVisitor
) -> None:
    ada = visitor()
    tab = await ada.begin(production_site.server.url)
    await ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
    production_site.model.enqueue(Say(["**Bold** and\n\n", Hold(), "* a list"]))
    await tab.send("@gpt show us")
    reply = await tab.shows("Bold", status="streaming")
    row = tab.page.locator(f'article[data-message="{reply}"]')
    said = tab.page.get_by_role("status").filter(has_text="Copied")

    async def copied() -> list[str]:
        await row.get_by_role("button", name="Copy this message").click()
        await expect(said).to_have_count(1)
        types: list[str] = await tab.page.evaluate(COPIED)
        return types

    text, html = await copied()
    assert text == "**Bold** and\n\n"
    assert "<strong>Bold</strong> and" in html
    production_site.model.release()
    await tab.ends(reply)
    await expect(said).to_have_count(0)
    text, html = await copied()
    assert text == "**Bold** and\n\n* a list"
    assert "<li>a list</li>" in html


async def test_a_selection_in_the_paragraph_that_grows_stays_for_its_asker_and_for_a_follower(
    production_site: Site, visitor: MakeVisitor
) -> None:
    mine = await visitor().begin(production_site.server.url)
    theirs = await visitor().open(mine.page.url)
    production_site.model.enqueue(Say(["Some words to keep. ", Hold(), "And **more** ", "of them. ", "A last one."]))
    await mine.send("@gpt tell us")
    for tab in (mine, theirs):
        reply = await tab.shows("Some words to keep.", status="streaming")
        await tab.page.evaluate(SELECT_WORDS, reply)
    production_site.model.release()
    for tab in (mine, theirs):
        await tab.shows("A last one.", status="done")
        assert await tab.page.evaluate("document.getSelection().toString()") == "words"


async def test_on_paper_there_is_the_whole_thread_and_nothing_else(production_site: Site, visitor: MakeVisitor) -> None:
    thread = plant_conversation(production_site.server.database, [f"Message {number}." for number in range(250)])
    page = (await visitor().open(f"{production_site.server.url}/t/{thread}")).page
    await expect(page.get_by_text("Message 249.")).to_be_visible()
    await page.evaluate("window.print = () => { window.isPrinted = true; }")
    await page.keyboard.press("ControlOrMeta+p")
    await page.wait_for_function("window.isPrinted")

    await page.emulate_media(media="print")

    await expect(page.locator("article[data-message]")).to_have_count(250)
    furniture = page.locator("nav, #composer, .message-actions, .message-tools, main > header button")
    seen = "all => all.filter((each) => each.checkVisibility()).map((each) => each.outerHTML.slice(0, 200))"
    assert await furniture.evaluate_all(seen) == []
    unseen = "all => all.filter((each) => !each.checkVisibility()).length"
    assert await page.locator("article .message-text").evaluate_all(unseen) == 0
    height = await page.evaluate("document.documentElement.scrollHeight")
    assert height > 250 * 24  # as long as its messages, and no box that scrolls
