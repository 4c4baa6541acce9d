"""The HTTP interface, put together: its routes, its OpenAPI document, its errors."""

import re
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi_offline import FastAPIOffline
from starlette.responses import HTMLResponse
from starlette.routing import Mount

from chat_app.api import guests, schemas, streams, threads
from chat_app.api.edge import Edge
from chat_app.api.problems import InvalidRequest, Problem, tell_problems
from chat_app.gate import cookie
from chat_app.gate.headers import page_policy
from chat_app.threads.messages import MAX_TEXT

PREFIX = "/api"
"""Where the interface is mounted."""
MAX_BODY = 12 * MAX_TEXT + 4096
"""The most bytes of a request: the longest message, with each character escaped in JSON, and the fields around it."""

DOCUMENTATION_FILES = "/documentation"
"""Where the scripts and styles of the documentation page are, below `PREFIX`."""
DESCRIPTION = """A reply is a URL: start one, join it from anywhere while it runs, and resume it at any offset.

Begin with `POST /api/guests`; it returns the bearer token for all other calls. Offsets count Unicode code points.
Errors are problem details (RFC 9457). Every response has an `X-Request-Id`, under which the server logs it."""
TAGS = [
    {"name": "guests", "description": "Taking part without a browser."},
    {"name": "threads", "description": "Conversations and their messages."},
    {"name": "streams", "description": "Replies: read, join, resume, stop, retry and continue them."},
]


def create_api(is_origin: Callable[[str], bool]) -> FastAPI:
    """The application to mount at `PREFIX`; `is_origin` tells whether our pages are served at an origin."""
    api = FastAPIOffline(
        docs_url=None,
        static_url=DOCUMENTATION_FILES,
        title="Tributary",
        version="1",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,  # a path that differs by a slash is unknown
        max_body_size=MAX_BODY,
    )
    api.state.is_origin = is_origin
    for router in (guests.router, threads.router, streams.router):
        api.include_router(router)
    api.routes.extend(cookie.routes)
    api.add_api_route("/docs", documentation, include_in_schema=False)
    tell_problems(api)

    def document() -> dict[str, Any]:
        described = FastAPI.openapi(api)
        for kind in (Problem, InvalidRequest, schemas.Export):  # no route has these as its response model
            schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
            described["components"]["schemas"] |= {**schema.pop("$defs", {}), kind.__name__: schema}
        return described

    api.openapi = document  # pyright: ignore[reportAttributeAccessIssue]  # FastAPI's own way to extend its document
    return api


async def documentation() -> HTMLResponse:
    """The documentation page, made only from files of this server; its own policy allows its inline icons."""
    files = f"{PREFIX}{DOCUMENTATION_FILES}"
    page = get_swagger_ui_html(
        openapi_url=f"{PREFIX}/openapi.json",
        title="HTTP interface · Tributary",
        swagger_js_url=f"{files}/swagger-ui-bundle.js",
        swagger_css_url=f"{files}/swagger-ui.css",
        swagger_favicon_url="/favicon.svg",
    )
    page.headers["content-security-policy"] = page_policy([bytes(page.body).decode()], images="'self' data:")
    return page


def mounted(api: FastAPI) -> Mount:
    """The interface, mounted at `PREFIX`."""
    mount = Mount(PREFIX, Edge(api, max_body=MAX_BODY))
    # Otherwise Starlette 1.x does not match a path with a line end, and answers it in plain text.
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    return mount
