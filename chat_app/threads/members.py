"""Members: who belongs to a thread, how they join and leave, and who finds it at all.

Each change raises the thread's version, and its access version if it changes what anybody may do, so that open tabs get
it with everything else that is new.
"""

import secrets
from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.changes import Changes
from chat_app.data.models import Invite, Member, MemberRole, Thread, User, Visibility
from chat_app.people.identity import Identity
from chat_app.people.secrets import hash_of
from chat_app.refusals import InviteUnknown, SharingRefused, ThreadUnknown
from chat_app.threads.access import Verb, may
from chat_app.threads.versions import next_version, raise_version
from tributary_streams import clean, utc_now

INVITE_BYTES = 16
"""Random bytes of an invite's secret: 128 bits cannot be guessed."""
INVITES = 20
"""Open invites that one thread can have at once."""
LONGEST_INVITE = timedelta(days=365)
INVITABLE: Set[MemberRole] = frozenset({MemberRole.MEMBER, MemberRole.VIEWER})
"""Roles that an invite can give. A thread has one owner, who can hand it over to a member."""


@dataclass(frozen=True)
class MemberView:
    """A member as the readers of the thread see them; `hue` is in degrees."""

    user_id: int
    name: str
    hue: int
    role: MemberRole


@dataclass(frozen=True)
class InviteView:
    """An open invite as the owner sees it later: without its secret."""

    id: int
    role: MemberRole
    expires: datetime


class Members:
    """Who belongs to each thread of this server."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def listed(self, who: Identity, thread_id: str) -> tuple[list[MemberView], list[InviteView]]:
        """A thread's members, the owner first and then by name, and its open invites if this person may share it.

        Raises:
            ThreadUnknown: there is no such thread for this person.
        """
        async with self._changes.read() as session:
            return await _members(session, thread_id, who.user_id), await _invites(session, thread_id, who.user_id)

    async def set_visibility(self, who: Identity, thread_id: str, visibility: Visibility) -> None:
        """Set who finds a thread besides its members.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not share it.
        """
        async with self._changes.write() as session:
            thread = await _shared_anew(session, thread_id, who.user_id)
            thread.visibility = visibility

    async def invite(self, who: Identity, thread_id: str, role: MemberRole, lasts: timedelta) -> tuple[InviteView, str]:
        """Make an invite; return it and its secret, which is shown only this once.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not share it.
            SharingRefused: an invite cannot give that role or last that long, or there are too many.
        """
        if role not in INVITABLE or not timedelta() < lasts <= LONGEST_INVITE:
            msg = f"An invite makes somebody a member or a viewer, and lasts {LONGEST_INVITE.days} days at most."
            raise SharingRefused(msg)
        async with self._changes.write() as session:
            await next_version(session, thread_id, who.user_id, may(Verb.SHARE, who.user_id))
            if len(await _invites(session, thread_id, who.user_id)) >= INVITES:
                msg = f"A thread can have {INVITES} invites. Withdraw one first."
                raise SharingRefused(msg)
            secret = secrets.token_urlsafe(INVITE_BYTES)
            made = Invite(hash=hash_of(secret), thread_id=thread_id, role=role, expires=utc_now() + lasts)
            session.add(made)
            await session.flush()
            return InviteView(made.id or 0, role, made.expires), secret

    async def withdraw(self, who: Identity, thread_id: str, invite_id: int) -> None:
        """Withdraw an invite; members who joined by it stay.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not share it.
        """
        async with self._changes.write() as session:
            await next_version(session, thread_id, who.user_id, may(Verb.SHARE, who.user_id))
            await _withdraw(session, thread_id, invite_id)

    async def join(self, who: Identity, secret: str) -> str:
        """Join a thread by an invite, or turn from viewer to member by it; return the thread's id.

        Raises:
            InviteUnknown: there is no such open invite, or its thread is deleted.
        """
        query = select(Invite).where(col(Invite.hash) == hash_of(clean(secret)), *_is_open())
        async with self._changes.write() as session:
            found = (await session.execute(query)).scalar_one_or_none()
            # The version first: it locks the thread, so that joining and withdrawing take turns.
            if found is None or not await raise_version(session, found.thread_id, col(Thread.deleted).is_(None)):
                raise InviteUnknown
            await session.refresh(found)
            if found.withdrawn is not None:
                raise InviteUnknown
            member = await session.get(Member, (found.thread_id, who.user_id), populate_existing=True)
            if member is None:
                session.add(Member(thread_id=found.thread_id, user_id=who.user_id, role=found.role, invite_id=found.id))
            elif member.role is MemberRole.VIEWER and found.role is MemberRole.MEMBER:
                member.role, member.invite_id = found.role, found.id
            await _access_changed(session, found.thread_id)
            return found.thread_id

    async def leave(self, who: Identity, thread_id: str) -> None:
        """Stop being a member; an owner has to hand the thread over first.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they own it, or are not a member.
        """
        async with self._changes.write() as session:
            await next_version(session, thread_id, who.user_id, may(Verb.LEAVE, who.user_id))
            await _access_changed(session, thread_id)
            await _remove(session, thread_id, who.user_id)

    async def remove(self, who: Identity, thread_id: str, member_id: int) -> None:
        """Remove a member from a thread, and withdraw the invite by which they joined.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not share it.
            SharingRefused: that person is the owner, or not a member.
        """
        async with self._changes.write() as session:
            await _shared_anew(session, thread_id, who.user_id)
            member = await _member(session, thread_id, member_id)
            if member.invite_id is not None:
                await _withdraw(session, thread_id, member.invite_id)
            await _remove(session, thread_id, member_id)

    async def set_role(self, who: Identity, thread_id: str, member_id: int, role: MemberRole) -> None:
        """Make a member a viewer, or a viewer a member.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not share it.
            SharingRefused: that role cannot be given, or that person is the owner or not a member.
        """
        if role not in INVITABLE:
            msg = "There is one owner. Hand the thread over instead."
            raise SharingRefused(msg)
        async with self._changes.write() as session:
            await _shared_anew(session, thread_id, who.user_id)
            (await _member(session, thread_id, member_id)).role = role

    async def hand_over(self, who: Identity, thread_id: str, member_id: int) -> None:
        """Make a member the owner, and the owner a member.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not share it.
            SharingRefused: that person is the owner already, or not a member.
        """
        async with self._changes.write() as session:
            thread = await _shared_anew(session, thread_id, who.user_id)
            heir = await _member(session, thread_id, member_id)
            (await session.get_one(Member, (thread_id, thread.owner_id))).role = MemberRole.MEMBER
            heir.role, thread.owner_id = MemberRole.OWNER, member_id


async def _members(session: AsyncSession, thread_id: str, user_id: int) -> list[MemberView]:
    """A thread's members, the owner first and then by name, if this person may read it.

    Raises:
        ThreadUnknown: there is no such thread for this person.
    """
    readable = select(col(Thread.id)).where(col(Thread.id) == thread_id, may(Verb.READ, user_id))
    if (await session.execute(readable)).first() is None:
        raise ThreadUnknown(thread_id)
    query = (
        select(col(User.id), col(User.name), col(User.hue), col(Member.role))
        .join(Member, col(Member.user_id) == col(User.id))
        .where(col(Member.thread_id) == thread_id)
        .order_by(col(Member.role) != MemberRole.OWNER, col(User.key))
    )
    return [MemberView(user or 0, name, hue, role) for user, name, hue, role in (await session.execute(query)).all()]


async def _invites(session: AsyncSession, thread_id: str, user_id: int) -> list[InviteView]:
    """A thread's open invites, the one that lasts longest first; none if this person may not share it."""
    query = (
        select(Invite)
        .join(Thread, col(Thread.id) == col(Invite.thread_id))
        .where(col(Invite.thread_id) == thread_id, may(Verb.SHARE, user_id), *_is_open())
        .order_by(col(Invite.expires).desc(), col(Invite.id))
    )
    found = (await session.execute(query)).scalars()
    return [InviteView(invite.id or 0, invite.role, invite.expires) for invite in found]


async def _shared_anew(session: AsyncSession, thread_id: str, user_id: int) -> Thread:
    thread = await next_version(session, thread_id, user_id, may(Verb.SHARE, user_id))
    await _access_changed(session, thread_id)
    return thread


async def _access_changed(session: AsyncSession, thread_id: str) -> None:
    changed = update(Thread).where(col(Thread.id) == thread_id).values(access_version=Thread.access_version + 1)
    await session.execute(changed.execution_options(synchronize_session=False))


async def _member(session: AsyncSession, thread_id: str, member_id: int) -> Member:
    member = await session.get(Member, (thread_id, member_id), populate_existing=True)
    if member is None:
        msg = "That person does not belong to this thread."
        raise SharingRefused(msg)
    if member.role is MemberRole.OWNER:
        msg = "That person owns this thread."
        raise SharingRefused(msg)
    return member


async def _remove(session: AsyncSession, thread_id: str, member_id: int) -> None:
    gone = delete(Member).where(col(Member.thread_id) == thread_id, col(Member.user_id) == member_id)
    await session.execute(gone)


async def _withdraw(session: AsyncSession, thread_id: str, invite_id: int) -> None:
    await session.execute(
        update(Invite)
        .where(col(Invite.id) == invite_id, col(Invite.thread_id) == thread_id)
        .values(withdrawn=utc_now())
    )


def _is_open() -> tuple[ColumnElement[bool], ...]:
    return col(Invite.withdrawn).is_(None), col(Invite.expires) > utc_now()
