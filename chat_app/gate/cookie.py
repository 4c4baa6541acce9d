"""The identity cookie: set by the page's own response; in development, where Vite serves the page, by a script."""

from collections.abc import Awaitable, Callable, Sequence
from http.cookies import SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat_app.gate.headers import is_https
from chat_app.people.identity import COOKIE, secret_in
from chat_app.people.secrets import new_secret

CONDITIONAL = frozenset({b"if-none-match", b"if-modified-since"})
SCRIPT = "/api/session.js"
"""An empty script; its response carries the cookie to a page that another server sent."""


def set_cookie(secret: str, *, is_secure: bool) -> str:
    """The Set-Cookie header value: for a year, hidden from scripts, not sent with other sites' requests."""
    cookie = SimpleCookie({COOKIE: secret})
    morsel = cookie[COOKIE]
    morsel["path"] = "/"
    morsel["max-age"] = 365 * 24 * 3600
    morsel["samesite"] = "Lax"
    morsel["httponly"] = True
    morsel["secure"] = is_secure
    return morsel.OutputString()


class CookieMiddleware:
    """Gives a browser without a valid cookie a new one, with pages and the script; writes nothing to the database."""

    def __init__(self, app: ASGIApp, *, origins: Sequence[str], has_ended: Callable[[str], Awaitable[bool]]) -> None:
        """Args:
        app: the application that answers.
        origins: where the pages are served, for `is_https`; over https the cookie is Secure.
        has_ended: whether the session of a Cookie header was ended; asked only for pages and the script.
        """
        self._app = app
        self._origins = frozenset(origins)
        self._has_ended = has_ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        is_page = scope["path"] == SCRIPT or "text/html" in headers.get("accept", "")
        cookies = headers.get("cookie", "")
        is_known = secret_in(cookies) is not None and not (is_page and await self._has_ended(cookies))
        is_secure = is_https(scope, self._origins)
        if not is_known:
            # A "not modified" response would not carry the cookie.
            kept = [(name, value) for name, value in scope["headers"] if name not in CONDITIONAL]
            scope = {**scope, "headers": kept}

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                if scope["path"] == SCRIPT or answer.get("content-type", "").startswith("text/html"):
                    # The browser always asks for the page again, so that one without its cookie gets a new one.
                    answer["cache-control"] = "private, no-cache" if is_known else "private, no-store"
                    if not is_known:
                        answer.append("set-cookie", set_cookie(new_secret(), is_secure=is_secure))
            await send(message)

        return await self._app(scope, receive, send_with_cookie)


async def _script(_: Request) -> Response:
    return Response("", media_type="text/javascript", headers={"cache-control": "private, no-store"})


routes = [Route(SCRIPT.removeprefix("/api"), _script)]
"""Routes for the application that is mounted at /api."""
