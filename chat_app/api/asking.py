"""Asking: who sends a request, and from which address, by the same rules as on the page."""

from typing import Annotated

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import HTTPBearer

from chat_app.people.identity import Identity
from chat_app.services import Services, services

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Only for the OpenAPI document: `recognise` reads the header, and also accepts a cookie.
_bearer = HTTPBearer(auto_error=False, description="Your token: `trb_…`.")


async def running() -> Services:
    """The services of the running server."""
    return services()


Running = Annotated[Services, Depends(running)]


async def asking(request: Request, running: Running, _: Annotated[object, Security(_bearer)] = None) -> Identity:
    """Who sends this request. A cookie counts only from our own pages: browsers send it with other sites' requests too.

    Raises:
        NotRecognised: there is no valid token and no cookie.
        HTTPException: 403, a cookie without a token came from a page that is not ours, and not to read only.
    """
    headers = request.headers
    authorization = headers.get("authorization", "")
    is_ours = request.method in SAFE_METHODS or request.app.state.is_origin(headers.get("origin", ""))
    if not authorization and "cookie" in headers and not is_ours:
        raise HTTPException(403, "A cookie is accepted only from this server's own pages. Elsewhere, use a token.")
    return await running.people.recognise(headers.get("cookie", ""), authorization)


async def address(request: Request) -> str:
    """The network address that a request comes from, for limits; "" if it has none."""
    return request.client.host if request.client else ""


Who = Annotated[Identity, Depends(asking)]
Address = Annotated[str, Depends(address)]
