"""Identity: a name is made up once, kept by a cookie, and never shared."""

import asyncio
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from chat_app.data.db import Database
from chat_app.data.models import Session, User
from chat_app.gate.cookie import set_cookie
from chat_app.people import names
from chat_app.people.identity import COOKIE, Identity, has_ended, recognise, secret_in, sign_out
from chat_app.people.names import add_user
from chat_app.people.secrets import hash_of, new_secret
from chat_app.people.tokens import TOKEN_NAME_LENGTH, TOKEN_PREFIX, TOKENS, add_token, revoke_token, tokens
from chat_app.refusals import NotRecognised, SignedOut, TokenRefused
from tests.support.people import count, person
from tributary_streams.columns import utc_now

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
    monkeypatch.setattr("chat_app.people.names.make_up_name", lambda _: next(made_up))
    names = [(await recognise(database, f"{COOKIE}={new_secret()}")).name for _ in range(2)]
    assert names == ["Calm Otter", "Amber Otter"]


def test_a_name_gets_a_number_when_plain_ones_are_taken() -> None:
    assert len(names.make_up_name(1).split()) == 2
    assert names.make_up_name(names.PLAIN_NAMES + 1).split()[-1].isdecimal()


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


def bearer(token: str) -> str:
    return f"Bearer {token}"


async def token_of(database: Database, who: Identity, name: str = "script") -> str:
    async with database.write() as session:
        return await add_token(session, who.user_id, name)


async def test_where_there_is_an_authorization_it_alone_counts(database: Database) -> None:
    ada, noor = await recognise(database, f"{COOKIE}={new_secret()}"), await person(database)
    token, cookie = await token_of(database, noor), f"{COOKIE}={new_secret()}"
    known = await recognise(database, cookie, bearer(token))
    assert known.user_id == noor.user_id != ada.user_id
    assert await recognise(database, "", f"bearer  {token} ") == known
    for wrong in (bearer(token[:-1]), bearer(token + "A"), token, f"Basic {token}", "Bearer", "Bearer ", " "):
        with pytest.raises(NotRecognised):
            await recognise(database, cookie, wrong)


async def test_an_unknown_token_is_no_guest(database: Database) -> None:
    with pytest.raises(NotRecognised):
        await recognise(database, f"{COOKIE}={new_secret()}", bearer(TOKEN_PREFIX + new_secret()))
    assert [await count(database, table) for table in (User, Session)] == [0, 0]


async def test_a_cookies_secret_is_no_token_and_a_tokens_no_cookie(database: Database) -> None:
    secret = new_secret()
    ada = await recognise(database, f"{COOKIE}={secret}")
    with pytest.raises(NotRecognised):
        await recognise(database, "", bearer(TOKEN_PREFIX + secret))
    with pytest.raises(NotRecognised):
        await recognise(database, "", bearer(secret))

    stolen = (await token_of(database, ada)).removeprefix(TOKEN_PREFIX)
    async with asyncio.timeout(10):
        with pytest.raises(NotRecognised):
            await recognise(database, f"{COOKIE}={stolen}")
    assert await has_ended(database, f"{COOKIE}={stolen}")  # so that its page brings another
    assert await count(database, User) == 1


async def test_a_revoked_token_means_nobody_and_only_its_owner_revokes_it(database: Database) -> None:
    ada, noor = await person(database), await person(database)
    token, kept = await token_of(database, ada, "old"), await token_of(database, ada, "kept")
    async with database.write() as session:
        (mine,) = [view.id for view in await tokens(session, ada.user_id) if view.name == "old"]
        for who, token_id in (
            (noor, mine),
            *((ada, other) for other in ("", mine[:-1], "_" * 16, "%" * 16, "\0" * 16, "\ud800" * 16)),
        ):
            assert not await revoke_token(session, who.user_id, token_id)
        assert await revoke_token(session, ada.user_id, mine)
        assert not await revoke_token(session, ada.user_id, mine)
        assert [view.name for view in await tokens(session, ada.user_id)] == ["kept"]
    with pytest.raises(SignedOut):
        await recognise(database, "", bearer(token))
    assert (await recognise(database, "", bearer(kept))).user_id == ada.user_id


async def test_one_person_has_twenty_tokens_at_most_however_they_ask(database: Database) -> None:
    ada, noor = await person(database), await person(database)
    made = await asyncio.gather(
        *(token_of(database, ada, f"number {n}") for n in range(TOKENS + 4)), return_exceptions=True
    )
    assert len([token for token in made if isinstance(token, str)]) == TOKENS
    assert len([token for token in made if isinstance(token, TokenRefused)]) == 4
    assert await token_of(database, noor)
    async with database.write() as session:
        first, *_ = await tokens(session, ada.user_id)
        assert await revoke_token(session, ada.user_id, first.id)
    assert await token_of(database, ada)


async def test_a_tokens_name_is_cleaned_and_its_secret_not_stored(database: Database) -> None:
    ada = await person(database)
    for refused in ("", " \n ", "\x00", "x" * (TOKEN_NAME_LENGTH + 1)):
        with pytest.raises(TokenRefused, match=r"\w"):
            await token_of(database, ada, refused)
    token = await token_of(database, ada, " nightly\x00 \n build \ud800")
    async with database.read() as session:
        (view,) = await tokens(session, ada.user_id)
        dump = str((await session.execute(Session.__table__.select())).all())  # pyright: ignore[reportAttributeAccessIssue]  # SQLModel's table
    assert view.name == "nightly build \ufffd"
    assert token.removeprefix(TOKEN_PREFIX) not in dump
    assert view.id not in token


@pytest.mark.parametrize("is_everywhere", [False, True], ids=["elsewhere", "everywhere"])
async def test_who_signs_out_is_nobody_anywhere_else_and_no_new_guest_either(
    database: Database, is_everywhere: bool
) -> None:
    here, noors = (f"{COOKIE}={new_secret()}" for _ in range(2))
    ada, noor = await recognise(database, here), await recognise(database, noors)
    elsewhere = f"{COOKIE}={new_secret()}"
    async with database.write() as session:
        session.add(Session(hash=hash_of(elsewhere.partition("=")[2]), user_id=ada.user_id))
    assert (await recognise(database, elsewhere)).user_id == ada.user_id
    token = await token_of(database, ada)

    async with database.write() as session:
        await sign_out(session, ada.user_id, keep="" if is_everywhere else ada.session)

    for _ in range(2):
        for headers in ((elsewhere, ""), ("", bearer(token)), *([(here, "")] if is_everywhere else [])):
            with pytest.raises(SignedOut):
                await recognise(database, *headers)
    if not is_everywhere:
        assert await recognise(database, here) == ada
    assert await recognise(database, noors) == noor
    assert [await has_ended(database, cookie) for cookie in (elsewhere, here, noors)] == [True, is_everywhere, False]
    assert [await has_ended(database, cookie) for cookie in ("", f"{COOKIE}={new_secret()}")] == [False, False]
    assert await count(database, User) == 2


def test_of_several_cookies_the_first_that_can_be_one_counts() -> None:
    one, other = new_secret(), new_secret()
    for header, found in {
        f"{COOKIE}={one}; {COOKIE}={other}": one,
        f"{COOKIE}=nonsense; {COOKIE}={other}": other,
        f"x{COOKIE}={one}; {COOKIE}x={one}; {COOKIE} ={one}": None,
        f'{COOKIE}="{one}"': None,
        f"{COOKIE}={one}={one}": None,
        f"{COOKIE}={one},{COOKIE}={other}": None,
        f"  {COOKIE}={one}  ;": one,
        f"{COOKIE}={one}\n": one,
        "; " * 100_000 + f"{COOKIE}={one}": one,
        f"{COOKIE}={one * 10_000}": None,
        f"{COOKIE.upper()}={one}": None,
    }.items():
        assert secret_in(header) == found
