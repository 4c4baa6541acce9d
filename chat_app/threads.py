"""Threads: posting, editing, asking, stopping, retrying, continuing, renaming, clearing and deleting.

Each function takes the caller's session. A change raises the thread's version and stamps it on the message, so that
"what has changed since" is one indexed query; raising it first also puts writers of one thread in line, so that
positions follow commits.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVarTuple, cast

from sqlalchemy import ColumnElement, CursorResult, Delete, Select, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.access import (
    NotPermitted,
    ThreadUnknown,
    Verb,
    may,
    may_delete_message,
    may_edit_message,
    may_restore,
    refusal,
)
from chat_app.models import (
    Attempt,
    AttemptKind,
    Deletion,
    Invite,
    Member,
    MemberRole,
    Message,
    Reading,
    ReplyMode,
    Role,
    Thread,
    Visibility,
)
from chat_app.streaming import LIVE_STATUSES, Stream, StreamId, StreamStatus, store
from chat_app.streaming.tables import utc_now
from chat_app.streaming.text import clean, one_line

Ts = TypeVarTuple("Ts")

MENTION = re.compile(r"(?<![\w.@/+-])@gpt(?![\w-]|[.@]\w)", re.IGNORECASE)
"""`@gpt` as a word of its own; not in an address, a path or a longer name."""
MAX_TEXT = 16_000
"""Characters of a message."""
TITLE_LENGTH = 60
"""Characters of a title made from a first message."""
MAX_EDITS = 9_999
"""How often a message can be edited: a page's name of a text has four digits for it."""
MAX_TITLE = 120
"""Characters of a title that a person gives."""
TOO_LATE = "It is too late to undo that."
MESSAGES_PER_DELETE = 50
"""Deleted messages whose text and attempts go together."""
STREAMS_PER_DELETE = 50
"""Streams whose chunks are deleted together."""


class MessageRefused(Exception):
    """The message cannot be posted; the text says why, for the person who wrote it."""


class MessageTooLong(MessageRefused):
    """The message has more characters than one can have."""


class TitleRefused(Exception):
    """A thread cannot have this title; the text says why, for the person who gave it."""


class SettingRefused(Exception):
    """A thread cannot be set so; the text says why, for the person who tried."""


class NotNow(Exception):
    """What was asked of a reply does not fit where it stands; the text says why, for the person who asked."""


@dataclass(frozen=True)
class Posted:
    """A message that is stored, the stream that will answer it, if one will, and whether it was not stored before."""

    message_id: int
    stream_id: StreamId | None
    is_new: bool = True


def mentions_ai(text: str) -> bool:
    """Whether a message asks the AI by name."""
    return MENTION.search(text) is not None


def check_text(text: str) -> str:
    """A person's text as it is stored: cleaned, without blank edges.

    Raises:
        MessageRefused: it is blank or too long.
    """
    text = clean(text).strip()
    if not text:
        msg = "There is nothing to send yet."
        raise MessageRefused(msg)
    if len(text) > MAX_TEXT:
        msg = f"That is {len(text):,} characters; a message can have {MAX_TEXT:,}."
        raise MessageTooLong(msg)
    return text


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


async def post(
    session: AsyncSession,
    thread_id: str,
    author_id: int,
    text: str,
    *,
    nonce: str,
    tab: str,
    model: str,
    asks: bool | None = None,
) -> Posted:
    """Store a message, and where it asks the AI the reply's message, attempt and pending stream with it.

    The same nonce again is the same message: nothing is added, and no stream is returned. `tab` names the tab that will
    drive the reply. `asks` says whether the AI is asked, whatever the text and the thread's mode say.

    Raises:
        ThreadUnknown: there is no such thread for this person.
        NotPermitted: they may not write, or not ask the AI, in it.
        MessageRefused: the text cannot be posted.
    """
    text = check_text(text)
    is_mentioned = mentions_ai(text)
    permitted = may(Verb.POST, author_id)
    if asks or (asks is None and is_mentioned):
        permitted &= may(Verb.ASK, author_id)
    elif asks is None:
        permitted &= or_(may(Verb.ASK, author_id), col(Thread.reply_mode) != ReplyMode.ALWAYS)
    thread = await next_version(session, thread_id, author_id, permitted)
    posted = select(col(Message.id)).where(
        col(Message.thread_id) == thread_id, col(Message.author_id) == author_id, col(Message.nonce) == nonce
    )
    if (known := (await session.execute(posted)).scalar_one_or_none()) is not None:
        return Posted(known, None, is_new=False)
    message = Message(
        thread_id=thread_id,
        position=thread.last_position + 1,
        author_id=author_id,
        role=Role.USER,
        text=text,
        nonce=nonce,
        version=thread.version,
    )
    thread.last_position += 1
    thread.active = message.created
    thread.title = thread.title or _title_from(text)
    session.add(message)
    await session.flush()
    assert message.id is not None
    if asks is None:
        asks = is_mentioned or thread.reply_mode is ReplyMode.ALWAYS
    if not asks:
        return Posted(message.id, None)
    return Posted(message.id, await _answer(session, thread, message.id, author_id, tab=tab, model=model))


async def edit_message(session: AsyncSession, thread_id: str, message_id: int, user_id: int, text: str) -> bool:
    """Give one's message another text; False if it has that already. The AI is not asked again.

    Raises:
        ThreadUnknown: there is no such message for this person.
        NotPermitted: it is not theirs, or they may not write any more.
        MessageRefused: it cannot have this text.
    """
    text = check_text(text)
    query = _with_attempt(select(col(Message.id))).where(*_is_in(thread_id, message_id), may_edit_message(user_id))
    if (await session.execute(query)).first() is None:
        raise await _message_refusal(session, thread_id, message_id, user_id)
    # From here on nobody else changes the thread until this transaction ends: of two edits at once none is lost.
    thread = await next_version(session, thread_id, user_id, may(Verb.POST, user_id))
    message = await session.get_one(Message, message_id, populate_existing=True)
    if message.deleted is not None:
        raise ThreadUnknown(thread_id)
    if message.text == text:
        return False
    if message.edits >= MAX_EDITS:
        msg = "This message has been edited too often. Write a new one."
        raise MessageRefused(msg)
    message.text, message.edits, message.version = text, message.edits + 1, thread.version
    return True


async def retry(
    session: AsyncSession,
    thread_id: str,
    message_id: int,
    user_id: int,
    *,
    tab: str,
    model: str,
    after: StreamId | None = None,
) -> StreamId:
    """Answer again, in a new version; the earlier ones stay to be looked at.

    Raises:
        ThreadUnknown: there is no such reply for this person.
        NotPermitted: they may not retry it.
        NotNow: it is being answered, or `after` is given and is not its newest attempt.
    """
    thread, reply, attempt, _ = await _ended_reply(session, thread_id, message_id, user_id, Verb.RETRY, after)
    reply.text = ""
    return await _attempt(
        session,
        thread,
        reply,
        Attempt(
            message_id=message_id,
            number=attempt.number + 1,
            version=attempt.version + 1,
            kind=AttemptKind.RETRY,
            stream_id="",
            prompt_id=attempt.prompt_id,
            asked_by=user_id,
            tab=tab,
        ),
        model,
    )


async def continue_reply(
    session: AsyncSession,
    thread_id: str,
    message_id: int,
    user_id: int,
    *,
    tab: str,
    model: str,
    after: StreamId | None = None,
) -> StreamId:
    """Let the model go on from the text that is there.

    Raises:
        ThreadUnknown: there is no such reply for this person.
        NotPermitted: they may not continue it.
        NotNow: it is being answered, is complete, or `after` is given and is not its newest attempt.
    """
    thread, reply, attempt, stream = await _ended_reply(session, thread_id, message_id, user_id, Verb.CONTINUE, after)
    if stream.status is StreamStatus.DONE and not stream.reason:
        msg = "This reply is complete."
        raise NotNow(msg)
    return await _attempt(
        session,
        thread,
        reply,
        Attempt(
            message_id=message_id,
            number=attempt.number + 1,
            version=attempt.version,
            base=len(reply.text),
            kind=AttemptKind.CONTINUE,
            stream_id="",
            prompt_id=attempt.prompt_id,
            asked_by=user_id,
            tab=tab,
        ),
        model,
    )


async def stoppable(session: AsyncSession, thread_id: str, message_id: int, user_id: int) -> StreamId:
    """The stream of a reply that this person may stop.

    Raises:
        ThreadUnknown: there is no such reply for this person.
        NotPermitted: they may not stop it.
    """
    query = _with_attempt(select(col(Attempt.stream_id))).where(
        *_is_in(thread_id, message_id), col(Attempt.stream_id).is_not(None)
    )
    stream_id = (await session.execute(query.where(may(Verb.STOP, user_id)))).scalar_one_or_none()
    if stream_id is None:
        raise await _message_refusal(session, thread_id, message_id, user_id)
    return StreamId(stream_id)


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


async def delete_message(session: AsyncSession, thread_id: str, message_id: int, user_id: int) -> list[StreamId]:
    """Take a message away for everybody; return its streams. Until `clear_deleted` it can be brought back.

    Raises:
        ThreadUnknown: there is no such message for this person.
        NotPermitted: it is not theirs to delete.
    """
    query = _with_attempt(select(Message)).where(*_is_in(thread_id, message_id), may_delete_message(user_id))
    message = (await session.execute(query)).scalar_one_or_none()
    if message is None:
        raise await _message_refusal(session, thread_id, message_id, user_id)
    message.version = await raise_version(session, message.thread_id)
    message.deleted = utc_now()
    session.add(Deletion(message_id=message_id, user_id=user_id, at=message.deleted))
    streams = select(col(Attempt.stream_id)).where(col(Attempt.message_id) == message_id)
    return [StreamId(stream_id) for stream_id in (await session.execute(streams)).scalars()]


async def restore_message(session: AsyncSession, thread_id: str, message_id: int, user_id: int) -> None:
    """Bring back a message that this person has deleted; a reply that was under way then has been stopped.

    Raises:
        ThreadUnknown: there is no such thread for this person.
        NotPermitted: they may not write in it any more.
        NotNow: it is gone for good, or was not deleted by them.
    """
    thread = await next_version(session, thread_id, user_id, may(Verb.POST, user_id))
    gone = delete(Deletion).where(col(Deletion.message_id) == message_id, col(Deletion.user_id) == user_id)
    message = await session.get(Message, message_id, populate_existing=True)
    if message is None or message.thread_id != thread_id or not await _removes(session, gone):
        raise NotNow(TOO_LATE)
    message.deleted, message.version = None, thread.version
    attempt = await session.get(Attempt, (message_id, message.attempt))
    if attempt is None:
        return
    stream = await session.get_one(Stream, attempt.stream_id, populate_existing=True)
    if stream.status.is_terminal and len(message.text) < attempt.base + stream.length:  # it ended while it was deleted
        message.text = message.text[: attempt.base] + await store.read_text(session, StreamId(stream.id))


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


async def next_deleted(session: AsyncSession) -> datetime | None:
    """When the first was deleted of what can still be brought back; None if there is nothing."""
    thread = (await session.execute(select(func.min(col(Thread.deleted))))).scalar_one()
    message = (await session.execute(select(func.min(col(Deletion.at))))).scalar_one()
    return min((at for at in (thread, message) if at is not None), default=None)


async def clear_deleted(session: AsyncSession, before: datetime) -> bool:
    """Remove a bounded part of what threads and messages left that were deleted by then; False when nothing is left.

    Streams that no attempt names belonged to what was deleted. A live one's writer finds its lease lost.
    """
    deleted = select(col(Thread.id)).where(col(Thread.deleted) <= before)
    thread_id = (await session.execute(deleted)).scalars().first()
    if thread_id is not None:
        messages = select(col(Message.id)).where(col(Message.thread_id) == thread_id)
        for rows in (
            delete(Attempt).where(col(Attempt.message_id).in_(messages)),
            delete(Deletion).where(col(Deletion.message_id).in_(messages)),
            delete(Message).where(col(Message.thread_id) == thread_id),
            delete(Member).where(col(Member.thread_id) == thread_id),
            delete(Invite).where(col(Invite.thread_id) == thread_id),
            delete(Reading).where(col(Reading.thread_id) == thread_id),
            delete(Thread).where(col(Thread.id) == thread_id),
        ):
            await session.execute(rows.execution_options(synchronize_session=False))
        return True
    for_good = select(col(Deletion.message_id)).where(col(Deletion.at) <= before).limit(MESSAGES_PER_DELETE)
    message_ids = (await session.execute(for_good)).scalars().all()
    if message_ids:
        for rows in (
            delete(Attempt).where(col(Attempt.message_id).in_(message_ids)),
            update(Message).where(col(Message.id).in_(message_ids)).values(text=""),
            delete(Deletion).where(col(Deletion.message_id).in_(message_ids)),
        ):
            await session.execute(rows.execution_options(synchronize_session=False))
        return True
    orphans = (
        select(col(Stream.id))
        .join(Attempt, col(Attempt.stream_id) == col(Stream.id), isouter=True)
        .where(col(Attempt.stream_id).is_(None))
        .limit(STREAMS_PER_DELETE)
    )
    stream_ids = [StreamId(stream_id) for stream_id in (await session.execute(orphans)).scalars()]
    if stream_ids:
        await store.delete_streams(session, stream_ids)
    return bool(stream_ids)


async def change_reply(session: AsyncSession, stream_id: StreamId) -> None:
    """Tell a thread's pages that something other than its text is new of the reply that this stream writes."""
    message = await _reply_of(session, stream_id)
    if message is not None:
        message.version = await raise_version(session, message.thread_id)


async def store_reply(session: AsyncSession, stream_id: StreamId) -> None:
    """Give an ended stream's text to its message, in the transaction that ends the stream."""
    message = await _reply_of(session, stream_id)
    if message is None:
        return  # deleted meanwhile
    attempt = await session.get_one(Attempt, (message.id, message.attempt))
    message.version = await raise_version(session, message.thread_id)
    message.text = message.text[: attempt.base] + await store.read_text(session, stream_id)
    await session.flush()


async def _reply_of(session: AsyncSession, stream_id: StreamId) -> Message | None:
    query = _with_attempt(select(Message)).where(col(Attempt.stream_id) == stream_id, col(Message.deleted).is_(None))
    return (await session.execute(query)).scalar_one_or_none()


async def _ended_reply(
    session: AsyncSession, thread_id: str, message_id: int, user_id: int, verb: Verb, after: StreamId | None
) -> tuple[Thread, Message, Attempt, Stream]:
    query = _with_attempt(select(col(Message.id))).where(
        *_is_in(thread_id, message_id), col(Attempt.stream_id).is_not(None), may(verb, user_id)
    )
    if (await session.execute(query)).first() is None:
        raise await _message_refusal(session, thread_id, message_id, user_id)
    # From here on nobody else changes the thread until this transaction ends: of two retries at once one begins.
    thread = await next_version(session, thread_id, user_id, may(verb, user_id))
    reply = await session.get_one(Message, message_id, populate_existing=True)
    attempt = await session.get_one(Attempt, (message_id, reply.attempt))
    stream = await session.get_one(Stream, attempt.stream_id)
    if not stream.status.is_terminal:
        msg = "This is being answered already."
        raise NotNow(msg)
    if after is not None and stream.id != after:
        msg = "This has a newer answer already."
        raise NotNow(msg)
    return thread, reply, attempt, stream


async def _removes(session: AsyncSession, rows: Delete) -> bool:
    return cast("CursorResult[Any]", await session.execute(rows)).rowcount > 0


async def _message_refusal(
    session: AsyncSession, thread_id: str, message_id: int, user_id: int
) -> ThreadUnknown | NotPermitted:
    query = select(col(Message.id)).where(*_is_in(thread_id, message_id))
    is_there = (await session.execute(query)).first() is not None
    return await refusal(session, thread_id, user_id) if is_there else ThreadUnknown(thread_id)


def _is_in(thread_id: str, message_id: int) -> tuple[ColumnElement[bool], ...]:
    """A message is named together with its thread: anybody can count, but not guess an address."""
    return col(Message.id) == message_id, col(Message.thread_id) == thread_id, col(Message.deleted).is_(None)


async def _answer(
    session: AsyncSession, thread: Thread, prompt_id: int, asked_by: int, *, tab: str, model: str
) -> StreamId:
    reply = Message(thread_id=thread.id, position=thread.last_position + 1, role=Role.ASSISTANT)
    thread.last_position += 1
    session.add(reply)
    await session.flush()
    assert reply.id is not None
    first = Attempt(message_id=reply.id, number=1, stream_id="", prompt_id=prompt_id, asked_by=asked_by, tab=tab)
    return await _attempt(session, thread, reply, first, model)


async def _attempt(session: AsyncSession, thread: Thread, reply: Message, attempt: Attempt, model: str) -> StreamId:
    stream_id = store.create(session, model=thread.model or model)
    await session.flush()
    attempt.stream_id = stream_id
    reply.attempt, reply.version = attempt.number, thread.version
    session.add(attempt)
    await session.flush()
    return stream_id


async def next_version(
    session: AsyncSession, thread_id: str, user_id: int, is_permitted: ColumnElement[bool]
) -> Thread:
    """The thread, about to be changed by this person: nobody else can until the transaction ends.

    Raises:
        ThreadUnknown: there is no such thread for this person.
        NotPermitted: it is not permitted to them.
    """
    permitted = select(Thread).where(col(Thread.id) == thread_id, is_permitted)
    if await raise_version(session, thread_id, is_permitted):
        # Asked again: on PostgreSQL who stood in line for the row was let through by who was a member before that.
        thread = (await session.execute(permitted.execution_options(populate_existing=True))).scalar_one_or_none()
        if thread is not None:
            return thread
    raise await refusal(session, thread_id, user_id)


async def raise_version(session: AsyncSession, thread_id: str, *conditions: ColumnElement[bool]) -> int:
    """The thread's new version; 0 if there is no thread of which the conditions hold."""
    raised = (
        update(Thread)
        .where(col(Thread.id) == thread_id, *conditions)
        .values(version=Thread.version + 1, changed=utc_now())
        .execution_options(synchronize_session=False)
        .returning(col(Thread.version))
    )
    return (await session.execute(raised)).scalar_one_or_none() or 0


def _with_attempt(query: Select[*Ts]) -> Select[*Ts]:
    """The query with a message's thread, and its current attempt if it has one, beside the message."""
    return (
        query.select_from(Message)
        .join(Thread, col(Thread.id) == col(Message.thread_id))
        .join(
            Attempt,
            and_(col(Attempt.message_id) == col(Message.id), col(Attempt.number) == col(Message.attempt)),
            isouter=True,
        )
    )


def _title_from(text: str) -> str:
    title = one_line(MENTION.sub("", text)).lstrip(",;:.!?-–— ")
    title = title[:1].upper() + title[1:]
    return title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 1].rstrip() + "…"
