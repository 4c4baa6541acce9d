"""Members: how they come and go, who finds a thread, and what an invite gives to whom."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from chat_app.data.db import Database
from chat_app.data.models import Invite, Member, MemberRole, Thread, Visibility
from chat_app.people.identity import Identity
from chat_app.refusals import InviteUnknown, NotPermitted, SharingRefused, ThreadUnknown
from chat_app.services import Services
from chat_app.threads import members
from chat_app.threads.members import INVITES, LONGEST_INVITE
from tests.support.model import FakeModel
from tests.support.people import person, thread
from tests.support.world import settings
from tributary_streams.columns import utc_now

pytestmark = pytest.mark.on_both_databases

DAY = timedelta(days=1)
OWNER, MEMBER, VIEWER = MemberRole.OWNER, MemberRole.MEMBER, MemberRole.VIEWER


class Shared:
    """A private thread of Ada's, and the services to share it with."""

    def __init__(self, services: Services, ada: Identity, thread_id: str) -> None:
        self.services = services
        self.database = services._database
        self.ada = ada
        self.thread_id = thread_id

    async def invited(self, role: MemberRole = MEMBER) -> str:
        """The secret of a new invite."""
        _, secret = await self.services.members.invite(self.ada, self.thread_id, role, DAY)
        return secret

    async def joined(self, role: MemberRole = MEMBER) -> Identity:
        """Somebody who came by an invite of their own."""
        who = await person(self.database)
        assert await self.services.members.join(who, await self.invited(role)) == self.thread_id
        return who

    async def roles(self) -> dict[int, MemberRole]:
        """The roles of all members, as they themselves see them."""
        listed, _ = await self.services.members.listed(self.ada, self.thread_id)
        return {member.user_id: member.role for member in listed}

    async def role(self, who: Identity) -> MemberRole | None:
        """Somebody's role, or None."""
        return (await self.roles()).get(who.user_id)

    async def versions(self) -> tuple[int, int]:
        """The thread's version and its access version."""
        async with self.database.read() as session:
            found = await session.get_one(Thread, self.thread_id)
            return found.version, found.access_version


@pytest.fixture
async def shared(database: Database) -> Shared:
    """Services that are not at work: nothing here needs a writer."""
    services = Services(settings(), database, FakeModel())
    ada = await person(database, "Ada")
    shared = Shared(services, ada, await thread(database, ada))
    await services.members.set_visibility(ada, shared.thread_id, Visibility.PRIVATE)
    return shared


async def refused(deed: Coroutine[Any, Any, Any], error: type[Exception]) -> None:
    """The deed is refused, in words where they are for the person who tried."""
    with pytest.raises(error) as refusal:
        await deed
    if error is SharingRefused:
        assert len(str(refusal.value).split()) > 3


@pytest.mark.parametrize("role", [MEMBER, VIEWER])
async def test_an_invite_makes_whoever_opens_it_what_it_says(shared: Shared, role: MemberRole) -> None:
    secret = await shared.invited(role)
    for _ in range(2):
        who = await person(shared.database)
        for _ in range(2):  # a second time changes nothing
            assert await shared.services.members.join(who, secret) == shared.thread_id
            assert await shared.role(who) is role
    assert len(await shared.roles()) == 3


async def test_an_invite_never_makes_an_owner_and_never_lasts_for_ever(shared: Shared) -> None:
    for role, lasts in (
        (OWNER, DAY),
        (MEMBER, timedelta()),
        (MEMBER, -DAY),
        (MEMBER, LONGEST_INVITE + timedelta(seconds=1)),
        (MEMBER, timedelta.max),
    ):
        await refused(shared.services.members.invite(shared.ada, shared.thread_id, role, lasts), SharingRefused)
    view, _ = await shared.services.members.invite(shared.ada, shared.thread_id, VIEWER, LONGEST_INVITE)
    assert (await shared.services.members.listed(shared.ada, shared.thread_id))[1] == [view]


async def test_an_invite_that_expired_was_withdrawn_or_never_was_brings_nobody(shared: Shared) -> None:
    noor, expired, withdrawn = await person(shared.database), await shared.invited(), await shared.invited()
    _, (_, other) = await shared.services.members.listed(shared.ada, shared.thread_id)
    await shared.services.members.withdraw(shared.ada, shared.thread_id, other.id)
    async with shared.database.write() as session:
        for invite in (await session.execute(select(Invite).where(col(Invite.withdrawn).is_(None)))).scalars():
            invite.expires = utc_now()
    for secret in (expired, withdrawn, "", "nonsense", "\x00", "\ud800", str(other.id), shared.thread_id):
        await refused(shared.services.members.join(noor, secret), InviteUnknown)
    assert (await shared.services.members.listed(shared.ada, shared.thread_id))[1] == []
    assert await shared.role(noor) is None


async def test_a_viewer_is_promoted_by_a_members_invite_and_nobody_lowered_by_one(shared: Shared) -> None:
    viewer, member = await shared.joined(VIEWER), await shared.joined(MEMBER)
    for secret in (await shared.invited(MEMBER), await shared.invited(VIEWER)):
        for who in (viewer, member, shared.ada):
            await shared.services.members.join(who, secret)
    assert await shared.roles() == {
        shared.ada.user_id: OWNER,
        viewer.user_id: MEMBER,
        member.user_id: MEMBER,
    }


async def test_of_joining_and_withdrawing_at_once_the_one_that_commits_first_counts(shared: Shared) -> None:
    people = [await person(shared.database) for _ in range(6)]
    for who in people:
        view, secret = await shared.services.members.invite(shared.ada, shared.thread_id, MEMBER, DAY)
        joined, withdrawn = await asyncio.gather(
            shared.services.members.join(who, secret),
            shared.services.members.withdraw(shared.ada, shared.thread_id, view.id),
            return_exceptions=True,
        )
        assert withdrawn is None
        is_in = await shared.role(who) is MEMBER
        assert (joined == shared.thread_id) if is_in else isinstance(joined, InviteUnknown)
        await refused(shared.services.members.join(await person(shared.database), secret), InviteUnknown)


async def test_an_invite_that_is_withdrawn_after_it_was_found_brings_nobody(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between finding an invite and standing in line for its thread, the other database lets a withdrawal commit."""
    if shared.database.is_sqlite:
        pytest.skip("there a writing transaction stands in line from its beginning")
    view, secret = await shared.services.members.invite(shared.ada, shared.thread_id, MEMBER, DAY)
    raise_version = members.raise_version

    async def raise_late(*arguments: Any) -> int:
        monkeypatch.setattr(members, "raise_version", raise_version)
        await shared.services.members.withdraw(shared.ada, shared.thread_id, view.id)
        return await raise_version(*arguments)

    monkeypatch.setattr(members, "raise_version", raise_late)
    noor = await person(shared.database)
    await refused(shared.services.members.join(noor, secret), InviteUnknown)
    assert await shared.role(noor) is None


async def test_who_is_removed_is_a_stranger_and_cannot_come_back_by_the_same_invite(shared: Shared) -> None:
    noor, secret = await person(shared.database), await shared.invited()
    await shared.services.members.join(noor, secret)
    await shared.services.members.remove(shared.ada, shared.thread_id, noor.user_id)
    assert await shared.role(noor) is None
    await refused(shared.services.members.listed(noor, shared.thread_id), ThreadUnknown)
    await refused(shared.services.members.join(noor, secret), InviteUnknown)
    await refused(shared.services.members.remove(shared.ada, shared.thread_id, noor.user_id), SharingRefused)
    await shared.services.members.join(noor, await shared.invited())  # asked again, they are back
    assert await shared.role(noor) is MEMBER


async def test_who_was_promoted_by_a_second_invite_cannot_come_back_by_it(shared: Shared) -> None:
    noor, secret = await shared.joined(VIEWER), await shared.invited(MEMBER)
    await shared.services.members.join(noor, secret)
    await shared.services.members.remove(shared.ada, shared.thread_id, noor.user_id)
    await refused(shared.services.members.join(noor, secret), InviteUnknown)


async def test_members_leave_and_an_owner_hands_over_first(shared: Shared) -> None:
    member, viewer = await shared.joined(MEMBER), await shared.joined(VIEWER)
    services, thread_id = shared.services, shared.thread_id
    await refused(services.members.leave(shared.ada, thread_id), NotPermitted)
    await refused(services.members.leave(await person(shared.database), thread_id), ThreadUnknown)
    await services.members.leave(viewer, thread_id)
    assert await shared.roles() == {shared.ada.user_id: OWNER, member.user_id: MEMBER}

    await services.members.hand_over(shared.ada, thread_id, member.user_id)
    assert await shared.roles() == {shared.ada.user_id: MEMBER, member.user_id: OWNER}
    async with shared.database.read() as session:
        assert (await session.get_one(Thread, thread_id)).owner_id == member.user_id
    await refused(services.threads.rename(shared.ada, thread_id, "Mine"), NotPermitted)
    await services.threads.rename(member, thread_id, "Mine")
    await services.members.leave(shared.ada, thread_id)
    await refused(services.members.listed(shared.ada, thread_id), ThreadUnknown)


async def test_of_two_hand_overs_at_once_one_makes_the_one_owner(shared: Shared) -> None:
    heirs = [await shared.joined(), await shared.joined()]
    results = await asyncio.gather(
        *(shared.services.members.hand_over(shared.ada, shared.thread_id, heir.user_id) for heir in heirs),
        return_exceptions=True,
    )
    assert [type(result) for result in results if result is not None] == [NotPermitted]
    assert sorted((await shared.roles()).values()) == [MEMBER, MEMBER, OWNER]


async def test_roles_are_the_owners_to_give_and_the_owner_is_one(shared: Shared) -> None:
    services, thread_id = shared.services, shared.thread_id
    noor, viewer = await shared.joined(MEMBER), await shared.joined(VIEWER)
    stranger = await person(shared.database)
    await services.members.set_role(shared.ada, thread_id, noor.user_id, VIEWER)
    await services.members.set_role(shared.ada, thread_id, viewer.user_id, MEMBER)
    assert (await shared.role(noor), await shared.role(viewer)) == (VIEWER, MEMBER)

    before = await shared.roles()
    for whom, role in ((noor, OWNER), (shared.ada, VIEWER), (stranger, MEMBER)):
        await refused(services.members.set_role(shared.ada, thread_id, whom.user_id, role), SharingRefused)
    for whom in (shared.ada, stranger):
        await refused(services.members.remove(shared.ada, thread_id, whom.user_id), SharingRefused)
        await refused(services.members.hand_over(shared.ada, thread_id, whom.user_id), SharingRefused)
    assert await shared.roles() == before


async def test_each_visibility_is_what_strangers_meet_from_then_on(shared: Shared) -> None:
    services, thread_id, stranger = shared.services, shared.thread_id, await person(shared.database)
    member = await shared.joined()
    for visibility, is_listed, is_found in (
        (Visibility.OPEN, True, True),
        (Visibility.LINK, False, True),
        (Visibility.PRIVATE, False, False),
    ):
        await services.members.set_visibility(shared.ada, thread_id, visibility)
        assert (await services.threads._newest(stranger) == thread_id) is is_listed
        assert await services.threads._newest(member) == thread_id
        if is_found:
            assert (await services.members.listed(stranger, thread_id))[1] == []
            await refused(services.members.set_visibility(stranger, thread_id, Visibility.OPEN), NotPermitted)
        else:
            await refused(services.members.listed(stranger, thread_id), ThreadUnknown)
        assert (await services.members.listed(member, thread_id))[1] == []


async def test_a_thread_has_twenty_open_invites_at_most_however_they_are_made(shared: Shared) -> None:
    made = await asyncio.gather(*(shared.invited() for _ in range(INVITES + 3)), return_exceptions=True)
    assert len([secret for secret in made if isinstance(secret, str)]) == INVITES
    assert len([error for error in made if isinstance(error, SharingRefused)]) == 3
    _, (one, another, *_) = await shared.services.members.listed(shared.ada, shared.thread_id)
    await shared.services.members.withdraw(shared.ada, shared.thread_id, one.id)
    async with shared.database.write() as session:
        (await session.get_one(Invite, another.id)).expires = utc_now()
    for _ in range(2):
        await shared.invited()
    await refused(shared.invited(), SharingRefused)


async def test_an_invites_number_withdraws_it_in_its_own_thread_alone(shared: Shared) -> None:
    secret = await shared.invited()
    _, (view,) = await shared.services.members.listed(shared.ada, shared.thread_id)
    noor = await person(shared.database)
    theirs = await thread(shared.database, noor)
    await shared.services.members.withdraw(noor, theirs, view.id)
    assert await shared.services.members.join(noor, secret) == shared.thread_id


async def test_an_invite_to_a_deleted_thread_brings_nobody(shared: Shared) -> None:
    secret, noor = await shared.invited(), await person(shared.database)
    async with shared.database.write() as session:
        (await session.get_one(Thread, shared.thread_id)).deleted = utc_now()
    await refused(shared.services.members.join(noor, secret), InviteUnknown)


async def test_a_deleted_thread_leaves_no_member_and_no_invite(shared: Shared) -> None:
    await shared.joined()
    await shared.services.threads.delete(shared.ada, shared.thread_id)
    await shared.services._retention.clear()
    async with shared.database.read() as session:
        assert [(await session.execute(select(table))).first() for table in (Member, Invite, Thread)] == [None] * 3


async def test_open_tabs_hear_of_each_change_of_who_may_what(shared: Shared) -> None:
    services, ada, thread_id = shared.services, shared.ada, shared.thread_id
    noor, lea, secret = await shared.joined(), await shared.joined(), await shared.invited()
    mina = await person(shared.database)
    for change in (
        lambda: services.members.set_visibility(ada, thread_id, Visibility.LINK),
        lambda: services.members.join(mina, secret),
        lambda: services.members.set_role(ada, thread_id, noor.user_id, VIEWER),
        lambda: services.members.remove(ada, thread_id, noor.user_id),
        lambda: services.members.leave(mina, thread_id),
        lambda: services.members.hand_over(ada, thread_id, lea.user_id),
    ):
        version, access_version = await shared.versions()
        await change()
        assert await shared.versions() > (version, access_version)
        assert (await shared.versions())[1] > access_version


async def test_only_the_hash_of_an_invites_secret_is_stored(shared: Shared) -> None:
    noor, secret = await person(shared.database), await shared.invited()
    await shared.services.members.join(noor, secret)
    if shared.database.is_sqlite:
        assert shared.database.url.database
        path = Path(shared.database.url.database)
        stored = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
        assert shared.thread_id.encode() in stored
        assert secret.encode() not in stored
    else:
        async with shared.database.read() as session:
            assert secret not in str((await session.execute(text("SELECT * FROM invite"))).all())
