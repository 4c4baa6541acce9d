"""Problems: how the HTTP interface says that something did not work (RFC 9457), one place for all statuses."""

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

from chat_app.access import NotPermitted, ThreadUnknown
from chat_app.identity import NameRefused, NotRecognised
from chat_app.limits import TooMuch
from chat_app.request_id import request_id
from chat_app.services import NotRunning
from chat_app.streaming.flusher import DATABASE_AWAY
from chat_app.threads import MessageRefused, MessageTooLong, NotNow, SettingRefused, TitleRefused

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

UNKNOWN = "There is no such thing, or it is not for you."
NOT_PERMITTED = "You may read this thread, but not do that with it."
NOT_RECOGNISED = "Send a valid token: Authorization: Bearer trb_…"
AWAY = "The database does not answer. Try again in a moment."
UNFORESEEN = "Something went wrong here. The server's log has it, under this request's id."
INVALID = "The request is not in the form that it has to be."
TOO_LARGE = "That is more than one request can have."
FAULTS_SHOWN = 20
FAULT_LENGTH = 200
"""Characters of where a fault is and of what it is: both may repeat what was sent."""


class Problem(BaseModel):
    """What went wrong, for a program (`status`) and for a person (`title`, `detail`)."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=[UNKNOWN])


class WrongField(BaseModel):
    """A part of a request that is not as it has to be."""

    where: str = Field(examples=["body.text"])
    what: str = Field(examples=["Field required"])


class InvalidRequest(Problem):
    """A request whose form is wrong, and where."""

    errors: list[WrongField] = []


EXAMPLES = {
    HTTPStatus.UNAUTHORIZED: NOT_RECOGNISED,
    HTTPStatus.FORBIDDEN: NOT_PERMITTED,
    HTTPStatus.NOT_FOUND: UNKNOWN,
    HTTPStatus.CONFLICT: "This reply is being answered.",
    HTTPStatus.GONE: "The text of this earlier attempt was pruned.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY: INVALID,
    HTTPStatus.TOO_MANY_REQUESTS: "You are sending a lot: wait 12 seconds.",
    HTTPStatus.SERVICE_UNAVAILABLE: AWAY,
}


def described(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """These problems, for a route's OpenAPI description; any route may find the database away."""
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
    """The answer that says so."""
    return JSONResponse({**_content(status, detail), **more}, status, headers, MEDIA_TYPE)


def tell_problems(app: FastAPI) -> None:
    """Answer every error with a problem, whoever raised it. What was not foreseen says nothing of its cause."""

    def answers(kind: type[Exception], answer: Callable[[Any], JSONResponse]) -> None:
        async def handle(_: Request, error: Exception) -> JSONResponse:
            return answer(error)

        app.add_exception_handler(kind, handle)

    answers(NotRecognised, lambda _: problem(401, NOT_RECOGNISED, headers={"WWW-Authenticate": "Bearer"}))
    answers(ThreadUnknown, lambda _: problem(404, UNKNOWN))
    answers(NotPermitted, lambda _: problem(403, NOT_PERMITTED))
    answers(NotNow, lambda error: problem(409, str(error)))
    answers(MessageTooLong, lambda error: problem(413, str(error)))
    for refused in (MessageRefused, TitleRefused, SettingRefused, NameRefused):
        answers(refused, lambda error: problem(422, str(error), errors=[]))
    answers(
        TooMuch, lambda error: problem(429, str(error), headers={"Retry-After": str(max(1, math.ceil(error.wait)))})
    )
    answers(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _said_so)
    for away in (*DATABASE_AWAY, NotRunning):
        answers(away, lambda _: problem(503, AWAY, headers={"Retry-After": "1"}))
    answers(Exception, _unforeseen)


def _content(status: int, detail: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": int(status), "detail": detail}


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
        case 400:  # FastAPI's answer to a body that is no text at all, or too deep
            return problem(422, INVALID, errors=[])
        case 404:
            return problem(404, UNKNOWN)
        case 405:
            return problem(405, "That cannot be done here.", headers=headers | _allow(request))
        case 413:
            return problem(413, TOO_LARGE)
    return problem(error.status_code, error.detail, headers=headers)


def _allow(request: Request) -> dict[str, str]:
    """The methods of all routes at this path; Starlette names those of the first one alone."""
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
