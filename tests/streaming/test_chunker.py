"""Which text is ready to be stored, and when. Time is a number that each test passes."""

from __future__ import annotations

import math
import sys
import unicodedata
from collections.abc import Iterable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tributary_streams import chunker as chunker_module
from tributary_streams.chunker import Chunker, ChunkRule, Granularity

SENTENCES = ChunkRule()


def fed(deltas: Iterable[str], rule: ChunkRule = SENTENCES, now: float = 0.0) -> Chunker:
    chunker = Chunker(rule)
    for delta in deltas:
        chunker.feed(delta, now)
    return chunker


def chunks(text: str, granularity: Granularity = Granularity.SENTENCE) -> list[str]:
    """The chunks of a text that comes by single code points, each taken as soon as it is due; the last is the rest."""
    chunker = Chunker(ChunkRule(granularity, max_chars=10_000))
    found: list[str] = []
    for char in text:
        chunker.feed(char, 0.0)
        if chunker.due_at() == -math.inf:
            found.append(chunker.take(0.0))
    return [*found, chunker.rest()]


def drained(chunker: Chunker, now: float) -> list[str]:
    return list(iter(lambda: chunker.take(now), ""))


# Time and size


def test_half_a_sentence_before_a_pause_goes_whole_with_its_half_word() -> None:
    chunker = fed(["The answer is", " forty-tw"])
    assert chunker.due_at() == 0.5
    assert chunker.take(0.49) == ""
    assert chunker.take(0.5) == "The answer is forty-tw"
    assert chunker.due_at() is None


def test_a_crawling_model_is_cut_at_the_last_word_end_when_its_oldest_text_is_a_second_old() -> None:
    chunker = Chunker(SENTENCES)
    for now, delta in [(0.0, "one"), (0.4, " two"), (0.8, " thr")]:
        chunker.feed(delta, now)
    assert chunker.due_at() == 1.0
    assert chunker.take(1.0) == "one two "
    assert chunker.due_at() == 0.8 + 0.5
    chunker.feed("ee", 1.2)
    assert chunker.take(1.79) == "three", "a pause comes before the age of what was kept back"


def test_what_a_cut_kept_back_keeps_its_own_age() -> None:
    chunker = Chunker(ChunkRule(pause=10.0))
    for now, delta in [(0.0, "one "), (0.6, "loooo"), (1.2, "oooo")]:
        chunker.feed(delta, now)
    assert chunker.take(1.2) == "one "
    assert chunker.due_at() == 1.6
    assert chunker.take(1.6) == "loooooooo", "a word that is itself a second old is not kept back"


@pytest.mark.parametrize(
    "text", ["aGVsbG8gd29ybGQ", "https://example.com/a/b?c=d", " verylongtoken", "ภาษาไทยไม่มีช่องว่าง"]
)
def test_flowing_text_without_a_word_end_goes_whole_by_age(text: str) -> None:
    chunker = Chunker(SENTENCES)
    for step, char in enumerate(text):
        chunker.feed(char, step / len(text))
    assert chunker.due_at() == 1.0
    assert chunker.take(1.0) == text


def test_flowing_chinese_goes_by_age_up_to_a_character_that_may_not_be_complete() -> None:
    chunker = fed("今天天气")
    chunker.feed("很", 0.9)
    assert chunker.take(1.0) == "今天天气"
    assert chunker.rest() == "很"


def test_text_that_came_at_once_is_not_cut_by_age_into_a_chunk_and_a_word() -> None:
    assert fed(["one two"], ChunkRule(pause=10.0)).take(1.0) == "one two"


def test_a_boundary_that_covers_all_old_text_is_the_cut_and_begun_text_waits() -> None:
    chunker = fed(["One. "])
    chunker.feed("Two th", 0.9)
    assert chunker.take(1.0) == "One. "
    assert chunker.pending == 6


def test_text_after_a_boundary_is_as_old_as_the_delta_it_came_in() -> None:
    chunker = fed(["One. Two"])
    chunker.feed(" th", 0.9)
    assert chunker.take(0.9) == "One. "
    assert chunker.due_at() == 1.0
    assert chunker.take(1.0) == "Two "


def test_size_cuts_at_the_last_word_end_within_it() -> None:
    chunker = fed(["word " * 100], ChunkRule(max_chars=12))
    assert chunker.take(0.0) == "word word "
    assert chunker.due_at() == -math.inf, "much is still there"


def test_an_overlong_word_is_cut_at_the_size() -> None:
    assert drained(fed(["x" * 1000]), 0.0) == ["x" * 400, "x" * 400]
    assert drained(fed(["x" * 400]), 0.0) == ["x" * 400]
    assert drained(fed(["x" * 399]), 0.0) == []
    assert drained(fed([" " + "x" * 400]), 0.0) == [" " + "x" * 399], "never a chunk of one space"


def test_size_is_counted_from_the_last_boundary() -> None:
    rule = ChunkRule(max_chars=8)
    assert fed(["A sentence. Begun"], rule).take(0.0) == "A sentence. "
    assert fed(["A sentence. Begun and on"], rule).take(0.0) == "A sentence. Begun "


@pytest.mark.parametrize(
    "whole",
    [
        "e\u0301",
        "\u2764\ufe0f",
        "👩\u200d👩\u200d👧",
        "👍🏽",
        "🇩🇪",
        "नि",
        "\ud83d\ude00",
        "\u1112\u1161\u11ab",
        "か\u3099",
    ],
)
def test_size_never_cuts_inside_what_is_seen_as_one_character(whole: str) -> None:
    for before in range(1, 10):
        chunker = fed(["x" * before + whole + "x" * 20], ChunkRule(max_chars=10))
        cut = chunker.take(0.0)
        assert whole in cut or cut == "x" * before


def test_a_single_character_longer_than_the_size_is_cut_all_the_same() -> None:
    assert len(fed(["e" + "\u0301" * 30], ChunkRule(max_chars=10)).take(0.0)) == 10


def test_an_empty_reply_has_no_chunk_and_an_empty_delta_is_no_sign_of_life() -> None:
    chunker = fed([""])
    assert (chunker.due_at(), chunker.take(9.0), chunker.rest(), chunker.pending) == (None, "", "", 0)
    chunker.feed("text", 0.0)
    chunker.feed("", 0.4)
    assert chunker.due_at() == 0.5


@pytest.mark.parametrize("wrong", [{"max_chars": 0}, {"pause": -0.1}, {"max_age": math.nan}])
def test_a_rule_that_could_never_be_met_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="chunk rule"):
        ChunkRule(**wrong)


# Sentences


@pytest.mark.parametrize(
    "text",
    [
        "Pi is 3.14 and so on",
        "Use v1.2 or 2.0.1-rc.1 today",
        "See example.com or sub.example.co.uk/a.b?c=d!e for more",
        "Fruit, e.g. pears, i.e. not apples, and z. B. Birnen",
        "Dr. Who met Mrs. Jones, Prof. Li and St. John vs. the rest",
        "(Dr. Who) and **Mr. X** and \u201cMs. Y\u201d",
        "The U.S. economy at 5 p.m. sharp",
        "By J. R. R. Tolkien and J.R.R. Tolkien",
        "She holds a Ph.D. in law",
        "1. item",
        "  12. item",
        "- 1. item",
        "> 2.3. item",
        "**1.** item",
        "## 1. Heading",
        "wait...what and on...and on",
        "a != b and x.y() and !important and ?query=1",
        "Half a sentence, with a comma; and more: this",
        "Nothing follows this.",
        "Nothing follows this.\u201d",
        "没有下文。",
        "没有下文。」",
    ],
)
def test_no_boundary_in(text: str) -> None:
    assert fed([text]).due_at() == 0.5
    assert chunks(text) == [text]


@pytest.mark.parametrize(
    "expected",
    [
        ["One. ", "Two! ", "Three? ", "Four\u2026 ", "Five"],
        ["Really?! ", "Yes!!! ", "Well... ", "No"],
        ["It was in 1999. ", "Then it ended"],
        ["He said \u201cgo.\u201d ", "(She did.) ", "**Bold.** ", "`code.` ", "_So._ ", "\u00bbJa.\u00ab ", "Ende"],
        ["\u201eGut.\u201c ", "Dann"],
        ["\u00bfQu\u00e9? ", "\u00a1Nada! ", "Bueno"],
        ["今天很好。", "真的吗？", "真的！！", "他说：「走。」", "她走了。", "“好。”", "再见"],
        ["今日は。 ", "元気？", "うん\uff61", "はい"],
        ["真的!", "下一句.", "完"],
        ["كيف حالك؟ ", "جيد"],
        ["یہ ہے۔ ", "وہ"],
        ["यह है। ", "वह है॥ ", "अब"],
        ["Սա է։ ", "Այո"],
        ["ሰላም። ", "እሺ"],
        ["ဟုတ်။ ", "အင်း၊ ", "ကဲ"],
        ["បាទ។ ", "ចាស"],
        ["Mind the gap!\u203c\ufe0f ", "Now"],
        ["A title\n", "A line without a full stop\n", "| a | b |\n", "- item\n", "1. item\n", "end"],
        ["See example.com. ", "It works"],
    ],
)
def test_every_script_has_its_sentences(expected: list[str]) -> None:
    text = "".join(expected)
    assert fed([text]).take(0.0) == "".join(expected[:-1]), "one take has all that is complete"
    assert [chunk.strip() for chunk in chunks(text)] == [chunk.strip() for chunk in expected]


def test_a_sentence_end_split_over_deltas_is_found_when_the_next_character_decides() -> None:
    chunker = fed(["He said \u201cgo"])
    for delta in [".", "\u201d", ")"]:
        chunker.feed(delta, 0.1)
        assert chunker.take(0.1) == ""
    chunker.feed(" An", 0.1)
    assert chunker.take(0.1) == "He said \u201cgo.\u201d) "


def test_a_number_split_at_its_point_is_not_a_sentence_end() -> None:
    chunker = fed(["It is 3", ".", "14 or", " e", ".g", ".", " so"])
    assert chunker.take(0.1) == ""


def test_a_timer_decides_about_an_end_that_nothing_follows() -> None:
    assert fed(["Done."]).take(0.5) == "Done."


def test_a_cut_by_time_does_not_make_the_scan_forget_where_it_is() -> None:
    chunker = fed(["It is 3"])
    assert chunker.take(0.5) == "It is 3"
    chunker.feed(".14. Now", 0.6)
    assert chunker.take(0.6) == ".14. "
    chunker.feed("\n1", 0.6)
    assert chunker.take(2.0) == "Now\n1"
    chunker.feed(". item", 2.1)
    assert chunker.take(2.1) == ""


def test_blank_lines_go_with_the_text_before_them_and_are_no_chunk_of_their_own() -> None:
    assert fed(["One.\n\n\nTwo"]).take(0.0) == "One.\n\n\n"
    chunker = fed(["One.\n"])
    assert chunker.take(0.0) == "One.\n"
    chunker.feed("\n", 0.0)
    assert chunker.due_at() == 0.5
    chunker.feed("Two.\n", 0.1)
    assert chunker.take(0.1) == "\nTwo.\n"


def test_indentation_goes_with_the_line_after_it() -> None:
    assert fed(["One.\n    two"]).take(0.0) == "One.\n"


@pytest.mark.parametrize(
    ("fenced", "then"),
    [
        ("```python\nprint('a. b! c')\n```\n", "Prose. "),
        ("~~~\nHi. There. ```\n~~~\n", "Prose. "),
        ("````md\n```\nHi. There. ```\n```\n````\n", "Prose. "),
        ("> ```\n> Hi. There.\n> ```\n", "Prose. "),
    ],
)
def test_lines_are_the_boundaries_in_a_fenced_code_block(fenced: str, then: str) -> None:
    assert chunks(fenced + then + "End") == [*fenced.splitlines(keepends=True), then, "End"]


def test_backticks_in_a_line_open_no_code_block() -> None:
    assert chunks("```inline``` text\nOne. Two") == ["```inline``` text\n", "One. ", "Two"]


# Granularity


@pytest.mark.parametrize(
    ("granularity", "expected"),
    [
        (Granularity.DELTA, ["a", " ", "b", "\n", ""]),
        (Granularity.WORD, ["one ", "two. ", "three\n", "four"]),
        (Granularity.WORD, ["用 ", "P ", "写", "程", "序", "。", "ok", "か\u3099", "な"]),
        (Granularity.LINE, ["One. Two\n", "three\n", "  four"]),
        (Granularity.PARAGRAPH, ["One.\nTwo.\n\n", "Three\n \t\n", "Four\n"]),
    ],
)
def test_granularity_is_a_choice(granularity: Granularity, expected: list[str]) -> None:
    assert chunks("".join(expected), granularity) == expected


def test_a_delta_is_due_at_once_and_with_all_that_is_pending() -> None:
    chunker = fed(["a", " b"], ChunkRule(Granularity.DELTA))
    assert chunker.due_at() == -math.inf
    assert chunker.take(0.0) == "a b"


def test_a_callable_is_asked_about_the_pending_text_once_for_each_delta_and_take() -> None:
    asked: list[str] = []

    def after_semicolon(text: str) -> int:
        asked.append(text)
        return text.find(";") + 1

    chunker = fed(["a"], ChunkRule(after_semicolon))
    assert chunker.due_at() == 0.5
    chunker.feed(";b;c", 0.0)
    assert [chunker.due_at(), chunker.due_at()] == [-math.inf] * 2
    assert drained(chunker, 0.0) == ["a;", "b;"]
    assert chunker.due_at() == 0.5
    assert asked == ["a", "a;b;c", "b;c", "c"]
    assert chunker.take(0.5) == "c", "time applies to a callable's text too"


@pytest.mark.parametrize(("answer", "taken"), [(-5, ""), (99, "text")])
def test_a_callable_that_answers_beyond_the_text_means_its_nearest_end(answer: int, taken: str) -> None:
    assert fed(["text"], ChunkRule(lambda _: answer)).take(0.0) == taken


def test_a_callable_that_fails_loses_no_text() -> None:
    def fails(text: str) -> int:
        raise LookupError(text)

    chunker = fed(["text"], ChunkRule(fails))
    with pytest.raises(LookupError):
        chunker.take(0.0)
    assert chunker.rest() == "text"


# What always holds

ALPHABET = [*"ab. .!\n`1。字", "e.g. ", "\u0301", "\u200d", "👩", "\ufe0f", "```\n", "\n\n", "x" * 15]
DELTAS = st.lists(st.lists(st.sampled_from(ALPHABET), max_size=5).map("".join), max_size=40)
STEPS = st.lists(
    st.tuples(st.lists(st.sampled_from(ALPHABET), max_size=5).map("".join), st.floats(0, 0.6), st.booleans())
)


def after_the_first_b(text: str) -> int:
    return text.find("b") + 1


RULES = st.builds(
    ChunkRule,
    boundary=st.sampled_from([*Granularity, after_the_first_b]),
    max_chars=st.integers(1, 30),
    pause=st.sampled_from([0.0, 0.3, 0.5, 5.0]),
    max_age=st.sampled_from([0.0, 0.4, 1.0, 5.0]),
)


@given(RULES, STEPS)
def test_chunks_and_rest_are_the_text_and_nothing_is_kept_beyond_its_time(
    rule: ChunkRule, steps: list[tuple[str, float, bool]]
) -> None:
    chunker, now, text, taken = Chunker(rule), 0.0, "", ""
    for delta, wait, takes in steps:
        chunker.feed(delta, now)
        text += delta
        now += wait
        if takes:
            due_at = chunker.due_at()
            chunk = chunker.take(now)
            assert bool(chunk) == (due_at is not None and due_at <= now), (
                "take has text when due_at said so, and only then"
            )
            taken += chunk + "".join(drained(chunker, now))
            due_at = chunker.due_at()
            assert (due_at is None) == (chunker.pending == 0)
            assert due_at is None or due_at > now
        assert chunker.pending == len(text) - len(taken)
    assert taken + chunker.rest() == text
    assert chunker.due_at() is None


@given(st.sampled_from(list(Granularity)), DELTAS, st.data())
def test_boundaries_do_not_depend_on_how_the_text_was_split(
    granularity: Granularity, deltas: list[str], data: st.DataObject
) -> None:
    rule = ChunkRule(granularity, max_chars=10_000)
    whole = fed(["".join(deltas)], rule).take(0.0)
    assert fed(deltas, rule).take(0.0) == fed("".join(deltas), rule).take(0.0) == whole

    paused = data.draw(st.integers(0, len(deltas)), label="deltas before a pause")
    chunker = fed(deltas[:paused], rule)
    before = chunker.take(1.0)
    for delta in deltas[paused:]:
        chunker.feed(delta, 2.0)
    # White space that a cut has parted from its boundary waits for the next one.
    assert (before + chunker.take(2.0)).rstrip() == max(before, whole, key=len).rstrip()


@given(st.lists(st.sampled_from(["a", "字", "e\u0301", "👩\u200d👧", "❤\ufe0f", "नि", " "])), st.integers(6, 30))
def test_no_cut_by_size_begins_with_what_belongs_to_the_character_before(text: list[str], max_chars: int) -> None:
    for granularity in Granularity:
        for chunk in drained(fed(["".join(text)], ChunkRule(granularity, max_chars)), 0.0):
            assert not unicodedata.category(chunk[0]).startswith("M")
            assert chunk[0] != "\u200d"
            assert chunk[-1] != "\u200d"


# Cost


def lines_run(deltas: list[str], rule: ChunkRule) -> int:
    """Lines of the chunker's module run while the deltas are fed, asked after and taken from."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if frame.f_code.co_filename != chunker_module.__file__:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        chunker = Chunker(rule)
        for delta in deltas:
            chunker.feed(delta, 0.0)
            chunker.due_at()
            drained(chunker, 0.0)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("granularity", [*Granularity])
@pytest.mark.parametrize("delta", ["word", ".", "。", "`", "*", " ", "1.", "\u0301"])
def test_ten_times_the_deltas_are_ten_times_the_work_even_when_nothing_is_ever_due(
    granularity: Granularity, delta: str
) -> None:
    rule = ChunkRule(granularity, max_chars=1_000_000)
    few, many = lines_run([delta] * 200, rule), lines_run([delta] * 2_000, rule)
    assert many < 11 * few


def test_one_huge_delta_without_a_boundary_is_cut_up_in_linear_work() -> None:
    rule = ChunkRule(Granularity.LINE, max_chars=100)
    few, many = lines_run(["x" * 10_000], rule), lines_run(["x" * 100_000], rule)
    assert many < 11 * few


def test_no_text_is_looked_at_twice() -> None:
    class Counted(str):
        __slots__ = ()
        looked_at = 0

        def __iter__(self) -> Any:
            for char in str(self):
                Counted.looked_at += 1
                yield char

    fed((Counted("word") for _ in range(10_000)), ChunkRule(max_chars=1_000_000)).take(0.0)
    assert Counted.looked_at == 40_000
