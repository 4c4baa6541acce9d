"""Access: one table says who may do what; the queries and the documentation say the same."""

import itertools
from pathlib import Path

import pytest
from sqlmodel import col, select

from chat_app.data.db import Database
from chat_app.data.models import Member, MemberRole, Thread, Visibility
from chat_app.people.identity import Identity
from chat_app.refusals import NotPermitted, ThreadUnknown
from chat_app.settings import PROJECT
from chat_app.threads.access import Verb, allowed, may, refusal
from tests.support.people import person, thread
from tests.support.permissions import table
from tributary_streams.columns import utc_now

DOCUMENTED = Path(PROJECT, "docs", "permissions.md")
ROLES = (None, MemberRole.VIEWER, MemberRole.MEMBER, MemberRole.OWNER)


async def people_of(database: Database, owner: Identity, thread_id: str) -> dict[MemberRole | None, Identity]:
    """Somebody of each role in a thread; None is a stranger."""
    people: dict[MemberRole | None, Identity] = {role: await person(database) for role in (None, *ROLES[1:3])}
    async with database.write() as session:
        for role in ROLES[1:3]:
            session.add(Member(thread_id=thread_id, user_id=people[role].user_id, role=role))
    return people | {MemberRole.OWNER: owner}


@pytest.mark.on_both_databases
async def test_the_queries_permit_what_the_table_says_and_nothing_of_a_deleted_thread(database: Database) -> None:
    owner = await person(database)
    people: dict[str, dict[MemberRole | None, Identity]] = {}
    expected: dict[tuple[str, int, Verb], bool] = {}
    for visibility, is_deleted in itertools.product(Visibility, (False, True)):
        thread_id = await thread(database, owner)
        people[thread_id] = await people_of(database, owner, thread_id)
        async with database.write() as session:
            found = await session.get_one(Thread, thread_id)
            found.visibility, found.deleted = visibility, utc_now() if is_deleted else None
        for role, who in people[thread_id].items():
            for verb in Verb:
                expected[thread_id, who.user_id, verb] = not is_deleted and verb in allowed(role, visibility)

    permitted: dict[tuple[str, int, Verb], bool] = dict.fromkeys(expected, False)
    async with database.read() as session:
        for user_id, verb in {(user_id, verb) for _, user_id, verb in expected}:
            query = select(col(Thread.id)).where(may(verb, user_id))
            for thread_id in (await session.execute(query)).scalars():
                if (thread_id, user_id, verb) in permitted:
                    permitted[thread_id, user_id, verb] = True
    assert permitted == expected


@pytest.mark.on_both_databases
async def test_who_may_not_read_a_thread_is_not_told_that_it_is_there(database: Database) -> None:
    owner, stranger = await person(database), await person(database)
    thread_id = await thread(database, owner)
    async with database.write() as session:
        assert isinstance(await refusal(session, thread_id, stranger.user_id), NotPermitted)
        (await session.get_one(Thread, thread_id)).visibility = Visibility.PRIVATE
        await session.flush()
        assert isinstance(await refusal(session, thread_id, stranger.user_id), ThreadUnknown)
        assert isinstance(await refusal(session, thread_id, owner.user_id), NotPermitted)
        assert isinstance(await refusal(session, "nowhere", owner.user_id), ThreadUnknown)


def test_each_role_may_all_that_the_lower_ones_may_but_the_owner_leave() -> None:
    for visibility in Visibility:
        viewer, member, owner = (allowed(role, visibility) for role in ROLES[1:])
        assert viewer < member
        assert member - owner == {Verb.LEAVE}
        assert allowed(None, visibility) <= member
        assert not allowed(None, visibility) & {Verb.RENAME, Verb.CLEAR, Verb.SHARE, Verb.DELETE, Verb.LEAVE}
    assert allowed(None, Visibility.PRIVATE) == frozenset()


def test_the_documented_table_is_the_codes() -> None:
    assert table() in DOCUMENTED.read_text(encoding="utf-8"), f"it would be:\n{table()}"
