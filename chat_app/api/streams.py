"""Streams over HTTP: a reply is a URL. Read it, join it while it is written, stop it, retry or continue it."""

import hashlib
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response

from chat_app.api import schemas
from chat_app.api.asking import Address, Running, Who
from chat_app.api.events import ENDED, EVENT_STREAM, items_of, streamed, text_of, wanted
from chat_app.api.problems import described
from chat_app.threads.reply_views import StreamView
from tributary_streams import StreamId as Id

router = APIRouter(prefix="/streams/{stream_id}", tags=["streams"])

StreamId = Annotated[Id, Path(pattern=schemas.STREAM_ID, description="A stream's id.", examples=[schemas.ID])]
Matches = Annotated[str, Header(alias="If-None-Match", max_length=1000, description="The ETags of what you have.")]
HIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
DEEDS = (*HIDDEN, HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)
ETAG = {"ETag": {"description": "Changes with the stream.", "schema": {"type": "string"}}}
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "It has not changed.", "headers": ETAG}}


@router.get(
    "",
    response_model=schemas.Stream,
    responses={200: {"headers": ETAG}, **NOT_MODIFIED, **described(*HIDDEN, HTTPStatus.GONE)},
)
async def read_stream(
    running: Running, who: Who, stream_id: StreamId, response: Response, if_none_match: Matches = ""
) -> Any:
    """Get a stream, with the text that is stored so far."""
    return _snapshot(await running.replies.stream(who, stream_id), response, if_none_match)


@router.get(
    "/events",
    response_model=schemas.Stream,
    responses={
        200: {
            "description": "Events: `event: text` with `data: {offset, text}`, and the offset after the text as `id`; "
            "then `event: end` with `data: {status, reason, offset}`. A comment every 15 s keeps the connection open. "
            "`text/plain` gives only the text, `application/json` what is stored so far; without `Accept`, events.",
            "content": schemas.STREAMED,
        },
        204: {"description": "`Last-Event-ID` is the end event's: there is nothing more, and an EventSource stops."},
        **NOT_MODIFIED,
        **described(*HIDDEN, HTTPStatus.GONE),
    },
)
async def join_stream(
    running: Running,
    who: Who,
    stream_id: StreamId,
    request: Request,
    response: Response,
    offset: Annotated[int, Query(ge=0, lt=2**31, description="How many code points you already have.")] = 0,
    last_event_id: Annotated[
        str,
        Header(
            alias="Last-Event-ID",
            pattern=r"^([0-9]{1,9}(\.end)?)?$",
            description="The same, as an EventSource sends it. It overrides `offset`.",
            examples=["5"],
        ),
    ] = "",
    if_none_match: Matches = "",
) -> Any:
    """Follow a reply, whoever asked for it: exactly text[offset:] as it comes. Disconnecting does not stop it."""
    stream = await running.replies.stream(who, stream_id)
    form = wanted(request, default=EVENT_STREAM)
    if form is None:
        return _snapshot(stream, response, if_none_match)
    if last_event_id.endswith(ENDED) and stream.status.is_terminal:
        return Response(status_code=204)
    if last_event_id:
        offset = int(last_event_id.removesuffix(ENDED))
    return streamed(items_of(running, who, stream, offset), form)


@router.post("/stop", status_code=202, responses=described(*DEEDS))
async def stop_stream(running: Running, who: Who, stream_id: StreamId) -> schemas.Begun:
    """Stop a reply and keep its text. A reply that has ended stays as it is."""
    location = await running.replies.location(who, stream_id)
    if location.is_current:
        await running.replies.stop(who, location.thread_id, location.message_id)
    return schemas.begun(stream_id)


@router.post("/retry", status_code=202, responses=described(*DEEDS))
async def retry_stream(
    running: Running, who: Who, address: Address, stream_id: StreamId, response: Response
) -> schemas.Begun:
    """Answer again in a new version; 409 unless this is the newest attempt and has ended."""
    location = await running.replies.location(who, stream_id)
    begun = await running.replies.retry(
        who, location.thread_id, location.message_id, tab="", address=address, after=stream_id
    )
    return _located(response, begun)


@router.post("/continue", status_code=202, responses=described(*DEEDS))
async def continue_stream(
    running: Running, who: Who, address: Address, stream_id: StreamId, response: Response
) -> schemas.Begun:
    """Let the AI continue from where this attempt ended; 409 unless it is the newest, has ended and is incomplete."""
    location = await running.replies.location(who, stream_id)
    begun = await running.replies.continue_reply(
        who, location.thread_id, location.message_id, tab="", address=address, after=stream_id
    )
    return _located(response, begun)


def _located(response: Response, stream_id: Id) -> schemas.Begun:
    begun = schemas.begun(stream_id)
    response.headers["Location"] = begun.url
    return begun


def _snapshot(stream: StreamView, response: Response, if_none_match: str) -> schemas.Stream | Response:
    shown = schemas.stream_of(stream, text_of(stream))
    etag = f'"{hashlib.sha256(shown.model_dump_json().encode()).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept"}
    known = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    if etag in known or known == ["*"]:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return shown
