"""Events: a stream's text as it goes over HTTP, as server-sent events or as plain text."""

import json
from collections.abc import AsyncGenerator, AsyncIterator

from fastapi import Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import StreamingResponse

from chat_app.access import ThreadUnknown
from chat_app.identity import SignedOut
from chat_app.streaming import End, Piece
from chat_app.views import StreamView

EVENT_STREAM = "text/event-stream"
PLAIN_TEXT = "text/plain"
JSON = "application/json"

HEARTBEAT = 15
"""Seconds of silence after which a comment keeps proxies from closing the connection; most wait for 60."""
SEND_WITHIN = 30
"""Seconds that a reader may take nothing; then it is cut, and can resume from its offset."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""No proxy is to keep this, or to hold it back until it is complete."""

Items = AsyncIterator[Piece | End]


def wanted(request: Request, default: str | None = None) -> str | None:
    """The streaming form that the Accept header asks for first, or None where it asks for JSON or for anything."""
    for choice in request.headers.get("accept", "").lower().split(","):
        match choice.partition(";")[0].strip():
            case "text/event-stream":
                return EVENT_STREAM
            case "text/plain":
                return PLAIN_TEXT
            case "application/json":
                return None
    return default


def event_stream(items: Items) -> EventSourceResponse:
    """Text events with the offset after each as its id, and an end event."""
    return EventSourceResponse(_events(items), ping=HEARTBEAT, send_timeout=SEND_WITHIN, headers=HEADERS)


def plain_text(items: Items) -> StreamingResponse:
    """The text alone. How it ended is asked of the stream."""
    return StreamingResponse(_texts(items), media_type=f"{PLAIN_TEXT}; charset=utf-8", headers=HEADERS)


async def stored_events(stream: StreamView, text: str, offset: int) -> AsyncGenerator[Piece | End]:
    """What is left of an ended stream after `offset`, and its end."""
    if rest := text[offset:]:
        yield Piece(offset, rest)
    yield End(stream.status, stream.reason, len(text))


async def _events(items: Items) -> AsyncGenerator[ServerSentEvent]:
    try:
        async for item in items:
            match item:
                case Piece(offset, text):
                    data = json.dumps({"offset": offset, "text": text}, ensure_ascii=False)
                    yield ServerSentEvent(data, event="text", id=str(offset + len(text)))
                case End(status, reason, offset):
                    data = json.dumps({"status": status, "reason": reason, "offset": offset}, ensure_ascii=False)
                    yield ServerSentEvent(data, event="end", id=str(offset))
    except (ThreadUnknown, SignedOut):
        return  # it was taken from this reader; asking again says so


async def _texts(items: Items) -> AsyncGenerator[str]:
    try:
        async for item in items:
            if isinstance(item, Piece):
                yield item.text
    except (ThreadUnknown, SignedOut):
        return
