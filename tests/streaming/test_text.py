"""What comes in is cleaned once, however the endpoint split it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_app.people.names import look, one_line
from tributary_streams.text import Cleaner, clean

HIGH, LOW = "\ud83d", "\ude00"
EMOJI = "\U0001f600"

DELTAS = st.lists(st.text(alphabet=st.sampled_from([HIGH, LOW, "\x00", "a", "é", "字", EMOJI, "\ufeff"]), max_size=6))
ANYTHING = st.lists(st.text(alphabet=st.characters(exclude_categories=()), max_size=6))


def cleaned(*deltas: str) -> str:
    cleaner = Cleaner()
    return "".join(cleaner.feed(delta) for delta in deltas) + cleaner.rest()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (HIGH, "\ufffd"),
        (LOW, "\ufffd"),
        (LOW + HIGH, "\ufffd\ufffd"),
        (HIGH + HIGH + LOW, "\ufffd" + EMOJI),
        (HIGH + LOW, EMOJI),
        (HIGH + "a" + LOW, "\ufffda\ufffd"),
        (HIGH + "\x00" + LOW, EMOJI),
        ("a\x00b\x00", "ab"),
        ("\ufeffa", "\ufeffa"),
        (EMOJI + "é字", EMOJI + "é字"),
        ("", ""),
    ],
)
def test_halves_are_joined_or_replaced_one_by_one_and_nul_goes(raw: str, expected: str) -> None:
    assert clean(raw) == expected
    assert cleaned(raw) == expected
    assert cleaned(*raw) == expected


def test_a_high_half_waits_for_its_partner_in_the_next_delta() -> None:
    cleaner = Cleaner()
    assert cleaner.feed("Hi " + HIGH) == "Hi "
    assert cleaner.feed("") == ""
    assert cleaner.feed("\x00") == ""
    assert cleaner.feed(LOW + "!") == EMOJI + "!"
    assert cleaner.rest() == ""


def test_a_half_whose_partner_never_comes_is_replaced_at_the_next_letter_or_at_the_end() -> None:
    cleaner = Cleaner()
    assert cleaner.feed(HIGH) == ""
    assert cleaner.feed("a" + HIGH) == "\ufffda"
    assert cleaner.rest() == "\ufffd"
    assert cleaner.rest() == ""


def test_whole_text_is_never_held_back() -> None:
    assert Cleaner().feed("a whole " + EMOJI) == "a whole " + EMOJI


@given(DELTAS | ANYTHING)
def test_a_cleaned_stream_is_the_cleaned_whole_and_can_be_stored(deltas: list[str]) -> None:
    text = cleaned(*deltas)
    assert text == clean("".join(deltas)) == clean(text)
    assert "\x00" not in text
    assert text.encode().decode() == text


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
        ("a\x00b" + HIGH, "ab\ufffd"),
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
