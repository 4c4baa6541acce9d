"""Events: a stream's text over HTTP, as server-sent events or as plain text."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, contextmanager

from fastapi import HTTPException, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from chat_app.api.problems import PRUNED
from chat_app.ops.request_id import request_id
from chat_app.people.identity import Identity
from chat_app.refusals import SignedOut, ThreadUnknown
from chat_app.services import Services
from chat_app.threads.reply_views import StreamView
from tributary_streams import End, Piece

logger = logging.getLogger(__name__)

EVENT_STREAM = "text/event-stream"
PLAIN_TEXT = "text/plain"

HEARTBEAT = 15
"""Seconds of silence after which a comment keeps proxies from closing the connection; most wait for 60."""
SEND_WITHIN = 30
"""Seconds for which a reader may take nothing; then it is cut off, and can resume from its offset."""
PART = 4_000
"""The most code points of one event: a stored text comes in several, so that a reader whose connection breaks often
still makes progress."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Accept"}
"""No proxy may store the response, or hold it back until it is complete."""
ENDED = ".end"
"""What the id of an end event adds to the offset: a reader that resumes from it has all, and a browser must stop."""

Items = AsyncGenerator[Piece | End]


def wanted(request: Request, default: str | None = None) -> str | None:
    """The streaming media type that Accept prefers, None if it prefers JSON, `default` if it names none of them."""
    choices = [_weighed(choice) for choice in request.headers.get("accept", "").lower().split(",")]
    for weight, kind in sorted(choices, key=lambda choice: -choice[0]):
        if weight and kind in (EVENT_STREAM, PLAIN_TEXT):
            return kind
        if weight and kind == "application/json":
            return None
    return default


def items_of(running: Services, who: Identity, stream: StreamView, offset: int = 0) -> Items:
    """Exactly text[offset:] of a stream as it comes, then its end; for an ended stream, from the text already read.

    Raises:
        HTTPException: 410, its text was pruned.
    """
    if stream.status.is_terminal:
        return _in_parts(_stored(stream, text_of(stream), offset))
    return _in_parts(running.http_readers.follow(who, stream.id, offset))


def text_of(stream: StreamView) -> str:
    """The stored text of a stream.

    Raises:
        HTTPException: 410, it was pruned.
    """
    if stream.text is None:
        raise HTTPException(410, PRUNED)
    return stream.text


def streamed(items: Items, form: str) -> Response:
    """The response that carries a stream as one of the two streaming media types."""
    return _EventStream(items) if form == EVENT_STREAM else _PlainText(items)


class _EventStream(EventSourceResponse):
    """Text events, each with the offset after its text as id, and an end event."""

    def __init__(self, items: Items) -> None:
        super().__init__(_events(items), ping=HEARTBEAT, send_timeout=SEND_WITHIN, headers=HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with _cut_quietly():
            await super().__call__(scope, receive, send)


class _PlainText(StreamingResponse):
    """Only the text. To learn how it ended, a client reads the stream."""

    def __init__(self, items: Items) -> None:
        self._texts = _texts(items)
        super().__init__(self._texts, media_type=f"{PLAIN_TEXT}; charset=utf-8", headers=HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_WITHIN):
                await send(message)

        with _cut_quietly():
            async with aclosing(self._texts):
                await super().__call__(scope, receive, send_in_time)


@contextmanager
def _cut_quietly() -> Generator[None]:
    """A reader that goes away or takes nothing is not an error of the server."""
    try:
        yield
    except (SendTimeoutError, ClientDisconnect, TimeoutError):
        logger.info("the reader of request %s took nothing any more and was cut", request_id.get())


async def _stored(stream: StreamView, text: str, offset: int) -> Items:
    if rest := text[offset:]:
        yield Piece(offset, rest)
    yield End(stream.status, stream.reason, len(text))


async def _in_parts(items: Items) -> Items:
    async with aclosing(items):
        async for item in items:
            if isinstance(item, End):
                yield item
                continue
            for start in range(0, len(item.text), PART):
                yield Piece(item.offset + start, item.text[start : start + PART])


async def _events(items: Items) -> AsyncGenerator[ServerSentEvent]:
    try:
        async with aclosing(items):
            async for item in items:
                match item:
                    case Piece(offset, text):
                        after = offset + len(text)
                        yield ServerSentEvent(_json(offset=offset, text=text), event="text", id=str(after))
                    case End(status, reason, offset):
                        data = _json(status=status, reason=reason, offset=offset)
                        yield ServerSentEvent(data, event="end", id=f"{offset}{ENDED}")
    except (ThreadUnknown, SignedOut):
        return  # this reader has lost access; its next request says so


async def _texts(items: Items) -> AsyncGenerator[str]:
    try:
        async with aclosing(items):
            async for item in items:
                if isinstance(item, Piece):
                    yield item.text
    except (ThreadUnknown, SignedOut):
        return


def _json(**values: object) -> str:
    return json.dumps(values, ensure_ascii=False)


def _weighed(choice: str) -> tuple[float, str]:
    kind, *parameters = (part.strip() for part in choice.split(";"))
    weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        return float(weight), kind
    except ValueError:
        return 0.0, kind
