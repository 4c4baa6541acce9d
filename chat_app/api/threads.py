"""Threads over HTTP: threads, their messages and their export; posting one may drive its reply in the same request."""

import secrets
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from chat_app.api import exports, schemas
from chat_app.api.asking import Address, Running, Who
from chat_app.api.events import items_of, streamed, wanted
from chat_app.api.problems import described

router = APIRouter(prefix="/threads", tags=["threads"])

ThreadId = Annotated[
    str, Path(pattern=schemas.THREAD_ID, description="A thread's id, as in its address.", examples=[schemas.ID])
]
HIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
"""What every route on a thread may answer."""
LOCATION = {"Location": {"description": "Where it is.", "schema": {"type": "string"}}}


class ExportFormat(StrEnum):
    """What a thread is exported as."""

    MARKDOWN = "markdown"
    JSON = "json"


@router.get("", responses=described(HTTPStatus.UNAUTHORIZED))
async def list_threads(running: Running, who: Who) -> list[schemas.Thread]:
    """The threads in your list, the most recently active first."""
    return [schemas.thread_of(view) for view in await running.threads.listed(who)]


@router.post(
    "",
    status_code=201,
    responses={
        201: {"headers": LOCATION},
        **described(
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            HTTPStatus.TOO_MANY_REQUESTS,
        ),
    },
)
async def begin_thread(
    running: Running, who: Who, address: Address, response: Response, thread: schemas.NewThread | None = None
) -> schemas.Thread:
    """Begin a thread, which is yours."""
    thread = thread or schemas.NewThread()
    thread_id = await running.threads.create(
        who,
        address=address,
        title=thread.title or "",
        visibility=thread.visibility,
        settings=thread.settings,
    )
    response.headers["Location"] = f"/api/threads/{thread_id}"
    return schemas.thread_of(await running.threads.find(who, thread_id))


@router.get("/{thread_id}", responses=described(*HIDDEN))
async def read_thread(running: Running, who: Who, thread_id: ThreadId) -> schemas.Thread:
    """A thread without its messages."""
    return schemas.thread_of(await running.threads.find(who, thread_id))


@router.delete("/{thread_id}", status_code=204, responses=described(HTTPStatus.FORBIDDEN, *HIDDEN))
async def delete_thread(running: Running, who: Who, thread_id: ThreadId) -> None:
    """Take a thread of yours away for everybody; a reply under way ends quietly."""
    await running.threads.delete(who, thread_id)


@router.get("/{thread_id}/messages", responses=described(*HIDDEN))
async def list_messages(
    running: Running,
    who: Who,
    thread_id: ThreadId,
    before: Annotated[int | None, Query(ge=1, lt=2**31, description="Only those before this position.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most: the newest of them.")] = 100,
) -> schemas.Messages:
    """A thread's messages, in order: the newest, or the newest before a position."""
    found, people = await running.messages.newest(who, thread_id, before=before, limit=limit)
    has_more = len(found) == limit and found[0].position > 1
    return schemas.Messages(
        messages=[schemas.message_of(view, people) for view in found], before=found[0].position if has_more else None
    )


@router.post(
    "/{thread_id}/messages",
    status_code=201,
    response_model=schemas.Posted,
    responses={
        200: {
            "description": "The reply as it comes, as under `/streams/{stream_id}/events`, where `Accept` asks for one "
            "of these and the AI answers; `Location` is the reply's stream.",
            "content": schemas.STREAMED,
            "headers": LOCATION,
        },
        201: {"description": "It is stored; `Location` is the reply's stream, if the AI answers.", "headers": LOCATION},
        **described(
            HTTPStatus.FORBIDDEN,
            *HIDDEN,
            HTTPStatus.GONE,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.TOO_MANY_REQUESTS,
        ),
    },
)
async def post_message(
    running: Running,
    who: Who,
    address: Address,
    thread_id: ThreadId,
    message: schemas.NewMessage,
    request: Request,
    response: Response,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern=r"^[\x21-\x7e]{8,60}$",
            description="The same key again, in this thread, is the same message: nothing is added.",
            examples=["6f1ed002ab5595859014ebf0951522d9"],
        ),
    ] = None,
) -> Any:
    """Post a message. With `Accept: text/event-stream` or `text/plain` the answer is the AI's reply as it comes; who
    goes away does not end it."""
    nonce = f"api:{idempotency_key or secrets.token_urlsafe(16)}"
    posted = await running.messages.post(
        who, thread_id, message.text, nonce=nonce, tab="", address=address, asks=message.reply
    )
    stream_id = posted.stream_id or await running.replies.reply_to(who, thread_id, posted.message_id)
    if stream_id is None:
        return schemas.Posted(message=posted.message_id, reply=None)
    begun = schemas.begun(stream_id)
    response.headers["Location"] = begun.url
    if (form := wanted(request)) is not None:
        answer = streamed(items_of(running, who, await running.replies.stream(who, stream_id)), form)
        answer.headers["Location"] = begun.url
        return answer
    return schemas.Posted(message=posted.message_id, reply=begun)


@router.patch(
    "/{thread_id}/messages/{message_id}",
    status_code=204,
    responses=described(
        HTTPStatus.FORBIDDEN, *HIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.TOO_MANY_REQUESTS
    ),
)
async def edit_message(
    running: Running,
    who: Who,
    address: Address,
    thread_id: ThreadId,
    message_id: Annotated[int, Path(ge=1, lt=2**31, description="A message's id.", examples=[42])],
    edit: schemas.Edit,
) -> None:
    """Give a message of yours another text, for everybody. The AI is not asked again."""
    await running.messages.edit(who, thread_id, message_id, edit.text, address=address)


@router.get(
    "/{thread_id}/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The whole thread, as a file.",
            "content": {
                "text/markdown": {"schema": {"type": "string"}},
                "application/json": {"schema": {"$ref": "#/components/schemas/Export"}},
            },
        },
        **described(*HIDDEN),
    },
)
async def export_thread(
    running: Running,
    who: Who,
    thread_id: ThreadId,
    file_format: Annotated[ExportFormat, Query(alias="format")] = ExportFormat.MARKDOWN,
) -> StreamingResponse:
    """A thread with all its messages, attempts and their texts, as Markdown to read or as JSON to keep."""
    thread = await running.threads.find(who, thread_id)
    batches = running.messages.export(who, thread_id)
    if file_format is ExportFormat.JSON:
        parts, media_type, suffix = exports.as_json(thread, batches), "application/json", "json"
    else:
        parts, media_type, suffix = exports.as_markdown(thread, batches), "text/markdown; charset=utf-8", "md"
    name = quote(f"{thread.title or 'Thread'}.{suffix}", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Cache-Control": "private, no-store"}
    return StreamingResponse(parts, media_type=media_type, headers=headers)
