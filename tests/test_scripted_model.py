"""The scripted endpoint does what its scripts say, as the real client sees it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest

from tests.support import scripted_model as scripted
from tests.support.scripted_model import (
    Drop,
    Garbage,
    Hang,
    Hold,
    Html,
    KeepAlives,
    Say,
    ScriptedModel,
    ScriptedModelThread,
    Silence,
)


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        yield model


@pytest.fixture
async def client(model: ScriptedModel) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=model.base_url, api_key="none", max_retries=0) as client:
        yield client


async def opened(client: openai.AsyncOpenAI, text: str = "hi", **options: Any) -> openai.AsyncStream[Any]:
    messages: Any = [{"role": "user", "content": text}]
    return await client.chat.completions.create(model="scripted", messages=messages, stream=True, **options)


async def text_of(stream: openai.AsyncStream[Any]) -> str:
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


def test_the_reference_reply_is_as_the_budgets_assume() -> None:
    deltas = scripted.REFERENCE_DELTAS
    assert (len(deltas), {len(delta) for delta in deltas}) == (2_000, {4})
    assert scripted.REFERENCE_TEXT.count(". ") + 1 == 40
    assert len(set(scripted.REFERENCE_TEXT.split(". "))) == 40


async def test_a_reply_is_streamed_with_usage_and_recorded(model: ScriptedModel, client: openai.AsyncOpenAI) -> None:
    model.enqueue(Say(["Half ", "done"], finish="length"))
    chunks = [chunk async for chunk in await opened(client, stream_options={"include_usage": True})]
    assert [chunk.choices[0].delta.content for chunk in chunks if chunk.choices] == ["", "Half ", "done", None]
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].usage.completion_tokens == 2
    assert model.requests[0].body["messages"] == [{"role": "user", "content": "hi"}]
    assert model.requests[0].headers["authorization"] == "Bearer none"
    await model.finished(0)


async def test_without_a_script_the_request_decides(model: ScriptedModel, client: openai.AsyncOpenAI) -> None:
    assert await text_of(await opened(client)) == "".join(scripted.SHORT_DELTAS)
    assert await text_of(await opened(client)) == "".join(scripted.SHORT_DELTAS)
    stream = await opened(client, "the reference, please")
    assert await anext(aiter(stream))
    await stream.close()
    await model.cancelled(2)


async def test_a_reply_stands_still_until_it_is_released(model: ScriptedModel, client: openai.AsyncOpenAI) -> None:
    model.enqueue(Say(["a", Hold(), "b", Hold(), "c"]))
    chunks = aiter(await opened(client))
    assert [(await anext(chunks)).choices[0].delta.content for _ in range(2)] == ["", "a"]
    await model.held(1)
    waiting = asyncio.ensure_future(anext(chunks))
    assert await text_of(await opened(client)) == "".join(scripted.SHORT_DELTAS)  # time enough for a "b" to arrive
    assert not waiting.done()
    model.release()
    assert (await waiting).choices[0].delta.content == "b"
    await model.held(2)
    model.release()
    assert (await anext(chunks)).choices[0].delta.content == "c"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_bytes_are_split_within_characters(size: int, model: ScriptedModel, client: openai.AsyncOpenAI) -> None:
    script = Say(["é漢", "👍🏽", "ü"], split_bytes=size)
    model.enqueue(script, script)
    assert await text_of(await opened(client)) == "é漢👍🏽ü"

    async with httpx.AsyncClient() as raw:
        asked = raw.stream("POST", f"{model.base_url}/chat/completions", json={"stream": True})
        async with asked as answer:
            frames = [frame async for frame in answer.aiter_raw()]
    assert max(len(frame) for frame in frames) == size


async def test_half_surrogates_arrive_as_halves(model: ScriptedModel, client: openai.AsyncOpenAI) -> None:
    model.enqueue(Say(scripted.SURROGATE_HALVES))
    deltas = [chunk.choices[0].delta.content async for chunk in await opened(client)]
    assert deltas[1:3] == ["\ud83d", "\ude00"]


@pytest.mark.parametrize("step", [Hang(), KeepAlives()])
async def test_silence_lasts_until_the_client_leaves(
    step: scripted.Step, model: ScriptedModel, client: openai.AsyncOpenAI
) -> None:
    model.enqueue(Say(["a", step]))
    stream = await opened(client)
    await model.received(1)
    await stream.close()
    await model.cancelled(0)
    with pytest.raises(AssertionError):
        await model.finished(0)


async def test_a_request_may_never_be_answered(model: ScriptedModel, client: openai.AsyncOpenAI) -> None:
    model.enqueue(Silence())
    asking = asyncio.ensure_future(opened(client))
    await model.received(1)
    asking.cancel()
    await model.cancelled(0)


@pytest.mark.parametrize("drop", [Drop(), Drop(is_reset=True)])
async def test_a_connection_is_dropped_before_or_within_a_reply(
    drop: Drop, model: ScriptedModel, client: openai.AsyncOpenAI
) -> None:
    model.enqueue(drop, Say(["a", Hold(), drop, "b"]))
    with pytest.raises(openai.APIConnectionError):
        await opened(client)
    stream = aiter(await opened(client))
    assert [(await anext(stream)).choices[0].delta.content for _ in range(2)] == ["", "a"]
    model.release()
    with pytest.raises(openai.APIConnectionError):
        await anext(stream)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (scripted.BAD_KEY, openai.AuthenticationError),
        (scripted.UNKNOWN_MODEL, openai.NotFoundError),
        (scripted.TOO_LONG, openai.BadRequestError),
        (scripted.NO_QUOTA, openai.RateLimitError),
        (scripted.too_many(3), openai.RateLimitError),
        (scripted.SERVER_ERROR, openai.InternalServerError),
    ],
)
async def test_refusals_are_those_of_openai(
    script: scripted.Status, error: type[openai.APIStatusError], model: ScriptedModel, client: openai.AsyncOpenAI
) -> None:
    model.enqueue(script)
    with pytest.raises(error) as refused:
        await opened(client)
    assert refused.value.response.headers.get("retry-after") == script.headers.get("Retry-After")
    assert refused.value.body == json.loads(json.dumps(script.body))["error"]


async def test_ends_that_are_no_ends_look_like_ends(model: ScriptedModel, client: openai.AsyncOpenAI) -> None:
    model.enqueue(
        Say(["a"], finish=None, ends=False),
        Say(["a", scripted.HALF_AN_EVENT], finish=None, ends=False),
        Html(),
        Garbage(b"\x00?"),
    )
    for said in ("a", "a", "", ""):
        assert await text_of(await opened(client)) == said


@pytest.mark.parametrize(
    ("step", "error"), [(scripted.BAD_JSON, json.JSONDecodeError), (scripted.BAD_UTF8, UnicodeDecodeError)]
)
async def test_malformed_events_break_the_client(
    step: scripted.Raw, error: type[ValueError], model: ScriptedModel, client: openai.AsyncOpenAI
) -> None:
    model.enqueue(Say(["a", step]))
    with pytest.raises(error):
        await text_of(await opened(client))


async def test_odd_chunks_are_sent_as_written(model: ScriptedModel, client: openai.AsyncOpenAI) -> None:
    odd = [
        scripted.EMPTY_CHOICES,
        scripted.NULL_CHOICES,
        scripted.USAGE_ONLY,
        scripted.NULL_DELTA,
        scripted.NULL_CONTENT,
        scripted.refusal("no"),
        scripted.reasoning("hm"),
    ]
    model.enqueue(Say(odd, finish="content_filter"))
    chunks = [chunk async for chunk in await opened(client)][1:]
    assert [chunk.choices for chunk in chunks[:3]] == [[], None, []]
    assert chunks[3].choices[0].delta is None
    assert chunks[4].choices[0].delta.content is None
    assert chunks[5].choices[0].delta.refusal == "no"
    assert chunks[6].choices[0].delta.reasoning_content == "hm"
    assert chunks[7].choices[0].finish_reason == "content_filter"


async def test_an_error_event_raises_only_if_it_has_openais_shape(
    model: ScriptedModel, client: openai.AsyncOpenAI
) -> None:
    model.enqueue(Say(["a", scripted.ERROR_EVENT]), Say(["a", scripted.BARE_ERROR_EVENT], finish=None, ends=False))
    with pytest.raises(openai.APIError):
        await text_of(await opened(client))
    assert await text_of(await opened(client)) == "a"


def test_a_thread_of_its_own_serves_a_test_without_a_loop() -> None:
    messages: Any = [{"role": "user", "content": "hi"}]
    with (
        ScriptedModelThread() as model,
        openai.OpenAI(base_url=model.base_url, api_key="none", max_retries=0) as client,
    ):
        model.enqueue(Say(["a", Hold(), "b"]), Say(["a", Hang()]))
        stream = client.chat.completions.create(model="scripted", messages=messages, stream=True)
        model.held(1)
        model.release()
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "ab"
        model.finished(0)
        left = client.chat.completions.create(model="scripted", messages=messages, stream=True)
        model.received(2)
        left.close()
        model.cancelled(1)
        assert len(model.requests) == 2
