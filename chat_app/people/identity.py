"""Identity: who makes a request, known by the secret in an HttpOnly cookie, or by a bearer token.

The cookie is set by an HTTP answer (`gate/cookie.py`) and read from the handshake or request itself. Reflex's client
token names a tab, and says nothing about who uses it. Only the hash of a secret is stored.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.db import Database
from chat_app.data.models import Session, SessionKind, User
from chat_app.people.names import add_user
from chat_app.people.secrets import SECRET, hash_of
from chat_app.people.tokens import hash_of_token
from chat_app.refusals import NotRecognised, SignedOut
from tributary_streams import utc_now

COOKIE = "tributary"
"""The cookie's name."""
SEEN_EVERY = timedelta(hours=1)
"""Least time between two updates of `Session.seen`."""


@dataclass(frozen=True)
class Identity:
    """A person, as the server knows them; `session` is the hash of the session that identified them."""

    user_id: int
    name: str
    hue: int
    session: str = ""


def secret_in(cookie_header: str) -> str | None:
    """The secret in a Cookie header, if it has the form of one; other cookies are ignored."""
    for part in cookie_header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE and SECRET.fullmatch(value):
            return value
    return None


def session_of(cookie_header: str) -> str:
    """The hash of the secret in a Cookie header, whether or not it is known; "" if there is no secret."""
    secret = secret_in(cookie_header)
    return "" if secret is None else hash_of(secret)


async def recognise(database: Database, cookie_header: str, authorization: str = "") -> Identity:
    """The person behind a request's Cookie and Authorization headers; if there is the latter, it alone counts.

    For a new cookie a person is added, with a name that nobody else has. A token must be known.

    Raises:
        SignedOut: the session has been ended.
        NotRecognised: the header that counts carries no valid secret.
    """
    if authorization:
        return await _seen_again(database, await _find(database, hash_of_token(authorization), SessionKind.BEARER))
    secret = secret_in(cookie_header)
    if secret is None:
        raise NotRecognised
    digest = hash_of(secret)
    while (found := await _find(database, digest, SessionKind.COOKIE)) is None:
        try:
            async with database.write() as session:
                user_id = await add_user(session)
                session.add(Session(hash=digest, user_id=user_id))
        except IntegrityError:
            continue  # two tabs of a new browser at once: the other tab was first
    return await _seen_again(database, found)


async def has_ended(database: Database, cookie_header: str) -> bool:
    """Whether the cookie can never identify anybody, mostly because its session was ended: it must be replaced."""
    secret = secret_in(cookie_header)
    if secret is None:
        return False
    try:
        await _find(database, hash_of(secret), SessionKind.COOKIE)
    except NotRecognised:
        return True
    return False


async def sign_out(session: AsyncSession, user_id: int, *, keep: str = "") -> None:
    """End all sessions of this person, of cookies and of tokens, except the one whose hash is `keep`."""
    await session.execute(
        update(Session)
        .where(col(Session.user_id) == user_id, col(Session.hash) != keep, col(Session.ended).is_(None))
        .values(ended=utc_now())
    )


async def _find(database: Database, digest: str, kind: SessionKind) -> tuple[Identity, datetime] | None:
    query = (
        select(col(User.id), col(User.name), col(User.hue), col(Session.kind), col(Session.seen), col(Session.ended))
        .join(Session, col(Session.user_id) == col(User.id))
        .where(col(Session.hash) == digest)
    )
    async with database.read() as session:
        row = (await session.execute(query)).first()
    if row is None:
        return None
    user_id, name, hue, found_kind, seen, ended = row
    if found_kind is not kind:
        raise NotRecognised  # a token in a cookie, or the reverse
    if ended is not None:
        raise SignedOut
    assert user_id is not None
    return Identity(user_id, name, hue, digest), seen


async def _seen_again(database: Database, found: tuple[Identity, datetime] | None) -> Identity:
    if found is None:
        raise NotRecognised
    known, seen = found
    if utc_now() - seen > SEEN_EVERY:
        async with database.write() as session:
            (await session.get_one(Session, known.session)).seen = utc_now()
    return known
