"""The composition root: the app with its settings, services, pages, lifespan, routes, cookie and headers."""

import gc
import logging
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import reflex as rx
from reflex import constants
from reflex.utils.exec import is_prod_mode
from reflex.utils.prerequisites import get_web_dir
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from chat_app import doctor
from chat_app.api.app import create_api, mounted
from chat_app.api.operation import operation_routes
from chat_app.components import layout, theme, words
from chat_app.gate import cookie, headers
from chat_app.gate.allowances import SocketLimits
from chat_app.gate.guard import SocketGuard
from chat_app.ops import log
from chat_app.ops.request_id import RequestIds
from chat_app.pages import account, home, join, not_found, thread
from chat_app.reflex_seams import is_remote
from chat_app.services import NotRunning, services, serving
from chat_app.settings import get_settings
from chat_app.state import Live, notice_update
from tributary_streams import DATABASE_AWAY

logger = logging.getLogger(__name__)
settings = get_settings()
GARBAGE = (5_000, 10, 10)
"""Python's thresholds (`gc.set_threshold`): how many new objects start a collection of the youngest, how many of those
start one of the older ones too, and how many of these start one of all objects."""
SWITCH_INTERVAL = 0.0005
"""Seconds (`sys.setswitchinterval`) for which a thread may keep the interpreter while another waits. The threads that
write to the sockets wait this long for each packet while the loop is busy: with 1,000 followers, the driver's text came
1.5 s late (p95) with Python's default of 5 ms, 0.4 s with 1 ms and under 0.1 s with this value, for the same CPU."""


def with_api(inner: ASGIApp) -> ASGIApp:
    """Add the HTTP interface to Reflex's routes. A function, because Reflex adds CORS to each Starlette app."""
    api = create_api(is_origin)
    operation = operation_routes(settings.chat_metrics_token)
    return RequestIds(Starlette(routes=[mounted(api), *operation, Mount("", inner)]))


def with_cookie(inner: ASGIApp) -> ASGIApp:
    """Wrap the server, so that a new browser gets its identity cookie."""
    return cookie.CookieMiddleware(inner, origins=settings.allowed_origins, has_ended=has_ended)


def is_origin(origin: str) -> bool:
    """Whether our pages may be served at this origin."""
    return bool(origin) and not {origin, "*"}.isdisjoint(settings.allowed_origins)


async def has_ended(cookie_header: str) -> bool:
    """Whether a browser was signed out and needs a new cookie. False if the services or the database cannot tell."""
    try:
        return await services().people.has_ended(cookie_header)
    except (NotRunning, *DATABASE_AWAY):
        return False


def with_headers(inner: ASGIApp) -> ASGIApp:
    """Wrap the server, so that each response carries the policy. In development Vite serves the page, without one."""
    return headers.HeadersMiddleware(
        inner,
        pages=get_web_dir() / constants.Dirs.STATIC,
        origins=settings.allowed_origins,
        reach="same-origin" if is_prod_mode() else "cross-origin",
    )


def with_guard(inner: ASGIApp) -> ASGIApp:
    """Guard the server's socket, so that it accepts only what our pages send."""
    limits = SocketLimits(connections=settings.chat_connections, per_address=settings.chat_connections_per_address)
    return SocketGuard(
        inner, origins=settings.allowed_origins, limits=limits, is_remote=is_remote, notice=notice_update
    )


def with_proxies(inner: ASGIApp) -> ASGIApp:
    """Accept a request's address and scheme from the operator's own proxies, and from nobody else."""
    if not settings.trusted_proxies:
        return inner
    believing: Any = ProxyHeadersMiddleware  # uvicorn has its own types for ASGI
    return believing(inner, trusted_hosts=list(settings.trusted_proxies))


def cookie_script() -> rx.Component:
    """Fetch the cookie for a page that Vite serves, before the page's own scripts open the socket.

    The backend is on another port of the page's host. Only a blocking script is early enough.
    """
    port = urlsplit(rx.config.get_config().api_url).port
    address = f"'//' + location.hostname + ':{port}{cookie.SCRIPT}'"
    return rx.el.script(
        custom_attrs={
            "dangerouslySetInnerHTML": {"__html": f"document.write('<script src=\"' + {address} + '\"><\\/script>')"}
        }
    )


def report(exception: Exception) -> None:  # Reflex asks for this name
    """Log an error that a handler did not foresee; the page is told nothing (Reflex would show the error's text)."""
    logger.error("a handler failed", exc_info=exception)


def report_page(exception: Exception) -> None:
    """Log an error that a browser reports. Anybody may send one, so it is cut to a short line of printable text."""
    words = "".join(char if char.isprintable() else " " for char in str(exception)).split()
    logger.warning("a page reports: %s", " ".join(words)[:300])


def _collect_garbage_rarely() -> None:
    """Leave the objects of the start out of garbage collections, and collect less often: a collection of all objects
    stops every stream, with 1,000 tabs for 0.3 s every 7 s."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)


@asynccontextmanager
async def lifespan() -> AsyncGenerator[None]:
    """Run the services while the server runs, never at import, because Reflex also imports the app outside of it."""
    log.set_up(settings)
    await doctor.admit(settings, is_production=is_prod_mode())
    _collect_garbage_rarely()
    sys.setswitchinterval(SWITCH_INTERVAL)
    async with serving(settings):
        yield


app = rx.App(
    api_transformer=[with_api, with_cookie, with_headers, with_guard, with_proxies],
    stylesheets=theme.STYLESHEETS,
    head_components=[
        *theme.head(theme.public_address(settings.allowed_origins)),
        *([] if is_prod_mode() else [cookie_script()]),
    ],
    app_wraps=layout.app_wraps(on_gap=Live.catch_up),
    toaster=None,
    backend_exception_handler=report,
    frontend_exception_handler=report_page,
)
app.register_lifespan_task(lifespan)
app.add_page(home.home, route=home.ROUTE, title=words.BRAND, on_load=home.Home.lead)
app.add_page(thread.thread, route=thread.ROUTE, title=words.BRAND, on_load=Live.watch)
app.add_page(join.join, route=join.ROUTE, title=words.BRAND, on_load=join.Join.join)
app.add_page(account.account, route=account.ROUTE, title=words.ACCOUNT_PAGE, on_load=account.Account.show)
app.add_page(not_found.not_found, route="404", title=words.NOT_FOUND_PAGE)
