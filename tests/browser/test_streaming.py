"""A reply as people see it: deltas for the tab that asked, sentences for everybody else, and nothing lost."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.async_api import expect

from chat_app.components.words import UNSAVED
from tests.support.scripted_model import Hang, Hold, Say
from tests.support.site import Site
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

on_production = pytest.mark.parametrize(
    "site", ["production_site", pytest.param("development_site", marks=pytest.mark.chaos)], indirect=True
)
"""On the development server only by `make chaos`: what is different there is seen by the tests without this."""
SENTENCES = [f"Sentence number {number} of this reply is here. " for number in range(12)]
DELTAS = [word + " " for sentence in SENTENCES for word in sentence.split()]
TEXT = "".join(SENTENCES).strip()


async def test_the_asker_sees_deltas_first_and_everybody_else_fewer_larger_steps(
    site: Site, visitor: Callable[[], Visitor]
) -> None:
    ada, noor = visitor(), visitor()
    asking = await ada.begin(site.server.url)
    second = await ada.open(asking.page.url)
    other = await noor.open(asking.page.url)
    await other.send("Morning")  # whoever has rendered a message is quick with the next
    for tab in (asking, second, other):
        await tab.shows("Morning")
    site.model.enqueue(Say(DELTAS, pace=0.03))

    await asking.send("@gpt tell us")
    reply = await asking.shows("Sentence number 0")

    steps = {}
    for name, tab in (("asking", asking), ("second", second), ("other", other)):
        assert await tab.ends(reply) == TEXT
        steps[name] = await tab.steps(reply)
        assert all(TEXT.startswith(text.strip()) for _, text in steps[name])
    for follower in (steps["second"], steps["other"]):
        assert steps["asking"][0][0] < follower[0][0]
        assert len(follower) < len(steps["asking"]) / 2
        assert len(follower) <= 2 * len(SENTENCES)


async def test_a_refresh_in_mid_stream_takes_nothing_back_and_goes_on_live(
    site: Site, visitor: Callable[[], Visitor]
) -> None:
    tab = await visitor().begin(site.server.url)
    asked = site.asked
    site.model.enqueue(Say([*DELTAS[:20], Hold(), *DELTAS[20:40], Hold(), *DELTAS[40:]], pace=0.01))
    await tab.send("@gpt go on")
    shown = "".join(DELTAS[:20]).strip()
    reply = await tab.shows(shown)

    await tab.page.reload()

    assert await tab.shows(shown) == reply
    site.model.release()
    await tab.shows("".join(DELTAS[:40]).strip(), status="streaming")
    site.model.release()
    assert await tab.ends(reply) == TEXT
    steps = [text for _, text in await tab.steps(reply)]
    assert steps[0].startswith(shown)
    assert len(steps) > 2 * len(SENTENCES) / 3  # by deltas, not by sentences alone
    assert site.asked == asked + 1


@on_production
async def test_a_reply_whose_asker_has_left_completes_for_the_other(site: Site, visitor: Callable[[], Visitor]) -> None:
    ada, noor = visitor(), visitor()
    asking = await ada.begin(site.server.url)
    other = await noor.open(asking.page.url)
    site.model.enqueue(Say([*DELTAS[:8], Hold(), *DELTAS[8:]], pace=0.01))
    await asking.send("@gpt do not mind me")
    await asking.shows("Sentence number 0")

    await ada.leave()
    site.model.release()

    reply = await other.shows("Sentence number 11")
    assert await other.ends(reply) == TEXT


@on_production
async def test_a_closed_browser_finds_the_reply_complete_when_it_comes_back(
    site: Site, visitor: Callable[[], Visitor]
) -> None:
    ada = visitor()
    tab = await ada.begin(site.server.url)
    thread = tab.page.url
    site.model.enqueue(Say([Hold(), *DELTAS], pace=0.01))
    asked = site.asked
    await tab.send("@gpt I am off")
    await site.was_asked(asked + 1)
    await tab.page.close()
    site.model.release()
    await site.has_said_all(asked)

    again = await ada.open(thread)

    assert await again.ends(await again.shows("Sentence number 11")) == TEXT


@on_production
async def test_two_replies_at_once_do_not_mix(site: Site, visitor: Callable[[], Visitor]) -> None:
    ada, noor = visitor(), visitor()
    one = await ada.begin(site.server.url)
    two = await noor.open(one.page.url)
    site.model.enqueue(Say([f"red{number}. " for number in range(60)], pace=0.02))
    asked = site.asked
    await one.send("@gpt red")
    await site.was_asked(asked + 1)
    site.model.enqueue(Say([f"blue{number}. " for number in range(60)], pace=0.02))
    await two.send("@gpt blue")

    for tab in (one, two):
        for colour in ("red", "blue"):
            reply = await tab.shows(f"{colour}59.", status="done")
            assert await tab.text_of(reply) == " ".join(f"{colour}{number}." for number in range(60))


@pytest.mark.chaos
async def test_what_is_not_saved_says_so_stays_and_is_saved_when_the_database_is_back(
    production_site: Site, visitor: Callable[[], Visitor]
) -> None:
    ada, noor = visitor(), visitor()
    asking = await ada.begin(production_site.server.url)
    other = await noor.open(asking.page.url)
    production_site.model.enqueue(Say(["Saved. ", Hold(), "Not saved. ", Hang()]))
    asked = production_site.asked
    await asking.send("@gpt tell us")
    for tab in (asking, other):
        reply = await tab.shows("Saved.", status="streaming")

    with closing(sqlite3.connect(production_site.server.database, isolation_level=None)) as somebody:
        somebody.execute("BEGIN EXCLUSIVE")
        production_site.model.release()
        await asking.shows("Saved. Not saved.", status="streaming")
        for tab in (asking, other):
            await expect(tab.page.get_by_text(UNSAVED)).to_be_visible(timeout=40_000)
        await production_site.has_let_go(asked)
        assert await asking.text_of(reply) == "Saved. Not saved."
        somebody.execute("ROLLBACK")

    for tab in (asking, other):
        assert await tab.ends(reply, "error") == "Saved. Not saved."
        await tab.shows("The database was away for too long.")
        await expect(tab.page.get_by_text(UNSAVED)).to_have_count(0)
    await asking.page.reload()
    assert await asking.shows("Saved. Not saved.", status="error") == reply
