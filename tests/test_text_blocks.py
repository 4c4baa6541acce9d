"""The blocks of a text: where they begin, what is code, and which of them are too much for the Markdown renderer."""

import json
from typing import Any

import pytest

from tests.support.javascript import run_javascript

MARKS = ("*a_ " * 100 + "\n") * 11


def blocks_of(*texts: str, step: int = 0) -> list[list[list[Any]]]:
    """The blocks of each text as `[kind, text]`, whole or after it has grown by `step` UTF-16 units at a time."""
    return run_javascript(
        "text_blocks.js",
        f"""
        return {json.dumps(texts)}.map((text) => {{
            const blocksOf = page.createBlocks();
            if ({step}) for (let end = {step}; end < text.length; end += {step}) blocksOf(text.slice(0, end));
            return blocksOf(text).map((block) => [block.kind, block.text]);
        }});
        """,
    )


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("a\nb\n\nc\n", ["a\nb\n\n", "c\n"]),
        ("# a\nb\n## c", ["# a\n", "b\n", "## c"]),
        ("- a\n\n- b\n\n  more\n\nc", ["- a\n\n- b\n\n  more\n\n", "c"]),
        ("1. a\n   ```js\n   b\n   ```\n2. c", ["1. a\n   ```js\n   b\n   ```\n2. c"]),
        ("> a\n\n> b", ["> a\n\n", "> b"]),
        ("    a\n\n    b\n\nc", ["    a\n\n    b\n\n", "c"]),
        ("\n\n  a", ["  a"]),
        ("| a |\n|---|\n| b |\n\nc", ["| a |\n|---|\n| b |\n\n", "c"]),
    ],
)
def test_a_text_falls_apart_where_nothing_in_it_reaches_across(text: str, blocks: list[str]) -> None:
    assert blocks_of(text) == [[["text", block] for block in blocks]]


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("a\n```js\nb\n\nc\n```\nd", [["text", "a\n"], ["code", "b\n\nc"], ["text", "d"]]),
        ("~~~ x y\nb", [["code", "b"]]),
        ("````\n```\nb\n````", [["code", "```\nb"]]),
        ("  ```\n  a\n   b\n  ```", [["code", "a\n b"]]),
        ("- a\n```\nb\n```", [["text", "- a\n"], ["code", "b"]]),
        ("``` a ```", [["text", "``` a ```"]]),
    ],
)
def test_a_fence_is_a_block_of_its_own_unless_it_stands_in_a_list(text: str, blocks: list[list[str]]) -> None:
    assert blocks_of(text) == [blocks]


ORDINARY = {
    "prose": "A sentence, *with* some **marks** and a [link](https://example.com).\n\n" * 200,
    "code": "```python\n" + "value = [x ** 2 for x in range(10)]  # a * b ~ `c`\n" * 500 + "```\n",
    "deep code": "```html\n" + " " * 90 + "<b>" * 300 + "\n```\n",
    "code with a long line": "```\n" + "a" * 4_100 + "\n```",
    "list": "".join(f"{'  ' * (i % 6)}- item {i}\n" for i in range(300)),
    "table": "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 180,
    "Hindi": "यह एक छोटा सा वाक्य है। " * 300,
    "Hebrew and English": "זה משפט עם Tributary בתוכו. " * 300,
    "quotes": "> > > as was said\n" * 50,
    "code without a fence": "        value = compute(value)\n" * 80,
    "another script": "流れは一つの川になる。" * 100 + "\n" + "ток " * 500,
    "emoji": "🌊" * 900,
    "a derivation": "$$\\begin{aligned}\n" + "&= \\frac{a_1^2}{b_1} + \\sqrt{c_2} \\\\\n" * 14 + "\\end{aligned}$$",
    "formulas": "$$\n\\frac{a}{b} = c_1^2\n$$\n\n" * 60,
}

TOO_MUCH = {
    "nested quotes": ">" * 500 + " a",
    "nested lists on a line": "- " * 21 + "a",
    "nested lists": "".join(" " * (2 * i) + "- a\n" for i in range(40)),
    "quotes upon quotes": ("> " * 20 + "a\n") * 260,
    "emphasis": "*a_ " * 10_000,
    "strong": "a**b" * 2_000,
    "strikes": "~~a" * 2_000,
    "brackets": "[" * 2_001,
    "cells": "|" + "a|" * 5_000,
    "dollars": "$a " * 2_001,
    "tags": "<b>" * 2_001,
    "mail addresses": "a@b.c " * 8_000,
    "a long word": "a." * 1_001,
    "rows of one cell": "|" + "a|" * 60 + "\n|" + "-|" * 60 + "\n" + "a\n" * 60,
    "words in a label": "[" + "a " * 3_000,
    "stacks of marks": ("a" + "\u0301" * 900 + " ") * 3,
    "turns of direction": "aא " * 2_000,
    "a long name of a language": "```" + "a" * 501 + "\n",
    "a long fence": "```js\n" + "const a = 1;\n" * 40_000,
    "marks in a fence of a quote": "> ```\n" + "> " + MARKS.replace("\n", "\n> "),
    "a list of many lines without a space between": "a\n" * 12_000,
}


def _plain(texts: dict[str, str]) -> dict[str, list[str]]:
    told = blocks_of(*texts.values())
    return {name: [text for kind, text in blocks if kind == "plain"] for name, blocks in zip(texts, told, strict=True)}


def test_what_people_and_models_write_is_rendered() -> None:
    assert {name for name, plain in _plain(ORDINARY).items() if plain} == set()


def test_what_would_hold_up_the_page_is_not() -> None:
    assert {name for name, plain in _plain(TOO_MUCH).items() if not plain} == set()


def test_only_the_block_that_is_too_much_is_shown_as_it_is() -> None:
    told = blocks_of("a *b*\n\n" + "x" * 2_100 + "\n\nc *d*")
    assert [kind for kind, _ in told[0]] == ["text", "plain", "text"]


def test_a_text_has_an_end_to_what_it_may_cost_and_the_rest_is_one_block() -> None:
    text = ("*a* " * 80 + "\n\n") * 100
    (blocks,) = blocks_of(text)
    kinds = [kind for kind, _ in blocks]
    assert kinds[-1] == "plain"
    assert kinds.count("plain") <= 2
    assert 20 < len(kinds) < 60
    assert "".join(part for _, part in blocks) == text


@pytest.mark.parametrize("step", [1, 7, 64])
def test_a_text_that_grows_falls_apart_as_if_it_had_come_at_once(step: int) -> None:
    texts = [text[:4_000] for text in (*ORDINARY.values(), *TOO_MUCH.values())]
    texts += ["- a\n\n1. b\n\n10. c\n\n# d\n```\ne\n```\n\nf", "a\n\n- b\n\n  c\n\n-d\n\n- e"]
    assert blocks_of(*texts, step=step) == blocks_of(*texts)


def test_code_may_have_as_many_marks_as_it_likes() -> None:
    codes = {"closed": f"```\n{MARKS}```\n", "open": f"~~~ md\n{MARKS}", "in a longer fence": f"````\n```\n{MARKS}"}
    assert {name for name, plain in _plain(codes).items() if plain} == set()


@pytest.mark.parametrize("text", ["*a* b\n\n" * 400, "- a\n" * 2_000, "a" * 2_000 + "\n", "```\n" + "a\n" * 3_000])
def test_what_grows_is_looked_at_anew_only_at_its_end(text: str) -> None:
    """A mark in all but the last two blocks shows that they stay the same objects."""
    kept, blocks = run_javascript(
        "text_blocks.js",
        f"""
        const text = {json.dumps(text)};
        const blocksOf = page.createBlocks();
        const before = blocksOf(text).slice(0, -2);
        const after = blocksOf(text + "x");
        return [before.filter((block, place) => after[place] === block).length, before.length];
        """,
    )
    assert kept == blocks
