"""The guard that keeps from the Markdown renderer what would freeze the page."""

import json

import pytest

from tests.support.javascript import run_javascript

ORDINARY = {
    "prose": "A sentence, *with* some **marks** and a [link](https://example.com).\n\n" * 200,
    "code": "```python\n" + "value = [x ** 2 for x in range(10)]  # a * b ~ `c`\n" * 500 + "```\n",
    "deep code": "```html\n" + " " * 90 + "<b>" * 300 + "\n```\n",
    "list": "".join(f"{'  ' * (i % 6)}- item {i}\n" for i in range(300)),
    "table": "| a | b | c |\n|---|---|---|\n" + "| 1 | 2 | 3 |\n" * 150,
    "quotes": "> > > as was said\n" * 50,
    "code without a fence": "        value = compute(value)\n" * 400,
    "another script": "流れは一つの川になる。" * 100 + "\n" + "ток " * 500,
    "emoji": "🌊" * 900,
}

TOO_MUCH = {
    "nested quotes": ">" * 500 + " a",
    "nested lists on a line": "- " * 21 + "a",
    "nested lists": "".join(" " * (2 * i) + "- a\n" for i in range(40)),
    "quotes upon quotes": ("> " * 20 + "a\n\n") * 260,
    "lists upon lists": "".join("  " * (i % 30) + "- a\n" for i in range(400)),
    "emphasis": "*a_ " * 10_000,
    "strong": "a**b" * 2_000,
    "strikes": "~~a" * 2_000,
    "brackets": "[" * 2_001,
    "emphasis in many paragraphs": ("*a_ " * 490 + "\n\n") * 24,
    "cells": "|" + "a|" * 5_000,
    "footnotes": "[^1] " * 51,
    "dollars": "$a " * 2_001,
    "tags": "<b>\n\n" * 201,
    "mail addresses": "a@b.c " * 8_000,
    "a long word": "a." * 1_001,
    "many paragraphs": "a\n\n" * 800,
    "a long fence": "```js\n" + "const a = 1;\n" * 40_000,
    "a wide fence": "~~~\n" + "a" * 4_001,
    "a long text": "lorem ipsum dolor " * 6_000,
}


def _verdicts(texts: dict[str, str]) -> dict[str, bool]:
    return run_javascript(
        "text_guard.js",
        f"""
        const verdict = (text) => page.createGuard().isTooMuch(text);
        return Object.fromEntries(Object.entries({json.dumps(texts)}).map(([name, text]) => [name, verdict(text)]));
        """,
    )


def test_what_people_and_models_write_is_rendered() -> None:
    assert [name for name, is_too_much in _verdicts(ORDINARY).items() if is_too_much] == []


def test_what_would_freeze_the_page_is_not() -> None:
    assert [name for name, is_too_much in _verdicts(TOO_MUCH).items() if not is_too_much] == []


@pytest.mark.parametrize("step", [1, 7, 64])
def test_a_text_that_grows_is_judged_as_if_it_had_come_at_once(step: int) -> None:
    texts = {name: text[:6_000] for name, text in {**ORDINARY, **TOO_MUCH}.items()}
    differing = run_javascript(
        "text_guard.js",
        f"""
        const differing = [];
        for (const [name, text] of Object.entries({json.dumps(texts)})) {{
            const guard = page.createGuard();
            let isTooMuch = false;
            for (let end = 0; end < text.length; end += {step}) isTooMuch = guard.isTooMuch(text.slice(0, end));
            isTooMuch = guard.isTooMuch(text);
            if (isTooMuch !== page.createGuard().isTooMuch(text)) differing.push(name);
        }}
        return differing;
        """,
    )
    assert differing == []


MARKS = ("*a_ " * 100 + "\n") * 11


def test_code_may_have_as_many_marks_as_it_likes() -> None:
    codes = {
        "closed": f"```\n{MARKS}```\n",
        "still open": f"~~~ md\n{MARKS}",
        "a shorter fence does not end it": f"````\n```\n{MARKS}",
        "a fence with words does not end it": f"```\n``` js\n{MARKS}",
        "one further in does not end it": f"```\n    ```\n{MARKS}",
    }
    assert [name for name, is_too_much in _verdicts(codes).items() if is_too_much] == []


def test_nothing_passes_for_code_that_the_renderer_takes_for_text() -> None:
    disguises = {
        "after a fence": f"```\n```\n{MARKS}",
        "a fence that a few spaces close": f"```\n   ```\n{MARKS}",
        "inline code": f"``` a ```\n{MARKS}",
        "a fence that ends with its quote": f"> ```\n{MARKS}",
        "a fence that ends with its list": f"- a\n  ```\n{MARKS}",
        "a fence that ends with its note": f"[^1]: ```\n{MARKS}",
        "a fence that closes an indented one": f" ```\n```\n{MARKS}",
        "a fence that HTML swallows": f"<div>\n```\n\n{MARKS}",
        "tags in a fence that HTML swallows": "<pre>\n```\n" + "<b>\n" * 300,
    }
    assert [name for name, is_too_much in _verdicts(disguises).items() if not is_too_much] == []
