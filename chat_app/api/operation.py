"""Operation: endpoints that tell whether the server is up, whether it can work, and what it has done."""

import secrets

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from chat_app.services import NotRunning, services

_NEVER_KEPT = {"Cache-Control": "no-store"}


def operation_routes(metrics_token: SecretStr | None) -> list[Route]:
    """`/healthz`, `/readyz` and `/metrics`. Metrics need the token; nobody gets them if no token is set."""

    async def metrics(request: Request) -> Response:
        if metrics_token is None:
            return PlainTextResponse("CHAT_METRICS_TOKEN is not set.\n", 404)
        given = request.headers.get("authorization", "").encode()
        if not secrets.compare_digest(given, f"Bearer {metrics_token.get_secret_value()}".encode()):
            return PlainTextResponse("", 401, {"WWW-Authenticate": "Bearer"})
        try:
            body, media_type = services().metrics.exposition(request.headers.get("accept", ""))
        except NotRunning:
            return PlainTextResponse("", 503)
        return Response(body, headers={**_NEVER_KEPT, "Content-Type": media_type})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


async def healthz(_: Request) -> Response:
    """200 if the process is up and its event loop answers."""
    return PlainTextResponse("ok\n", headers=_NEVER_KEPT)


async def readyz(_: Request) -> Response:
    """200 if the server can do its work, otherwise 503; the body lists what is wrong."""
    try:
        faults = await services().faults()
    except NotRunning:
        faults = ["it is starting or has stopped"]
    return JSONResponse({"ready": not faults, "faults": faults}, 503 if faults else 200, _NEVER_KEPT)
