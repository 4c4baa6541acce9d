"""A reply's life on the page: waited for, told in detail, watched again, and with its formulas typeset."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.async_api import expect

from tests.support.scripted_model import Hold, Say
from tests.support.site import Site
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

MakeVisitor = Callable[[], Visitor]


async def test_a_reply_that_is_waited_for_says_how_long_and_one_behind_it_its_place(
    production_site: Site, visitor: MakeVisitor
) -> None:
    tab = await visitor().begin(production_site.server.url)
    production_site.model.enqueue(*[Say([Hold(), f"Answer {number}."]) for number in range(3)], Say(["The last."]))
    for number in range(3):  # as many as a person may have at once
        await tab.send(f"@gpt {number}")
    await expect(tab.page.locator('article[data-status="streaming"]')).to_have_count(3)
    await tab.send("@gpt and one more")

    waiting = await tab.shows("Waiting: next in line.", status="pending")
    first = tab.page.locator('article[data-status="streaming"]').first
    await expect(first.locator(".message-waiting")).to_contain_text("Thinking")
    await expect(first.locator(".message-waiting")).to_contain_text(" s", timeout=10_000)
    for _ in range(3):
        production_site.model.release()
    assert await tab.ends(waiting) == "The last."
    await expect(tab.page.locator(".message-waiting")).to_have_count(0)


async def test_a_reply_tells_what_it_took_and_is_watched_again_without_moving_anything(
    production_site: Site, visitor: MakeVisitor
) -> None:
    tab = await visitor().begin(production_site.server.url)
    sentences = [f"Sentence {number} has some *words* in it. " for number in range(8)]
    production_site.model.enqueue(Say(sentences, pace=0.15))
    await tab.send("@gpt tell us")
    reply = await tab.shows("Sentence 7", status="done")
    row = tab.page.locator(f'article[data-message="{reply}"]')
    text = await row.locator(".message-text").text_content()

    await row.get_by_role("button", name="Details of this reply").click()
    dialog = tab.page.get_by_role("dialog")
    await expect(dialog.get_by_text("Complete")).to_be_visible()
    await expect(dialog).to_contain_text("Pieces received → stored8 → ")
    await tab.page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)

    height = await row.evaluate(
        "row => { window.node = row.querySelector('.message-text p'); return row.offsetHeight; }"
    )
    await row.get_by_role("button", name="Watch it being written again").click()
    replayed = row.locator(".message-replay .message-text")
    await expect(replayed).to_contain_text("Sentence 0")
    await expect(replayed).not_to_contain_text("Sentence 7", timeout=1)
    assert await row.evaluate("row => row.offsetHeight") == height
    await row.get_by_role("button", name="4×").click()
    await expect(replayed).to_contain_text("Sentence 7")
    await expect(row.locator(".replay-bar")).to_have_count(0)
    assert await row.locator(".message-text").text_content() == text
    assert await tab.page.evaluate("window.node.isConnected")


async def test_formulas_are_typeset_and_their_typesetter_is_loaded_only_then(
    production_site: Site, visitor: MakeVisitor
) -> None:
    tab = await visitor().begin(production_site.server.url)
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    production_site.model.enqueue(Say(["It costs $5 or $6."]), Say([r"So \(x^2\) and", "\n\n$$\n\\sqrt{2}\n$$\n"]))
    await tab.send("@gpt what does it cost?")
    await tab.shows("$5 or $6", status="done")
    assert [url for url in asked if "/math-" in url] == []

    await tab.send("@gpt and what is that squared?")

    await expect(tab.page.locator(".katex")).to_have_count(2)
    await expect(tab.page.locator(".katex-display")).to_have_count(1)
    assert [url for url in asked if "/math-" in url]
    assert [url for url in asked if not url.startswith((production_site.server.url, "data:"))] == []


async def test_what_arrived_while_its_reader_was_away_is_marked(production_site: Site, visitor: MakeVisitor) -> None:
    ada, noor = visitor(), visitor()
    mine = await ada.begin(production_site.server.url)
    theirs = await noor.open(mine.page.url)
    await mine.send("Before")
    before = await theirs.shows("Before")
    await expect(theirs.page.locator(".unread-line")).to_have_count(0)
    address, name = mine.page.url, await theirs.page.locator("#my-name").text_content()
    await theirs.page.close()
    with closing(sqlite3.connect(production_site.server.database, timeout=30)) as database, database:
        of_them = "SELECT id, ?, 1 FROM user WHERE name = ?"
        database.execute(
            f"INSERT OR REPLACE INTO reading (user_id, thread_id, position) {of_them}",
            (address.rpartition("/")[2], name),
        )
    await mine.send("While you were away")
    await mine.shows("While you were away")

    again = await noor.open(address)

    await again.shows("While you were away")
    line = again.page.locator(".unread-line")
    await expect(line).to_have_text("New since you were here")
    assert before in await line.evaluate("line => line.previousElementSibling.dataset.message")
