"""Mathematics in a text: found where it is written, told from prices and shells, left alone in code, and bounded."""

import json
from typing import Any

import pytest

from tests.support.javascript import run_javascript


def told(call: str) -> Any:
    return run_javascript("math_text.js", f"return page.{call};")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"So \(x^2\) and \[ y \]", "So $$x^2$$ and $$y$$"),
        (r"`\(x\)` stays, \(y\) not", r"`\(x\)` stays, $$y$$ not"),
        ("$$x$$\n", "$$\nx\n$$\n"),
        ("- so\n  $$ y $$\n", "- so\n  $$\n  y\n  $$\n"),
        ("- \\[ y \\]", "- $$\n  y\n  $$"),
        ("> \\[\n> z^2\n> \\]", "> $$\n> z^2\n> $$"),
        ("1. a\n   \\[ z^2 \\]", "1. a\n   $$\n   z^2\n   $$"),
        ("\\[\na \\\\[4pt]\nb\n\\]", "$$\na \\\\[4pt]\nb\n$$"),
        ("$$\na \\\\[4pt]\nb = c\n$$", "$$\na \\\\[4pt]\nb = c\n$$"),
        ("energy $E = mc^2$, ($$), $n$", "energy $$E = mc^2$$, (\\$\\$), $$n$$"),
        ("$x^2$ and `$$` stays", "$$x^2$$ and `$$` stays"),
        (r"\(np\) and \([a, b]\), 函数\(f(x)\)是 $12n$", "$$np$$ and $$[a, b]$$, 函数$$f(x)$$是 $$12n$$"),
        (r"area $\frac{路程}{时间}$", r"area $$\frac{路程}{时间}$$"),
    ],
)
def test_what_looks_like_mathematics_gets_the_dollars_that_the_parser_knows(text: str, shown: str) -> None:
    assert told(f"withDollars({json.dumps(text)})") == shown


NO_MATHEMATICS = [
    "It costs $5, or $6 in euros (about)",
    "$1,200-$1,500, US$5 or CA$7, 5$ to 10$",
    "Cafe A ($$), Grill B ($$)",
    "use $$ for the PID and kill $$",
    "$$HOME and $$PATH",
    "$HOME/bin:$PATH and ${a} and $(b)",
    "PHP has $a and $b, jQuery $('#x') and $('#y')",
    r"Smith \[1\] and Jones \[2\]",
    r"half a \[ formula",
    r"half a $x^2",
    r"\\[4pt] and \\(a\\)",
    "```\n$$x$$\n```",
    r"`$x^2$`",
    "    indented \\[ x \\]",
    "$x^2\n$",
    r"^\d+$ and ^\w+$",
    r"(?P<month>\d\d)$|^\s*$",
    r"s/\(foo\)_\([0-9]*\)/x/ and f\(x\) and '\(a\|b\)'",
    "$ a = b $",
    "A=$B=$(c) and $speed$",
    "- so\n  ```\n  $x^2$\n  ```",
    "- so\n  ```\n  $x^2$",
]


@pytest.mark.parametrize("text", NO_MATHEMATICS)
def test_prices_shells_citations_and_code_are_no_mathematics(text: str) -> None:
    assert told(f"withDollars({json.dumps(text)})") is None


FINE = [
    r"$$\frac{-b \pm \sqrt{b^2-4ac}}{2a}$$",
    r"$$\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}$$",
    "$$x$$ " * 60,
    r"$[0, 1)$ and $f(x)$ and $\text{if all is well}$",
]
TOO_MUCH = {
    "deep braces": "$$" + "{" * 40 + "x^2" + "}" * 40 + "$$",
    "deep delimiters": "$$" + r"\left( " * 40 + r"\right) " * 40 + "$$",
    "roots of roots": "$$" + r"\sqrt" * 200 + " x$$",
    "a macro": r"$$\def\a{xxxx}\a$$",
    "one long formula": "$$" + "x+" * 1_500 + "$$",
    "many formulas": f"$${'x+' * 50}$$ " * 100,
    "very many formulas": "$$x$$ " * 81,
    "cells": (r"$$\begin{matrix}" + "a&" * 600 + r"\end{matrix}$$ ") * 2,
    "arrows": r"$$\begin{CD}" + "A@>>>" * 340 + r"\end{CD}$$",
    "lengths": r"$$\rule{1em}{9em}$$ " * 56,
    "what writes to the console": r"$$\errmessage{x}$$",
}


@pytest.mark.parametrize("text", FINE)
def test_what_people_write_is_typeset(text: str) -> None:
    assert told(f"withDollars({json.dumps(text)})") is not None


@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_would_freeze_the_page_is_not(name: str) -> None:
    assert told(f"withDollars({json.dumps(TOO_MUCH[name])})") is None


def test_neither_a_root_nor_a_matrix_of_many_rows_is_too_tall_and_a_length_below_nothing_is() -> None:
    assert told("isTooTall('<svg width=\\'400em\\' height=\\'1.08em\\'>')") is False
    assert told("isTooTall('<span style=\"height:48em;vertical-align:-23.75em;\">')") is False
    assert told("isTooTall('<span style=\"height:1em;vertical-align:-9999em;\">')") is True
