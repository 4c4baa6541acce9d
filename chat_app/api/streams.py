"""Streams over HTTP: a reply is a URL. Read it, join it while it runs, stop it, have another."""

import re
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response

from chat_app.api import schemas
from chat_app.api.asking import Running, Who
from chat_app.api.events import EVENT_STREAM, PLAIN_TEXT, event_stream, plain_text, stored_events, wanted
from chat_app.api.problems import described
from chat_app.identity import Identity
from chat_app.services import Services
from chat_app.streaming import StreamId as Id
from chat_app.views import StreamView

router = APIRouter(prefix="/streams/{stream_id}", tags=["streams"])

StreamId = Annotated[Id, Path(pattern=schemas.STREAM_ID, description="A stream's id.")]
MATCHES = Header(alias="If-None-Match", max_length=1000, description="An ETag that you have.")
HIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
DEEDS = (*HIDDEN, HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)
NOT_MODIFIED = {304: {"description": "It is as you have it."}}
PRUNED = "The text of this earlier attempt was pruned."


@router.get("", responses={**NOT_MODIFIED, **described(*HIDDEN, HTTPStatus.GONE)}, response_model=schemas.Stream)
async def read_stream(
    running: Running, who: Who, stream_id: StreamId, response: Response, if_none_match: Annotated[str, MATCHES] = ""
) -> Any:
    """What is stored of a stream by now."""
    return _snapshot(await running.stream(who, stream_id), response, if_none_match)


@router.get(
    "/events",
    response_model=schemas.Stream,
    responses={
        200: {
            "description": "`event: text` with `data: {offset, text}` and the offset after it as `id`; at last "
            "`event: end` with `data: {status, reason, offset}`. As `text/plain` the text alone; as "
            "`application/json` what is stored by now.",
            "content": {EVENT_STREAM: {}, PLAIN_TEXT: {}},
        },
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
    offset: Annotated[int, Query(ge=0, lt=2**31, description="Code points that you have.")] = 0,
    last_event_id: Annotated[
        str, Header(max_length=100, description="The same, as an EventSource sends it; it wins.")
    ] = "",
    if_none_match: Annotated[str, MATCHES] = "",
) -> Any:
    """Exactly text[offset:] as it comes, from anywhere, whoever asked; going away ends nothing."""
    stream = await running.stream(who, stream_id)
    form = wanted(request, default=EVENT_STREAM)
    if form is None:
        return _snapshot(stream, response, if_none_match)
    if last_event_id:
        if not re.fullmatch(r"[0-9]{1,9}", last_event_id):
            raise HTTPException(422, "Last-Event-ID is the offset of a text event.")
        offset = int(last_event_id)
    items = _items(running, who, stream, offset)
    return event_stream(items) if form == EVENT_STREAM else plain_text(items)


@router.post("/stop", status_code=202, responses=described(*DEEDS))
async def stop_stream(running: Running, who: Who, stream_id: StreamId) -> schemas.Begun:
    """Stop a reply; its text stays. One that has ended stays as it is."""
    stream = await running.stream(who, stream_id)
    if not stream.status.is_terminal:
        await running.stop(who, stream.message_id)
    return schemas.begun(stream_id)


@router.post("/retry", status_code=202, responses=described(*DEEDS))
async def retry_stream(running: Running, who: Who, stream_id: StreamId) -> schemas.Begun:
    """Answer again, in a new version, where this is the newest attempt."""
    stream = await running.stream(who, stream_id)
    return schemas.begun(await running.retry(who, stream.message_id, tab="", after=stream_id))


@router.post("/continue", status_code=202, responses=described(*DEEDS))
async def continue_stream(running: Running, who: Who, stream_id: StreamId) -> schemas.Begun:
    """Let the AI go on from where this attempt, the newest, ended."""
    stream = await running.stream(who, stream_id)
    return schemas.begun(await running.continue_reply(who, stream.message_id, tab="", after=stream_id))


def _items(running: Services, who: Identity, stream: StreamView, offset: int) -> Any:
    if stream.status.is_terminal:
        return stored_events(stream, _text_of(stream), offset)
    return running.follow(who, stream.id, offset)


def _snapshot(stream: StreamView, response: Response, if_none_match: str) -> schemas.Stream | Response:
    shown = schemas.stream_of(stream, _text_of(stream))
    etag = f'"{stream.id}.{stream.status}.{shown.offset}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if etag in [known.strip().removeprefix("W/") for known in if_none_match.split(",")]:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return shown


def _text_of(stream: StreamView) -> str:
    if stream.text is None:
        raise HTTPException(410, PRUNED)
    return stream.text
