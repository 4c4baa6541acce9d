"""Who is asking: a person known by the secret in their browser's HttpOnly cookie, or by a bearer token of theirs.

The cookie is minted by an HTTP answer (`api/cookie.py`) and read from the genuine handshake or request; Reflex's client
token is a tab's name and says nothing about who uses it. Only a secret's hash is stored.
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
"""How often it is noted that a browser is still in use."""


@dataclass(frozen=True)
class Identity:
    """A person, as the server knows them; `session` is the hash by which they were recognised."""

    user_id: int
    name: str
    hue: int
    session: str = ""


def secret_in(cookie_header: str) -> str | None:
    """The secret in a request's Cookie header, if it has the form of one, whatever other cookies stand beside it."""
    for part in cookie_header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE and SECRET.fullmatch(value):
            return value
    return None


def session_of(cookie_header: str) -> str:
    """The hash of the session that a Cookie header shows, known or not; "" where it shows none."""
    secret = secret_in(cookie_header)
    return "" if secret is None else hash_of(secret)


async def recognise(database: Database, cookie_header: str, authorization: str = "") -> Identity:
    """The person behind a request's Cookie and Authorization headers; where there is the latter, it alone counts.

    At the first visit of a cookie a person is made up, with a name nobody else has. A token has to be known.

    Raises:
        SignedOut: the session has been ended.
        NotRecognised: the header carries no valid secret.
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
            continue  # two tabs of a new browser at once: the other one was first
    return await _seen_again(database, found)


async def has_ended(database: Database, cookie_header: str) -> bool:
    """Whether the cookie means nobody for ever, so that its browser needs another: its session was ended, mostly."""
    secret = secret_in(cookie_header)
    if secret is None:
        return False
    try:
        await _find(database, hash_of(secret), SessionKind.COOKIE)
    except NotRecognised:
        return True
    return False


async def sign_out(session: AsyncSession, user_id: int, *, keep: str = "") -> None:
    """End all sessions of this person, browsers' and tokens', but the one whose hash is `keep`."""
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
