"""Who may do what with a thread, as conditions that are part of each query: an id alone permits nothing."""

from typing import Any

from sqlalchemy import ColumnElement, exists, or_
from sqlmodel import col

from chat_app.models import Member, MemberRole, Thread, Visibility


class ThreadUnknown(Exception):
    """There is no such thread, or this person may not know of it."""


def may_list(user_id: int) -> ColumnElement[bool]:
    """Threads in this person's sidebar: the open ones, and those they are a member of."""
    return or_(col(Thread.visibility) == Visibility.OPEN, _is_member(user_id, *MemberRole))


def may_read(user_id: int) -> ColumnElement[bool]:
    """Threads that this person may open: all but the private ones of others."""
    return or_(col(Thread.visibility) != Visibility.PRIVATE, _is_member(user_id, *MemberRole))


def may_post(user_id: int) -> ColumnElement[bool]:
    """Threads that this person may write in, ask the AI in, and stop a reply in."""
    return or_(col(Thread.visibility) != Visibility.PRIVATE, _is_member(user_id, MemberRole.OWNER, MemberRole.MEMBER))


def _is_member(user_id: int, *roles: MemberRole) -> ColumnElement[Any]:
    return exists().where(
        col(Member.thread_id) == col(Thread.id), col(Member.user_id) == user_id, col(Member.role).in_(roles)
    )
