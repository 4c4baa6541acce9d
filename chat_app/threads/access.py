"""Access: who may do what with a thread, in one table that becomes conditions of queries. An id alone permits nothing.

A member's role decides; for non-members the thread's visibility does. So a viewer may not write even where non-members
may, and a removed member is a non-member.
"""

from collections.abc import Set
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.models import Attempt, Member, MemberRole, Message, Thread, Visibility
from chat_app.refusals import NotPermitted, ThreadUnknown


class Verb(StrEnum):
    """What somebody may do with a thread."""

    LIST = "list"
    """Find it in the sidebar."""
    READ = "read"
    POST = "post"
    """Write a message, edit and delete one's own, and delete the replies that one asked for."""
    ASK = "ask"
    """Let the AI answer a message."""
    STOP = "stop"
    RETRY = "retry"
    CONTINUE = "continue"
    LEAVE = "leave"
    """Stop being a member."""
    RENAME = "rename"
    CONFIGURE = "configure"
    """Set which messages the AI answers, which model does, and in what pieces followers get the reply."""
    CLEAR = "clear"
    """Delete all its messages, or single ones by anybody."""
    SHARE = "share"
    """Set who finds it; invite, remove and promote people; hand it over."""
    DELETE = "delete"


READER = frozenset({Verb.READ})
WRITER = READER | {Verb.POST, Verb.ASK, Verb.STOP, Verb.RETRY, Verb.CONTINUE}
FOR_MEMBERS = frozenset({Verb.LIST, Verb.LEAVE})

BY_ROLE: dict[MemberRole, Set[Verb]] = {
    MemberRole.OWNER: frozenset(Verb) - {Verb.LEAVE},  # an owner hands it over first
    MemberRole.MEMBER: WRITER | FOR_MEMBERS,
    MemberRole.VIEWER: READER | FOR_MEMBERS,
}
"""What a member may do, whatever the thread's visibility."""
BY_VISIBILITY: dict[Visibility, Set[Verb]] = {
    Visibility.OPEN: WRITER | {Verb.LIST},
    Visibility.LINK: WRITER,
    Visibility.PRIVATE: frozenset(),
}
"""What a non-member may do."""


def allowed(role: MemberRole | None, visibility: Visibility) -> Set[Verb]:
    """What a person may do with a thread that is not deleted; `role` is None for a non-member."""
    return BY_VISIBILITY[visibility] if role is None else BY_ROLE[role]


def may(verb: Verb, user_id: int) -> ColumnElement[bool]:
    """Condition on `Thread`: it is not deleted, and this person may do this with it."""
    roles = [role for role, verbs in BY_ROLE.items() if verb in verbs]
    open_to_all = [visibility for visibility, verbs in BY_VISIBILITY.items() if verb in verbs]
    permitted: list[ColumnElement[bool]] = [_is_member(user_id, roles)]
    if open_to_all:
        no_other_role = ~_is_member(user_id, [role for role in MemberRole if role not in roles])
        permitted.append(and_(col(Thread.visibility).in_(open_to_all), no_other_role))
    return and_(col(Thread.deleted).is_(None), or_(*permitted))


def may_restore(user_id: int) -> ColumnElement[bool]:
    """Condition on `Thread`: it is deleted, and this person may bring it back, because they may delete it."""
    roles = [role for role, verbs in BY_ROLE.items() if Verb.DELETE in verbs]
    return and_(col(Thread.deleted).is_not(None), _is_member(user_id, roles))


def may_edit_message(user_id: int) -> ColumnElement[bool]:
    """Condition on `Message` and `Thread`: this person wrote the message and may still post in the thread."""
    return and_(may(Verb.POST, user_id), col(Message.author_id) == user_id)


def may_delete_message(user_id: int) -> ColumnElement[bool]:
    """Condition on `Message`, `Thread` and the message's current attempt, if any: this person may delete the message.

    They may delete what they wrote and the replies they asked for, and any message where they may clear the thread.
    """
    is_theirs = or_(col(Message.author_id) == user_id, col(Attempt.asked_by) == user_id)
    return or_(and_(may(Verb.POST, user_id), is_theirs), may(Verb.CLEAR, user_id))


async def refusal(session: AsyncSession, thread_id: str, user_id: int) -> ThreadUnknown | NotPermitted:
    """Why a query with `may` found nothing. A person who may not read a thread is not told that it exists."""
    readable = select(col(Thread.id)).where(col(Thread.id) == thread_id, may(Verb.READ, user_id))
    is_readable = (await session.execute(readable)).first() is not None
    return NotPermitted(thread_id) if is_readable else ThreadUnknown(thread_id)


async def message_refusal(
    session: AsyncSession, thread_id: str, message_id: int, user_id: int
) -> ThreadUnknown | NotPermitted:
    """Why a query with `may` found no message. A person who may not read the thread is not told that it exists."""
    query = select(col(Message.id)).where(*is_in(thread_id, message_id))
    is_there = (await session.execute(query)).first() is not None
    return await refusal(session, thread_id, user_id) if is_there else ThreadUnknown(thread_id)


def is_current() -> ColumnElement[bool]:
    """Condition on `Attempt` and `Message`: the attempt is the message's current one, whose text readers see."""
    return and_(col(Attempt.message_id) == col(Message.id), col(Attempt.number) == col(Message.attempt))


def is_in(thread_id: str, message_id: int) -> tuple[ColumnElement[bool], ...]:
    """Conditions on `Message`: not deleted, and in this thread, since a message id alone can be guessed."""
    return col(Message.id) == message_id, col(Message.thread_id) == thread_id, col(Message.deleted).is_(None)


def _is_member(user_id: int, roles: list[MemberRole]) -> ColumnElement[bool]:
    return exists().where(
        col(Member.thread_id) == col(Thread.id), col(Member.user_id) == user_id, col(Member.role).in_(roles)
    )
