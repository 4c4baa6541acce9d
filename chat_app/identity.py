"""Who is asking: a person known by the secret in their browser's HttpOnly cookie.

The cookie is minted by an HTTP answer (`api/cookie.py`) and read from the genuine handshake or request; Reflex's client
token is a tab's name and says nothing about who uses it. Only the secret's hash is stored.
"""

import hashlib
import itertools
import random
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.cookies import SimpleCookie

from coolname import RandomGenerator
from coolname.data import config as wordlists
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.db import Database
from chat_app.models import Session, User
from chat_app.streaming.tables import utc_now
from chat_app.streaming.text import look

COOKIE = "tributary"
"""The cookie's name."""
SECRET_BYTES = 32
"""256 random bits; more than the 128 that make guessing hopeless, so that the plain hash of it is safe to store."""
PLAIN_NAMES = 5
"""Names that are made up without a number before one is added; there are some 56,000."""
_NAMES = RandomGenerator(
    {
        "all": {"type": "cartesian", "lists": ["adjective_near", "animal"]},
        # Of coolname's adjectives these alone say nothing about the person.
        **{kind: wordlists[kind] for kind in ("adjective_near", "animal")},
    }
)
SEEN_EVERY = timedelta(hours=1)
"""How often it is noted that a browser is still in use."""
KEY_LENGTH = 60
"""Characters of a name's key that are compared; one character of a name may be many of the key."""
SECRET_LENGTH = 43
"""Characters of a secret: `SECRET_BYTES` in URL-safe base64."""


class NotRecognised(Exception):
    """No valid cookie came with the request. Load the page again: its answer sets one."""


@dataclass(frozen=True)
class Identity:
    """A person, as the server knows them."""

    user_id: int
    name: str
    hue: int


def new_secret() -> str:
    """A fresh cookie value."""
    return secrets.token_urlsafe(SECRET_BYTES)


def secret_in(cookie_header: str) -> str | None:
    """The secret in a request's Cookie header, if it has the form of one, whatever other cookies stand beside it."""
    for part in cookie_header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE and len(value) == SECRET_LENGTH and value.isascii():
            return value
    return None


def set_cookie(secret: str, *, is_secure: bool) -> str:
    """The Set-Cookie header value: for a year, out of reach of scripts, not sent along from other sites."""
    cookie = SimpleCookie({COOKIE: secret})
    morsel = cookie[COOKIE]
    morsel["path"] = "/"
    morsel["max-age"] = 365 * 24 * 3600
    morsel["samesite"] = "Lax"
    morsel["httponly"] = True
    morsel["secure"] = is_secure
    return morsel.OutputString()


async def recognise(database: Database, cookie_header: str) -> Identity:
    """The person behind a Cookie header; at their first visit one is made up, with a name nobody else has.

    Raises:
        NotRecognised: the header carries no valid secret.
    """
    secret = secret_in(cookie_header)
    if secret is None:
        raise NotRecognised
    digest = hashlib.sha256(secret.encode()).hexdigest()
    while (found := await _find(database, digest)) is None:
        try:
            async with database.write() as session:
                user_id = await add_user(session)
                session.add(Session(hash=digest, user_id=user_id))
        except IntegrityError:
            continue  # two tabs of a new browser at once: the other one was first
    known, seen = found
    if utc_now() - seen > SEEN_EVERY:
        async with database.write() as session:
            (await session.get_one(Session, digest)).seen = utc_now()
    return known


async def add_user(session: AsyncSession, name: str | None = None) -> int:
    """Add a person to the caller's transaction and return their id; the name is made up unless given."""
    tries = itertools.count(1)
    while True:
        candidate = name or make_up_name(next(tries))
        taken = select(col(User.id)).where(col(User.key) == name_key(candidate))
        if name is not None or (await session.execute(taken)).first() is None:
            break
    user = User(name=candidate, key=name_key(candidate), hue=random.randrange(360))  # noqa: S311  # a colour
    session.add(user)
    await session.flush()
    assert user.id is not None
    return user.id


def make_up_name(attempt: int) -> str:
    """A colour or a cloth and an animal, such as Amber Otter; with a number where several such names were taken."""
    made_up = _NAMES.generate_slug().replace("-", " ").title()
    return made_up if attempt <= PLAIN_NAMES else f"{made_up} {random.randrange(2, 10_000)}"  # noqa: S311  # a number in a name


def name_key(name: str) -> str:
    """A name as it is compared: neither case nor spacing nor what is not seen makes it another; "" is no name."""
    return look(name)[:KEY_LENGTH]


async def _find(database: Database, digest: str) -> tuple[Identity, datetime] | None:
    query = (
        select(col(User.id), col(User.name), col(User.hue), col(Session.seen))
        .join(Session, col(Session.user_id) == col(User.id))
        .where(col(Session.hash) == digest)
    )
    async with database.read() as session:
        row = (await session.execute(query)).first()
    if row is None:
        return None
    user_id, name, hue, seen = row
    assert user_id is not None
    return Identity(user_id, name, hue), seen
