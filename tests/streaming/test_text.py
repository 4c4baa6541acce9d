"""What comes in is cleaned once, however the endpoint split it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
