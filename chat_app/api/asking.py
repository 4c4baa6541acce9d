"""Asking: who sends a request and from where, by the same rules as on the page."""

from typing import Annotated

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import HTTPBearer

from chat_app.people.identity import Identity
from chat_app.services import Services, services

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# For the document alone: `recognise` reads the header, and a cookie does as well.
_bearer = HTTPBearer(auto_error=False, description="A token of yours: `trb_…`.")


def running() -> Services:
    """The services, once the server runs."""
    return services()


Running = Annotated[Services, Depends(running)]


async def asking(request: Request, running: Running, _: Annotated[object, Security(_bearer)] = None) -> Identity:
    """Who sends this request. A cookie counts for pages of ours alone: it travels along with another site's request.

    Raises:
        NotRecognised: there is no valid token and no cookie.
        HTTPException: 403, the cookie comes from another site's page.
    """
    headers = request.headers
    authorization = headers.get("authorization", "")
    is_ours = request.method in SAFE_METHODS or request.app.state.is_origin(headers.get("origin", ""))
    if not authorization and "cookie" in headers and not is_ours:
        raise HTTPException(403, "With a cookie, send this from a page of ours; elsewhere use a token.")
    return await running.people.recognise(headers.get("cookie", ""), authorization)


def address(request: Request) -> str:
    """The network address that a request comes from, for limits; "" where it has none."""
    return request.client.host if request.client else ""


Who = Annotated[Identity, Depends(asking)]
Address = Annotated[str, Depends(address)]
