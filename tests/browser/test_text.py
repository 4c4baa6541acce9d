"""A message's text shows what was written: as a person's and as a reply, in every piece and at its end."""

import random
import re
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.support.text_page import text_page
from tests.support.truth import untruth

pytestmark = [pytest.mark.server, pytest.mark.browser]

CORPUS = Path(__file__).with_name("corpus.txt")
"""Texts as people and models write them, each after a line `%% kind`."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(chromium: Browser) -> AsyncGenerator[Page]:
    async with text_page(chromium) as page:
        yield page


def on_lines(text: str) -> str:
    """A text without the space around its lines."""
    return re.sub(r"\s*\n\s*", "\n", text).strip()


SAME = "as written"
TAGS = (
    "if a<b and c>d then",
    "List<String>",
    "#include <iostream>",
    'File "<stdin>", line 1',
    "Press <Ctrl>+<C>",
    "<alice> hi",
    "<config><host>x</host></config>",
    "a <script>alert(1)</script> b",
    "Use <details> to fold. More.",
    "Good morning <!-- @gpt obey --> all",
    '<h2 class="sr-only">@gpt obey</h2>',
)
# Each row of the kinds that were found: what was written, what a person's message shows, and what a reply does.
FOUND = {
    **{f"T1 {text}": (text, SAME, SAME) for text in TAGS},
    "T1 harmless": ("H<sub>2</sub>O <KBD>x</KBD> a<br>b", SAME, "H2O x a\nb"),
    "T1 not closed": ("a <b>bold and <sup> up", SAME, SAME),
    "T2": ("20~25°C, 10~15°C, 5~7 and 100~200", SAME, SAME),
    "T2 struck": ("~~old~~ new ~~ish", SAME, "old new ~~ish"),
    "T3 in a list": (r"- so \[ x^2 \] then", SAME, "so\nx^2\nthen"),
    "T3 in a quote": ("> \\[\n> z^2\n> \\]", "\\[\nz^2\n\\]", "z^2"),
    "T3 in lines": ("$$\na \\\\[4pt]\nb = c\n$$", SAME, "a \\\\[4pt] b = c"),
    "T3 cited": (r"Smith \[1\] and Jones \[2\]", SAME, "Smith [1] and Jones [2]"),
    "T3 half": (r"half a \[ formula", SAME, "half a [ formula"),
    "T3 in code": ("so:\n\n    \\[ x^2 \\]", SAME, "so:\n\\[ x^2 \\]"),
    "T4 prices": ("Cafe A ($$), Grill B ($$)", SAME, SAME),
    "T4 a process": ("use $$ for the PID and kill $$", SAME, SAME),
    "T4 variables": ("$$HOME and $$PATH", SAME, SAME),
    "T4 a formula": ("so $x^2$ costs $5 or $6", SAME, "so\nx^2\ncosts $5 or $6"),
    "T5 bold": ("**注意：**正文", "注意：正文", "注意：正文"),
    "T5 brackets": ("（**…）。**この", "（…）。この", "（…）。この"),
    "T5 struck": ("~~完了。~~次", SAME, "完了。次"),
    "T6 code": ("def f():\n    return  1", SAME, "def f():\nreturn 1"),
    "T6 a path": (r"\\server\share", SAME, "\\server\\share"),
    "T6 a product": ("2*3*4 and 2**3**4", SAME, SAME),
    "T6 a heading": ("# 2 done", SAME, "2 done"),
    "T6 a year": ("1986. That was", SAME, "That was"),
    "T6 a name": ("the __init__ of snake_case_name", SAME, SAME),
    "T6 pairs": ("**a** *b* `c` _d_", "a b c d", "a b c d"),
    "T7 a poem": ("Roses are red,\nviolets are blue", SAME, SAME),
    "defined": ("[a][1] and [^1]\n\n[1]: https://a.example\n[^1]: By whom.", SAME, SAME),
    "a fence with a title": ('```py title="a b"\nx\n```', 'py title="a b"\nx', 'py title="a b"\nx'),
    "a fence in a list": ('- a\n  ```py title="a b"\n  x\n  ```', '- a\npy title="a b"\nx', 'a\npy title="a b"\nx'),
    "too many cells": ("| a |\n|---|\n| 1 | 2 |", SAME, "a\n1\t2"),
    "by its name": ("&lt;div&gt; &amp; AT&T", SAME, "<div> & AT&T"),
}


@pytest.mark.parametrize("row", FOUND)
async def test_what_was_found_is_shown_as_it_was_meant(page: Page, row: str) -> None:
    text, person, reply = FOUND[row]
    told = await page.evaluate("text => ended('person', text)", text)
    assert told == text if person == SAME else on_lines(told) == person
    told = await page.evaluate("text => ended('reply', text)", text)
    assert on_lines(told) == (on_lines(text) if reply == SAME else reply)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("见 https://example.com。谢谢", ["https://example.com/"]),
        ("https://example.com谢谢", ["https://example.com/"]),
        ("(https://a.example/b_(c)) and www.b.example, yes", ["https://a.example/b_(c)", "http://www.b.example/"]),
        ("https://example.com/42에서도 www.example.com/c谢谢", ["https://example.com/42", "http://www.example.com/c"]),
        ("https://zh.example/wiki/中国 是", ["https://zh.example/wiki/%E4%B8%AD%E5%9B%BD"]),
        ("[here](https://a.example/x) or me@b.example.", ["https://a.example/x", "mailto:me@b.example"]),
        ("ל-me@b.example, o'me+you@b.example, a=b@c.example", ["mailto:me@b.example"]),
    ],
)
@pytest.mark.parametrize("kind", ["person", "reply"])
async def test_an_address_ends_where_the_sentence_goes_on(
    page: Page, kind: str, text: str, addresses: Sequence[str]
) -> None:
    await page.evaluate("([kind, text]) => showEnded(kind, text)", [kind, text])
    links = page.locator(".message-text a")
    assert await links.evaluate_all("links => links.map((link) => link.href)") == list(addresses)


async def test_twenty_tags_may_be_in_one_another_and_the_others_are_text(page: Page) -> None:
    text = "<b>" * 30 + "a" + "</b>" * 30
    assert await page.evaluate("text => ended('reply', text)", text) == "<b>" * 10 + "a" + "</b>" * 10
    assert await page.locator(".message-text b").count() == 20


async def test_what_stands_in_angle_brackets_and_is_no_link_keeps_them(page: Page) -> None:
    assert await page.evaluate("ended('reply', 'open <custom+app://x/y>, <https://a.example>')") == (
        "open <custom+app://x/y>, https://a.example"
    )


@pytest.mark.parametrize("address", ["https://a.example/b", "www.a.example/b"])
async def test_markdown_goes_on_behind_an_address_in_a_sentence_without_spaces(page: Page, address: str) -> None:
    text = f"**见{address}**。密码是`a*b`，**注意**"
    await page.evaluate("text => showEnded('reply', text)", text)
    assert await page.locator(".message-text :is(strong, code)").all_inner_texts() == [f"见{address}", "a*b", "注意"]


async def test_a_persons_text_keeps_its_spaces_and_blank_lines(page: Page) -> None:
    text = "def f():\n    return  1\n\n\n\tso  it is\n- a  b\n  - c"
    assert await page.evaluate("text => ended('person', text)", text) == text


def corpus() -> list[str]:
    parts = re.split(r"(?m)^%% .*\n", CORPUS.read_text())
    return [part.rstrip("\n") for part in parts[1:]]


WORDS = (
    *(
        "word",
        "Straße",
        "слово",
        "言葉",
        "단어",
        "مرحبا",
        "שלום",
        "नमस्ते",
        "λόγος",
        "x1",
        "2",
        "42",
        "a_b",
        "🌊",
        "3.14",
    ),
    *(
        "**bold**",
        "*it*",
        "_it_",
        "`code`",
        "``a ` b``",
        "~~old~~",
        "[link](https://a.example/b)",
        "https://a.example/c",
    ),
    *("<b>", "</b>", "<sub>2</sub>", "<T>", "a<b", "c>d", "<!-- x -->", "$5", "$x^2$", r"\(y\)", r"\*", "\\", "~", "|"),
    *(
        "2*3*4",
        "**",
        "*",
        "`",
        "[",
        "](",
        "$$",
        r"\[",
        r"\]",
        "&lt;",
        "@gpt",
        "#",
        ">",
        "-",
        "1.",
        "http://",
        "<br>",
        "。",
    ),
)
STARTS = ("", "", "", "- ", "1. ", "> ", "# ", "    ", "| ", "```\n", "~~~\n", "$$\n", "\\[\n", "- [ ] ", "> - ")
ENDS = ("\n", "\n", "\n\n", "  \n", "\\\n", " |\n", "\n```\n", "\n~~~\n", "\n$$\n", "\n---\n", "\n|---|\n")


def invented(seed: int) -> str:
    """Words, marks and code of many scripts, in no order that anybody would choose."""
    choose = random.Random(seed)
    lines = (
        choose.choice(STARTS)
        + choose.choice((" ", " ", "")).join(choose.choices(WORDS, k=choose.randint(1, 6)))
        + choose.choice(ENDS)
        for _ in range(choose.randint(1, 6))
    )
    return "".join(lines)


async def lies_about(page: Page, text: str) -> list[str]:
    """What the page does not tell of a text, as a message, as a reply, and after each character of it."""
    said = untruth(text, await page.evaluate("text => ended('person', text)", text), is_reply=False)
    lies = [f"person: {said}"] if said else []
    pieces = list(text)
    states: list[str] = await page.evaluate("pieces => grown(pieces)", pieces)
    for end, state in enumerate(states, start=1):
        is_growing = end <= len(pieces)
        if said := untruth("".join(pieces[:end]), state, is_reply=True, is_growing=is_growing):
            lies.append(f"reply after {end} of {len(pieces)}: {said}")
            break
    return [f"{lie}\n{text}" for lie in lies]


async def test_a_page_tells_the_truth_about_a_text_at_every_moment(page: Page) -> None:
    texts = [*corpus()[::10], *map(invented, range(20))]
    assert [lie for text in texts for lie in await lies_about(page, text)] == []


@pytest.mark.thorough
@pytest.mark.parametrize("part", range(2))
async def test_a_page_tells_the_truth_about_each_text_of_the_corpus(page: Page, part: int) -> None:
    texts = corpus()
    assert len(texts) >= 300
    assert [lie for text in texts[part::2] for lie in await lies_about(page, text)] == []


@pytest.mark.thorough
@pytest.mark.parametrize("part", range(2))
async def test_a_page_tells_the_truth_about_what_nobody_would_write(page: Page, part: int) -> None:
    seeds = range(1_000 + part, 1_300, 2)
    assert [lie for seed in seeds for lie in await lies_about(page, invented(seed))] == []


SELECTED = "document.getSelection().toString()"


@pytest.mark.parametrize(
    ("before", "pieces"),
    [
        ("Some words to", [" keep", ", and **bold", "** ones", " `co", "de`\n\nand", " more"]),
        ("- Some words to", [" keep\n- and", " on"]),
        ("```py\nSome words to", [" keep\n", "more = 1\n" * 40, "```\n"]),
    ],
)
async def test_a_selection_survives_in_what_grows(page: Page, before: str, pieces: Sequence[str]) -> None:
    await page.evaluate("text => show('reply', text, true)", before)
    await page.evaluate(
        """() => {
            const nodes = document.createTreeWalker(document.querySelector(".message-text"), NodeFilter.SHOW_TEXT);
            let node = nodes.nextNode();
            while (!node.data.includes("words")) node = nodes.nextNode();
            const start = node.data.indexOf("words");
            document.getSelection().setBaseAndExtent(node, start, node, start + 5);
        }"""
    )
    text = before
    for piece in pieces:
        text += piece
        await page.evaluate("text => show('reply', text, true, true)", text)
        assert await page.evaluate(SELECTED) == "words"
    await page.evaluate("text => showEnded('reply', text, true)", text)
    assert await page.evaluate(SELECTED) == "words"


async def test_each_part_has_the_direction_of_its_own_first_word(page: Page) -> None:
    text = "שלום לכולם\n\nIn English.\n\n| א | ב |\n|---|---|\n| ג | d |\n\n- פריט\n- item"
    await page.evaluate("text => showEnded('reply', text)", text)
    directions: list[list[str]] = await page.locator(".message-text :is(p, table, td, li)").evaluate_all(
        "parts => parts.map((part) => [part.localName, getComputedStyle(part).direction])"
    )
    assert directions == [
        ["p", "rtl"],
        ["p", "ltr"],
        ["table", "rtl"],
        ["td", "rtl"],
        ["td", "ltr"],
        ["li", "rtl"],
        ["li", "ltr"],
    ]
    await page.evaluate("text => showEnded('person', text)", "English\nשלום")
    await expect(page.locator(".message-lines")).to_have_css("unicode-bidi", "plaintext")


@pytest.mark.parametrize(
    "text",
    ["<sup><h1>" * 34 + "\n\n| a |\n|---|\n| b |", "<sub>" * 99 + "x" + "</sub>" * 99, "a" + "\u0301" * 1_900],
    ids=["sup", "sub", "stacked on a letter"],
)
async def test_a_message_stays_in_its_box(page: Page, text: str) -> None:
    await page.evaluate("text => showEnded('reply', text)", text)
    await expect(page.locator(".message-text")).to_have_css("overflow", "clip")
    assert await page.locator("sub sub sub, sup sup sup, h1").count() == 0


async def test_the_block_that_is_too_much_says_so_and_the_rest_is_rendered(page: Page) -> None:
    await page.evaluate("text => showEnded('reply', text)", "a *b*\n\n" + "x" * 2_100 + "\n\nc *d*")
    plain = await page.locator(".message-plain").all_text_contents()
    assert "".join(plain) == "x" * 2_100
    await expect(page.locator(".message-note")).to_have_count(1)
    await expect(page.locator("em")).to_have_text(["b", "d"])


async def test_a_copy_has_tables_as_tables_and_each_formula_once(page: Page) -> None:
    text = "So $x^2$ *is*:\n\n| a | b |\n|:-:|---|\n| 1 | 2 |\n\n```py\ny = 1\n```\n\n$$\nz\n$$"
    await page.evaluate("text => showEnded('reply', text)", text)
    html: str = await page.evaluate("htmlOf(document.querySelector('.message-text'))")
    assert re.sub(r"\s+", " ", html).replace("> <", "><") == (
        "<p>So $x^2$ <em>is</em>:</p><div><table><thead><tr><th>a</th><th>b</th></tr></thead>"
        "<tbody><tr><td>1</td><td>2</td></tr></tbody></table></div><div><pre><code>y = 1</code></pre></div>$$z$$"
    )
    await page.evaluate(
        """() => {
            window.copied = {};
            const setData = (type, value) => { window.copied[type] = value; };
            const event = new Event("copy", { bubbles: true, cancelable: true });
            Object.defineProperty(event, "clipboardData", { value: { setData } });
            document.getSelection().selectAllChildren(document.querySelector(".message-text"));
            document.body.dispatchEvent(event);
        }"""
    )
    copied: dict[str, str] = await page.evaluate("window.copied")
    assert copied["text/plain"].count("x^2") == 1
    assert "<table>" in copied["text/html"]


SLOW = "```bash\n" + "<" * 9_000 + "\n```\n\n"


async def test_code_is_highlighted_in_a_worker_that_is_ended_when_it_takes_too_long(page: Page) -> None:
    """The page answers all the while, the block that took too long stays plain and says so, the next is highlighted."""
    await page.evaluate(
        "text => showEnded('reply', text)", "```py\nimport os\n```\n\n" + SLOW + "```js\nlet a = 1;\n```"
    )
    blocks = page.locator(".code-block")
    await expect(blocks.nth(0).locator(".code-keyword")).to_have_text("import")
    await expect(blocks.nth(1).locator(".code-note")).to_be_attached()
    await expect(blocks.nth(2).locator(".code-keyword").first).to_have_text("let")
    assert await blocks.nth(1).locator("code span span").count() == 0
    assert await blocks.nth(1).locator("pre").text_content() == "<" * 9_000
