"""Names: made up for a guest or chosen by a person, shown on one line, and never shared by two people."""

from __future__ import annotations

import itertools
import random
import re
import unicodedata

from coolname import RandomGenerator
from coolname.data import config as wordlists
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.models import User
from chat_app.refusals import NameRefused
from tributary_streams import clean, utc_now

PLAIN_NAMES = 5
"""Names that are tried without a number before one is added; there are some 56,000."""
_NAMES = RandomGenerator(
    {
        "all": {"type": "cartesian", "lists": ["adjective_near", "animal"]},
        # Of coolname's adjectives these alone say nothing about the person.
        **{kind: wordlists[kind] for kind in ("adjective_near", "animal")},
    }
)
NAME_LENGTH = 60
"""Characters of a name at most."""
AI_HANDLE = "gpt"
"""What the AI is called in a message, after an "@"; see `threads/mentions.py`."""
RESERVED = frozenset({AI_HANDLE, f"@{AI_HANDLE}", "ai", "you", "system", "assistant"})
"""Keys of names by which a person could pass for somebody else on the page."""
TAKEN = "Somebody has that name."
KEY_LENGTH = 60
"""Characters of a name's key that are compared; one character of a name may become several of its key."""
_JOINERS = "\u200c\u200d"
"""Format characters that change what is seen: Persian and Indic words need them, and so do composed emoji."""
_BREAKS = frozenset({"Cc", "Zl", "Zp"})
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Characters that show nothing although Unicode takes them for letters or marks."""


async def add_guest(session: AsyncSession, name: str | None) -> int:
    """Add a person to the caller's transaction, with this name or a made-up one; return their id.

    Raises:
        NameRefused: somebody has the name, or it cannot be one.
    """
    if name is None:
        return await add_user(session)
    return await add_user(session, await _free(session, name))


async def rename(session: AsyncSession, user_id: int, name: str, hue: int) -> None:
    """Give a person the name and the colour, a hue in degrees, that they chose.

    Raises:
        NameRefused: somebody else has the name, or it cannot be one.
    """
    user = await session.get_one(User, user_id)
    name = await _free(session, name, of=user_id)
    user.name, user.key, user.hue, user.renamed = name, name_key(name), hue % 360, utc_now()
    await session.flush()


async def _free(session: AsyncSession, name: str, *, of: int | None = None) -> str:
    """The name as it is stored, if it is allowed and nobody but `of` has it."""
    name = one_line(name)
    if not 1 <= len(name) <= NAME_LENGTH:
        msg = f"A name has 1 to {NAME_LENGTH} characters."
        raise NameRefused(msg)
    taken = select(col(User.id)).where(col(User.key) == name_key(name), col(User.id) != (of or 0))
    if name_key(name) in RESERVED or (await session.execute(taken)).first() is not None:
        raise NameRefused(TAKEN)
    return name


async def add_user(session: AsyncSession, name: str | None = None) -> int:
    """Add a person to the caller's transaction; return their id. Without a name one is made up."""
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
    """A colour or a cloth and an animal, such as Amber Otter; with a number if `attempt` is above `PLAIN_NAMES`."""
    made_up = _NAMES.generate_slug().replace("-", " ").title()
    return made_up if attempt <= PLAIN_NAMES else f"{made_up} {random.randrange(2, 10_000)}"  # noqa: S311  # a number in a name


def name_key(name: str) -> str:
    """A name as it is compared, whatever its case, spacing and invisible characters; "" if nothing is visible."""
    return look(name)[:KEY_LENGTH]


def one_line(text: str) -> str:
    """`text` cleaned and on one line, for a name or a title that must not affect the text around it.

    Invisible format characters are removed, such as directional overrides and zero-width spaces; accents, emoji and any
    script stay. "" if nothing is left.
    """
    return " ".join("".join(map(_in_a_line, clean(text))).split())


def _in_a_line(character: str) -> str:
    category = unicodedata.category(character)
    if category in _BREAKS:
        return " "
    return "" if category == "Cf" and character not in _JOINERS else character


def look(text: str) -> str:
    """What `text` looks like: the same for texts that differ only in case, spacing, width or invisible characters.

    "" if nothing of the text is visible. Letters of different scripts that look alike stay different.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", clean(text)).casefold())
    seen = (_in_a_line(character) for character in folded if character not in _JOINERS)
    return " ".join(_BLANK.sub("", "".join(seen)).split())
