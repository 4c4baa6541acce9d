"""People on the page: who is here, who types, what is new to them, what they are called, and what they take back."""

from collections.abc import Callable

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import Site
from tests.support.scripted_model import Hang, Say
from tests.support.visitor import Tab, Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

MakeVisitor = Callable[[], Visitor]


def line(tab: Tab, title: str) -> Locator:
    """The line of a thread in the sidebar."""
    return tab.page.get_by_role("navigation", name="Threads").get_by_role("link", name=title)


async def name_of(tab: Tab) -> str:
    return await tab.page.locator("#my-name").text_content() or ""


async def test_two_who_meet_see_each_other_type_and_later_what_they_have_missed(
    production_site: Site, visitor: MakeVisitor
) -> None:
    ada = await visitor().begin(production_site.server.url)
    await expect(ada.page.get_by_role("button", name="people here")).to_have_count(0)
    noor = await visitor().open(ada.page.url)
    for tab in (ada, noor):
        await tab.page.get_by_role("button", name="2 people here").click()
        for name in (await name_of(ada), await name_of(noor)):
            await expect(tab.page.get_by_role("listitem").filter(has_text=name)).to_be_visible()
        await tab.page.keyboard.press("Escape")

    await noor.page.get_by_role("textbox", name="Message").press_sequentially("The otters are back")
    await expect(ada.page.get_by_text(f"{await name_of(noor)} is typing…")).to_be_visible()
    await expect(noor.page.get_by_text("is typing…")).to_have_count(0)
    await noor.page.keyboard.press("Enter")
    await ada.shows("The otters are back")
    await expect(ada.page.get_by_text("is typing…")).to_have_count(0)

    # Noor goes elsewhere once they have seen it; what comes meanwhile is marked, and where a reply runs.
    await expect(line(noor, "The otters are back")).to_be_visible()
    await noor.shows("The otters are back")
    await noor.looks()
    await noor.page.get_by_role("button", name="New thread").click()
    await expect(noor.messages()).to_have_count(0)
    production_site.model.enqueue(Say(["Otters hold hands. ", Hang()]))
    await ada.send("Look, @gpt")
    reply = await ada.shows("Otters hold hands.")
    await expect(line(noor, "The otters are back").get_by_title("A reply is under way")).to_be_visible()
    await expect(ada.page.get_by_text("viewer")).to_have_count(0)
    await ada.page.get_by_role("button", name="Stop this reply").click()
    await ada.ends(reply, "stopped")
    await expect(line(noor, "The otters are back")).to_have_accessible_name("The otters are back 2 unread")

    # Found and opened by the keyboard alone.
    await noor.page.keyboard.press("Control+k")
    await noor.page.keyboard.type("nobody says this")
    await expect(noor.page.get_by_text("No thread has a title like that.")).to_be_visible()
    await noor.page.keyboard.press("Escape")
    await noor.page.keyboard.type("otters THE")
    await noor.page.keyboard.press("Enter")
    await noor.shows("Otters hold hands.")
    await expect(line(noor, "The otters are back")).to_have_attribute("aria-current", "page")
    await expect(ada.page.get_by_role("button", name="2 people here")).to_be_visible()


async def test_what_is_deleted_can_be_taken_back_and_a_name_changed(
    production_site: Site, visitor: MakeVisitor
) -> None:
    ada = await visitor().begin(production_site.server.url)
    address = ada.page.url
    noor = await visitor().open(address)
    await ada.send("First")
    await noor.shows("First")
    await noor.send("Second")
    await ada.shows("Second")
    row = ada.page.locator("article", has_text="First")
    await row.hover()
    await row.get_by_label("Delete this message").click()
    await row.get_by_role("button", name="Delete").click()
    await expect(noor.messages()).to_have_count(1)
    await expect(noor.page.get_by_role("button", name="Undo")).to_have_count(0)
    await ada.page.get_by_role("button", name="Undo").click()
    for tab in (ada, noor):
        await expect(tab.messages()).to_have_count(2)
        await expect(tab.messages().first).to_contain_text("First")

    await ada.page.get_by_role("button", name="Thread menu").click()
    await ada.page.get_by_role("button", name="Settings…").click()
    await ada.page.get_by_role("radio", name="Always").click()
    await expect(noor.page.get_by_placeholder("the AI answers each one")).to_be_visible()
    await ada.page.keyboard.press("Escape")

    await ada.page.get_by_role("button", name="Thread menu").click()
    await ada.page.get_by_role("button", name="Delete…").click()
    await ada.page.get_by_role("button", name="Delete", exact=True).click()
    await expect(noor.page.get_by_text("There is nothing here")).to_be_visible()
    await ada.page.get_by_role("button", name="Undo").click()
    await ada.page.wait_for_url(address)
    await ada.shows("Second")
    await noor.page.reload()
    await noor.shows("First")

    me = await ada.page.context.new_page()
    await me.goto(f"{production_site.server.url}/me")
    await expect(me.get_by_label("Name", exact=True)).to_have_value(await name_of(ada))
    await me.get_by_label("Name", exact=True).fill(await name_of(noor))
    await me.get_by_role("button", name="Save").click()
    await expect(me.get_by_role("alert")).to_have_text("Somebody has that name.")
    await me.get_by_label("Name", exact=True).fill("Ada of the Otters")
    await me.get_by_role("button", name="Save").click()
    await expect(me.locator("#my-name")).to_have_text("Ada of the Otters")
    await expect(noor.page.locator("article", has_text="Ada of the Otters")).to_be_visible()
    await expect(ada.page.locator("#my-name")).to_have_text("Ada of the Otters")
