"""The headers of every response: what a page may load, run and reveal; no site may frame it, no browser guess its type.

The page's policy names no other host. Scripts and styles come from this server, or are in the built pages and are named
by their hashes; nothing is evaluated, and no image comes from elsewhere. So text that got past the renderer could
neither run nor send data anywhere.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

INLINE_SCRIPT = re.compile(r"<script\b(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
INLINE_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style>", re.DOTALL | re.IGNORECASE)
NOT_A_PAGE = "default-src 'none'; frame-ancestors 'none'"
"""The policy of every response that is not a page: opened by itself, it loads and runs nothing."""
A_YEAR = 365 * 24 * 3600
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # A thread's address is the key to it. Not `no-referrer`: browsers would then hide a form's Origin from us too.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": ", ".join(
        f"{feature}=()"
        for feature in ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "serial", "usb")
    ),
}

Reach = Literal["same-origin", "cross-origin"]


class HeadersMiddleware:
    """Adds the headers to each HTTP response; a response that has a policy of its own keeps it."""

    def __init__(self, app: ASGIApp, *, pages: Path, origins: Sequence[str], reach: Reach = "same-origin") -> None:
        """Args:
        app: the application that answers.
        pages: the folder of the built pages, if there is one; their inline scripts are allowed.
        origins: where the pages are served, for `is_https`.
        reach: which sites' pages may load a response. In development the pages are on another port, which Chromium
            treats as another site if the host is a number.
        """
        self._app = app
        self._origins = frozenset(origins)
        self._page_policy = page_policy(page.read_text() for page in sorted(pages.glob("**/*.html")))
        self._headers = {**HEADERS, "cross-origin-resource-policy": reach}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    answer.setdefault(name, value)
                if is_https(scope, self._origins):
                    answer.setdefault("strict-transport-security", f"max-age={A_YEAR}")
                # A "not modified" response has no type, and would give the browser's cached page another policy.
                if message["status"] != 304:
                    is_page = answer.get("content-type", "").startswith("text/html")
                    answer.setdefault("content-security-policy", self._page_policy if is_page else NOT_A_PAGE)
            await send(message)

        return await self._app(scope, receive, send_with_headers)


def is_https(scope: Scope, origins: Iterable[str]) -> bool:
    """Whether the browser used https, to this server or to a proxy in front of it whose address is in `origins`."""
    return scope.get("scheme") == "https" or f"https://{Headers(scope=scope).get('host', '')}" in origins


def page_policy(pages: Iterable[str], *, images: str = "'self'") -> str:
    """The Content-Security-Policy for these HTML pages: of inline scripts and styles, it allows only theirs."""
    pages = tuple(pages)
    scripts = {script for page in pages for script in INLINE_SCRIPT.findall(page)}
    styles = {style for page in pages for style in INLINE_STYLE.findall(page)} | {""}
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(("'self'", *sorted(map(_hash, scripts)))),
        # Emotion (reflex 0.10) fills an empty style element through the DOM, which no policy forbids. React sets the
        # style of elements in the same way.
        "style-src": " ".join(("'self'", *sorted(map(_hash, styles)))),
        "img-src": images,
        "font-src": "'self'",
        "connect-src": "'self'",  # also the socket, in browsers since 2022
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in policy.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
