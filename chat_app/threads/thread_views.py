"""Thread views: threads as a page or an API client sees them.

Only `listed`, `with_title`, `find` and `thread_of` check permission. Callers of the other functions check it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.models import Attempt, Member, MemberRole, Message, ReadReceipt, Thread, ThreadSettings, Visibility
from chat_app.refusals import ThreadUnknown
from chat_app.threads.access import Verb, is_current, may
from tributary_streams import LIVE_STATUSES, Stream, StreamId

LISTED = 50
"""Threads that the sidebar lists at most."""
LIVE = 1000
"""Threads with a reply under way that the sidebars mark at most."""
FOUND = 20
"""Threads that a search finds at most."""


@dataclass(frozen=True)
class ThreadView:
    """A thread without its messages; `active` is the time of the last post.

    Views are shared by all tabs, so never change `settings`.
    """

    id: str
    title: str
    visibility: Visibility
    settings: ThreadSettings
    version: int
    access_version: int
    last_position: int
    active: datetime

    def looks_like(self, other: "ThreadView | None") -> bool:
        """Whether a page shows both alike: the same title, visibility and settings. Messages reach it separately."""
        return other is not None and self._shown == other._shown

    @property
    def _shown(self) -> tuple[str, Visibility, ThreadSettings]:
        return self.title, self.visibility, self.settings


async def listed(session: AsyncSession, user_id: int) -> list[ThreadView]:
    """The threads in a person's sidebar, the most recently active first."""
    query = (
        select(Thread).where(may(Verb.LIST, user_id)).order_by(col(Thread.active).desc(), col(Thread.id)).limit(LISTED)
    )
    return [_thread_view(thread) for thread in (await session.execute(query)).scalars()]


async def with_title(session: AsyncSession, user_id: int, words: str) -> list[ThreadView]:
    """Threads that this person may list and whose titles have all these words, the most recently active first."""
    query = select(Thread).where(
        may(Verb.LIST, user_id), *(col(Thread.title).icontains(word, autoescape=True) for word in words.split())
    )
    query = query.order_by(col(Thread.active).desc(), col(Thread.id)).limit(FOUND)
    return [_thread_view(thread) for thread in (await session.execute(query)).scalars()]


async def find(session: AsyncSession, thread_id: str, user_id: int) -> ThreadView:
    """A thread that this person may read.

    Raises:
        ThreadUnknown: there is no such thread for this person.
    """
    query = select(Thread).where(col(Thread.id) == thread_id, may(Verb.READ, user_id))
    thread = (await session.execute(query)).scalar_one_or_none()
    if thread is None:
        raise ThreadUnknown(thread_id)
    return _thread_view(thread)


async def listed_for_all(session: AsyncSession) -> list[ThreadView]:
    """The open threads that everybody's sidebar lists, the most recently active first."""
    query = (
        select(Thread)
        .where(col(Thread.visibility) == Visibility.OPEN, col(Thread.deleted).is_(None))
        .order_by(col(Thread.active).desc(), col(Thread.id))
        .limit(LISTED)
    )
    return [_thread_view(thread) for thread in (await session.execute(query)).scalars()]


async def changed_since(session: AsyncSession, since: datetime, limit: int) -> list[tuple[ThreadView, set[int]]]:
    """The threads that changed at `since` or later, the latest first, each with its members if only they list it.

    A thread that is open to all, or deleted, comes with nobody.
    """
    latest = select(Thread).where(col(Thread.changed) >= since).order_by(col(Thread.changed).desc()).limit(limit)
    changed = (await session.execute(latest)).scalars().all()
    members: dict[str, set[int]] = {
        thread.id: set() for thread in changed if thread.visibility is not Visibility.OPEN and thread.deleted is None
    }
    if members:
        query = select(col(Member.thread_id), col(Member.user_id)).where(col(Member.thread_id).in_(members))
        for thread_id, user_id in await session.execute(query):
            members[thread_id].add(user_id)
    return [(_thread_view(thread), members.get(thread.id, set())) for thread in changed]


async def live_threads(session: AsyncSession) -> set[str]:
    """The threads in which a reply is under way, in any process; `LIVE` at most."""
    query = (
        select(col(Message.thread_id))
        .join(Attempt, is_current())
        .join(Stream, col(Stream.id) == col(Attempt.stream_id))
        .where(col(Stream.status).in_(LIVE_STATUSES), col(Message.deleted).is_(None))
        .distinct()
        .limit(LIVE)
    )
    return set((await session.execute(query)).scalars())


async def read_positions(
    session: AsyncSession, user_ids: Collection[int], thread_ids: Collection[str]
) -> dict[tuple[int, str], int]:
    """The positions up to which these people have read these threads, if at all, by user id and thread id."""
    if not user_ids or not thread_ids:
        return {}
    query = select(col(ReadReceipt.user_id), col(ReadReceipt.thread_id), col(ReadReceipt.position)).where(
        col(ReadReceipt.user_id).in_(user_ids), col(ReadReceipt.thread_id).in_(thread_ids)
    )
    rows = (await session.execute(query)).all()
    return {(user_id, thread_id): position for user_id, thread_id, position in rows}


async def roles(session: AsyncSession, thread_id: str, user_id: int | None = None) -> dict[int, MemberRole]:
    """The roles of a thread's members, or of this one alone, by user id."""
    query = select(col(Member.user_id), col(Member.role)).where(col(Member.thread_id) == thread_id)
    if user_id is not None:
        query = query.where(col(Member.user_id) == user_id)
    return dict((await session.execute(query)).all())


async def thread_of(session: AsyncSession, stream_id: StreamId, user_id: int) -> ThreadView:
    """The thread of a stream that this person may read.

    Raises:
        ThreadUnknown: there is no such stream for this person.
    """
    query = (
        select(Thread)
        .join(Message, col(Message.thread_id) == col(Thread.id))
        .join(Attempt, col(Attempt.message_id) == col(Message.id))
        .where(col(Attempt.stream_id) == stream_id, col(Message.deleted).is_(None), may(Verb.READ, user_id))
    )
    thread = (await session.execute(query)).scalar_one_or_none()
    if thread is None:
        raise ThreadUnknown(stream_id)
    return _thread_view(thread)


async def thread(session: AsyncSession, thread_id: str) -> ThreadView:
    """A thread as it is now."""
    return _thread_view(await session.get_one(Thread, thread_id))


def settings_of(thread: Thread) -> ThreadSettings:
    """A thread's settings for its next replies."""
    return ThreadSettings.model_construct(**{name: getattr(thread, name) for name in ThreadSettings.model_fields})


def _thread_view(thread: Thread) -> ThreadView:
    return ThreadView(
        id=thread.id,
        title=thread.title,
        visibility=thread.visibility,
        settings=settings_of(thread),
        version=thread.version,
        access_version=thread.access_version,
        last_position=thread.last_position,
        active=thread.active,
    )
