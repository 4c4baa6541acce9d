"""The HTTP interface, put together: its routes, its document, its problems."""

from collections.abc import Callable

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from chat_app.api import cookie, streams, threads
from chat_app.api.problems import tell_problems

PREFIX = "/api"
"""Where the interface is mounted."""

DESCRIPTION = """A reply is a URL: start one, join it from anywhere while it runs, and resume it at any offset.

Begin with `POST /api/guests`; the token that it gives is the bearer for all else. Offsets are Unicode code points."""


def create_api(is_origin: Callable[[str], bool]) -> FastAPI:
    """The application to mount at `PREFIX`; `is_origin` tells whether a page of ours is served at an origin."""
    api = FastAPIOffline(title="Tributary", version="1", description=DESCRIPTION, redoc_url=None)
    api.state.is_origin = is_origin
    api.include_router(threads.router)
    api.include_router(streams.router)
    api.routes.extend(cookie.routes)
    tell_problems(api)
    return api
