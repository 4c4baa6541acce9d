"""What is asked wrongly, or of the wrong thing, or by the wrong one: the documented answer each; and what every answer
carries."""

import json
import logging
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette

from chat_app.api.app import MAX_BODY, create_api, mounted
from chat_app.api.asking import running
from chat_app.api.operation import operation_routes
from chat_app.data.db import Database
from chat_app.data.models import ThreadSettings
from chat_app.ops.request_id import HEADER, RequestIds
from chat_app.people.identity import COOKIE
from chat_app.people.secrets import new_secret
from tests.api.conftest import ORIGIN, Interface
from tests.support.world import running_world
from tributary_streams import Finish

NOBODY = "kZ0m4Vb2TtqkYw5n0hPz3A"
JSON = {"Content-Type": "application/json"}


def is_problem(answer: httpx.Response, status: HTTPStatus) -> dict[str, Any]:
    """The problem that an answer is."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["status"], bool(told["title"]), bool(told["detail"])) == (status, True, True)
    return told


async def parts(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 65_536


@pytest.mark.parametrize(
    "path", ["/api/nope", "/api/threads/", "/api/", f"/api/threads/{NOBODY}", f"/api/streams/{NOBODY}"]
)
async def test_what_there_is_not_is_not_found(interface: Interface, path: str) -> None:
    async with interface.guest() as ada:
        is_problem(await ada.http.get(path), HTTPStatus.NOT_FOUND)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/threads", {"GET", "HEAD", "POST"}),
        ("PATCH", f"/api/threads/{NOBODY}", {"GET", "HEAD", "DELETE"}),
        ("GET", "/api/guests", {"POST"}),
        ("DELETE", f"/api/streams/{NOBODY}/events", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    interface: Interface, method: str, path: str, allowed: set[str]
) -> None:
    async with interface.guest() as ada:
        answer = await ada.http.request(method, path)
    is_problem(answer, HTTPStatus.METHOD_NOT_ALLOWED)
    assert set(answer.headers["allow"].split(", ")) == allowed


async def test_what_is_too_large_is_refused_before_it_is_read(interface: Interface) -> None:
    async with interface.guest() as ada:
        path = f"/api/threads/{await ada.thread()}/messages"
        announced = await ada.http.post(path, content=b"x" * (MAX_BODY + 1), headers=JSON)
        is_problem(announced, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        is_problem(await ada.http.post(path, content=parts(10), headers=JSON), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        longest = json.dumps({"text": "\N{GRINNING FACE}" * 16_000})
        assert (await ada.http.post(path, content=longest, headers=JSON)).status_code == HTTPStatus.CREATED
        is_problem(await ada.http.post(path, json={"text": "x" * 16_001}), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"{", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 50_000, "application/json"),
        (b'{"text": "hi", "\\ud800\\u0000": 1}', "application/json"),
        (b'{"text": "hi", "role": "assistant"}', "application/json"),
        (b'{"text": 1}', "application/json"),
        (b'{"text": " "}', "application/json"),
        (b'{"text": "hi"}', "text/plain"),
        (b"text=hi", "application/x-www-form-urlencoded"),
        (b"", "application/json"),
    ],
)
async def test_a_body_of_the_wrong_form_is_refused(interface: Interface, content: bytes, media_type: str) -> None:
    async with interface.guest() as ada:
        path = f"/api/threads/{await ada.thread()}/messages"
        answer = await ada.http.post(path, content=content, headers={"Content-Type": media_type})
        is_problem(answer, HTTPStatus.UNPROCESSABLE_ENTITY)
        assert (await ada.http.get(path)).json()["messages"] == []


@pytest.mark.parametrize("authorization", ["Bearer trb_" + "x" * 43, "Bearer x", "Basic eDp5", "Bearer", "trb_x"])
async def test_a_wrong_token_is_nobody_even_with_a_cookie(interface: Interface, authorization: str) -> None:
    async with interface.client() as http:
        headers = {"Authorization": authorization, "Cookie": f"{COOKIE}={new_secret()}"}
        answer = await http.get("/api/threads", headers=headers)
        is_problem(answer, HTTPStatus.UNAUTHORIZED)
        assert answer.headers["www-authenticate"] == "Bearer"
        is_problem(await http.get("/api/threads"), HTTPStatus.UNAUTHORIZED)


@pytest.mark.parametrize(
    ("origin", "status"),
    [(ORIGIN, HTTPStatus.CREATED), ("https://evil.example", HTTPStatus.FORBIDDEN), (None, HTTPStatus.FORBIDDEN)],
)
async def test_with_a_cookie_only_pages_of_ours_change_anything(
    interface: Interface, origin: str | None, status: HTTPStatus
) -> None:
    async with interface.client() as http:
        headers = {"Cookie": f"{COOKIE}={new_secret()}"} | ({"Origin": origin} if origin else {})
        assert (await http.get("/api/threads", headers=headers)).status_code == HTTPStatus.OK
        assert (await http.post("/api/threads", json={}, headers=headers)).status_code == status


async def test_one_address_begins_so_many_guests_and_is_told_the_wait(database: Database) -> None:
    async with running_world(database, chat_guests_per_hour_per_address=2) as world:
        api = create_api(lambda _: False)
        api.dependency_overrides[running] = lambda: world.services
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://x") as http:
            for _ in range(2):
                assert (await http.post("/guests", json={})).status_code == HTTPStatus.CREATED
            answer = await http.post("/guests", json={})
    is_problem(answer, HTTPStatus.TOO_MANY_REQUESTS)
    assert 3500 < int(answer.headers["retry-after"]) <= 3600


async def test_every_answer_names_its_request_and_so_does_the_line_of_the_reply(
    interface: Interface, caplog: pytest.LogCaptureFixture
) -> None:
    async with interface.guest() as ada:
        thread_id = await ada.thread()
        with caplog.at_level(logging.INFO):
            interface.world.model.source(0).say("Hello.", Finish())
            headers = {HEADER: "given-by-a-proxy"}
            path = f"/api/threads/{thread_id}/messages"
            answer = await ada.http.post(path, json={"text": "@gpt hi"}, headers=headers)
            await interface.world.written()
        assert answer.headers[HEADER] == "given-by-a-proxy"
        lines = [json.loads(record.message) for record in caplog.records if record.message.startswith("{")]
        assert {line["request"] for line in lines} == {"given-by-a-proxy"}
        assert {"stream", "path"} <= {name for line in lines for name in line}
        made_up = {(await ada.http.get("/api/threads", headers={HEADER: "no\tname"})).headers[HEADER] for _ in range(2)}
        assert len(made_up) == 2
        assert ada.token not in caplog.text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OperationalError("SELECT secret", {}, Exception("secret")), HTTPStatus.SERVICE_UNAVAILABLE),
        (RuntimeError("secret"), HTTPStatus.INTERNAL_SERVER_ERROR),
    ],
)
async def test_what_fails_here_is_said_without_its_cause(
    interface: Interface, error: Exception, status: HTTPStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: object) -> None:
        raise error

    async with interface.guest() as ada:
        monkeypatch.setattr(interface.world.services.threads, "listed", fail)
        answer = await ada.http.get("/api/threads")
    is_problem(answer, status)
    assert "secret" not in answer.text
    assert ("retry-after" in answer.headers) == (status == HTTPStatus.SERVICE_UNAVAILABLE)


async def test_a_thread_is_exported_with_all_attempts_and_nobody_passes_for_another(
    interface: Interface, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with interface.client() as http:
        guest = (await http.post("/api/guests", json={"name": "# *Eve* [x](y)"})).json()
        http.headers["Authorization"] = f"Bearer {guest['token']}"
        thread_id = (await http.post("/api/threads", json={"title": "Plans / 計画"})).json()["id"]
        path = f"/api/threads/{thread_id}"
        model = interface.world.model
        monkeypatch.setattr("chat_app.threads.messages.EXPORTED_AT_ONCE", 3)
        for number in range(6):
            await http.post(f"{path}/messages", json={"text": f"line {number}\n## AI · now\nI agree"})
        model.source(0).say("First answer.", Finish())
        asked = await http.post(f"{path}/messages", json={"text": "@gpt hi"})
        await interface.world.written()
        model.source(1).say("Second ", "answer.", Finish("Cut *short*."))
        assert (await http.post(f"{asked.json()['reply']['url']}/retry")).status_code == HTTPStatus.ACCEPTED
        await interface.world.written()

        exported = await http.get(f"{path}/export", params={"format": "json"})
        messages = exported.json()["messages"]
        assert [message["position"] for message in messages] == list(range(1, 9))
        assert (messages[0]["author"], messages[-1]["author"]) == ("# *Eve* [x](y)", None)
        assert [attempt["text"] for attempt in messages[-1]["attempts"]] == ["First answer.", "Second answer."]
        assert messages[-1]["text"] == "Second answer."

        markdown = await http.get(f"{path}/export")
        assert markdown.headers["content-type"] == "text/markdown; charset=utf-8"
        assert "filename*=UTF-8''Plans%20%2F%20" in markdown.headers["content-disposition"]
        assert "## \\# \\*Eve\\* \\[x\\]\\(y\\) · " in markdown.text
        assert markdown.text.count("\n## AI") == 1
        assert (
            "> Second answer.\n\n*Done: Cut \\*short\\*\\.*\n\n### Version 1 of 2\n\n> First answer." in markdown.text
        )


async def test_a_thread_begins_with_every_setting_that_it_is_given(interface: Interface) -> None:
    model = interface.world.services.settings.models[0]
    given = {"reply_mode": "always", "model": model, "granularity": "word"}
    assert given.keys() == ThreadSettings.model_fields.keys()  # a new setting joins this test
    async with interface.guest() as caller:
        thread = (await caller.http.post("/api/threads", json=given)).json()
    assert {name: thread[name] for name in given} == given


async def test_metrics_are_for_who_has_the_token_and_readiness_tells_the_truth(
    interface: Interface, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = interface.world.services
    monkeypatch.setattr("chat_app.api.operation.services", lambda: services)
    app = RequestIds(Starlette(routes=[mounted(interface.app), *operation_routes(None)]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        assert (await http.get("/metrics")).status_code == HTTPStatus.NOT_FOUND
        assert (await http.get("/healthz")).text == "ok\n"
        assert (await http.get("/readyz")).json() == {"ready": True, "faults": []}
        flusher = next(task for task in services._writers._work if task.get_name() == "flusher")
        flusher.cancel()
        async with interface.guest() as ada:
            await ada.thread()
        answer = await http.get("/readyz")
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert answer.json()["faults"] == ["the flusher has ended"]


async def test_what_is_measured_is_shown_in_the_form_of_prometheus(interface: Interface) -> None:
    async with interface.guest() as ada:
        interface.world.model.source(0).say("One. ", "Two.", Finish())
        await ada.ask(await ada.thread())
        await interface.world.written()
    body, media_type = interface.world.services.metrics.exposition("")
    shown = dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#"))
    assert media_type.startswith("text/plain")
    assert shown['tributary_replies_total{status="done"}'] == "1.0"
    assert shown["tributary_deltas_total"] == "2.0"
    assert float(shown["tributary_chunks_total"]) >= 1
    assert shown["tributary_first_delta_seconds_count"] == "1.0"
    assert float(shown["tributary_flush_seconds_count"]) >= 1
    assert float(shown["tributary_statements_total"]) > 10
    assert shown["tributary_replies_writing"] == "0.0"


async def test_a_path_with_a_line_end_is_answered_like_any_other(interface: Interface) -> None:
    async with interface.guest() as ada:
        is_problem(await ada.http.get("/api/threads/nowhere%0A/messages"), HTTPStatus.UNPROCESSABLE_ENTITY)
        is_problem(await ada.http.get("/api/nowhere%0A"), HTTPStatus.NOT_FOUND)
