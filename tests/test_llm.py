"""The model's client: each way in which an endpoint fails has its own short sentence, and no secret in it."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlmodel import select

from chat_app.data.models import Role
from chat_app.replies import llm
from chat_app.replies.llm import OpenAIModel, Turn
from tests.support.core import Core
from tests.support.scripted_model import (
    BAD_JSON,
    BAD_KEY,
    BAD_UTF8,
    BARE_ERROR_EVENT,
    EMPTY_CHOICES,
    ERROR_EVENT,
    HALF_AN_EVENT,
    NO_QUOTA,
    NULL_CHOICES,
    NULL_CONTENT,
    NULL_DELTA,
    SERVER_ERROR,
    SURROGATE_HALVES,
    TOO_LONG,
    UNKNOWN_MODEL,
    USAGE_ONLY,
    Drop,
    Event,
    Garbage,
    Hang,
    Hold,
    Html,
    KeepAlives,
    Raw,
    Say,
    Script,
    ScriptedModel,
    Silence,
    Status,
    Step,
    reasoning,
    refusal,
    refused,
    too_many,
)
from tests.support.world import settings
from tributary_streams import Finish, Patience, SourceError, Stream, StreamStatus, Usage

TURNS = [Turn(Role.USER, "@gpt hi", "Ada")]
CANARY = "sk-CANARY0123456789"


@pytest.fixture
async def endpoint() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as endpoint:
        yield endpoint


@pytest.fixture
async def model(endpoint: ScriptedModel, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenAIModel]:
    monkeypatch.setattr(llm, "_BACKOFF", lambda _: 0.0)
    model = OpenAIModel(settings(openai_api_key=CANARY, openai_base_url=endpoint.base_url))
    yield model
    await model.close()


async def said(model: OpenAIModel) -> tuple[str, str | Finish]:
    """The text of a reply, and its finish or the sentence with which it failed."""
    text = ""
    try:
        async for item in model.reply(TURNS, ""):
            if isinstance(item, Finish):
                return text, item
            text += item
    except SourceError as error:
        return text, error.reason
    return text, "nothing"


@pytest.mark.parametrize(
    ("script", "expected", "requests"),
    [
        (BAD_KEY, "The model refused the server's key.", 1),
        (NO_QUOTA, "The model's quota is used up.", 1),
        (UNKNOWN_MODEL, "The model is not known at its address.", 1),
        (TOO_LONG, "The thread has grown too long for the model.", 1),
        (too_many(3600), "The model has too much to do. Try again in about 60 minutes.", 1),
        (too_many(45), "The model has too much to do. Try again in about 45 seconds.", 1),
        (too_many(0), "The model has too much to do. Try again in about 0 seconds.", 3),
        (SERVER_ERROR, "The model's server failed.", 3),
        (Status(503, headers={"Retry-After": "3600"}), "The model's server failed.", 1),
        (Status(418), "The model refused the request.", 1),
        (Status(302, headers={"Location": "/v1/elsewhere"}), "The model refused the request.", 1),
        (Html(), "What answers at the model's address is not a model.", 1),
        (Garbage(b"\x00\xff" * 100), "The model sent something that makes no sense.", 1),
        (Drop(), "The model cannot be reached.", 3),
        (Say([Drop()]), "The model cannot be reached.", 3),
        (Say([], finish=None), "The model broke off without finishing.", 3),
    ],
)
async def test_what_fails_before_the_first_delta(
    endpoint: ScriptedModel, model: OpenAIModel, script: Script, expected: str, requests: int
) -> None:
    endpoint.enqueue(*[script] * 3)
    assert await said(model) == ("", expected)
    assert len(endpoint.requests) == requests


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([Drop()], "The connection to the model broke."),
        ([Drop(is_reset=True)], "The connection to the model broke."),
        ([BAD_JSON], "The model sent something that makes no sense."),
        ([BAD_UTF8], "The model sent something that makes no sense."),
        ([ERROR_EVENT], "The model reported an error."),
    ],
)
async def test_what_fails_in_mid_stream_is_not_tried_again(
    endpoint: ScriptedModel, model: OpenAIModel, steps: Sequence[object], expected: str
) -> None:
    endpoint.enqueue(Say(["So far", *steps]))  # pyright: ignore[reportArgumentType]
    assert await said(model) == ("So far", expected)
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "script",
    [
        Say(["So far"], finish=None),
        Say(["So far"], finish=None, ends=False),
        Say(["So far", HALF_AN_EVENT], finish=None, ends=False),
        Say(["So far", BARE_ERROR_EVENT], finish=None),
    ],
)
async def test_an_end_without_a_finish_reason_is_an_error(
    endpoint: ScriptedModel, model: OpenAIModel, script: Say
) -> None:
    endpoint.enqueue(script)
    assert (await said(model))[1] in {
        "The model broke off without finishing.",
        "The model sent something that makes no sense.",
    }


@pytest.mark.parametrize(("finish", "expected"), [("content_filter", "The model's content filter ended the reply.")])
async def test_a_content_filter_is_an_error(
    endpoint: ScriptedModel, model: OpenAIModel, finish: str, expected: str
) -> None:
    endpoint.enqueue(Say(["So far"], finish=finish))
    assert await said(model) == ("So far", expected)


@pytest.mark.parametrize(
    ("script", "text", "reason"),
    [
        (Say(["All."]), "All.", ""),
        (Say(["Cut"], finish="length"), "Cut", "Cut off at the length limit."),
        (Say([refusal("I would "), refusal("rather not.")]), "I would rather not.", "The model declined to answer."),
        (Say([]), "", ""),
        (Say([EMPTY_CHOICES, NULL_CHOICES, NULL_DELTA, NULL_CONTENT, USAGE_ONLY, "All."]), "All.", ""),
        (Say([reasoning("Hm. "), "All."]), "All.", ""),
        (Say(["é😀語 " * 20], split_bytes=1), "é😀語 " * 20, ""),
        (Say(["All."], ends=False), "All.", ""),
    ],
)
async def test_what_ends_well(endpoint: ScriptedModel, model: OpenAIModel, script: Say, text: str, reason: str) -> None:
    endpoint.enqueue(script)
    got, finish = await said(model)
    assert isinstance(finish, Finish)
    assert (got, finish.reason) == (text, reason)


async def test_what_passes_by_itself_is_tried_again(endpoint: ScriptedModel, model: OpenAIModel) -> None:
    endpoint.enqueue(too_many(0.01), Drop(), Say(["At last."]))
    assert (await said(model))[0] == "At last."
    assert len(endpoint.requests) == 3


async def test_a_wait_that_people_notice_is_told_until_it_is_over(
    endpoint: ScriptedModel, model: OpenAIModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    endpoint.enqueue(too_many(0.01), Drop(), Say(["Short."]))
    assert await anext(model.reply(TURNS, "", on_wait=told.append)) == "Short."
    assert told == []

    monkeypatch.setattr(llm, "TOLD_FROM", 0.01)
    endpoint.enqueue(too_many(0.01), Say(["Long."]))
    assert await anext(model.reply(TURNS, "", on_wait=told.append)) == "Long."
    assert told == ["The model is busy; trying again in 0 s.", ""]


async def test_a_stop_does_not_sit_out_a_wait(endpoint: ScriptedModel, model: OpenAIModel, core: Core) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    endpoint.enqueue(too_many(7))
    stream_id = await core.create()
    writer = core.writer(stream_id, lambda: model.reply(TURNS, "", on_wait=told.put_nowait))
    writing = asyncio.create_task(writer.run())
    assert await told.get() == "The model is busy; trying again in 7 s."

    async with asyncio.timeout(1):
        writer.stop()
        assert await writing
    assert (await core.body(stream_id)).status is StreamStatus.STOPPED
    assert len(endpoint.requests) == 1


async def test_a_connection_that_is_refused(endpoint: ScriptedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm, "_BACKOFF", lambda _: 0.0)
    model = OpenAIModel(settings(openai_base_url="http://127.0.0.1:9/v1"))
    assert await said(model) == ("", "The model cannot be reached.")
    await model.close()


async def test_the_name_of_the_limit_is_switched_once_and_remembered(
    endpoint: ScriptedModel, model: OpenAIModel
) -> None:
    endpoint.enqueue(
        refused(400, "Unsupported parameter: 'max_completion_tokens'.", "unsupported_parameter"),
        Say(["One."]),
        Say(["Two."]),
    )
    assert (await said(model))[0] == "One."
    assert (await said(model))[0] == "Two."
    keys = [sorted(key for key in request.body if "tokens" in key) for request in endpoint.requests]
    assert keys == [["max_completion_tokens"], ["max_tokens"], ["max_tokens"]]


async def test_two_first_replies_at_once_both_switch(endpoint: ScriptedModel, model: OpenAIModel) -> None:
    refusal_of_it = refused(400, "Unsupported parameter: 'max_completion_tokens'.", "unsupported_parameter")
    # Whichever comes first: the second may ask when the first has switched already.
    endpoint._choose = lambda request: refusal_of_it if "max_completion_tokens" in request.body else Say(["Yes."])
    assert [text for text, _ in await asyncio.gather(said(model), said(model))] == ["Yes.", "Yes."]


FINISH = Event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


async def test_what_breaks_after_the_finish_breaks_nothing(endpoint: ScriptedModel, model: OpenAIModel) -> None:
    endpoint.enqueue(Say(["All.", FINISH, Drop()], finish=None))
    text, end = await said(model)
    assert (text, isinstance(end, Finish)) == ("All.", True)


@pytest.mark.parametrize("steps", [[Hang()], [KeepAlives()], [Raw(b"data: [DONE]\n\n"), Hang()]])
async def test_a_connection_that_stays_open_after_the_finish_is_left(
    endpoint: ScriptedModel, model: OpenAIModel, monkeypatch: pytest.MonkeyPatch, steps: Sequence[Step]
) -> None:
    monkeypatch.setattr(llm, "USAGE_WITHIN", 0.05)
    endpoint.enqueue(Say(["All.", FINISH, USAGE_ONLY, *steps], finish=None))
    assert await said(model) == ("All.", Finish("", Usage(3, 2)))
    await endpoint.cancelled(0)


async def test_usage_that_comes_a_little_after_the_finish_is_taken(endpoint: ScriptedModel, model: OpenAIModel) -> None:
    endpoint.enqueue(Say(["All.", FINISH, Hold()], finish=None))
    saying = asyncio.create_task(said(model))
    await endpoint.held(1)
    endpoint.release()
    assert await saying == ("All.", Finish("", Usage(7, 1)))
    await endpoint.finished(0)


async def test_a_nonsensical_wait_is_not_believed(endpoint: ScriptedModel, model: OpenAIModel) -> None:
    for wait in (float("nan"), float("inf"), -1.0):
        endpoint.enqueue(*[too_many(wait)] * 3)
        assert (await said(model))[1] == "The model has too much to do. Try again in a moment."


async def test_names_tell_the_authors_apart(endpoint: ScriptedModel, model: OpenAIModel) -> None:
    await said(model)
    (request,) = endpoint.requests
    assert request.body["messages"] == [{"role": "user", "content": "@gpt hi", "name": "Ada"}]


async def test_a_name_and_a_password_in_the_address_take_the_keys_place(endpoint: ScriptedModel) -> None:
    address = endpoint.base_url.replace("://", "://proxy:p%40ss@")
    model = OpenAIModel(settings(openai_api_key=CANARY, openai_base_url=address))
    endpoint.enqueue(Say(["Word"]))
    assert (await said(model))[0] == "Word"
    await model.close()
    assert endpoint.requests[0].headers["authorization"] == f"Basic {b64encode(b'proxy:p@ss').decode()}"


async def test_who_stops_listening_lets_go_of_the_model(endpoint: ScriptedModel, model: OpenAIModel) -> None:
    endpoint.enqueue(Say(["Once", Hang()]))
    items = model.reply(TURNS, "")
    assert await anext(items) == "Once"
    await items.aclose()
    await endpoint.cancelled(0)


@pytest.mark.parametrize("script", [BAD_KEY, NO_QUOTA, SERVER_ERROR, Html(), Drop(), Say(["a", ERROR_EVENT])])
async def test_no_key_and_no_word_of_the_provider_gets_out(
    endpoint: ScriptedModel, model: OpenAIModel, caplog: pytest.LogCaptureFixture, script: Script
) -> None:
    caplog.set_level("DEBUG", logger="chat_app")
    endpoint.enqueue(*[script] * 3)
    _, reason = await said(model)
    told = f"{reason} {caplog.text}"
    for secret in (CANARY, "sk-", "http", "127.0.0.1", "upstream", "Traceback"):
        assert secret not in told


@pytest.mark.parametrize("script", [Silence(), Say([KeepAlives()]), Say(["Word", KeepAlives()]), Say(["Word", Hang()])])
async def test_silence_and_keep_alives_are_timed_out(
    endpoint: ScriptedModel, model: OpenAIModel, core: Core, script: Script
) -> None:
    endpoint.enqueue(script)
    stream_id = await core.create()
    writer = core.writer(stream_id, lambda: model.reply(TURNS, ""), patience=Patience(first_delta=0.3, gap=0.3))
    assert await writer.run()
    assert (await core.body(stream_id)).status is StreamStatus.TIMEOUT
    await endpoint.cancelled(0)


async def test_reasoning_keeps_a_reply_alive_and_usage_is_stored(
    endpoint: ScriptedModel, model: OpenAIModel, core: Core
) -> None:
    endpoint.enqueue(Say([reasoning("hm "), *SURROGATE_HALVES, " done."]))
    stream_id = await core.create()
    await core.writer(stream_id, lambda: model.reply(TURNS, "")).run()
    async with core.transactions.read() as session:
        stream = (await session.execute(select(Stream))).scalar_one()
    assert (await core.body(stream_id)).text == "😀 done."
    assert stream.tokens_in is not None
    assert stream.tokens_out is not None


async def test_many_replies_share_one_client(endpoint: ScriptedModel, model: OpenAIModel) -> None:
    assert [text for text, _ in await asyncio.gather(*(said(model) for _ in range(20)))] == [
        "This is a short reply. It has two sentences."
    ] * 20
