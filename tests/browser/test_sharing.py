"""Sharing on the page: who finds a thread, who belongs to it, and what those see who no longer do."""

from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Site
from tests.support.scripted_model import Hang, Say
from tests.support.visitor import Tab, Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

MakeVisitor = Callable[[], Visitor]

READ_ONLY = "You can read this thread, but not write in it."
GONE = "There is nothing here"


async def choose(tab: Tab, item: str) -> None:
    """Choose something of the thread's menu."""
    await tab.page.get_by_role("button", name="Thread menu").click()
    await tab.page.get_by_role("button", name=item).click()


async def invite(tab: Tab, lets: str) -> str:
    """Make an invite in the dialog, which is open, and return its address."""
    link = tab.page.get_by_label("Link of the invite")
    before = await link.input_value()
    await tab.page.get_by_label("Role", exact=True).select_option(lets)
    await tab.page.get_by_role("button", name="Make a link").click()
    await expect(link).not_to_have_value(before)
    await expect(link).to_be_visible()
    return await link.input_value()


async def is_focused(tab: Tab, label: str) -> bool:
    return await tab.page.get_by_label(label, exact=True).evaluate("it => it === document.activeElement")


async def test_who_is_let_in_made_a_viewer_and_removed_sees_just_that(
    production_site: Site, visitor: MakeVisitor
) -> None:
    owner = await visitor().begin(production_site.server.url)
    address = owner.page.url
    await expect(owner.page.get_by_text("What are we talking about?")).to_be_visible()
    stranger = await visitor().open(address)
    await choose(owner, "Share…")
    await owner.page.get_by_role("radio", name="Private").click()
    await expect(stranger.page.get_by_text(GONE)).to_be_visible()
    await expect(owner.page.get_by_role("button", name="Copy link")).to_have_count(0)

    link = await invite(owner, "member")
    secret = link.rpartition("/")[2]
    await expect(owner.page.get_by_role("button", name="Withdraw")).to_have_count(1)
    guest = await visitor().open(link)
    assert guest.page.url == address
    await owner.page.keyboard.press("Escape")
    assert await is_focused(owner, "Thread menu")
    await guest.send("Thank you for having me")
    mine = await guest.shows("Thank you")
    assert await owner.shows("Thank you") == mine

    # The link was sent once, and is nowhere once the dialog is closed.
    await choose(owner, "Share…")
    await expect(owner.page.get_by_text("Open invites")).to_be_visible()
    await expect(owner.page.get_by_label("Link of the invite")).to_have_value("")
    await expect(owner.page.get_by_label("Link of the invite")).not_to_be_visible()
    assert len([frame for frame in owner.received if secret in frame]) == 1
    assert secret not in production_site.server.log.read_text()

    name = await guest.page.locator("#my-name").text_content()
    await owner.page.get_by_label(f"Role of {name}").select_option("viewer")
    await expect(guest.page.get_by_text(READ_ONLY)).to_be_visible()
    await expect(guest.page.get_by_role("textbox", name="Message")).to_have_count(0)
    await expect(guest.page.get_by_label("Delete this message")).to_have_count(0)

    production_site.model.enqueue(Say(["Only for members", Hang()]))
    await owner.page.keyboard.press("Escape")
    await owner.send("@gpt tell us")
    await guest.shows("Only for members")
    await expect(guest.page.get_by_role("button", name="Stop this reply")).to_have_count(0)
    await expect(owner.page.get_by_role("button", name="Stop this reply")).to_be_visible()
    await choose(owner, "Share…")
    await owner.page.get_by_label(f"Remove {name}").click()
    await owner.page.get_by_role("button", name="Remove", exact=True).click()
    await expect(guest.page.get_by_text(GONE)).to_be_visible()
    await expect(guest.messages()).to_have_count(0)
    # The invite went with them: it lets nobody in again.
    await expect(owner.page.get_by_role("button", name="Withdraw")).to_have_count(0)
    await owner.page.keyboard.press("Escape")
    await owner.send("Now that they are gone")
    await owner.shows("Now that they are gone")
    assert not any("Now that they are gone" in frame for frame in guest.received)
    await guest.page.goto(link)
    await expect(guest.page.get_by_text("This invite does not work any more")).to_be_visible()


async def test_a_thread_is_handed_over_renamed_cleared_and_left(production_site: Site, visitor: MakeVisitor) -> None:
    owner = await visitor().begin(production_site.server.url)
    address = owner.page.url
    await owner.send("The first plan")
    await owner.shows("The first plan")
    await choose(owner, "Share…")
    await expect(owner.page.get_by_role("button", name="Copy link")).to_be_visible()
    await owner.page.get_by_role("radio", name="By link").click()
    await expect(owner.page.get_by_role("radio", name="By link")).to_be_checked()
    withdrawn = await invite(owner, "viewer")
    await owner.page.get_by_role("button", name="Withdraw").click()
    await expect(owner.page.get_by_role("button", name="Withdraw")).to_have_count(0)
    link = await invite(owner, "member")

    ada = visitor()
    heir = await ada.open(link)
    late = await ada.context.new_page()
    await late.goto(withdrawn)
    await expect(late.get_by_text("This invite does not work any more")).to_be_visible()
    await late.close()

    await owner.page.keyboard.press("Escape")
    await choose(owner, "Share…")
    await owner.page.get_by_role("button", name="Hand over…").click()
    await owner.page.get_by_role("button", name="Hand over", exact=True).click()
    await expect(owner.page.get_by_role("radio", name="By link")).to_have_count(0)
    await expect(owner.page.get_by_role("heading", name="Members of this thread")).to_be_visible()
    await owner.page.keyboard.press("Escape")

    await choose(heir, "Rename…")
    assert await is_focused(heir, "Title")
    await heir.page.get_by_label("Title").fill("  The second plan ")
    await heir.page.keyboard.press("Enter")
    for tab in (heir, owner):
        await expect(tab.page.get_by_role("heading", level=1)).to_have_text("The second plan")
    await expect(owner.page.get_by_role("link", name="The second plan")).to_be_visible()
    await heir.page.get_by_role("button", name="Thread menu").click()
    await expect(heir.page.get_by_role("button", name="Leave…")).to_have_count(0)
    await heir.page.get_by_role("button", name="Clear all messages…").click()
    await heir.page.get_by_role("button", name="Clear all messages", exact=True).click()
    for tab in (heir, owner):
        await expect(tab.messages()).to_have_count(0)

    await owner.page.get_by_role("button", name="Thread menu").click()
    await expect(owner.page.get_by_role("button", name="Delete…")).to_have_count(0)
    await owner.page.get_by_role("button", name="Leave…").click()
    await owner.page.get_by_role("button", name="Leave", exact=True).click()
    await owner.page.wait_for_url(lambda url: url != address)
    await expect(owner.page.get_by_role("link", name="The second plan")).to_have_count(0)


async def test_one_may_delete_the_replies_that_one_asked_for(production_site: Site, visitor: MakeVisitor) -> None:
    owner = await visitor().begin(production_site.server.url)
    guest, other = await visitor().open(owner.page.url), await visitor().open(owner.page.url)
    production_site.model.enqueue(Say(["An answer to me."]))
    await guest.send("@gpt answer me")
    reply = await guest.shows("An answer to me.", status="done")
    await other.shows("An answer to me.", status="done")
    await expect(other.page.get_by_label("Delete this message")).to_have_count(0)

    row = guest.page.locator(f'article[data-message="{reply}"]')
    await row.hover()
    await row.get_by_label("Delete this message").click()
    await row.get_by_role("button", name="Delete").click()

    for tab in (guest, other, owner):
        await expect(tab.messages()).to_have_count(1)
