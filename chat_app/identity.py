"""Who is asking: a person known by the secret in their browser's HttpOnly cookie, or by a bearer token of theirs.

The cookie is minted by an HTTP answer (`api/cookie.py`) and read from the genuine handshake or request; Reflex's client
token is a tab's name and says nothing about who uses it. Only a secret's hash is stored.
"""

import hashlib
import itertools
import random
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.cookies import SimpleCookie

from coolname import RandomGenerator
from coolname.data import config as wordlists
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.db import Database
from chat_app.models import Session, SessionKind, User
from chat_app.streaming.tables import utc_now
from chat_app.streaming.text import look, one_line

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
NAME_LENGTH = 60
"""Characters of a name."""
RESERVED = frozenset({"gpt", "@gpt", "ai", "you", "system", "assistant"})
"""Names, as compared, by which a person could pass for somebody else on the page."""
TAKEN = "Somebody has that name."
SEEN_EVERY = timedelta(hours=1)
"""How often it is noted that a browser is still in use."""
KEY_LENGTH = 60
"""Characters of a name's key that are compared; one character of a name may be many of the key."""
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
"""A secret: `SECRET_BYTES` in URL-safe base64."""
TOKEN_PREFIX = "trb_"  # noqa: S105  # what all tokens begin with, so that they are found where they should not be
"""What a bearer token begins with, before its secret."""
TOKEN_ID_LENGTH = 16
"""Characters of a token's hash by which its owner names it."""
TOKEN_ID = re.compile(rf"[0-9a-f]{{{TOKEN_ID_LENGTH}}}")
TOKENS = 20
"""Bearer tokens that one person may have at once."""
TOKEN_NAME_LENGTH = 60
"""Characters of a token's name."""


class NotRecognised(Exception):
    """No valid cookie or token came with the request. Load the page again: its answer sets a cookie."""


class SignedOut(NotRecognised):
    """The cookie's or token's session was ended; its secret means nobody any more."""


class NameRefused(Exception):
    """Nobody can have this name; the text says why, for the person who chose it."""


class TokenRefused(Exception):
    """The token cannot be made; the text says why, for the person who wanted it."""


@dataclass(frozen=True)
class Identity:
    """A person, as the server knows them; `session` is the hash by which they were recognised."""

    user_id: int
    name: str
    hue: int
    session: str = ""


@dataclass(frozen=True)
class TokenView:
    """A bearer token as its owner sees it again: never its secret."""

    id: str
    name: str
    seen: datetime


def new_secret() -> str:
    """A fresh cookie value."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> str:
    """What is stored of a random secret; 128 bits and more of it need neither salt nor a slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


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


async def recognise(database: Database, cookie_header: str, authorization: str = "") -> Identity:
    """The person behind a request's Cookie and Authorization headers; where there is the latter, it alone counts.

    At the first visit of a cookie a person is made up, with a name nobody else has. A token has to be known.

    Raises:
        SignedOut: the session has been ended.
        NotRecognised: the header carries no valid secret.
    """
    if authorization:
        return await _seen_again(database, await _find(database, _hash_of_token(authorization), SessionKind.BEARER))
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


async def add_token(session: AsyncSession, user_id: int, name: str) -> str:
    """Make a bearer token for this person in the caller's transaction; this is the only time that it is seen.

    Raises:
        TokenRefused: it has no name, or there are too many.
    """
    name = one_line(name)
    if not 1 <= len(name) <= TOKEN_NAME_LENGTH:
        msg = f"A token needs a name of 1 to {TOKEN_NAME_LENGTH} characters."
        raise TokenRefused(msg)
    # PostgreSQL would let two at once count to the same number.
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
    """End one of this person's tokens; whether there was one."""
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


async def sign_out(session: AsyncSession, user_id: int, *, keep: str = "") -> None:
    """End all sessions of this person, browsers' and tokens', but the one whose hash is `keep`."""
    await session.execute(
        update(Session)
        .where(col(Session.user_id) == user_id, col(Session.hash) != keep, col(Session.ended).is_(None))
        .values(ended=utc_now())
    )


async def add_guest(session: AsyncSession, name: str | None) -> int:
    """Add somebody who chose their name, or chose none, to the caller's transaction and return their id.

    Raises:
        NameRefused: somebody has the name, or it cannot be one.
    """
    if name is None:
        return await add_user(session)
    return await add_user(session, await _free(session, name))


async def rename(session: AsyncSession, user_id: int, name: str, hue: int) -> None:
    """Give somebody the name and the colour, a hue in degrees, that they chose.

    Raises:
        NameRefused: somebody else has the name, or it cannot be one.
    """
    user = await session.get_one(User, user_id)
    name = await _free(session, name, of=user_id)
    user.name, user.key, user.hue, user.renamed = name, name_key(name), hue % 360, utc_now()
    await session.flush()


async def _free(session: AsyncSession, name: str, *, of: int | None = None) -> str:
    """The name as it is stored, if it can be one and nobody has it but `of`."""
    name = one_line(name)
    if not 1 <= len(name) <= NAME_LENGTH:
        msg = f"A name has 1 to {NAME_LENGTH} characters."
        raise NameRefused(msg)
    taken = select(col(User.id)).where(col(User.key) == name_key(name), col(User.id) != (of or 0))
    if name_key(name) in RESERVED or (await session.execute(taken)).first() is not None:
        raise NameRefused(TAKEN)
    return name


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


def _hash_of_token(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    secret = token.strip().removeprefix(TOKEN_PREFIX)
    if scheme.lower() != "bearer" or len(secret) == len(token.strip()) or not SECRET.fullmatch(secret):
        raise NotRecognised
    return hash_of(secret)
