"""Identity: a name is made up once, kept by a cookie, and never shared."""

import asyncio
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from chat_app import identity
from chat_app.db import Database
from chat_app.identity import COOKIE, NotRecognised, add_user, new_secret, recognise, secret_in, set_cookie
from chat_app.models import Session, User
from chat_app.streaming.tables import utc_now
from tests.support.people import count

pytestmark = pytest.mark.on_both_databases


async def test_the_same_cookie_is_the_same_person(database: Database) -> None:
    header = f"theme=dark; {COOKIE}={new_secret()}"
    first = await recognise(database, header)
    assert await recognise(database, header) == first
    assert first.name


async def test_a_browser_that_comes_back_is_seen_again(database: Database) -> None:
    header = f"{COOKIE}={new_secret()}"
    await recognise(database, header)
    long_ago = utc_now() - timedelta(days=30)
    async with database.write() as session:
        (await session.execute(select(Session))).scalar_one().seen = long_ago
    await recognise(database, header)
    async with database.read() as session:
        assert (await session.execute(select(Session))).scalar_one().seen > long_ago + timedelta(days=29)


async def test_twenty_tabs_of_a_new_browser_are_one_person(database: Database) -> None:
    header = f"{COOKIE}={new_secret()}"
    known = await asyncio.gather(*(recognise(database, header) for _ in range(20)))
    assert len(set(known)) == 1
    assert [await count(database, table) for table in (User, Session)] == [1, 1]


async def test_two_people_never_share_a_name(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = iter(["Calm Otter", "calm otter", "Amber Otter"])
    monkeypatch.setattr(identity, "make_up_name", lambda _: next(made_up))
    names = [(await recognise(database, f"{COOKIE}={new_secret()}")).name for _ in range(2)]
    assert names == ["Calm Otter", "Amber Otter"]


def test_a_name_gets_a_number_when_plain_ones_are_taken() -> None:
    assert len(identity.make_up_name(1).split()) == 2
    assert identity.make_up_name(identity.PLAIN_NAMES + 1).split()[-1].isdecimal()


async def test_names_that_look_alike_are_one_name(database: Database) -> None:
    async with database.write() as session:
        await add_user(session, "Ada  Lovelace")
    with pytest.raises(IntegrityError):
        async with database.write() as session:
            await add_user(session, "ada lovelace")


@pytest.mark.parametrize(
    "header", ["", "theme=dark", f"{COOKIE}=short", f"{COOKIE}={'é' * 43}", f"{COOKIE}=", "=;=;=", "\x00"]
)
async def test_no_valid_cookie_is_nobody(database: Database, header: str) -> None:
    with pytest.raises(NotRecognised):
        await recognise(database, header)
    assert await count(database, User) == 0


async def test_the_secret_is_not_stored(database: Database) -> None:
    secret = new_secret()
    await recognise(database, f"{COOKIE}={secret}")
    async with database.read() as session:
        dump = str((await session.execute(Session.__table__.select())).all())  # pyright: ignore[reportAttributeAccessIssue]  # SQLModel's table
    assert secret not in dump


@pytest.mark.parametrize("is_secure", [True, False])
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(is_secure: bool) -> None:
    secret = new_secret()
    morsel = SimpleCookie(set_cookie(secret, is_secure=is_secure))[COOKIE]
    assert (morsel["httponly"], morsel["samesite"], morsel["path"], bool(morsel["secure"])) == (
        True,
        "Lax",
        "/",
        is_secure,
    )
    assert secret_in(f"{COOKIE}={morsel.value}") == secret


@pytest.mark.parametrize("disguise", ["amber\u200b otter", "\u202eAmber Otter\u202c", "Ａmber\u3164 Otter"])
async def test_a_name_that_only_looks_like_another_is_taken(database: Database, disguise: str) -> None:
    async with database.write() as session:
        await add_user(session, "Amber Otter")
    with pytest.raises(IntegrityError):
        async with database.write() as session:
            await add_user(session, disguise)


async def test_a_name_that_grows_when_compared_still_fits(database: Database) -> None:
    async with database.write() as session:
        await add_user(session, "\ufdfa" * 60)  # each is compared as eighteen letters
