"""People's messages: a small Markdown that takes no character away but the marks of what it shows."""

import json
import random
from typing import Any

import pytest

from tests.support.javascript import run_javascript


def read(text: str) -> list[Any]:
    return run_javascript("chat_text.js", f"return page.readMessage({json.dumps(text)});")


def of_line(*children: Any) -> list[Any]:
    return [{"kind": "lines", "children": list(children)}]


def tag(name: str, *children: Any) -> dict[str, Any]:
    return {"tag": name, "children": list(children)}


@pytest.mark.parametrize(
    ("text", "children"),
    [
        ("a **b** c", ["a ", tag("strong", "b"), " c"]),
        ("*a **b** c*", [tag("em", "a ", tag("strong", "b"), " c")]),
        ("**a *b* c**", [tag("strong", "a ", tag("em", "b"), " c")]),
        ("(_a_), *b*.", ["(", tag("em", "a"), "), ", tag("em", "b"), "."]),
        ("中**重点**文", ["中", tag("strong", "重点"), "文"]),
        ("**注：**`b`", [tag("strong", "注："), tag("code", "b")]),
        ("a `b * c` d", ["a ", tag("code", "b * c"), " d"]),
        ("``a ` b``", [tag("code", "a ` b")]),
        ("ask @gpt, please", ["ask ", tag("mention", "@gpt"), ", please"]),
    ],
)
def test_pairs_code_and_mentions_are_shown_as_such(text: str, children: list[Any]) -> None:
    assert read(text) == of_line(*children)


@pytest.mark.parametrize(
    "text",
    [
        "2*3*4 and 2**3**4",
        "a * b * c",
        "*.py and *.js",
        "lint *.py and *.pyi, not on *_pb2.py or **/*.js",
        "Accept: */*;q=0.8, */*",
        "o'neil+tags@mail.example asa=b+c@mail.example ~carol@10.0.4.17",
        "**kwargs, *args",
        "__init__ and snake_case_name",
        "x *= 2; y *= 3",
        "*a\nb*",
        "`a\nb`",
        "a ` b",
        "# 2 done",
        "1986. That was",
        "~~a~~ and $x$",
        "[a](javascript:alert(1))",
        "\\*a\\* \\\\server",
        "me@gpt x/@gpt @gpt.com",
        ">_< and >>> a",
        "---\n***",
        "```\nnever closed",
    ],
)
def test_all_else_is_text(text: str) -> None:
    assert read(text) == of_line(text)


def test_lines_of_one_kind_are_one_block() -> None:
    text = "a\n- b\n  - *c*\n> d\n> > e\n```py x\n f\n```\ng"
    assert [node["kind"] for node in read(text)] == ["lines", "list", "quote", "code", "lines"]
    assert read(text)[1]["items"] == [
        {"mark": "- ", "children": ["b"]},
        {"mark": "  - ", "children": [tag("em", "c")]},
    ]
    assert read(text)[3] == {"kind": "code", "language": "py x", "text": " f"}


def test_after_four_hundred_elements_the_rest_is_text() -> None:
    (line,) = read("**a** " * 500)
    assert sum(isinstance(part, dict) for part in line["children"]) == 399
    assert line["children"][-1].endswith("**a** ")


def plain(node: Any) -> str:
    if isinstance(node, str):
        return node
    if node.get("kind") == "list":
        return "\n".join(item["mark"] + "".join(map(plain, item["children"])) for item in node["items"])
    inside = ("\n" if node.get("kind") == "quote" else "").join(map(plain, node.get("children", [])))
    return inside + node.get("text", "") + node.get("language", "")


def test_no_character_is_lost_but_those_of_marks() -> None:
    choose = random.Random(15)
    parts = ["**", "*", "_", "`", "``", "[a](https://b.example)", "@gpt", " ", "\n", "> ", "- ", "```", "a", "b2", "中"]
    parts += ["<", "~", "\\", "$"]
    texts = ["".join(choose.choices(parts, k=choose.randint(1, 30))) for _ in range(400)]
    body = f"return {json.dumps(texts)}.map(page.readMessage);"
    kept = str.maketrans("", "", "*_`[]()>- \n")
    for text, nodes in zip(texts, run_javascript("chat_text.js", body), strict=True):
        told = "".join(map(plain, nodes))
        address = "https://b.example"
        assert told.replace(address, "").translate(kept) == text.replace(address, "").translate(kept), text
