"""Threads over HTTP: guests, threads, their messages; posting one may drive its reply in the same request."""

import secrets
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response

from chat_app.api import schemas
from chat_app.api.asking import Running, Who
from chat_app.api.events import EVENT_STREAM, PLAIN_TEXT, event_stream, plain_text, wanted
from chat_app.api.problems import described

router = APIRouter(tags=["threads"])

ThreadId = Annotated[str, Path(pattern=schemas.THREAD_ID, description="A thread's id, as in its address.")]
HIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
"""What every route on a thread may answer."""


@router.post(
    "/guests", status_code=201, responses=described(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.TOO_MANY_REQUESTS)
)
async def begin_as_guest(running: Running, guest: schemas.NewGuest | None = None) -> schemas.Guest:
    """Take part without a browser: a person with a name, and the token that everything else asks for."""
    who, token = await running.new_guest(guest.name if guest else None)
    return schemas.Guest(token=token, user=schemas.User(id=who.user_id, name=who.name))


@router.get("/threads", responses=described(HTTPStatus.UNAUTHORIZED))
async def list_threads(running: Running, who: Who) -> list[schemas.Thread]:
    """The threads in your list, the most recently active first."""
    return [schemas.thread_of(view) for view in await running.threads(who)]


@router.post(
    "/threads",
    status_code=201,
    responses=described(
        HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.TOO_MANY_REQUESTS
    ),
)
async def begin_thread(running: Running, who: Who, thread: schemas.NewThread | None = None) -> schemas.Thread:
    """Begin a thread, which is yours."""
    thread = thread or schemas.NewThread()
    thread_id = await running.new_thread(
        who, title=thread.title or "", reply_mode=thread.reply_mode, visibility=thread.visibility
    )
    return schemas.thread_of(await running.thread(who, thread_id))


@router.delete("/threads/{thread_id}", status_code=204, responses=described(HTTPStatus.FORBIDDEN, *HIDDEN))
async def delete_thread(running: Running, who: Who, thread_id: ThreadId) -> None:
    """Take a thread of yours away for everybody; a reply under way ends quietly."""
    await running.delete_thread(who, thread_id)


@router.get("/threads/{thread_id}/messages", responses=described(*HIDDEN))
async def list_messages(
    running: Running,
    who: Who,
    thread_id: ThreadId,
    before: Annotated[int | None, Query(ge=1, lt=2**31, description="Only those before this position.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most: the newest of them.")] = 100,
) -> schemas.Messages:
    """A thread's messages, in order: the newest, or the newest before a position."""
    found, people = await running.messages(who, thread_id, before=before, limit=limit)
    has_more = len(found) == limit and found[0].position > 1
    return schemas.Messages(
        messages=[schemas.message_of(view, people) for view in found], before=found[0].position if has_more else None
    )


@router.post(
    "/threads/{thread_id}/messages",
    status_code=201,
    response_model=schemas.Posted,
    responses={
        200: {
            "description": "The reply as it comes, where `Accept` asks for one of these.",
            "content": {EVENT_STREAM: {}, PLAIN_TEXT: {}},
        },
        **described(HTTPStatus.FORBIDDEN, *HIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.TOO_MANY_REQUESTS),
    },
)
async def post_message(
    running: Running,
    who: Who,
    thread_id: ThreadId,
    message: schemas.NewMessage,
    request: Request,
    response: Response,
    idempotency_key: Annotated[
        str | None,
        Header(pattern=r"^[\x21-\x7e]{8,60}$", description="The same key again is the same message."),
    ] = None,
) -> Any:
    """Post a message. With `Accept: text/event-stream` or `text/plain` the answer is the AI's reply as it comes; who
    goes away does not end it."""
    nonce = f"api:{idempotency_key or secrets.token_urlsafe(16)}"
    posted = await running.post(who, thread_id, message.text, nonce=nonce, tab="", asks=message.reply)
    stream_id = posted.stream_id or await running.reply_to(who, posted.message_id)
    if stream_id is not None and (form := wanted(request)) is not None:
        follow = running.follow(who, stream_id)
        return event_stream(follow) if form == EVENT_STREAM else plain_text(follow)
    if stream_id is not None:
        response.headers["Location"] = schemas.begun(stream_id).url
    return schemas.Posted(message=posted.message_id, reply=None if stream_id is None else schemas.begun(stream_id))
