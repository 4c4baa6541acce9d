"""Names: anybody can change theirs, nobody can take another's, and all open pages show it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_app.data.db import Database
from chat_app.live import presence, tabs
from chat_app.people.identity import Identity
from chat_app.people.limits import RENAMES_PER_HOUR
from chat_app.people.names import TAKEN, look, one_line
from chat_app.refusals import NameRefused, TooMuch
from chat_app.threads import message_views
from tests.support.people import person, thread
from tests.support.world import World, running_world

pytestmark = pytest.mark.on_both_databases


@pytest.fixture
async def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A server that tells tabs at once."""
    monkeypatch.setattr(presence, "TOLD_EVERY", 0.0)
    monkeypatch.setattr(tabs, "MARKS_EVERY", 0.0)
    async with running_world(database) as world:
        yield world


async def name_of(world: World, who: Identity) -> str:
    async with world.database.read() as session:
        return (await message_views.people(session, [who.user_id]))[who.user_id][0]


async def test_a_new_name_is_on_every_page_that_shows_its_person(world: World) -> None:
    ada, noor, sam = await person(world.database, "Ada"), await person(world.database), await person(world.database)
    thread_id, elsewhere = await thread(world.database, ada), await thread(world.database, ada)
    async with (
        world.tab("ada", ada, thread_id) as own,
        world.tab("noor", noor, thread_id) as other,
        world.tab("sam", sam, elsewhere) as stranger,
    ):
        said = await world.services.messages.post(ada, thread_id, "Hello", nonce="hello all", tab="")
        await other.until(f"{said.message_id}.0", "Hello")
        await stranger.until_screen(lambda screen: screen.updates > 0)
        await world.services.people.rename(ada, "  Ada   Lovelace ", 725)
        for tab in (own, other):
            await tab.until_screen(lambda screen: screen.people.get(ada.user_id) == ("Ada Lovelace", 5))
            await tab.until_screen(
                lambda screen: ("Ada Lovelace", 5) in [(each.name, each.hue) for each in screen.crowd.people]
            )
        assert ada.user_id not in stranger.screen.people


async def test_another_process_hears_of_a_name_by_its_tick(database: Database) -> None:
    async with running_world(database) as one, running_world(database) as two:
        ada, noor = await person(database, "Ada"), await person(database)
        thread_id = await thread(database, ada)
        said = await one.services.messages.post(ada, thread_id, "Hello", nonce="hello all", tab="")
        async with two.tab("noor", noor, thread_id) as tab:
            await tab.until(f"{said.message_id}.0", "Hello")
            await one.services.people.rename(ada, "Ada Lovelace", 5)
            await tab.until_screen(lambda screen: screen.people.get(ada.user_id) == ("Ada Lovelace", 5))


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "noor", "NOÖR".replace("Ö", "O"), "@gpt", "You", "n\u200boor"])
async def test_a_name_that_is_taken_or_none_is_refused_and_changes_nothing(world: World, name: str) -> None:
    ada = await person(world.database, "Ada")
    await person(world.database, "Noor")
    with pytest.raises(NameRefused):
        await world.services.people.rename(ada, name, 1)
    assert await name_of(world, ada) == "Ada"


async def test_ones_own_name_may_be_written_otherwise_and_a_left_one_is_free(world: World) -> None:
    ada, noor = await person(world.database, "Ada"), await person(world.database, "Noor")
    await world.services.people.rename(ada, "ADA", 1)
    assert await name_of(world, ada) == "ADA"
    with pytest.raises(NameRefused, match=TAKEN):
        await world.services.people.rename(noor, "ada", 1)
    await world.services.people.rename(ada, "Countess", 1)
    await world.services.people.rename(noor, "ada", 1)
    assert await name_of(world, noor) == "ada"


async def test_of_two_who_want_a_name_at_once_one_gets_it(world: World) -> None:
    people = [await person(world.database) for _ in range(8)]
    tried = [world.services.people.rename(who, "The One", 1) for who in people]
    outcomes = await asyncio.gather(*tried, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == [*["NameRefused"] * 7, "NoneType"]


async def test_a_name_can_be_changed_so_often_an_hour(world: World) -> None:
    ada = await person(world.database)
    for number in range(RENAMES_PER_HOUR):
        await world.services.people.rename(ada, f"Name {number}", 1)
    with pytest.raises(TooMuch):
        await world.services.people.rename(ada, "Once more", 1)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  Ada\tLovelace\r\n", "Ada Lovelace"),
        ("two\u2028lines\u2029and\x1bescape", "two lines and escape"),
        ("\u202eecila\u202c \u2066x\u2069\u200e\u200f\u061c", "ecila x"),
        ("A\u200bd\u00ada\ufeff\u2060", "Ada"),
        ("\U000e0041\U000e0064", ""),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d🚀 流れ é", "👩\u200d🚀 流れ é"),
        ("a\x00b" + "\ud83d", "ab\ufffd"),
        ("\u200b\u202e \n", ""),
    ],
)
def test_a_name_or_title_is_one_line_that_turns_nothing_around(raw: str, expected: str) -> None:
    assert one_line(raw) == expected


@pytest.mark.parametrize(
    "disguise",
    [
        "amber  OTTER",
        "Amber\u00a0Otter",
        "Am\u200bber Ot\u200dter",
        "\u202eAmber Otter\u202c",
        "Amber Otter\ufe0f",
        "Amber\u3164 Otter\u2800",
        "Ａｍｂｅｒ Otter",
        "Amb\u0435r Otter".replace("\u0435", "e\u034f"),
    ],
)
def test_what_nobody_sees_does_not_make_another_name(disguise: str) -> None:
    assert look(disguise) == look("Amber Otter")


def test_names_that_look_different_are_different() -> None:
    names = ["Amber Otter", "AmberOtter", "Ámber Otter", "Amber Otter 2", "琥珀", "👩", "👨"]
    assert len({look(name) for name in names}) == len(names)
    assert look("\u3164\u200b\u2800") == ""


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_a_line_stays_what_it_is_and_looks_like_what_it_was_made_of(text: str) -> None:
    line = one_line(text)
    assert one_line(line) == line == line.strip()
    assert look(line) == look(text)
    assert look(look(text)) == look(text)
