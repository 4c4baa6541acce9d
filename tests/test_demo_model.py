"""The built-in offline model, over real HTTP and through the real client; and what it says."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_app.demo_model import DEMO_MODEL, INSTANT, Pace, deltas_of, serve_demo_model
from chat_app.demo_replies import ChatMessage, compose_reply

NOON = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)


def ask(text: str, name: str = "", before: list[ChatMessage] | None = None) -> str:
    asked = ChatMessage(role="user", content=text, name=name) if name else ChatMessage(role="user", content=text)
    return compose_reply([*(before or []), asked], NOON)


def request(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": DEMO_MODEL, "messages": [{"role": "user", "content": text}], **fields}


@dataclass(frozen=True)
class Waiting(Pace):
    """A pace that says the first delta, and then waits for ever."""

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
    asked: Any = [{"role": "user", "content": "compare tea and coffee", "name": "Mira"}]
    async with serve_demo_model(INSTANT) as url, openai.AsyncOpenAI(base_url=url, api_key="none") as client:
        stream = await client.chat.completions.create(
            model=DEMO_MODEL, messages=asked, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]

    first, *middle, finish, usage = chunks
    assert (first.choices[0].delta.role, first.choices[0].delta.content) == ("assistant", "")
    said = [chunk.choices[0].delta.content or "" for chunk in middle]
    assert "".join(said) == compose_reply(asked)
    assert all(chunk.choices[0].finish_reason is None for chunk in middle)
    assert finish.choices[0].finish_reason == "stop"
    assert usage.choices == []
    assert usage.usage is not None
    assert usage.usage.completion_tokens == len(said)
    assert len({chunk.id for chunk in chunks}) == 1


async def test_the_events_are_those_of_openai_to_the_letter() -> None:
    async with serve_demo_model(INSTANT) as url, httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/chat/completions", json=request("ping", stream=True))

    assert answer.headers["content-type"].startswith("text/event-stream")
    events = answer.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    assert all(chunk["object"] == "chat.completion.chunk" and "usage" not in chunk for chunk in chunks)
    assert chunks[-1]["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]


async def test_a_whole_reply_is_the_same_text_and_a_limit_cuts_it() -> None:
    asked: Any = [{"role": "user", "content": "write a haiku about rain"}]
    async with serve_demo_model(INSTANT) as url, openai.AsyncOpenAI(base_url=url, api_key="none") as client:
        whole = await client.chat.completions.create(model=DEMO_MODEL, messages=asked)
        cut = await client.chat.completions.create(model=DEMO_MODEL, messages=asked, max_completion_tokens=5)

    text = compose_reply(asked)
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == (text, "stop")
    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == ("".join(deltas_of(text)[:5]), "length")
    assert cut.usage is not None
    assert cut.usage.completion_tokens == 5


async def test_models_are_listed_and_an_unknown_one_is_not_found() -> None:
    async with serve_demo_model(INSTANT) as url, openai.AsyncOpenAI(base_url=url, api_key="none") as client:
        assert [model.id async for model in client.models.list()] == [DEMO_MODEL]
        assert (await client.models.retrieve(DEMO_MODEL)).id == DEMO_MODEL
        with pytest.raises(openai.NotFoundError) as refused:
            await client.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "hi"}])
    assert refused.value.code == "model_not_found"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        b"{}",
        request("hi") | {"messages": None},
        request("hi") | {"messages": []},
        request("hi") | {"messages": ["hi"]},
        request("hi") | {"messages": [{"role": "robot", "content": "hi"}]},
        request("hi") | {"messages": [{"role": "user", "content": "hi", "name": "two words"}]},
        request("hi") | {"messages": [{"role": "user", "content": 7}]},
        request("hi", stream="yes"),
        request("hi", stream_options={"include_usage": True}),
        request("hi", n=2),
        request("hi", max_tokens=0),
        request("hi", max_tokens="many"),
    ],
)
async def test_bad_input_is_refused_in_openais_shape(body: bytes | dict[str, Any]) -> None:
    async with serve_demo_model(INSTANT) as url, httpx.AsyncClient() as client:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await client.post(f"{url}/chat/completions", content=content)
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


async def test_other_addresses_and_methods_are_refused_in_openais_shape() -> None:
    async with serve_demo_model(INSTANT) as url, httpx.AsyncClient() as client:
        answers = [await client.get(f"{url}/nothing"), await client.get(f"{url}/chat/completions")]
        half = await client.post(f"{url}/chat/completions", content=b'{"model": "\\ud83d", "messages": []}')
    assert [answer.status_code for answer in [*answers, half]] == [404, 405, 404]
    assert all(answer.json()["error"]["type"] == "invalid_request_error" for answer in [*answers, half])


async def test_a_client_that_leaves_ends_the_generation() -> None:
    pace = Waiting()
    async with serve_demo_model(pace) as url, openai.AsyncOpenAI(base_url=url, api_key="none") as client:
        stream = await client.chat.completions.create(
            model=DEMO_MODEL, messages=[{"role": "user", "content": "a long essay"}], stream=True
        )
        await anext(aiter(stream))
        await asyncio.wait_for(pace.is_waiting.wait(), 5)
        assert not pace.is_cancelled.is_set()
        await stream.close()
        await asyncio.wait_for(pace.is_cancelled.wait(), 5)


async def test_the_server_ends_quietly_with_streams_open(caplog: pytest.LogCaptureFixture) -> None:
    pace = Waiting()
    async with httpx.AsyncClient() as client:
        async with serve_demo_model(pace) as url:
            sent = client.build_request("POST", f"{url}/chat/completions", json=request("an essay", stream=True))
            answer = await client.send(sent, stream=True)
            await asyncio.wait_for(pace.is_waiting.wait(), 5)
        assert pace.is_cancelled.is_set()
        with pytest.raises(httpx.TransportError):
            await answer.aread()
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{url}/models")
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    assert caplog.records == []


# --- what it says -----------------------------------------------------------------------------------------------------


@given(st.text())
def test_deltas_lose_no_character(text: str) -> None:
    assert "".join(deltas_of(text)) == text
    assert all(0 < len(delta) <= 6 for delta in deltas_of(text))


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("@gpt what is 17*23+4", "395"),
        ("What's (3 + 4) * -2?", "-14"),
        ("2^100", "1267650600228229401496703205376"),
        ("calculate 0.1 + 0.2 please", "0.3"),
        ("1,234 × 5", "6170"),
        ("what is 17 divided by 4", "4.25"),
        ("15% of 80", "12"),
        ("2/3", "2/3 ≈ 0.6666666667"),
        ("7 // 2 + 7 % 4", "6"),
        ("Was ist 12 mal 12?", "144"),
        ("17*23は？", "391"),
    ],
)
def test_arithmetic_is_exact(question: str, value: str) -> None:
    assert f"**{value}**" in ask(question)


@pytest.mark.parametrize("question", ["2**99999", "9**9**9", "1/0", "what is 5 % 0", "(((1+2", "1++", "1+" * 900 + "1"])
def test_arithmetic_that_cannot_be_done_is_declined(question: str) -> None:
    assert not re.search(r"= \*\*\d", ask(question))


def test_different_questions_get_different_answers() -> None:
    questions = [
        "hello", "thanks", "bye", "who are you?", "how does Tributary work?", "what happens when I refresh?",
        "what do the other people see?", "how do I use a real model?", "what time is it?", "help", "tell me a joke",
        "compare tea and coffee", "compare cats and dogs", "plan a trip to the sea", "steps to learn the piano",
        "write a python function for primes", "give me a sql query for top customers", "bash script to rename files",
        "javascript function to debounce", "a haiku about rain", "a poem about rain", "a story about rain",
        "a long essay about rain", "reverse hello", "uppercase: hello", "sort: b, a", "rewrite: i'm gonna be late",
        "Hallo, wer bist du?", "Bonjour, qui es-tu ?", "¿Quién eres?", "あなたは誰ですか", "你是谁？",
        "Why is the sky blue?", "How do I bake bread?", "Should we use microservices?", "Tell me about recursion",
    ]  # fmt: skip
    assert len({ask(question) for question in questions}) == len(questions)
    assert [ask(question) for question in questions] == [ask(question) for question in questions]


@pytest.mark.parametrize("topic", ["rain", "old maps", "the price of bread", "recursion", "Why do cats purr?"])
def test_what_it_cannot_know_it_says_plainly(topic: str) -> None:
    reply = ask(f"Tell me about {topic}")
    assert "demo model" in reply.lower()
    assert topic.lower().removeprefix("the ").removeprefix("why do ").rstrip("?") in reply.lower()


def test_it_says_what_it_is_and_how_to_get_a_real_model() -> None:
    reply = ask("@gpt are you a real model?")
    assert "**demo model** built into Tributary" in reply
    assert all(hint in reply for hint in ("`OPENAI_API_KEY`", "`OPENAI_BASE_URL`", "`.env`"))


def test_a_comparison_is_a_table_of_the_things_compared() -> None:
    table = ask("Compare Kafka, RabbitMQ and Redis for a small team")
    assert "| | **Kafka** | **RabbitMQ** | **Redis** |\n|---|---|---|---|\n" in table


def test_code_that_is_offered_can_be_read_by_its_language() -> None:
    for about in ("primes", "a csv file", "an http api", "lambda", 'quotes """ and \\ and ```', "é", "class"):
        code = re.search(r"```python\n(.*?)\n```", ask(f"write a python function for {about}"), re.DOTALL)
        assert code is not None
        ast.parse(code[1])


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ('count the words in "many streams, one river"', "**4 words**, **23 characters**"),
        ("how many characters are in hello world?", "**11 characters**"),
        ("reverse été", "été"[::-1]),
        ("uppercase: straße", "STRASSE"),
        ("sort these: pear, apple, fig", "apple, fig, pear"),
        ("sort 10, 9, 3.5", "3.5, 9, 10"),
        ("rewrite this: i can't really come", "I cannot come."),
        ("what is the date?", "Sunday, 1 March 2026"),
        ("what time is it", "12:05"),
        ("count to 5", "1, 2, 3, 4, 5."),
    ],
)
def test_what_can_be_worked_out_is_worked_out(question: str, answer: str) -> None:
    assert answer in ask(question)


def test_a_long_answer_is_long_and_has_headings() -> None:
    essay = ask("write a long essay about patience")
    assert len(essay) > 2_000
    assert essay.count("\n## ") >= 3
    assert "patience" in essay


def test_the_thread_is_summarised_from_what_was_said_with_names() -> None:
    said: list[ChatMessage] = [
        {"role": "user", "content": "Shall we meet on Monday?", "name": "Mira"},
        {"role": "user", "content": "Tuesday suits me better", "name": "Anton_B"},
        {"role": "assistant", "content": "Noted."},
    ]
    summary = ask("@gpt summarise this thread", "Mira", said)
    assert "**Mira** (1 message): `Shall we meet on Monday?`" in summary
    assert "**Anton B** (1 message): `Tuesday suits me better`" in summary
    assert "**Anton B** wrote" in ask("what did Anton say?", "Mira", said)
    assert "Anton B" in ask("who is in this thread?", "Mira", said)
    assert "Anton B" in ask("hello", "Mira", said)


def test_a_follow_up_is_about_what_was_said_before() -> None:
    first: list[ChatMessage] = [{"role": "user", "content": "Tell me about tides"}]
    said = [*first, ChatMessage(role="assistant", content=compose_reply(first))]
    replies = [ask(wish, before=said) for wish in ("more", "why?", "longer", "shorter", "put it into a table")]
    assert len(set(replies)) == 5
    assert all("tides" in reply.lower() for reply in replies)
    assert len(replies[3]) < 160 < len(replies[0])


@pytest.mark.parametrize("asked_on", [None, "continue", "Continue exactly where you stopped."])
def test_an_unfinished_reply_is_continued_where_it_stopped(asked_on: str | None) -> None:
    first: list[ChatMessage] = [{"role": "user", "content": "a long essay about patience", "name": "Mira"}]
    whole = compose_reply(first)
    messages = [*first, ChatMessage(role="assistant", content=whole[:1_000])]
    if asked_on:
        messages.append({"role": "user", "content": asked_on})
    assert compose_reply(messages) == whole[1_000:]


HOSTILE = "<img src=x onerror=a(1)> [x](http://a.example) ![y](//a.example/y) www.a.example a@b.example ``` ~~~ |"
REQUESTS = ["", "compare {} and {}", "plan {}", "summarise: {}" + " and so on" * 20, "reverse {}", "rewrite: {}",
            "what is {}", "a poem about {}", "write a python function for {}", "sort {}", "list ideas for {}",
            "a table of {}", "an essay about {}", "Was ist {} und wie", "count the words in {}"]  # fmt: skip


@pytest.mark.parametrize("question", REQUESTS)
def test_what_people_wrote_comes_back_only_as_words_or_as_code(question: str) -> None:
    before: list[ChatMessage] = [{"role": "user", "content": HOSTILE, "name": "[Eve](//e)<b>"}]
    for text in (question.format(HOSTILE, HOSTILE), "summarise the thread", "more", "who is here?"):
        reply = ask(text, "`Eve`", before)
        prose = re.sub(r"(`{3,})(?:.|\n)*?\n\1", "", reply)
        prose = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", prose)
        assert not re.search(r"[<\[\]~@]|://|//|www\.", prose), prose


def test_backticks_in_a_text_do_not_end_the_code_it_is_shown_in() -> None:
    assert ask("uppercase: one\n```\n<b>") == "````text\nONE\n```\n<B>\n````"
    assert "```a ` b `` <i>```" in ask("summarise this thread", before=[{"role": "user", "content": "a ` b `` <i>"}])


def test_what_is_asked_stands_after_the_mention() -> None:
    assert ask("Yes, we should plan that. @gpt what is 6*7, by the way?") == ask("what is 6*7, by the way?")
    assert "three words here" in ask("three words here @GPT, reverse this please").lower()[::-1]
    assert ask("thanks @gpt") == ask("thanks")
    assert "`a@gptmail.com now`" in ask("count the words in a@gptmail.com now")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(HOSTILE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "type"]), inner),
    max_leaves=5,
)
words = st.lists(
    st.sampled_from(
        ["@gpt", "compare", "vs", "and", "count", "sort", "reverse", "12", "*", "(", "/", "table", "more", "„", ":"]
    )
    | st.text(max_size=8),
    max_size=12,
).map(" ".join)
conversations = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "role": st.sampled_from(["user", "assistant", "system"]) | anything,
            "content": words | anything,
            "name": anything,
        },
    )
    | anything,
    max_size=5,
)


@given(conversations)
@settings(deadline=None, max_examples=300)
def test_a_reply_is_composed_for_any_messages(messages: list[Any]) -> None:
    reply = compose_reply(cast("list[ChatMessage]", messages), NOON)
    assert reply
    reply.encode()


@pytest.mark.parametrize(
    "filler", ["a", " ", "„", "«", "`", "(", "1+", "word ", "\n", "'", "- ", "compare ", "@gpt ", "😀", "1 ", "#"]
)
@pytest.mark.parametrize("start", ["", "count the words in ", "sort: ", "summarise: x", "compare "])
def test_a_huge_message_is_answered_in_the_time_of_a_small_one(start: str, filler: str) -> None:
    size = 200_000
    reply = ask(start + filler * (size // len(filler)))
    assert 0 < len(reply) < 20_000


def test_a_long_conversation_of_unfinished_replies_is_answered() -> None:
    turns: list[ChatMessage] = [{"role": "user", "content": "continue"}, {"role": "assistant", "content": "x"}]
    assert compose_reply(turns * 2_000)
