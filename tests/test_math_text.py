"""Mathematics in a text: found where it is written, left alone in code, and bounded before it is typeset."""

from typing import Any

import pytest

from tests.support.javascript import run_javascript


def told(call: str) -> Any:
    return run_javascript("math_text.js", f"return page.{call};")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"So \(x^2\) and \[ y \]", "So $$x^2$$ and \n$$\ny\n$$\n"),
        (r"`\(x\)` stays, \(y\) not", r"`\(x\)` stays, $$y$$ not"),
        ("```tex\n\\[ x \\]\n```\n\\(y\\)", "```tex\n\\[ x \\]\n```\n$$y$$"),
        ("~~~\n\\(x\\)", "~~~\n\\(x\\)"),  # a fence that is still open
        (r"half a \[ formula", r"half a \[ formula"),
        ("costs $5 or $6", "costs $5 or $6"),
        ("$$x$$\n\n- so\n  $$ y $$\n\nand $$z$$", "$$\nx\n$$\n\n- so\n  $$\n  y\n  $$\n\nand $$z$$"),
        ("```\n$$x$$\n```", "```\n$$x$$\n```"),
    ],
)
def test_the_brackets_that_models_write_become_dollars_outside_of_code(text: str, shown: str) -> None:
    assert told(f"withDollars({text!r})") == shown


def test_prices_are_no_mathematics() -> None:
    assert told('hasMath("It costs $5, or $6 in euros (about)")') is False
    assert told('hasMath("$$x$$")') is True


FINE = [r"$$\frac{-b \pm \sqrt{b^2-4ac}}{2a}$$", r"$$\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}$$", "$$x$$ " * 100]
TOO_MUCH = {
    "deep braces": "$$" + "{" * 40 + "x" + "}" * 40 + "$$",
    "deep delimiters": "$$" + r"\left( " * 40 + r"\right) " * 40 + "$$",
    "roots of roots": "$$" + r"\sqrt" * 200 + " x$$",
    "a macro": r"$$\def\a{xxxx}\a$$",
    "one long formula": "$$" + "x" * 3_000 + "$$",
    "many formulas": f"$${'x' * 100}$$ " * 100,
    "one without an end": "$$" + "x" * 3_000,
    "far apart": "$$x$$" + " word" * 7_000 + "$$x$$",
    "cells": (r"$$\begin{matrix}" + "a&" * 600 + r"\end{matrix}$$ ") * 2,
    "arrows": r"$$\begin{CD}" + "A@>>>" * 340 + r"\end{CD}$$",
    "lengths": r"$$\rule{1em}{9em}$$ " * 26,
    "what writes to the console": r"$$\errmessage{x}$$",
}


@pytest.mark.parametrize("text", FINE)
def test_what_people_write_is_typeset(text: str) -> None:
    assert told(f"isTooMuchMath({text!r})") is False


@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_would_freeze_the_page_is_not(name: str) -> None:
    assert told(f"isTooMuchMath({TOO_MUCH[name]!r})") is True


def test_neither_a_root_nor_a_matrix_of_many_rows_is_too_tall_and_a_length_below_nothing_is() -> None:
    assert told("isTooTall('<svg width=\\'400em\\' height=\\'1.08em\\'>')") is False
    assert told("isTooTall('<span style=\"height:48em;vertical-align:-23.75em;\">')") is False
    assert told("isTooTall('<span style=\"height:1em;vertical-align:-9999em;\">')") is True
