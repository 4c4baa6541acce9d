"""Bearer tokens: how a person lets a script act for them."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.models import Session, SessionKind, User
from chat_app.people.names import one_line
from chat_app.people.secrets import SECRET, hash_of, new_secret
from chat_app.refusals import NotRecognised, TokenRefused
from tributary_streams import utc_now

TOKEN_PREFIX = "trb_"  # noqa: S105  # what all tokens begin with, so that they are found where they should not be
"""What a bearer token begins with, before its secret."""
TOKEN_ID_LENGTH = 16
"""Characters of a token's hash that are its id for its owner."""
TOKEN_ID = re.compile(rf"[0-9a-f]{{{TOKEN_ID_LENGTH}}}")
TOKENS = 20
"""Bearer tokens that one person may have at once."""
TOKEN_NAME_LENGTH = 60
"""Characters of a token's name at most."""


@dataclass(frozen=True)
class TokenView:
    """A bearer token as its owner sees it later: without its secret."""

    id: str
    name: str
    seen: datetime


async def add_token(session: AsyncSession, user_id: int, name: str) -> str:
    """Add a bearer token for this person to the caller's transaction; return it, which is shown only this once.

    Raises:
        TokenRefused: the name is blank or too long, or there are too many tokens.
    """
    name = one_line(name)
    if not 1 <= len(name) <= TOKEN_NAME_LENGTH:
        msg = f"A token needs a name of 1 to {TOKEN_NAME_LENGTH} characters."
        raise TokenRefused(msg)
    # On PostgreSQL two concurrent calls would count the same number without this lock.
    await session.execute(select(col(User.id)).where(col(User.id) == user_id).with_for_update())
    if len(await tokens(session, user_id)) >= TOKENS:
        msg = f"One person can have {TOKENS} tokens. Revoke one first."
        raise TokenRefused(msg)
    secret = new_secret()
    session.add(Session(hash=hash_of(secret), user_id=user_id, kind=SessionKind.BEARER, name=name))
    return TOKEN_PREFIX + secret


async def tokens(session: AsyncSession, user_id: int) -> list[TokenView]:
    """This person's bearer tokens, by name."""
    query = select(Session).where(
        col(Session.user_id) == user_id, col(Session.kind) == SessionKind.BEARER, col(Session.ended).is_(None)
    )
    found = (await session.execute(query.order_by(col(Session.name), col(Session.hash)))).scalars()
    return [TokenView(token.hash[:TOKEN_ID_LENGTH], token.name, token.seen) for token in found]


async def revoke_token(session: AsyncSession, user_id: int, token_id: str) -> bool:
    """End one of this person's tokens; return whether there was one."""
    if not TOKEN_ID.fullmatch(token_id):
        return False
    ended = (
        update(Session)
        .where(
            col(Session.user_id) == user_id,
            col(Session.kind) == SessionKind.BEARER,
            col(Session.hash).startswith(token_id),
            col(Session.ended).is_(None),
        )
        .values(ended=utc_now())
        .returning(col(Session.hash))
    )
    return (await session.execute(ended)).first() is not None


def hash_of_token(authorization: str) -> str:
    """The session hash for the bearer token in an Authorization header.

    Raises:
        NotRecognised: the header holds no token of the right form.
    """
    scheme, _, token = authorization.partition(" ")
    secret = token.strip().removeprefix(TOKEN_PREFIX)
    if scheme.lower() != "bearer" or len(secret) == len(token.strip()) or not SECRET.fullmatch(secret):
        raise NotRecognised
    return hash_of(secret)
