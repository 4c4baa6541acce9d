"""The built-in model: what it says, and how."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_app.components.words import SUGGESTIONS
from chat_app.data.models import Role
from chat_app.demo.model import HUMAN, DemoModel, Rhythm, deltas_of
from chat_app.demo.replies import HELP, NOTHING_LEFT, compose_reply
from chat_app.replies.context import GO_ON
from chat_app.replies.llm import Turn
from chat_app.threads.mentions import MENTION
from chat_app.threads.seed import MESSAGES, SeedMessage
from tributary_streams import Finish, Usage


def ask(text: str, name: str = "", before: Sequence[Turn] = ()) -> str:
    return compose_reply([*before, Turn(Role.USER, text, name)], MENTION)


def knows(reply: str) -> bool:
    return "know nothing" not in reply and "cannot answer" not in reply


# --- how it says it ---------------------------------------------------------------------------------------------------

INSTANT = Rhythm(0, 0, 0, 0)


async def test_a_reply_comes_in_deltas_and_at_last_what_it_took() -> None:
    turns = [Turn(Role.SYSTEM, "Be kind."), Turn(Role.USER, "hi", "Mira")]
    *deltas, finish = [item async for item in DemoModel(MENTION, INSTANT).reply(turns, "", on_wait=pytest.fail)]
    assert deltas == deltas_of(ask("hi", "Mira"))
    assert finish == Finish(usage=Usage((3 + 2) + (3 + 0), len(deltas)))


async def test_it_pauses_before_it_begins_and_after_each_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    for previous in ("", "sea. ", "sea"):
        await HUMAN.before(previous)
    first, after_sentence, after_word = pauses
    assert first > after_sentence > after_word > 0


@given(st.text())
def test_deltas_lose_no_character(text: str) -> None:
    assert "".join(deltas_of(text)) == text
    assert all(0 < len(delta) <= 6 for delta in deltas_of(text))


# --- what it says -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("hi", "Hello, Mira! I am Tributary's built-in demo model."),
        ("@gpt", "Hello, Mira!"),
        ("Thanks, that helped!", "You are welcome, Mira."),
        ("what can you do?", "Try these:"),
        ("who are you?", "the **demo model** built into Tributary"),
        ("write a haiku about rain", "only one haiku by heart:\n\n> Small streams"),
        ("what happens when I refresh?", "A reply belongs to the server"),
    ],
)
def test_it_has_texts_for_small_talk_and_for_itself(question: str, reply: str) -> None:
    assert reply in ask(question, "Mira")


@pytest.mark.parametrize("prompt", [*SUGGESTIONS, *re.findall(r"^- `(.+)`$", HELP, re.MULTILINE)])
def test_it_can_do_what_the_page_and_its_help_suggest(prompt: str) -> None:
    reply = ask(prompt)
    assert knows(reply)
    assert "I know only" not in reply


@pytest.mark.parametrize(
    ("said", "reply"),
    [(MESSAGES[2], "Three things make a reply here different."), (MESSAGES[4], "| When… | a reply of a **tab** |")],
)
def test_it_knows_the_questions_of_the_seeded_conversation(said: SeedMessage, reply: str) -> None:
    assert reply in ask(said.text, said.speaker)


@pytest.mark.parametrize("about", ["tea and coffee", "SQLite and PostgreSQL", "a reply of a tab and one of the server"])
def test_a_table_has_the_same_cells_in_each_row(about: str) -> None:
    reply = ask(f"compare {about} in a table")
    rows = [line for line in reply.splitlines() if line.startswith("|")]
    assert len(rows) >= 5
    assert len({row.count("|") for row in rows}) == 1
    assert ("only two tables by heart" in reply) == (about == "tea and coffee")


@pytest.mark.parametrize(
    ("wish", "call", "result"),
    [
        ("count words", "count_words('to be or not to be')['be']", 2),
        ("reverse a string", "backwards('stream')", "maerts"),
        ("send an email", "count_words('a a')['a']", 2),
    ],
)
def test_its_code_runs(wish: str, call: str, result: object) -> None:
    reply = ask(f"write a Python function to {wish}")
    code = re.search(r"```python\n(.*?)\n```", reply, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)
    assert eval(call, names) == result
    assert ("only two Python functions by heart" in reply) == (wish == "send an email")


@pytest.mark.parametrize("topic", ["rivers", "patience"])
def test_an_essay_is_long_with_headings_and_a_formula(topic: str) -> None:
    essay = ask(f"write an essay about {topic}")
    assert len(deltas_of(essay)) > 400  # over ten seconds at a human rhythm
    assert essay.count("\n## ") >= 4
    assert "\n\n$$Q = A \\cdot v$$\n\n" in essay
    assert ("only one essay by heart" in essay) == (topic == "patience")


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("@gpt what is 17*23+4?", "= **395**"),
        ("2+2*3", "= **8**"),
        ("What's (3 + 4) * -2?", "= **-14**"),
        ("2^100", "= **1267650600228229401496703205376**"),
        ("calculate 0.1 + 0.2 please", "= **0.3**"),
        ("1,234 × 5", "= **6170**"),
        ("so what is 17 divided by 4, Mira?", "= **4.25**"),
        ("15% of 80", "= **12**"),
        ("2/3", "≈ **0.666666666667**"),
        ("7 % 4 minus 2 x 3 =", "= **-3**"),
        ("2**-3", "= **0.125**"),
    ],
)
def test_a_sum_is_worked_out_exactly(question: str, value: str) -> None:
    assert ask(question).endswith(value)


@pytest.mark.parametrize("question", ["2**99999", "9**9**9", "1/0", "what is 5 % 0", "0**-1", "2**0.5"])
def test_a_sum_without_an_exact_value_is_declined(question: str) -> None:
    assert "cannot work out" in ask(question)


@pytest.mark.parametrize("question", ["(((1+2", "1++", "42", "1 2+3", "what is 1.2.3-4", "1+" * 900 + "1"])
def test_what_only_looks_like_a_sum_is_none(question: str) -> None:
    assert not re.search(r"[=≈] \*\*|cannot work out", ask(question))


@pytest.mark.parametrize(
    ("question", "gap"),
    [
        ("explain B-trees", "know nothing about **B-trees**."),
        ("@gpt, can you please explain how tides work, please?", "know nothing about **how tides work**."),
        ("What is the capital of France? I forgot.", "know nothing about **the capital of France**."),
        ("Tell me about <b>[tides](//x)</b>", "know nothing about **b tides x b**."),
        ("why is the sky blue?", "cannot answer that."),
        ("what is my name?!", "cannot answer that."),
        ("was ist ein Fluss?", "cannot answer that."),
    ],
)
def test_where_it_knows_nothing_it_says_so_and_what_helps(question: str, gap: str) -> None:
    reply = ask(question, "Anton_B")
    assert reply.startswith(f"Sorry, Anton B: I am only Tributary's built-in demo model, and I {gap}")
    assert "I can do sums, a table" in reply
    assert "`OPENAI_API_KEY` or `OPENAI_BASE_URL`" in reply


@pytest.mark.parametrize("wish", [GO_ON, "continue", "@gpt please go on!"])
def test_an_unfinished_reply_is_continued_where_it_broke_off(wish: str) -> None:
    asked = Turn(Role.USER, "hi", "Mira")
    whole = compose_reply([asked], MENTION)
    assert ask(wish, before=[asked, Turn(Role.ASSISTANT, whole[:50])]) == whole[50:]


@pytest.mark.parametrize(
    "before", [[], [Turn(Role.ASSISTANT, ask("hi"))], [Turn(Role.ASSISTANT, "I said")], [Turn(Role.USER, "no")]]
)
def test_without_an_unfinished_reply_there_is_nothing_to_continue(before: list[Turn]) -> None:
    turns = [Turn(Role.USER, "hi"), *before] if before else []
    assert ask("continue", before=turns) == NOTHING_LEFT


@pytest.mark.parametrize(
    ("message", "question"),
    [
        ("It is 2*3 for me. @gpt what is 6*7?", "what is 6*7?"),
        ("write a haiku @GPT!", "write a haiku"),
        ("@gpt hi @gpt: explain tides", "explain tides"),
        ("explain a@gpt and tides", "explain a gpt and tides"),
        ("explain tides/@gpt and @gpt-4", "explain tides gpt and gpt-4"),
    ],
)
def test_what_is_asked_stands_beside_the_last_mention(message: str, question: str) -> None:
    assert ask(message) == ask(question)


# Lone halves of surrogate pairs included: JSON can carry them.
texts = st.lists(
    st.sampled_from(
        ["@gpt", "explain", "compare", "12", "*", "**", "(", "/", "`", "<b>", "//", "table", "continue", "\n"]
    )
    | st.text(st.characters(), max_size=8),
    max_size=12,
).map(" ".join)
turns_of_anybody = st.builds(Turn, st.sampled_from(Role), texts, texts)


@given(st.lists(turns_of_anybody, max_size=4))
def test_any_turns_get_a_reply_without_the_markup_of_what_people_wrote(turns: list[Turn]) -> None:
    reply = compose_reply(turns, MENTION)
    assert reply.encode()
    prose = re.sub(r"(?s)```.*?```|`[^`\n]*`", "", reply)
    assert not re.search(r"[<\[\]~@]|//|www\.", prose)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("filler", ["a", " ", "(", "1+", "word ", "\n", "explain ", "@gpt ", "😀", "1 "])
def test_a_huge_message_is_answered_at_once(filler: str) -> None:
    assert len(ask(filler * 100_000)) < 5_000
