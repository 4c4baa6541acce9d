"""Who may do what with a thread, as conditions that are part of each query: an id alone permits nothing."""

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_
from sqlmodel import col

from chat_app.models import Attempt, Member, MemberRole, Message, Thread, Visibility


class ThreadUnknown(Exception):
    """There is no such thread, or this person may not know of it."""


def may_list(user_id: int) -> ColumnElement[bool]:
    """Threads in this person's sidebar: the open ones, and those they are a member of."""
    return _is_there(or_(col(Thread.visibility) == Visibility.OPEN, _is_member(user_id, *MemberRole)))


def may_read(user_id: int) -> ColumnElement[bool]:
    """Threads that this person may open: all but the private ones of others."""
    return _is_there(or_(col(Thread.visibility) != Visibility.PRIVATE, _is_member(user_id, *MemberRole)))


def may_post(user_id: int) -> ColumnElement[bool]:
    """Threads that this person may write in, and ask the AI in; there they may stop, retry and continue any reply."""
    writes = _is_member(user_id, MemberRole.OWNER, MemberRole.MEMBER)
    return _is_there(or_(col(Thread.visibility) != Visibility.PRIVATE, writes))


def may_delete_thread(user_id: int) -> ColumnElement[bool]:
    """Threads that this person may delete: their own."""
    return _is_there(_is_member(user_id, MemberRole.OWNER))


def may_delete_message(user_id: int) -> ColumnElement[bool]:
    """Messages that this person may delete: what they wrote, the answers they asked for, all of a thread they own.

    For queries that have the message's current attempt, if any, beside it.
    """
    is_theirs = or_(col(Message.author_id) == user_id, col(Attempt.asked_by) == user_id)
    return or_(and_(may_post(user_id), is_theirs), may_delete_thread(user_id))


def _is_there(may: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(col(Thread.deleted).is_(None), may)


def _is_member(user_id: int, *roles: MemberRole) -> ColumnElement[Any]:
    return exists().where(
        col(Member.thread_id) == col(Thread.id), col(Member.user_id) == user_id, col(Member.role).in_(roles)
    )
