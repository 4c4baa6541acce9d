"""Problems: how the HTTP interface says that something did not work (RFC 9457), one place for all statuses."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from chat_app.access import NotPermitted, ThreadUnknown
from chat_app.identity import NameRefused, NotRecognised
from chat_app.services import NotRunning
from chat_app.threads import MessageRefused, MessageTooLong, NotNow, TitleRefused

MEDIA_TYPE = "application/problem+json"

UNKNOWN = "There is no such thing, or it is not for you."
NOT_PERMITTED = "You may read this thread, but not do that with it."
NOT_RECOGNISED = "Send a valid token: Authorization: Bearer trb_…"
AWAY = "The database does not answer. Try again in a moment."


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


def described(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """These problems, for a route's OpenAPI description."""
    return {
        int(status): {
            "model": InvalidRequest if status is HTTPStatus.UNPROCESSABLE_ENTITY else Problem,
            "description": status.phrase,
            "content": {MEDIA_TYPE: {}},
        }
        for status in statuses
    }


def problem(status: int, detail: str, *, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    """The answer that says so."""
    title = HTTPStatus(status).phrase
    content = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(content, status, headers, MEDIA_TYPE)


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
    for refused in (MessageRefused, TitleRefused, NameRefused):
        answers(refused, lambda error: problem(422, str(error), errors=[]))
    answers(RequestValidationError, _invalid)
    answers(HTTPException, lambda error: problem(error.status_code, error.detail, headers=dict(error.headers or {})))
    for away in (SQLAlchemyError, OSError, NotRunning):
        answers(away, lambda _: problem(503, AWAY, headers={"Retry-After": "1"}))


def _invalid(error: RequestValidationError) -> JSONResponse:
    faults = [{"where": ".".join(map(str, fault["loc"])), "what": fault["msg"]} for fault in error.errors()]
    return problem(422, "The request is not in the form that it has to be.", errors=faults)
