"""The request id: one name for an HTTP request, in its answer and in every log line that it causes."""

import re
import secrets
from contextvars import ContextVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"
GIVEN = re.compile(r"[A-Za-z0-9._-]{8,64}")
"""An id that a proxy has given already, and that is kept."""

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request at hand, "" outside of one. A task that a request starts, such as a writer, inherits it."""


class RequestIds:
    """Names every HTTP request, and says the name in the answer."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` is what answers."""
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
