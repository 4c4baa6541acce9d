"""The identity cookie: set by the page's own answer; in development, where Vite serves the page, by a small script."""

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


def set_cookie(secret: str, *, is_secure: bool) -> str:
    """The Set-Cookie header value: for a year, out of reach of scripts, not sent along from other sites."""
    cookie = SimpleCookie({COOKIE: secret})
    morsel = cookie[COOKIE]
    morsel["path"] = "/"
    morsel["max-age"] = 365 * 24 * 3600
    morsel["samesite"] = "Lax"
    morsel["httponly"] = True
    morsel["secure"] = is_secure
    return morsel.OutputString()


CONDITIONAL = frozenset({b"if-none-match", b"if-modified-since"})
SCRIPT = "/api/session.js"
"""A script without a line in it, whose answer carries the cookie to a page that another server sent."""


class CookieMiddleware:
    """Gives a browser without a valid cookie a new one, on pages and on the script; writes nothing to the database."""

    def __init__(self, app: ASGIApp, *, origins: Sequence[str], has_ended: Callable[[str], Awaitable[bool]]) -> None:
        """Args:
        app: what answers.
        origins: where the pages are served; with https the cookie is sent over https only.
        has_ended: whether the session behind a Cookie header was ended; asked for pages and the script alone.
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
            # An answer "not modified" would not carry the cookie.
            kept = [(name, value) for name, value in scope["headers"] if name not in CONDITIONAL]
            scope = {**scope, "headers": kept}

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                if scope["path"] == SCRIPT or answer.get("content-type", "").startswith("text/html"):
                    # A page is always asked for, so that a browser whose cookie is gone gets another.
                    answer["cache-control"] = "private, no-cache" if is_known else "private, no-store"
                    if not is_known:
                        answer.append("set-cookie", set_cookie(new_secret(), is_secure=is_secure))
            await send(message)

        return await self._app(scope, receive, send_with_cookie)


async def _script(_: Request) -> Response:
    return Response("", media_type="text/javascript", headers={"cache-control": "private, no-store"})


routes = [Route(SCRIPT.removeprefix("/api"), _script)]
"""For the application that is mounted at /api."""
