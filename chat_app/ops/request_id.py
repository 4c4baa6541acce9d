"""The request id: it names an HTTP request, in its response and in the log."""

import re
import secrets
from contextvars import ContextVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"
GIVEN = re.compile(r"[A-Za-z0-9._-]{8,64}")
"""The form of an id that a proxy may already have given; it is then kept."""

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the current request, "" outside of one. A task that a request starts, such as a writer, inherits it."""


class RequestIds:
    """Gives every HTTP request an id, and returns it in a header of the response."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` is the application that answers."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        given = Headers(scope=scope).get(HEADER, "")
        name = given if GIVEN.fullmatch(given) else secrets.token_hex(8)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        token = request_id.set(name)
        try:
            return await self._app(scope, receive, send_with_id)
        finally:
            request_id.reset(token)
