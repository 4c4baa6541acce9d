"""Texts on which Markdown renderers freeze or overflow their stack; and such as come as near to the limits as they may.

The classes are those of the CommonMark implementations' own tests for it, and those found on this renderer.
"""

from itertools import pairwise


def nested(pattern: str, depth: int) -> str:
    """An x in the pattern, and that in the pattern, as deep as told."""
    return pattern.format(nested(pattern, depth - 1)) if depth else "x"


# The guard lets these through, and the typesetter's limits leave the formulas as they were written.
FORMULAS: dict[str, str] = {
    "formulas, empty": "$$" * 2_000,
    "formulas, many": "$$x$$ " * 490,
    "formulas, blocks": "$$\n\\frac{a}{b}\n$$\n\n" * 290,
    "formula of 60 KB": "$$\n" + "x + y = z\n" * 1_400 + "$$",
    "formula, unfinished": "$$\\frac{a}{b} " + "\\left( x " * 900,
    "fractions of fractions": "$$" + "\\frac{ " * 900 + "x" + "} {y}" * 900 + "$$",
    "roots of roots": "$$" + "\\sqrt{ " * 1_000 + "x" + " }" * 1_000 + "$$",
    "roots without braces": "$$" + "\\sqrt " * 1_000 + "x$$",
    "powers of powers": "$$" + "x^{ " * 600 + "x" + " }" * 600 + "$$",
    "roots of roots, pairs counted otherwise": "`$$` $$" + "\\sqrt{ " * 900 + "x" + " }" * 900 + "$$",
    "roots of roots in a fence": "$$x$$\n\n```math\n" + "\\sqrt{" * 400 + "x" + "}" * 400 + "\n```",
    "macros that double": "$$\\def\\a{xx}"
    + "".join(f"\\def\\{new}{{\\{old}\\{old}}}" for old, new in pairwise("abcdefghijklmnopqrstuvw"))
    + "\\w$$",
    "macro of itself": "$$\\newcommand{\\a}{\\a\\a}\\a$$",
    "macros that KaTeX brings": "$$" + "\\operatorname{x}\\not= " * 80 + "$$",
    "cells of a matrix": "$$\\begin{matrix}" + "a&" * 950 + "\\end{matrix}$$ ",
    "scripts": "$$x" + "_2^2 " * 390 + "$$ $$x" + "_2^2 " * 390 + "$$",
    "columns": "$$\\begin{array}{" + "|" * 1_800 + "c}x\\end{array}$$",
    "choices of choices": "$$" + nested("\\mathchoice" + "{{ {0} }}" * 4, 3) + "$$",
    "characters without a shape": "$$" + "\U0001f30a" * 900 + "$$",
    "primes": "$$x" + "'" * 1_900 + "$$",
}

PATHOLOGICAL: dict[str, str] = {
    "nested quotes": ">" * 2_000 + " a",
    "nested quotes, spaced": "> " * 2_000 + "a",
    "nested lists on a line": "- " * 2_000 + "a",
    "nested lists": "".join("  " * depth + "- a\n" for depth in range(200)),
    "nested emphasis": "*a_ " * 3_900,
    "strong in words": "a**b" * 3_900,
    "strikes": "~~a" * 5_000,
    "nested strong": "**a " * 2_000 + " a**" * 2_000,
    "open brackets": "[" * 16_000,
    "nested brackets": "[" * 5_000 + "a" + "]" * 5_000,
    "nested links": "[a](" * 4_000,
    "images half open": "![[]()" * 2_600,
    "reference definitions": "".join(f"[{number}]: x\n" for number in range(1_400)) + "[1]" * 600,
    "footnotes": "".join(f"[^{number}] " for number in range(600)) + "\n\n" + "[^1]: a\n" * 600,
    "backticks": "".join("e" + "`" * number for number in range(170)),
    "table cells": "|" + "a|" * 5_000 + "\n|" + "-|" * 2_500,
    "wide table": "|" + "a|" * 400 + "\n|" + "-|" * 400 + "\n" + ("|" + "a|" * 400 + "\n") * 3,
    "HTML nested": "<b>" * 5_000,
    "HTML nested deep, closed": "<div>" * 1_000 + "</div>" * 1_000,
    "HTML comments half open": "<!--" * 4_000,
    "HTML half open": "<a b='" * 2_600,
    "dollars": "$a " * 5_000,
    "fence of 500 KB": "```js\n" + "const a = 1;\n" * 40_000,
    "fence of long lines": "```js\n" + "a(" * 8_000,
    "mail addresses": "a@b.c " * 2_600,
    "web addresses": "https://a.b/c " * 1_100,
    "one long word": "a." * 8_000,
    "escapes": "\\*" * 8_000,
    "entities": "&amp;" * 3_200,
    "tabs": "\t" * 16_000,
    "spaces and an x": " " * 15_999 + "x",
    "combining marks": "a" + "\u0301" * 15_000,
    "right to left turns": "\u202ea\u202c" * 5_000,
    "hard breaks": "a  \n" * 3_900,
    "rules": "---\n" * 1_490,
    "headings": "# a\n" * 1_490,
    "half a table": "| a | b |\n|---|---|\n" + "| a |\n" * 600,
    **FORMULAS,
}

# Near the guard's limits.
NEAR_THE_LIMITS: dict[str, str] = {
    "quotes": ("> " * 20 + "a\n\n") * 245,
    "indented": "".join("  " * (depth % 30) + "- a\n" for depth in range(300)),
    "emphasis": ("*a_ " * 450 + "\n\n") * 4,
    "strong": "a**b " * 490,
    "brackets": "[" * 1_900,
    "images": "![[]() " * 300,
    "cells": "|" + "a|" * 40 + "\n|" + "-|" * 40 + "\n" + ("|" + "a|" * 40 + "\n") * 45,
    "tags": "<b>" * 190,
    "footnotes": "".join(f"[^{number}] " for number in range(24)) + "\n\n" + "".join(f"[^{n}]: a\n" for n in range(24)),
    "fence": "```js\n" + "const value = [1, 2, 3].map((x) => x ** 2);\n" * 850 + "```",
    "lines": "word\n\n" * 740,
    "words": ("a." * 990 + " ") * 8,
    "mail addresses": "a@b.c " * 1_990,
    "cells of matrices": ("$$\n\\begin{matrix}" + ("a&" * 19 + "a\\\\") * 6 + "\\end{matrix}\n$$\n\n") * 4,
    "fractions": ("$$" + "\\frac ab" * 210 + "$$\n\n") * 4,
    "powers": ("$$\n" + "x^2+" * 249 + "\n$$\n\n") * 4,
    "braces over braces": ("$$" + "\\underbrace{" * 11 + "x" + "}" * 11 + "$$\n\n") * 40,
    "sizes": "$$\\Huge\\rule[20em]{20em}{20em}$$\n\n" * 16,
}
PATHOLOGICAL |= NEAR_THE_LIMITS
