"""The built-in offline model, over real HTTP and through the real client; and what it says."""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_app.components.words import SUGGESTIONS
from chat_app.demo.model import DEMO_MODEL, HUMAN, INSTANT, Rhythm, deltas_of, serve_demo_model
from chat_app.demo.replies import HELP, NOTHING_LEFT, ChatMessage, compose_reply
from chat_app.replies.context import GO_ON
from chat_app.threads.mentions import MENTION
from chat_app.threads.seed import MESSAGES, SeedMessage


def ask(text: str, name: str = "", before: Sequence[ChatMessage] = ()) -> str:
    return compose_reply([*before, ChatMessage("user", text, name)], MENTION)


def request(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": DEMO_MODEL, "messages": [{"role": "user", "content": text}], "stream": True, **fields}


def knows(reply: str) -> bool:
    return "know nothing" not in reply and "cannot answer" not in reply


@dataclass(frozen=True)
class Waiting(Rhythm):
    """A rhythm that says the first delta, and then waits for ever."""

    is_waiting: asyncio.Event = field(default_factory=asyncio.Event)
    is_cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def before(self, previous: str) -> None:
        if not previous:
            return
        self.is_waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.is_cancelled.set()


# --- the endpoint -----------------------------------------------------------------------------------------------------


async def test_a_stream_has_role_text_finish_reason_and_usage_in_order() -> None:
    async with serve_demo_model(MENTION, INSTANT) as url, openai.AsyncOpenAI(base_url=url, api_key="none") as client:
        stream = await client.chat.completions.create(
            model=DEMO_MODEL, messages=[{"role": "user", "content": "hi", "name": "Mira"}], stream=True
        )
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        first, *middle, finish, usage = [chunk async for chunk in stream]

    assert (first.choices[0].delta.role, first.choices[0].delta.content) == ("assistant", "")
    said = [chunk.choices[0].delta.content or "" for chunk in middle]
    assert "".join(said) == ask("hi", "Mira")
    assert finish.choices[0].finish_reason == "stop"
    assert usage.usage is not None
    assert usage.usage.completion_tokens == len(said)
    assert len({chunk.id for chunk in (first, *middle, finish, usage)}) == 1


async def test_a_limit_cuts_the_reply_and_says_so() -> None:
    async with serve_demo_model(MENTION, INSTANT) as url, httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/chat/completions", json=request("hi", max_completion_tokens=5))

    *events, done, end = answer.text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == "".join(deltas_of(ask("hi"))[:5])
    assert choices[-1]["finish_reason"] == "length"
    assert chunks[-1]["usage"]["completion_tokens"] == 5


def with_message(**fields: Any) -> dict[str, Any]:
    return request("hi") | {"messages": [{"role": "user", "content": "hi"} | fields]}


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"", 400, None),
        (b"\xff\xfe", 400, None),
        (b"[]", 400, None),
        (b"[" * 100_000, 400, None),
        (request("hi") | {"model": "gpt-9"}, 404, "model"),
        (request("hi") | {"model": "\ud83d"}, 404, "model"),
        (request("hi", stream=False), 400, "stream"),
        (request("hi") | {"messages": None}, 400, "messages"),
        (request("hi") | {"messages": []}, 400, "messages"),
        (request("hi") | {"messages": ["hi"]}, 400, "messages.0"),
        (with_message(role="robot"), 400, "messages.0.role"),
        (with_message(content=7), 400, "messages.0.content"),
        (with_message(name="two words"), 400, "messages.0.name"),
        (with_message(name=7), 400, "messages.0.name"),
        (request("hi", max_completion_tokens=0), 400, "max_completion_tokens"),
        (request("hi", max_completion_tokens="many"), 400, "max_completion_tokens"),
        (request("hi", max_completion_tokens=True), 400, "max_completion_tokens"),
    ],
)
async def test_a_bad_request_is_refused_in_openais_shape(body: Any, status: int, param: str | None) -> None:
    async with serve_demo_model(MENTION, INSTANT) as url, httpx.AsyncClient() as client:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await client.post(f"{url}/chat/completions", content=content)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert answer.json()["error"]["param"] == param


async def test_other_addresses_and_methods_are_refused_in_openais_shape() -> None:
    async with serve_demo_model(MENTION, INSTANT) as url, httpx.AsyncClient() as client:
        answers = [await client.get(f"{url}/nothing"), await client.get(f"{url}/chat/completions")]
    assert [answer.status_code for answer in answers] == [404, 405]
    assert all(answer.json()["error"]["type"] == "invalid_request_error" for answer in answers)


async def test_a_client_that_leaves_ends_the_generation() -> None:
    rhythm = Waiting()
    async with serve_demo_model(MENTION, rhythm) as url, openai.AsyncOpenAI(base_url=url, api_key="none") as client:
        stream = await client.chat.completions.create(
            model=DEMO_MODEL, messages=[{"role": "user", "content": "hi"}], stream=True
        )
        await asyncio.wait_for(rhythm.is_waiting.wait(), 5)
        assert not rhythm.is_cancelled.is_set()
        await stream.close()
        await asyncio.wait_for(rhythm.is_cancelled.wait(), 5)


async def test_the_server_ends_quietly_with_streams_open(caplog: pytest.LogCaptureFixture) -> None:
    rhythm = Waiting()
    async with httpx.AsyncClient() as client:
        async with serve_demo_model(MENTION, rhythm) as url:
            sent = client.build_request("POST", f"{url}/chat/completions", json=request("hi"))
            answer = await client.send(sent, stream=True)
            await asyncio.wait_for(rhythm.is_waiting.wait(), 5)
        assert rhythm.is_cancelled.is_set()
        with pytest.raises(httpx.TransportError):
            await answer.aread()
        with pytest.raises(httpx.ConnectError):
            await client.get(url)
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    assert caplog.records == []


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
    asked = ChatMessage("user", "hi", "Mira")
    whole = compose_reply([asked], MENTION)
    assert ask(wish, before=[asked, ChatMessage("assistant", whole[:50])]) == whole[50:]


@pytest.mark.parametrize("before", [[], [("assistant", ask("hi"))], [("assistant", "I said")], [("user", "no")]])
def test_without_an_unfinished_reply_there_is_nothing_to_continue(before: list[tuple[str, str]]) -> None:
    turns = [ChatMessage("user", "hi"), *(ChatMessage(*turn) for turn in before)] if before else []
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
turns_of_anybody = st.builds(ChatMessage, st.sampled_from(["user", "assistant", "system"]), texts, texts)


@given(st.lists(turns_of_anybody, max_size=4))
def test_any_turns_get_a_reply_without_the_markup_of_what_people_wrote(turns: list[ChatMessage]) -> None:
    reply = compose_reply(turns, MENTION)
    assert reply.encode()
    prose = re.sub(r"(?s)```.*?```|`[^`\n]*`", "", reply)
    assert not re.search(r"[<\[\]~@]|//|www\.", prose)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("filler", ["a", " ", "(", "1+", "word ", "\n", "explain ", "@gpt ", "😀", "1 "])
def test_a_huge_message_is_answered_at_once(filler: str) -> None:
    assert len(ask(filler * 100_000)) < 5_000
