"""The OpenAPI document: whatever is asked of the interface, it answers as the document says, and never with an error of
its own."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.conftest import Caller, Interface
from tests.support.core import HandFed
from tributary_streams import Finish

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ACCEPT = ("*/*", "application/json", "text/event-stream", "text/plain")
TEXT = "Naïve 👩‍🔬 e\u0301 漢字."


def answers_at_once(interface: Interface) -> None:
    """Let the model say its text whenever it is asked."""

    def source(number: int) -> HandFed:
        source = HandFed()
        source.say(TEXT, Finish())
        return source

    interface.world.model.source = source


async def ended(interface: Interface, caller: Caller, thread_id: str) -> str:
    """The id of a stream that has ended."""
    stream_id = await caller.ask(thread_id)
    await interface.world.written()
    return stream_id


def limits(examples: int, *, is_random: bool) -> Any:
    return settings(
        max_examples=examples,
        derandomize=not is_random,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )


def ask_everything(url: str, token: str, ids: dict[str, list[Any]], examples: int, *, is_random: bool) -> int:
    """Ask each operation so many times, with what fits its description and with what does not; how often it was."""
    schema = schemathesis.openapi.from_url(f"{url}/api/openapi.json", config=SchemathesisConfig())
    asked = 0

    def check(operation: Any, mode: GenerationMode) -> None:
        @limits(examples, is_random=is_random)
        @given(
            case=operation.as_strategy(generation_mode=mode),
            is_known=st.booleans(),
            which=st.integers(0, 1000),
            accept=st.sampled_from(ACCEPT),
            is_me=st.integers(0, 9),
        )
        def ask(case: Any, is_known: bool, which: int, accept: str, is_me: int) -> None:
            nonlocal asked
            asked += 1
            for name in case.path_parameters or {}:
                kind = "victim" if case.method.upper() == "DELETE" else name
                if is_known:
                    case.path_parameters[name] = ids[kind][which % len(ids[kind])]
            headers = {"Accept": accept}
            if is_me:
                headers["Authorization"] = f"Bearer {token}"
            case.call_and_validate(base_url=f"{url}/api", headers=headers, checks=CHECKS, timeout=20)

        ask()

    for result in schema.get_all_operations():
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                check(cast("Any", result).ok(), mode)
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE  # what takes no input has no wrong one
    return asked


async def ask_all(interface: Interface, examples: int, *, is_random: bool) -> int:
    answers_at_once(interface)
    async with interface.guest() as ada:
        thread_id = await ada.thread()
        said = await ada.http.post(f"/api/threads/{thread_id}/messages", json={"text": "Mine", "reply": False})
        ids = {
            "thread_id": [thread_id],
            "message_id": [said.json()["message"]],
            "stream_id": [await ended(interface, ada, thread_id) for _ in range(3)],
            "victim": [await ada.thread() for _ in range(5)],
        }
        return await asyncio.to_thread(ask_everything, interface.url, ada.token, ids, examples, is_random=is_random)


async def test_no_answer_is_a_server_error_or_undocumented(interface: Interface) -> None:
    assert await ask_all(interface, 5, is_random=False) > 100


@pytest.mark.security
async def test_no_answer_of_very_many_is_a_server_error_or_undocumented(interface: Interface) -> None:
    await ask_all(interface, 500, is_random=True)


def resume_in_any_way(url: str, token: str, stream_id: str, examples: int, *, is_random: bool) -> None:
    """Ask the events from offsets that are ones and that are none; what is answered is exact or refused."""
    odd = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
    numbers = st.one_of(st.integers(0, len(TEXT) + 3).map(str), st.integers().map(str), odd)
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20) as http:

        @limits(examples, is_random=is_random)
        @given(
            offset=st.none() | numbers, last=st.none() | numbers | numbers.map("{}.end".format), accept=odd | st.none()
        )
        def resume(offset: str | None, last: str | None, accept: str | None) -> None:
            headers = {"Accept": "text/plain" if accept is None else accept.strip()}
            if last is not None:
                headers["Last-Event-ID"] = last.strip()
            answer = http.get(
                f"/api/streams/{stream_id}/events", params={} if offset is None else {"offset": offset}, headers=headers
            )
            assert answer.status_code in {HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.UNPROCESSABLE_ENTITY}
            if answer.status_code == HTTPStatus.OK and accept is None:
                resumed = (last or "").strip() or offset or "0"
                assert answer.text == TEXT[int(resumed) :]

        resume()


@pytest.mark.parametrize("examples", [60, pytest.param(5_000, marks=pytest.mark.security)])
async def test_whatever_offset_is_asked_for_the_answer_is_exact_or_a_refusal(
    interface: Interface, examples: int
) -> None:
    answers_at_once(interface)
    async with interface.guest() as ada:
        stream_id = await ended(interface, ada, await ada.thread())
        is_random = examples > 1000
        await asyncio.to_thread(resume_in_any_way, interface.url, ada.token, stream_id, examples, is_random=is_random)


async def test_every_problem_and_every_body_has_an_example(interface: Interface) -> None:
    async with interface.client() as http:
        document = (await http.get("/api/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            for status, answer in operation["responses"].items():
                if status[0] in "45":
                    assert answer["content"]["application/problem+json"]["example"]["status"] == int(status)
    references: list[str] = []
    collect(document, references.append)
    assert {reference.rpartition("/")[2] for reference in references} <= set(document["components"]["schemas"])


def collect(node: object, found: Callable[[str], None]) -> None:
    """Every reference in a document."""
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            found(reference)
        for value in node.values():
            collect(value, found)
    elif isinstance(node, list):
        for value in node:
            collect(value, found)
