"""Problems: how the HTTP interface reports errors (RFC 9457), with all statuses in one place."""

import logging
import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from chat_app.ops.request_id import request_id
from chat_app.refusals import (
    WORDS,
    MessageTooLong,
    NotNow,
    NotPermitted,
    NotRecognised,
    Refusal,
    TooMany,
    TooMuch,
    Unfit,
    Unknown,
    UsedUp,
    words,
)
from chat_app.services import NotRunning
from tributary_streams import DATABASE_AWAY

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

NOT_RECOGNISED = "Send a valid token: Authorization: Bearer trb_…"
AWAY = "The database does not answer. Try again in a moment."
UNFORESEEN = "Something went wrong. The server's log has the details, under this request's id."
INVALID = "The request does not match its schema."
TOO_LARGE = "The request is too large."
PRUNED = "The text of this earlier attempt was pruned."
FAULTS_SHOWN = 20
FAULT_LENGTH = 200
"""The most characters of a fault's place and of its description, as both may repeat what was sent."""


STATUSES: dict[type[Exception], HTTPStatus] = {
    NotRecognised: HTTPStatus.UNAUTHORIZED,
    Unknown: HTTPStatus.NOT_FOUND,
    NotPermitted: HTTPStatus.FORBIDDEN,
    NotNow: HTTPStatus.CONFLICT,
    MessageTooLong: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Unfit: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooMuch: HTTPStatus.TOO_MANY_REQUESTS,
    UsedUp: HTTPStatus.TOO_MANY_REQUESTS,
    TooMany: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status of each kind of refusal; a kind that is not listed has that of its nearest base."""


class Problem(BaseModel):
    """What went wrong, for a program (`status`) and for a person (`title`, `detail`)."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=[WORDS[Unknown]])


class WrongField(BaseModel):
    """An invalid part of a request: where it is, and what is wrong."""

    where: str = Field(examples=["body.text"])
    what: str = Field(examples=["Field required"])


class InvalidRequest(Problem):
    """A request is invalid; `errors` says where."""

    errors: list[WrongField] = []


EXAMPLES = {
    HTTPStatus.UNAUTHORIZED: NOT_RECOGNISED,
    HTTPStatus.FORBIDDEN: WORDS[NotPermitted],
    HTTPStatus.NOT_FOUND: WORDS[Unknown],
    HTTPStatus.CONFLICT: "This reply is still being written.",
    HTTPStatus.GONE: PRUNED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY: INVALID,
    HTTPStatus.TOO_MANY_REQUESTS: "You are sending a lot: wait 12 seconds.",
    HTTPStatus.SERVICE_UNAVAILABLE: AWAY,
}


def described(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """These problems, for a route's OpenAPI description, and 503, because any route may find the database away."""
    return {int(status): _description(status) for status in (*statuses, HTTPStatus.SERVICE_UNAVAILABLE)}


def _description(status: HTTPStatus) -> dict[str, Any]:
    is_invalid = status is HTTPStatus.UNPROCESSABLE_ENTITY
    example = _content(status, EXAMPLES[status])
    if is_invalid:
        example["errors"] = [{"where": "body.text", "what": "Field required"}]
    schema = {"$ref": f"#/components/schemas/{(InvalidRequest if is_invalid else Problem).__name__}"}
    description: dict[str, Any] = {
        "description": status.phrase,
        "content": {MEDIA_TYPE: {"schema": schema, "example": example}},
    }
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        wait = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
        description["headers"] = {"Retry-After": wait}
    return description


def problem(status: int, detail: str, *, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    """The response with this problem."""
    return JSONResponse({**_content(status, detail), **more}, status, headers, MEDIA_TYPE)


def tell_problems(app: FastAPI) -> None:
    """Answer every error with a problem, wherever it was raised. An unforeseen error does not reveal its cause."""

    def answers(kind: type[Exception], answer: Callable[[Any], JSONResponse]) -> None:
        async def handle(_: Request, error: Exception) -> JSONResponse:
            return answer(error)

        app.add_exception_handler(kind, handle)

    answers(Refusal, _refused)
    answers(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _said_so)
    for away in (*DATABASE_AWAY, NotRunning):
        answers(away, lambda _: problem(503, AWAY, headers={"Retry-After": "1"}))
    answers(Exception, _unforeseen)


def _content(status: int, detail: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": int(status), "detail": detail}


def _refused(refusal: Refusal) -> JSONResponse:
    status = next(STATUSES[kind] for kind in type(refusal).__mro__ if kind in STATUSES)
    match refusal:
        case NotRecognised():
            return problem(status, NOT_RECOGNISED, headers={"WWW-Authenticate": "Bearer"})
        case TooMuch(wait=wait):
            return problem(status, words(refusal), headers={"Retry-After": str(max(1, math.ceil(wait)))})
        case Unfit() if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            return problem(status, words(refusal), errors=[])
    return problem(status, words(refusal))


def _invalid(error: RequestValidationError) -> JSONResponse:
    faults = [
        {"where": ".".join(map(str, fault["loc"]))[:FAULT_LENGTH], "what": fault["msg"][:FAULT_LENGTH]}
        for fault in error.errors()[:FAULTS_SHOWN]
    ]
    return problem(422, INVALID, errors=faults)


async def _said_so(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    match error.status_code:
        case 400:  # FastAPI's answer to a body that is not text, or is nested too deeply
            return problem(422, INVALID, errors=[])
        case 404:
            return problem(404, WORDS[Unknown])
        case 405:
            return problem(405, "This path does not support this method.", headers=headers | _allow(request))
        case 413:
            return problem(413, TOO_LARGE)
    return problem(error.status_code, error.detail, headers=headers)


def _allow(request: Request) -> dict[str, str]:
    """The methods of all routes at this path; Starlette names only those of the first."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    methods = {
        method.upper()
        for template, operations in request.app.openapi()["paths"].items()
        if compile_path(template)[0].match(path)
        for method in operations
    }
    if "GET" in methods:
        methods.add("HEAD")
    return {"Allow": ", ".join(sorted(methods))} if methods else {}


def _unforeseen(error: Exception) -> JSONResponse:
    logger.error("request %s failed", request_id.get(), exc_info=error)
    return problem(500, UNFORESEEN)
