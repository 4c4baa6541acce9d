"""Guests over HTTP: people who take part without a browser."""

from http import HTTPStatus

from fastapi import APIRouter

from chat_app.api import schemas
from chat_app.api.asking import Address, Running
from chat_app.api.problems import described

router = APIRouter(tags=["guests"])


@router.post(
    "/guests",
    status_code=201,
    responses=described(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.TOO_MANY_REQUESTS
    ),
)
async def begin_as_guest(running: Running, address: Address, guest: schemas.NewGuest | None = None) -> schemas.Guest:
    """Create a person with a name, and the token that all other calls need."""
    who, token = await running.people.new_guest(guest.name if guest else None, address=address)
    return schemas.Guest(token=token, user=schemas.User(id=who.user_id, name=who.name))
