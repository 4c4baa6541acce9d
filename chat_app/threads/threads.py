"""Threads: created, renamed, configured, cleared, deleted and restored."""

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.models import Attempt, Deletion, Member, MemberRole, Message, ReplyMode, Thread, Visibility
from chat_app.people.names import one_line
from chat_app.refusals import NotNow, TitleRefused
from chat_app.threads.access import Verb, may, may_restore
from chat_app.threads.versions import next_version, raise_version
from tributary_streams import LIVE_STATUSES, Stream, StreamId, utc_now

MAX_TITLE = 120
"""Characters of a title that a person gives."""
TOO_LATE = "It is too late to undo that."


def check_title(title: str) -> str:
    """A person's title as it is stored: cleaned, on one line.

    Raises:
        TitleRefused: it is blank or too long.
    """
    title = one_line(title)
    if not 1 <= len(title) <= MAX_TITLE:
        msg = f"A title has 1 to {MAX_TITLE} characters."
        raise TitleRefused(msg)
    return title


async def create(
    session: AsyncSession,
    owner_id: int,
    *,
    title: str = "",
    reply_mode: ReplyMode = ReplyMode.MENTION,
    visibility: Visibility = Visibility.OPEN,
    model: str = "",
    granularity: str = "",
    origin: str | None = None,
) -> str:
    """Add a thread and its owner; return its id. Without a title its first message gives it one.

    Raises:
        TitleRefused: it is too long.
    """
    title = check_title(title) if title else ""
    thread = Thread(
        owner_id=owner_id,
        title=title,
        reply_mode=reply_mode,
        visibility=visibility,
        model=model,
        granularity=granularity,
        origin=origin,
    )
    session.add(thread)
    await session.flush()
    session.add(Member(thread_id=thread.id, user_id=owner_id, role=MemberRole.OWNER))
    return thread.id


async def rename(session: AsyncSession, thread_id: str, user_id: int, title: str) -> None:
    """Give a thread another title.

    Raises:
        ThreadUnknown: there is no such thread for this person.
        NotPermitted: they may not rename it.
        TitleRefused: it is blank or too long.
    """
    title = check_title(title)
    thread = await next_version(session, thread_id, user_id, may(Verb.RENAME, user_id))
    thread.title = title


async def configure(
    session: AsyncSession, thread_id: str, user_id: int, *, reply_mode: ReplyMode, model: str, granularity: str
) -> None:
    """Say for a thread's next replies which messages ask for one, which model answers, and in what pieces; "" is for
    what the server says.

    Raises:
        ThreadUnknown: there is no such thread for this person.
        NotPermitted: they may not configure it.
    """
    thread = await next_version(session, thread_id, user_id, may(Verb.CONFIGURE, user_id))
    thread.reply_mode, thread.model, thread.granularity = reply_mode, model, granularity


async def clear(session: AsyncSession, thread_id: str, user_id: int) -> list[StreamId]:
    """Take all messages of a thread away for everybody; return the streams whose rows are to follow them.

    Raises:
        ThreadUnknown: there is no such thread for this person.
        NotPermitted: they may not clear it.
    """
    thread = await next_version(session, thread_id, user_id, may(Verb.CLEAR, user_id))
    all_of_it = select(col(Message.id)).where(col(Message.thread_id) == thread_id)
    gone = delete(Attempt).where(col(Attempt.message_id).in_(all_of_it)).returning(col(Attempt.stream_id))
    streams = (await session.execute(gone.execution_options(synchronize_session=False))).scalars().all()
    here = col(Message.thread_id) == thread_id
    for rows in (
        delete(Deletion).where(col(Deletion.message_id).in_(all_of_it)),
        update(Message).where(here, col(Message.deleted).is_not(None), col(Message.text) != "").values(text=""),
        update(Message)
        .where(here, col(Message.deleted).is_(None))
        .values(text="", deleted=utc_now(), version=thread.version),
    ):
        await session.execute(rows.execution_options(synchronize_session=False))
    return [StreamId(stream_id) for stream_id in streams]


async def delete_thread(session: AsyncSession, thread_id: str, user_id: int) -> list[StreamId]:
    """Take a thread away for everybody; return its live streams. Until `clear_deleted` it can be brought back.

    Raises:
        ThreadUnknown: there is no such thread for this person.
        NotPermitted: they may not delete it.
    """
    thread = await next_version(session, thread_id, user_id, may(Verb.DELETE, user_id))
    thread.deleted = utc_now()
    live = (
        select(col(Stream.id))
        .join(Attempt, col(Attempt.stream_id) == col(Stream.id))
        .join(Message, col(Message.id) == col(Attempt.message_id))
        .where(col(Message.thread_id) == thread_id, col(Stream.status).in_(LIVE_STATUSES))
    )
    return [StreamId(stream_id) for stream_id in (await session.execute(live)).scalars()]


async def restore_thread(session: AsyncSession, thread_id: str, user_id: int) -> None:
    """Bring back a thread that was deleted; replies that were under way then have been stopped.

    Raises:
        NotNow: it is gone for good, or was not this person's.
    """
    if not await raise_version(session, thread_id, may_restore(user_id)):
        raise NotNow(TOO_LATE)
    back = update(Thread).where(col(Thread.id) == thread_id).values(deleted=None)
    await session.execute(back.execution_options(synchronize_session=False))
