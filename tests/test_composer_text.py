"""What the composer knows of texts, and what it keeps of them in the browser."""

import json
from typing import Any

import pytest

from chat_app.threads.mentions import mentions_ai
from tests.support.javascript import run_javascript
from tributary_streams import clean

PEOPLE = [{"name": name, "hue": 1} for name in ("Amber Otter", "Otto", "Noor", "Zoë Amaro")]

STORAGE = """
    const kept = new Map();
    let isFull = false;
    const storage = {
        get length() { return kept.size; },
        key: (index) => [...kept.keys()][index],
        getItem: (key) => kept.get(key) ?? null,
        setItem: (key, value) => { if (isFull) throw new Error("full"); kept.set(key, value); },
        removeItem: (key) => kept.delete(key),
    };
    let time = 0;
    const drafts = page.createDrafts(() => storage, () => (time += 1));
"""


def story(body: str) -> Any:
    """What `body` returns; it sees `drafts`, and the `kept` of their `storage`."""
    return run_javascript("drafts.js", STORAGE + body)


def test_page_and_server_agree_on_who_asks_the_ai() -> None:
    texts = [
        *("@gpt hi", "Hi @GPT", "so, @Gpt, what now?", "(@gpt)", "what, @gpt?", "@gpt.", "\n@gpt\n", "**@gpt** hi"),
        *(
            "a@gptmail.com",
            "me@gpt",
            "@gpts",
            "@gpt-4 is",
            "@gpt.com",
            "gpt",
            "x/@gpt",
            "@@gpt",
            "@gpt@server",
            "hello",
        ),
        *("é@gpt", "@gpté", "@gpt_x", "流@gpt", "@gpt流", "-@gpt", "+@gpt", "_@gpt_", "@gpt!", "@gpt.é", "@gpt…"),
    ]
    on_the_page = run_javascript("composer_text.js", f"return {json.dumps(texts)}.map(page.mentionsAi);")
    assert dict(zip(texts, on_the_page, strict=True)) == {text: mentions_ai(text) for text in texts}
    assert 0 < sum(on_the_page) < len(texts)


def test_the_name_of_the_ai_comes_and_goes_with_the_button() -> None:
    pairs = run_javascript(
        "composer_text.js",
        """
        const texts = ["", "Why?", "Why, @gpt?", "@gpt Why? @GPT now", "mail a@gptmail.com"];
        return texts.map((text) => [page.withMention(text), page.withoutMention(page.withMention(text))]);
        """,
    )
    assert pairs == [
        ["@gpt ", ""],
        ["@gpt Why?", "Why?"],
        ["Why, @gpt?", "Why, ?"],
        ["@gpt Why? @GPT now", "Why? now"],
        ["@gpt mail a@gptmail.com", "mail a@gptmail.com"],
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@", ["gpt", "Amber Otter", "Noor", "Otto", "Zoë Amaro"]),
        ("so, @GP", ["gpt"]),
        ("(@ot", ["Otto", "Amber Otter"]),
        ("@am", ["Amber Otter", "Zoë Amaro"]),
        ("@amber o", ["Amber Otter"]),
        ("@zoë", ["Zoë Amaro"]),
        ("@gpt", None),  # there already
        ("@noor", None),
        ("@gpt and so on", None),
        ("a@", None),
        ("ada@no", None),
        ("https://x/@no", None),
        ("@@no", None),
        ("@nobody", None),
        ("@ no", None),
        ("@|no", None),  # in the middle of a word
        ("@no|, you", ["Noor"]),
        ("no at all", None),
    ],
)
def test_an_at_is_completed_by_who_is_there_but_not_in_words_and_addresses(text: str, names: list[str] | None) -> None:
    caret = text.index("|") if "|" in text else len(text)
    arguments = json.dumps([text.replace("|", ""), caret, PEOPLE])
    found = run_javascript("composer_text.js", f"return page.completionAt(...{arguments});")
    assert (found and [choice["name"] for choice in found["choices"]]) == names


def test_a_name_takes_the_place_of_its_beginning_and_the_caret_stands_behind_it() -> None:
    done = run_javascript(
        "composer_text.js",
        """return [page.completed("so @no and", 3, 6, "Noor"), page.completed("@am", 0, 3, "Amber Otter")];""",
    )
    assert done == [{"text": "so @Noor and", "caret": 9}, {"text": "@Amber Otter ", "caret": 13}]


@pytest.mark.parametrize("text", ["x" * 100, "🌊" * 100, "  🌊x\n ", "👩‍👩‍👧", " ", "\ud83c\udf0a"])
def test_page_and_server_count_the_same_characters(text: str) -> None:
    counted = run_javascript("composer_text.js", f"return page.lengthOf({json.dumps(text)});")
    assert counted == (len(clean(text).strip()))


def test_a_draft_is_somebodys_in_a_thread_and_a_blank_one_is_none() -> None:
    assert story(
        """
        drafts.write(1, "a", "Mine here");
        drafts.write(1, "b", "Mine there");
        drafts.write(2, "a", "Another's");
        drafts.write(1, "b", "  ");
        drafts.write(1, "c", "x".repeat(64001));
        return [[1, "a"], [1, "b"], [2, "a"], [1, "c"], [3, "a"]].map((whose) => drafts.read(...whose));
        """
    ) == ["Mine here", "", "Another's", "", ""]


def test_the_oldest_drafts_make_room_and_a_full_or_forbidden_storage_does_no_harm() -> None:
    assert story(
        """
        for (let number = 0; number < 40; number += 1) drafts.write(1, `thread ${number}`, `Draft ${number}`);
        const kept_then = kept.size;
        isFull = true;
        drafts.write(1, "thread 39", "More");
        const forbidden = page.createDrafts(() => { throw new Error("forbidden"); });
        forbidden.write(1, "a", "Draft");
        return [kept_then, drafts.read(1, "thread 9"), drafts.read(1, "thread 10"), drafts.read(1, "thread 39"),
            forbidden.read(1, "a"), forbidden.unsent(1, "a")];
        """
    ) == [30, "", "Draft 10", "Draft 39", "", []]


def test_what_was_sent_is_kept_in_order_until_it_is_confirmed() -> None:
    assert story(
        """
        drafts.send(1, "a", { nonce: "zz", text: "First", message: 0 });
        drafts.send(1, "a", { nonce: "aa", text: "Second", message: 7 });
        drafts.send(1, "b", { nonce: "bb", text: "Elsewhere", message: 0 });
        kept.set("tributary:unsent:1:a:odd", "{");
        const before = drafts.unsent(1, "a");
        drafts.confirm(1, "a", "zz");
        const after = drafts.unsent(1, "a");
        drafts.clear();
        return [before, after, kept.size];
        """
    ) == [
        [{"nonce": "zz", "text": "First", "message": 0}, {"nonce": "aa", "text": "Second", "message": 7}],
        [{"nonce": "aa", "text": "Second", "message": 7}],
        0,
    ]
