"""The composer: drafts that stay, names that complete, messages that can be edited, and a limit that cuts nothing."""

from collections.abc import Callable

import pytest
from playwright.async_api import expect

from chat_app.threads.messages import MAX_TEXT
from tests.support.site import Site
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

MakeVisitor = Callable[[], Visitor]


async def test_a_draft_is_kept_in_its_thread_over_a_reload_until_it_is_sent(
    production_site: Site, visitor: MakeVisitor
) -> None:
    tab = await visitor().begin(production_site.server.url)
    box, here = tab.page.get_by_role("textbox", name="Message"), tab.page.url
    await box.press_sequentially("Half a")
    await tab.page.get_by_role("button", name="New thread").click()
    await tab.page.wait_for_url(lambda now: now != here)
    await expect(box).to_have_value("")
    await box.press_sequentially("Elsewhere")

    await tab.page.go_back()
    await expect(box).to_have_value("Half a")
    await tab.page.reload()
    await expect(box).to_have_value("Half a")
    await box.press("End")
    await box.press_sequentially(" thought")
    await box.press("Enter")
    await tab.shows("Half a thought")
    await tab.page.reload()
    await tab.shows("Half a thought")
    await expect(box).to_have_value("")


async def test_up_arrow_edits_my_last_message_for_everybody_and_asks_nobody(
    production_site: Site, visitor: MakeVisitor
) -> None:
    mine = await visitor().begin(production_site.server.url)
    theirs = await visitor().open(mine.page.url)
    box, asked = mine.page.get_by_role("textbox", name="Message"), production_site.asked
    await mine.send("Mornign")
    message = await theirs.shows("Mornign")
    await theirs.send("Hello")
    await mine.shows("Hello")

    await box.press("ArrowUp")
    await expect(box).to_have_value("Mornign")
    await box.press_sequentially(" to you")
    await box.press("Escape")
    await expect(box).to_have_value("")

    await box.press_sequentially("A draft")
    row = mine.page.locator(f'article[data-message="{message}"]')
    await row.hover()
    await row.get_by_role("button", name="Edit this message").click()
    await expect(box).to_have_value("Mornign")
    await box.fill("@gpt Morning")
    await box.press("Enter")

    for tab in (mine, theirs):
        edited = tab.page.locator(f'article[data-message="{message}"]')
        await expect(edited.locator(".message-text")).to_have_text("@gpt Morning")
        await expect(edited).to_contain_text("edited")
    await expect(box).to_have_value("A draft")
    assert production_site.asked == asked
    await theirs.page.get_by_role("textbox", name="Message").press("ArrowUp")
    await expect(theirs.page.get_by_role("textbox", name="Message")).to_have_value("Hello")


async def test_an_at_completes_people_and_the_ai_by_the_keyboard(production_site: Site, visitor: MakeVisitor) -> None:
    mine = await visitor().begin(production_site.server.url)
    theirs = await visitor().open(mine.page.url)
    await theirs.send("Morning")
    await mine.shows("Morning")
    name = await theirs.page.locator("#my-name").text_content() or ""
    box, choices = mine.page.get_by_role("textbox", name="Message"), mine.page.get_by_role("listbox")

    await box.press_sequentially("mail me@")
    await expect(choices).to_have_count(0)
    await box.fill("")
    await box.press_sequentially("so @")
    options = choices.get_by_role("option")
    assert await options.all_inner_texts() == ["@\ngpt\nasks the AI", name]
    await box.press("ArrowDown")
    active = await box.get_attribute("aria-activedescendant")
    await expect(mine.page.locator(f"#{active}")).to_have_text(name)
    await expect(mine.page.locator(f"#{active}")).to_have_attribute("aria-selected", "true")
    await box.press("Tab")
    await expect(box).to_have_value(f"so @{name} ")
    await expect(box).to_be_focused()
    await box.press_sequentially("and @g")
    await box.press("Escape")
    await expect(choices).to_have_count(0)
    await expect(box).not_to_have_attribute("aria-activedescendant", "")
    await box.press_sequentially("p")
    await expect(choices).to_have_count(0)
    await box.press("Enter")
    await mine.shows(f"so @{name} and @gp")


async def test_who_does_not_know_the_ais_name_asks_it_by_a_button(production_site: Site, visitor: MakeVisitor) -> None:
    tab = await visitor().begin(production_site.server.url)
    box, ask = tab.page.get_by_role("textbox", name="Message"), tab.page.get_by_role("button", name="Ask GPT")
    await box.press_sequentially("why?")
    await expect(ask).to_have_attribute("aria-pressed", "false")
    await ask.click()
    await expect(ask).to_have_attribute("aria-pressed", "true")
    await ask.click()
    await expect(box).to_have_value("why?")
    await ask.click()
    await box.press("Enter")
    await tab.shows("@gpt why?")
    await expect(tab.messages()).to_have_count(2)
    await expect(ask).to_have_attribute("aria-pressed", "false")


async def test_what_is_too_long_is_counted_kept_whole_and_not_sent(production_site: Site, visitor: MakeVisitor) -> None:
    tab = await visitor().begin(production_site.server.url)
    box, count = tab.page.get_by_role("textbox", name="Message"), tab.page.locator("#composer-count")
    await box.fill("A word")
    await expect(count).to_have_text("")
    await box.fill("🌊" * (MAX_TEXT + 1))
    await expect(count).to_have_text("16,001 / 16,000")
    await expect(box).to_have_attribute("aria-invalid", "true")
    await box.press("Enter")
    await expect(box).to_have_value("🌊" * (MAX_TEXT + 1))
    await box.press("Backspace")
    await expect(count).to_have_text("16,000 / 16,000")
    await box.press("Enter")
    await expect(box).to_have_value("")
    message = await tab.shows("🌊")
    assert await tab.text_of(message) == "🌊" * MAX_TEXT
