"""What people do with a reply: try again, go on, look at earlier versions, delete."""

from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.support.scripted_model import Drop, Hang, Say, too_many
from tests.support.site import Site
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

MakeVisitor = Callable[[], Visitor]


async def test_a_failed_reply_is_failed_for_all_and_retry_makes_a_version_beside_it(
    production_site: Site, visitor: MakeVisitor
) -> None:
    tab = await visitor().begin(production_site.server.url)
    other = await visitor().open(tab.page.url)
    production_site.model.enqueue(Say(["Half an ", "answer", Drop()]), Say(["A whole answer."]))
    await tab.send("@gpt tell us")
    for each in (tab, other):
        reply = await each.shows("Half an answer", status="error")
        await expect(each.page.locator(f'article[data-message="{reply}"]')).to_contain_text("connection")

    await other.page.get_by_role("button", name="Retry").click()

    for each in (tab, other):
        assert await each.shows("A whole answer.", status="done") == reply
        await expect(each.page.get_by_text("2/2")).to_be_visible()
    await tab.page.get_by_role("button", name="Earlier version").click()
    await expect(tab.page.locator(f'article[data-message="{reply}"] .message-text')).to_have_text("Half an answer")
    await expect(other.page.locator(f'article[data-message="{reply}"] .message-text')).to_have_text("A whole answer.")
    await tab.page.get_by_role("button", name="Later version").click()
    await expect(tab.page.locator(f'article[data-message="{reply}"] .message-text')).to_have_text("A whole answer.")


async def test_who_waits_for_a_busy_model_is_told_and_can_stop(production_site: Site, visitor: MakeVisitor) -> None:
    tab = await visitor().begin(production_site.server.url)
    other = await visitor().open(tab.page.url)
    production_site.model.enqueue(too_many(15))
    await tab.send("@gpt tell us")
    for each in (tab, other):
        await each.shows("The model is busy; trying again in 15 s.", status="streaming")

    await other.page.get_by_role("button", name="Stop this reply").click()

    for each in (tab, other):
        await each.shows("Stopped.", status="stopped")
        await expect(each.page.get_by_text("The model is busy")).to_have_count(0)


async def test_continue_goes_on_in_place(production_site: Site, visitor: MakeVisitor) -> None:
    tab = await visitor().begin(production_site.server.url)
    production_site.model.enqueue(Say(["Once upon", Hang()]), Say([" a time."]))
    await tab.send("@gpt tell us")
    reply = await tab.shows("Once upon")
    await tab.page.get_by_role("button", name="Stop this reply").click()
    await tab.ends(reply, "stopped")

    await tab.page.get_by_role("button", name="Continue").click()

    assert await tab.ends(reply) == "Once upon a time."
    await tab.page.reload()
    await tab.shows("Once upon a time.", status="done")


async def test_a_deleted_message_vanishes_for_all_and_strangers_cannot_delete(
    production_site: Site, visitor: MakeVisitor
) -> None:
    tab = await visitor().begin(production_site.server.url)
    other = await visitor().open(tab.page.url)
    await tab.send("Forget this")
    await tab.send("Keep this")
    for each in (tab, other):
        await each.shows("Keep this")
    await expect(other.page.get_by_label("Delete this message")).to_have_count(0)

    row = tab.page.locator("article", has_text="Forget this")
    await row.hover()
    await row.get_by_label("Delete this message").click()
    await row.get_by_role("button", name="Delete").click()

    for each in (tab, other):
        await expect(each.messages()).to_have_count(1)


async def test_a_thread_deleted_in_mid_reply_is_gone_for_all(production_site: Site, visitor: MakeVisitor) -> None:
    tab = await visitor().begin(production_site.server.url)
    other = await visitor().open(tab.page.url)
    address = tab.page.url
    production_site.model.enqueue(Say(["Endless", Hang()]))
    asked = production_site.asked
    await tab.send("@gpt go")
    await tab.shows("Endless")

    await tab.page.get_by_role("button", name="Thread menu").click()
    await tab.page.get_by_role("button", name="Delete…").click()
    await tab.page.get_by_role("button", name="Delete", exact=True).click()

    await expect(other.page.get_by_text("There is nothing here")).to_be_visible()
    await tab.page.wait_for_url(lambda url: url != address)
    await production_site.has_let_go(asked)
