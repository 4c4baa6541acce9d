"""Texts of any size that may be slow to show: each construct that there is, repeated, nested, unclosed and mixed."""

from collections.abc import Callable, Iterable
from itertools import chain, count, cycle
from random import Random

Shape = Callable[[int], str]
"""Makes a text of about so many UTF-16 units; of no more, unless the shortest is longer."""


def units(text: str) -> int:
    """How long JavaScript finds a text, which counts UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def repeated(unit: str, before: str = "", after: str = "") -> Shape:
    """The unit again and again, between what stands once."""
    width, around = units(unit), units(before) + units(after)
    return lambda n: before + unit * max(1, (n - around) // width) + after


def nested(opener: str, closer: str, middle: str = "a", before: str = "", after: str = "") -> Shape:
    """As many openers as there are closers."""
    width, around = units(opener + closer), units(before + middle + after)
    return lambda n: before + opener * (depth := max(1, (n - around) // width)) + middle + closer * depth + after


def numbered(make: Callable[[int], str], before: str = "") -> Shape:
    """What is made of 0, of 1, and so on."""
    return lambda n: _filled(n, chain([before], map(make, count())))


def mixed(constructs: list[str], seed: int) -> Shape:
    """Some of the constructs in an order that is always the same."""

    def make(n: int) -> str:
        random = Random(seed)
        some = random.sample(constructs, random.randint(2, 6))
        return _filled(n, (random.choice(some) for _ in count()))

    return make


def table(columns: int, row: str, mark: str = "-", cell: str = "a") -> Shape:
    """A table that wide, with as many such rows as there is room for."""
    head = f"|{f'{cell}|' * columns}\n|{f'{mark}|' * columns}\n"
    return lambda n: _filled(n, chain([head], cycle([f"{row}\n"])))


def _filled(n: int, parts: Iterable[str]) -> str:
    out: list[str] = []
    length = 0
    for part in parts:
        length += units(part)
        if length > n and out:
            break
        out.append(part)
    return "".join(out)


# Each is repeated to fill the size.
INLINE = [
    # emphasis, strong, strikes
    "*a* ", "_a_ ", "*a_ ", "*a", "_a ", "**a** ", "__a__ ", "**a ", "__a", "***a*** ", "___a ", "~~a~~ ", "~~a ",
    "~a~ ", '"_a_b*c*_ "', "*_*_", "**_a_** ", "a**b", "a*b", "a_b", "*", "_", "~", "~~ ", "* a", "*a **b ", "**a *b ",
    "a***", "*,*", "**a*b**c* ", "_a *b_ c* ", "~~*a~~*", "*a\n", "**a\n", "_a_b", "*(*", "**.a** ",
    # code
    "`a` ", "``a` ", "`a", "`\n", "`` ` `` ", "`*a`*", "`<b>`", "`\\` ",
    # links and images
    "[a](b) ", '[a](https://a.b/c "t") ', "[a](", "[", "]", "[a]", "[a][b] ", "[[a]] ", "[a](<b> 'c') ", "[a](b(c(d",
    "](", "![a](https://a.b/c) ", "![[]()", "[![a](b)](c) ", "[]() ", "![", "[a](b", "[a](b 'c", "[*a](b)*", "[a]:",
    "[^1] ", "[a\n", "[]", "[[]", "[]]", "[a](b)[", "[\\]", "[`]`", "[a](https://a.b/%20%) ", "[a](mailto:a@b.cc) ",
    "[a](javascript:b) ", "![a](",
    # addresses
    "<https://a.b/c> ", "<a@b.cc> ", "https://a.b/c ", "http://a", "http://", "www.a.b ", "www.a.b/c(", "www.",
    "a@b.cc ", "a@", "@", "a.b@c", "a+b.c-", "https://a.b/(c(d ", "https://a.b/c))) ", "https://a.b/c.,;! ",
    "xmpp:a@b.cc/d ", ":", "http:", "http://[", "https://a.b/c&amp; ", "www.a_b.c ", "-@", "a_@b.cc",
    "https://a.b/注。c ", "http://注.注/注", "w", "www.a ", "h", "mailto:",
    # entities and escapes
    "&amp;", "&", "&#1234;", "&#x1F600; ", "&a", "&#", "\\", "\\*", "\\a", "\\\n", "&nbsp;",
    "&CounterClockwiseContourIntegral;",
    # tags
    "<b>", "<b>a</b> ", "<sub><sup>", "</b>", "<i>a", "<br>", "<a b='", "<!--", "<!-- a -->", "<?", "<![CDATA[", "<!A",
    "<div>", "<script>", "<", "< ", "<a", "</", '<a b="c" ', "<kbd>a</kbd>", "<b>*a</b>*", "<b><i></b></i>", "<u><s>",
    "<a\n", "a<b",
    # mathematics
    "$x$ ", "$$x$$ ", "\\(x\\) ", "\\(x", "\\[x\\] ", "\\[x", "$x", "$", "$$", "$x$y", "$\\frac{a}{b}$ ", "\\(x^2\\)",
    "\\(", "\\)", "`$`", "$`$", "\\\\(", "$$x", "$x\n", "$1 ", "$a b", "$x^2$ ", "\\$", "$(", "\\[\n", "\\(x\n",
    # scripts
    "**注意：**正文", "*注*意", "注*", "注。", "~~注~~。", "漢", "「", "**注", "注**a", "a\u0301", "\u0301",
    "*a\u0301* ", "*\u0301", "\u202ea\u202c", "א*ב* ", "אa ", "\u2066a", "\u2066a\u2069",
    "👩\u200d", "\u200d", "\u0000", "\ud800",
    "\u00a0", "\u2028", "\u200b", "ال", "กำ", "\u1100\u1161\u11a8", "a\ufe0f", "*👩", "ａ", "𝒜", "क्ष", "\u034f",
    "\u00ad", "a\u00ad", "נ", "א ", "\u061c",
    # nothing much
    "a", "a ", "1", "1 ", "a.", "a-", "a/", "-", ".", "\t", " ", "a  ", "(", "a(", "{", '"', "'", "|", "a|", "#", "=",
    "+", "@a ", "!", "\r", "\f",
]  # fmt: skip
LINES = [
    "> a\n", ">a\n>\n", "> > a\n", "> ", ">", "- ", "1. ", "> - ", "- a\n", "* a\n", "+ a\n", "1. a\n", "1) a\n",
    "999999999. a\n", "- [ ] a\n", "- [x] a\n\n", "- \n", "-\n", "- - - a\n", "1. - a\n", "> - a\n", "- > a\n",
    "- a\n\n", "- a\n  b\n", "- a\n\n  b\n", "- a\nb\n", "- a\n* a\n", "# a\n", "###### a #\n", "#\n", "# a\n\n",
    "a\n===\n", "a\n---\n", "---\n", "***\n", "===\n", "a\n= =\n", "- a\n  ---\n", "a  \n", "a\\\n", "a\n", "a\n\n",
    "\n", " \n", "    a\n", "\ta\n", "    a\n\n", "a\n    b\n", "\r\n", "a\r\n", "a\n>", "> a\nb\n", "```\na\n```\n",
    "~~~\n", "```\n", "- ```\n  a\n  ```\n", "> ```\n> a\n> ```\n", "> ```\n", "- ```\n", "````\n```\n",
    "```js\na(1)\n```\n", "[a]: b\n", "[^1]: a\n", "[a]: b\n\n[a]\n", "[^1]\n\n[^1]: a\n", "[a]:\n", "[a]: <b> 'c\n",
    "[a\n]: b\n", "a|b\n-|-\n", "|a|\n|-|\n", "a\n-|", "|-\n", "|-|\n", "- |a|\n  |-|\n", "> |a|\n> |-|\n",
    "a|\n-|\nb|\n\n", "$$\nx\n$$\n", "$$\nx\n$$\n\n", "$$\n", "\\[\nx\n\\]\n", "- $$\n  x\n  $$\n", "> $$\n> x\n> $$\n",
    "\\[\nx\n", "$$\nx\n", "<b>\n\n", "<div>\n", "<div>\n\n", "<!--\n", "<pre>\n\n", "<b>\na\n</b>\n", "<?\n\n",
    "*a\n\n", "`a\n\n", "**a\n- b\n", "@a\n", "• a\n",
]  # fmt: skip

REPEATED: dict[str, Shape] = {repr(unit): repeated(unit) for unit in [*INLINE, *LINES]}
LONG = 1_900
"""Characters of a word that the guard lets through."""
LANGUAGES = ["js", "python", "rust", "go", "html", "css", "sql", "yaml", "json", "cpp", "ts", "java"]
OTHERS: dict[str, Shape] = {
    # nested
    "brackets in brackets": nested("[", "]"),
    "links in links": nested("[", "](b)"),
    "images in images": nested("![", "](https://a.b)"),
    "images in links": nested("[![", "](b)](c)"),
    "emphasis in emphasis": nested("*a ", " a*"),
    "strong in strong": nested("**a ", " a**"),
    "stars on both sides": nested("*", "*"),
    "underlines on both sides": nested("_", "_"),
    "mixed emphasis nested": nested("*a _b ", " b_ a*"),
    "strikes in strikes": nested("~~a ", " a~~"),
    "tags in tags": nested("<b>", "</b>"),
    "tags of different kinds": nested("<b><i><u>", "</u></i></b>"),
    "raised in raised": nested("<sub>", "</sub>"),
    "raised and lowered": nested("<sup>a<sub>", "</sub></sup>"),
    "tags crossed": nested("<b><i>", "</b></i>"),
    "parentheses in an address": nested("(", ")", before="[a](b", after=")"),
    "parentheses in a bare address": nested("(", ")", before="https://a.b/"),
    "parentheses closed after a bare address": repeated(")", before="https://a.b/"),
    "tags closed that are not open": nested("<b>", "</i>"),
    "brackets closed that are not open": nested("[a", "](b) ", middle="]"),
    "braces in a formula": nested("{", "}", before="$", after="$"),
    "roots in a formula": nested("\\sqrt{", "}", before="$$", after="$$"),
    "parentheses in a formula": nested("\\left(", "\\right)", before="\\(", after="\\)"),
    "quotes deeper and deeper": numbered(lambda k: ">" * (k % 20 + 1) + " a\n"),
    "quotes, each in the one before": numbered(lambda k: "> " * (20 - k % 20) + "a\n\n"),
    "lists deeper and deeper": numbered(lambda k: "  " * (k % 28) + "- a\n"),
    "lists deeper and deeper, loose": numbered(lambda k: "  " * (k % 28) + "- a\n\n"),
    "numbers deeper and deeper": numbered(lambda k: "   " * (k % 19) + "1. a\n"),
    "lists of many marks": numbered(lambda k: "  " * (k % 9) + "-+*"[k % 3] + " a\n"),
    "tasks deeper and deeper": numbered(lambda k: "  " * (k % 28) + "- [ ] a\n"),
    "fence in a list deeper and deeper": numbered(lambda k: "  " * (k % 20) + "- ```\n"),
    "fence in a list, unclosed": repeated("  a\n", before="- ```\n"),
    "fence in a quote, unclosed": repeated("> a\n", before="> ```js\n"),
    "code that is indented in a list": repeated("      a\n", before="- a\n\n"),
    "lists on one line": repeated("- ", after="a"),
    "numbers on one line": repeated("1. ", after="a"),
    # runs and numbers
    "backticks, each run one longer": numbered(lambda k: "a" + "`" * (k + 1)),
    "backticks, each run one shorter": lambda n: "".join("`" * k + "a" for k in range(int(n**0.5), 0, -1)),
    "stars, each run one longer": numbered(lambda k: "a" + "*" * (k + 1)),
    "stars and underlines of many lengths": numbered(lambda k: "*_"[k % 2] * (k % 7 + 1) + "a" + " " * (k % 3)),
    "dollars, each run one longer": numbered(lambda k: "a" + "$" * (k + 1)),
    "tildes, each run one longer": numbered(lambda k: "a" + "~" * (k + 1)),
    "fences, each one longer": numbered(lambda k: "`" * (k + 3) + "\n"),
    "definitions": numbered(lambda k: f"[{k}]: b\n"),
    "definitions, and what is defined": numbered(lambda k: f"[{k}]: b\n\n[{k}]\n\n"),
    "footnotes": numbered(lambda k: f"[^{k}]: a [^{k + 1}]\n"),
    "numbers of lists": numbered(lambda k: f"{k * 7919 % 10**9}. a\n"),
    "numbers of lists, each a list of its own": numbered(lambda k: f"{k * 7919 % 10**9}{'.)'[k % 2]} a\n"),
    "headings of each size": numbered(lambda k: "#" * (k % 6 + 1) + " a\n"),
    "different addresses": numbered(lambda k: f"https://{k}.example/{k} "),
    "different mail addresses": numbered(lambda k: f"a{k}@b{k}.cc "),
    "different mentions": numbered(lambda k: f"@a{k} "),
    "paragraphs that grow": numbered(lambda k: "a " * k + "\n\n"),
    # long
    "one word": repeated("a"),
    "a space and a word": repeated(" ", after="a"),
    "a word and spaces": repeated(" ", before="a"),
    "line breaks between two words": repeated("\n", before="a", after="a"),
    "lines with spaces between two words": repeated(" \n", before="a", after="a"),
    "stars behind spaces": repeated(" ", before="*", after="*"),
    "code with spaces": repeated(" ", before="`", after="`"),
    "a heading with spaces": repeated(" ", before="# a", after="#"),
    "a heading with marks": repeated("#", before="# a ", after="a"),
    "a rule and spaces": repeated(" ", before="***", after="a"),
    "a long link": repeated("a", before="[a](https://a.b/", after=")"),
    "a long title": repeated("a ", before='[a](https://a.b/ "', after='")'),
    "a long title, unclosed": repeated("a ", before='[a](https://a.b/ "'),
    "a title with quotes": repeated('\\" ', before='[a](https://a.b/ "', after='")'),
    "a title of many lines": repeated("a\n", before='[a](https://a.b/ "', after='")'),
    "a long label": repeated("a ", before="[", after="](b)"),
    "a long reference": repeated("a ", before="[a][", after="]"),
    "a long label of a definition": repeated("a ", before="[", after="]: b"),
    "a long address in brackets": repeated("a", before="[a](<", after=">)"),
    "a long address with spaces in brackets": repeated("a ", before="[a](<", after=">)"),
    "a long address with escapes": repeated("%20", before="[a](https://a.b/", after=")"),
    "a long address with bad escapes": repeated("%", before="[a](https://a.b/", after=")"),
    "a long address with entities": repeated("&amp;", before="[a](https://a.b/", after=")"),
    "a long address with backslashes": repeated("\\(", before="[a](https://a.b/", after=")"),
    "a long address with dots": repeated("../", before="[a](https://a.b/", after=")"),
    "a long host": repeated("a.", before="[a](https://", after=")"),
    "a long host of another script": repeated("ａ.", before="[a](https://", after=")"),
    "a long host of numbers": repeated("1.", before="[a](https://", after=")"),
    "long links": repeated(f"[a](https://a.b/{'a' * LONG}) "),
    "long links with escapes": repeated(f"[a](https://a.b/{'%2' * (LONG // 2)}) "),
    "long links with parentheses": repeated(f"[a](https://a.b/{'(' * 30}{'a)' * 30}) "),
    "long hosts": repeated(f"https://{'a.' * (LONG // 2)} "),
    "long hosts of another script": repeated(f"https://{'ａ.' * (LONG // 2)} "),
    "long hosts of yet another": repeated(f"[a](http://{'ß̣.' * (LONG // 3)}) "),
    "long bare addresses": repeated(f"https://a.b/{'a' * LONG} "),
    "long bare addresses, punctuation": repeated(f"https://a.b/{'.' * LONG} "),
    "long bare addresses, parentheses": repeated(f"https://a.b/{'()' * (LONG // 2)} "),
    "long bare addresses, half closed": repeated(f"www.a.b/{'(' * 900}{')' * 990} "),
    "long bare addresses, entities": repeated(f"www.a.b/{'&a;' * (LONG // 3)} "),
    "long mail addresses": repeated(f"{'a.' * (LONG // 2)}@b.cc "),
    "long mail addresses, half": repeated(f"{'a.' * (LONG // 2)}@ "),
    "long hosts of mail addresses": repeated(f"a@{'b.' * (LONG // 2)}cc "),
    "long images": repeated(f"![{'a ' * 400}](https://{'a' * 60}.b/{'a' * 900}) "),
    "long words": repeated(f"{'a' * LONG} "),
    "long words with dots": repeated(f"{'a.' * (LONG // 2)} "),
    "long words with wedges": repeated(f"{'w.' * (LONG // 2)} "),
    "long words with underlines": repeated(f"{'a_' * 100} "),
    "long CJK words": repeated(f"{'漢' * LONG} "),
    "long CJK words with marks": repeated(f"**{'漢' * 9}：**"),
    "a stack of combining marks": repeated("\u0301", before="a"),
    "stacks of combining marks": repeated("a" + "\u0301" * 60),
    "high stacks of combining marks": repeated("a" + "\u0301" * LONG + " "),
    "stacks of Hebrew marks": repeated("א" + "\u05b8" * 60),
    "a stack of Thai marks": repeated("\u0e34", before="ก"),
    "right to left overrides": nested("\u202e", "\u202c"),
    "isolates in isolates": nested("\u2067", "\u2069"),
    "turns of direction": repeated("aא"),
    "turns of direction, in words": repeated("a א "),
    "a family of emoji": repeated("\u200d👩", before="👩"),
    "an emoji with selectors": repeated("\ufe0f", before="👩"),
    "flags": repeated("🇩🇪"),
    "tags of flags": repeated("\U000e0067", before="🏴"),
    # tables
    "table, very wide": lambda n: table(max(1, n // 6), "")(n),
    "table, wide and centred": lambda n: table(max(1, n // 8), "", mark=":-:")(n),
    "table, wide, rows of one cell": lambda n: table(max(1, n // 16), "|a|")(n),
    "table, wide, rows without a bar": lambda n: table(max(1, n // 16), "a")(n),
    "table, as wide as long": lambda n: table(max(1, int((n // 4) ** 0.5)), "|" + "a|" * max(1, int((n // 4) ** 0.5)))(
        n
    ),
    "table, empty cells": lambda n: table(max(1, int((n // 3) ** 0.5)), "|" * max(1, int((n // 2) ** 0.5)))(n),
    "table, more cells than columns": table(1, "|" + "a|" * 60),
    "table, two columns": table(2, "|a|b|"),
    "table, forty columns": table(40, "|" + "a|" * 40),
    "table, forty columns, centred": table(40, "|" + "a|" * 40, mark=":-:"),
    "table, forty columns, rows of one cell": table(40, "a"),
    "table, hundred columns, rows of one cell": table(100, "a"),
    "table, two hundred columns, rows of one cell": table(200, "a"),
    "table, five hundred columns, rows of one cell": table(500, "a"),
    "table, emphasis": table(2, "|*a*|**b**|"),
    "table, code with bars": table(2, "|`a\\|b`|b|"),
    "table, links": table(2, "|[a](b)|www.a.b|"),
    "table, escaped bars": table(2, "|a\\|b|\\||"),
    "table, half": repeated("| a |\n", before="| a | b |\n|---|---|\n"),
    "table, long cells": table(2, f"|{'a ' * 400}|{'b ' * 400}|"),
    "table, long words": table(2, f"|{'a' * 900}|{'b' * 900}|"),
    "table, head without end": repeated("a|", before="|"),
    "table, marks without end": repeated("-|", before="a|b\n"),
    "table, marks that are wrong": repeated(":-:|", before="a|b\n", after="x"),
    "tables": repeated("|a|b|\n|-|-|\n|c|d|\n\n"),
    "tables in quotes": repeated("> |a|b|\n> |-|-|\n> |c|d|\n>\n"),
    "tables of wide heads": repeated("|" + "a|" * 90 + "\n|" + "-|" * 90 + "\na\n\n"),
    # fences
    "fence of one line": repeated("a", before="```\n"),
    "fence of a line of spaces": repeated(" ", before="```\n", after="\n```"),
    "fence of short lines": repeated("a\n", before="```\n"),
    "fence of empty lines": repeated("\n", before="```\n", after="a\n```"),
    "fence of code": repeated("const value = [1, 2, 3].map((x) => x ** 2);\n", before="```js\n"),
    "fence of code, short lines": repeated("a(1)\n", before="```js\n"),
    "fence of code on one line": repeated("a(1);", before="```js\n"),
    "fence of tags": repeated("<b c='d'>e</b>\n", before="```html\n"),
    "fence of wide characters": repeated("漢", before="```\n"),
    "fence of combining marks": repeated("\u0301", before="```\na"),
    "fence of tabs": repeated("\t", before="```\n", after="a"),
    "fence of turns": repeated("aא", before="```\n"),
    "fence, indented": repeated("   a\n", before="   ```\n"),
    "fences of code": repeated("```js\na(1, 'b');\n```\n\n"),
    "fences of another language each": numbered(lambda k: f"```{LANGUAGES[k % len(LANGUAGES)]}\na\n```\n\n"),
    "fence with a long name": repeated("a", before="```", after="\na\n```"),
    "fence with a name of many words": repeated("a ", before="```", after="\na\n```"),
    "fence with a name of marks": repeated("*_<&", before="```", after="\na\n```"),
    "fence with a name of colons": repeated(":,{ ", before="~~~", after="\na\n~~~"),
    "fence with a name of escapes": repeated("\\*&amp;", before="- ```", after="\n  a\n  ```"),
    "fence with a name of backticks": repeated("`a", before="```", after="\na\n```"),
    "fence with a name of combining marks": repeated("\u0301", before="```a", after="\na\n```"),
    "fence with a long name in a list": repeated("a ", before="- ```js ", after="\n  a\n  ```"),
    "fences with long names": repeated(f"```{'a ' * 90}\na\n```\n\n"),
    "fences with strange names": repeated("```__proto__\na\n```\n\n```constructor\na\n```\n\n```math\nx^2\n```\n\n"),
    # mathematics
    "formula, long": repeated("x+", before="$", after="x$"),
    "formula, long, displayed": repeated("x + y = z\n", before="$$\n", after="$$"),
    "formula, fractions": repeated("\\frac{a}{b}", before="$$", after="$$"),
    "formulas of each kind": repeated("$x$ $$y$$ \\(z\\) \\[w\\] "),
    "formulas, fractions": repeated("\\(\\frac{a}{b}\\) "),
    "formulas, big": repeated("$$\n\\sum_{i=1}^{n} \\frac{a_i^2}{\\sqrt{b_i}} = \\int_0^1 f(x)\\,dx\n$$\n\n"),
    "formulas, matrices": repeated("$$\\begin{pmatrix}" + "a&b&c\\\\" * 9 + "\\end{pmatrix}$$\n\n"),
    "formulas in code": repeated("`$x$` \\(y\\) "),
    "formulas in lists": repeated("- \\(x_1\\)\n"),
    "formulas in a table": table(2, "|$x^2$|\\(y\\)|"),
    "formula of letters": repeated("a", before="\\(", after="\\)"),
    "formula of commands": repeated("\\alpha ", before="\\[", after="\\]"),
    "formula of text": repeated("a ", before="$$\\text{", after="}$$"),
    "formula of accents": repeated("\\hat{a}", before="$$", after="$$"),
    "formulas that fail": repeated("$\\frac$ "),
    "dollars and parentheses": repeated("$x)(y$ "),
    "dollars and words": repeated("$x and y "),
    "brackets that open and do not close": repeated("\\(x \\[y "),
    "many dollars in a formula": repeated("$x$", before="$$"),
    "openers and one that closes": repeated("\\(x ", after="\\)"),
    "openers of dollars and escaped closers": repeated("\\(x\\\\)"),
    "environment": repeated("a&", before="$$\\begin{matrix}", after="\\end{matrix}$$"),
    # a bit of each
    "all of Markdown": repeated(
        "# A *b*\n\nc **d** `e` [f](https://g.h/i) <b>j</b> $k^2$\n\n- l\n  1. m\n\n> n\n\n"
        "|o|p|\n|-|-|\n|q|r|\n\n```js\ns(1)\n```\n\n---\n\n"
    ),
    "all of Markdown in a paragraph": repeated(
        "*a* **b** `c` [d](https://e.f) ~~g~~ <b>h</b> https://i.j k@l.mm &amp; \\* $n^2$ ![o](https://p.q) "
    ),
}
MIXED = {f"mixed {seed}": mixed(INLINE, seed) for seed in range(40)} | {
    f"mixed lines {seed}": mixed([*INLINE, *LINES, *LINES, *LINES], 1_000 + seed) for seed in range(30)
}
SHAPES: dict[str, Shape] = REPEATED | OTHERS | MIXED
"""By names that tell what it is."""

# What the grammars of languages find hard, each as one long line and as many short ones.
IN_CODE = [
    "<", "a", " ", "1", "(", "[", "{", '"', "'", "\\", "$", "#", "/*", "\t", "`", "a(", "<a ", '"a\\', "a.b", "漢",
    "é<", "a=", "-", "${", "#{", "<!--", "::", "//", "a:",
]  # fmt: skip
LINES_OF_CODE = {f"{construct!r} on a line": repeated(construct)(3_900) for construct in IN_CODE} | {
    f"{construct!r} on many lines": f"{repeated(construct)(60)}\n" * 64 for construct in IN_CODE[:20]
}
"""Code, by what it is."""

GROWING_FAST = (
    "a long label",
    "a long reference",
    "'*a_ '",
    "'* a'",
    "emphasis in emphasis",
    "'===\\n'",
    "table, two columns",
    "brackets closed that are not open",
    "turns of direction",
    "a stack of Thai marks",
)
"""The shapes that were slowest before something was done about each.

Of tables with wide heads and short rows, the slowest of all, the guard now leaves hardly more than the head, and a half
of that is no table. So a table stands here that can be halved.
"""
