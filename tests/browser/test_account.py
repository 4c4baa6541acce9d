"""One's account on the page: tokens that are shown once, and signing out."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.async_api import expect

from chat_app.people.identity import COOKIE
from chat_app.people.secrets import hash_of, new_secret
from tests.browser.conftest import Site
from tests.support.visitor import Tab, Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

MakeVisitor = Callable[[], Visitor]

SIGNED_OUT = "You were signed out"


async def name_on(tab: Tab) -> str:
    """The name on the page, once there is one."""
    shown = tab.page.locator("#my-name")
    await expect(shown).to_have_text(re.compile(r"\w"))
    return await shown.text_content() or ""


async def test_a_token_is_shown_once_and_can_be_revoked(production_site: Site, visitor: MakeVisitor) -> None:
    ada = visitor()
    tab = await ada.open(production_site.server.url)
    page = tab.page
    name = await name_on(tab)
    await page.get_by_role("link", name="Your account").click()
    await expect(page.get_by_role("main").get_by_text(name)).to_be_visible()
    await page.get_by_label("Name of the new token").fill("nightly report")
    await page.keyboard.press("Enter")
    field = page.get_by_label("The new token", exact=True)
    await expect(field).to_be_visible()
    token = await field.input_value()
    assert token.startswith("trb_")

    await page.reload()
    await expect(page.get_by_text("nightly report")).to_be_visible()
    await expect(field).not_to_be_visible()
    assert len([frame for frame in tab.received if token in frame]) == 1
    assert token not in production_site.server.log.read_text()
    await page.get_by_role("button", name="Revoke nightly report").click()
    await expect(page.get_by_text("You have none.")).to_be_visible()

    await page.get_by_label("Name of the new token").fill("   ")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("needs a name")

    # The page stands by itself: in a tab that has shown no thread it lists them all the same.
    fresh = await ada.context.new_page()
    await fresh.goto(f"{production_site.server.url}/me")
    await expect(fresh.locator("#my-name")).to_have_text(name)
    await expect(fresh.get_by_role("navigation").get_by_role("link").first).to_be_visible()


def another_browser_of(site: Site, cookie: str) -> str:
    """The cookie of a second session of whoever has the first."""
    other = new_secret()
    with closing(sqlite3.connect(site.server.database)) as database, database:
        database.execute(
            "INSERT INTO session (hash, user_id, kind, name, seen)"
            " SELECT ?, user_id, kind, name, seen FROM session WHERE hash = ?",
            (hash_of(other), hash_of(cookie)),
        )
    return other


async def cookie_of(person: Visitor) -> str:
    return next(cookie.get("value", "") for cookie in await person.context.cookies() if cookie.get("name") == COOKIE)


async def test_who_signs_out_elsewhere_stays_and_who_signs_out_everywhere_is_gone_for_good(
    production_site: Site, visitor: MakeVisitor
) -> None:
    ada, away = visitor(), visitor()
    tab = await ada.open(production_site.server.url)
    other = await away.open(production_site.server.url)
    name = await name_on(tab)
    copied = another_browser_of(production_site, await cookie_of(ada))
    await away.context.add_cookies([{"name": COOKIE, "value": copied, "url": production_site.server.url}])
    await other.page.reload()
    await expect(other.page.locator("#my-name")).to_have_text(name)

    account_there = await away.context.new_page()
    await account_there.goto(f"{production_site.server.url}/me")
    await expect(account_there.locator("#my-name")).to_have_text(name)

    # Elsewhere: the other browser's open tab ends, and is somebody new when it comes back; this one stays.
    second = await ada.open(production_site.server.url)
    await second.page.get_by_role("link", name="Your account").click()
    await second.page.get_by_role("button", name="Sign out everywhere else").click()
    await expect(other.page.get_by_text(SIGNED_OUT)).to_be_visible()
    await expect(other.messages()).to_have_count(0)
    await expect(account_there.get_by_role("heading", name=SIGNED_OUT)).to_be_visible()
    await expect(second.page.get_by_text("You are signed out everywhere else.")).to_be_visible()
    await other.page.get_by_role("button", name="Load the page again").click()
    await expect(other.page.get_by_role("textbox", name="Message")).to_be_visible()
    assert await name_on(other) != name
    await expect(tab.page.get_by_role("textbox", name="Message")).to_be_visible()

    # Everywhere: asked once more, then this browser's tabs too.
    await second.page.get_by_role("button", name="Sign out everywhere…").click()
    await expect(second.page.get_by_text("nobody can be you again")).to_be_visible()
    await second.page.keyboard.press("Escape")
    await expect(second.page.get_by_role("heading", name="Tokens for scripts")).to_be_visible()
    await second.page.get_by_role("button", name="Sign out everywhere…").click()
    await second.page.get_by_role("button", name="Sign out everywhere", exact=True).click()
    for each in (tab, second):
        await expect(each.page.get_by_role("heading", name=SIGNED_OUT)).to_be_visible()
    await second.page.get_by_role("button", name="Load the page again").click()
    await expect(second.page.get_by_role("heading", name="Tokens for scripts")).to_be_visible()
    assert await name_on(second) != name
