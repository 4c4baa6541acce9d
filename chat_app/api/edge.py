"""The edge: what applies to every request to the HTTP interface and to every response, whatever the route."""

import json
import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat_app.api.problems import TOO_LARGE, problem
from chat_app.ops.request_id import HEADER, request_id

logger = logging.getLogger(__name__)

EXPOSED = f"Content-Location, ETag, Location, Retry-After, {HEADER}"
"""The response headers that a page of another origin may read, if CORS allows it at all."""


class Edge:
    """Refuses requests that announce too large a body, answers HEAD like GET without a body, exposes headers to pages,
    and logs a line of JSON for each request."""

    def __init__(self, app: ASGIApp, *, max_body: int) -> None:
        """Args:
        app: the application that answers.
        max_body: bytes that a request may announce. The application counts those of a body without a given length.
        """
        self._app = app
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        method, began, status = scope["method"], time.monotonic(), 0
        announced = Headers(scope=scope).get("content-length", "")
        is_too_large = announced.isdecimal() and int(announced) > self._max_body
        app = problem(413, TOO_LARGE) if is_too_large else self._app
        if method == "HEAD":
            # As JSON, which ends at once: a HEAD must not follow a reply only for its headers.
            kept = [(name, value) for name, value in scope["headers"] if name != b"accept"]
            scope = {**scope, "method": "GET", "headers": [*kept, (b"accept", b"application/json")]}

        async def send_at_edge(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["Access-Control-Expose-Headers"] = EXPOSED
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            await app(scope, receive, send_at_edge)
        finally:
            line = {"request": request_id.get(), "method": method, "path": scope["path"], "status": status}
            logger.info(json.dumps({**line, "ms": round((time.monotonic() - began) * 1000)}))
