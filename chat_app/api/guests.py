"""Guests over HTTP: people without a browser, and how many of them one address may begin."""

import time
from http import HTTPStatus

from fastapi import APIRouter, Request
from limits import RateLimitItemPerHour
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from chat_app.api import schemas
from chat_app.api.asking import Address, Running
from chat_app.api.problems import TooManyGuests, described

router = APIRouter(tags=["guests"])


class Guests:
    """Counts by address who was begun in the last hour, in this process's memory."""

    def __init__(self, per_hour: int) -> None:
        """`per_hour` is how many one address may begin; 0 is no limit."""
        self._allowed = RateLimitItemPerHour(per_hour) if per_hour else None
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def count(self, address: str) -> None:
        """Count one more.

        Raises:
            TooManyGuests: it has to wait.
        """
        if self._allowed is not None and not await self._limiter.hit(self._allowed, address):
            window = await self._limiter.get_window_stats(self._allowed, address)
            raise TooManyGuests(window.reset_time - time.time())


@router.post(
    "/guests",
    status_code=201,
    responses=described(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.TOO_MANY_REQUESTS
    ),
)
async def begin_as_guest(
    running: Running, address: Address, request: Request, guest: schemas.NewGuest | None = None
) -> schemas.Guest:
    """Take part without a browser: a person with a name, and the token that everything else asks for."""
    await request.app.state.guests.count(address)
    who, token = await running.new_guest(guest.name if guest else None)
    return schemas.Guest(token=token, user=schemas.User(id=who.user_id, name=who.name))
