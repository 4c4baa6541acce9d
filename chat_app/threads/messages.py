"""Messages: posted, edited, deleted, restored, read and exported."""

import re
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import CursorResult, Delete, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.models import (
    Attempt,
    Deletion,
    Message,
    ReplyMode,
    Role,
    Thread,
)
from chat_app.people.names import one_line
from chat_app.refusals import MessageRefused, MessageTooLong, NotNow, ThreadUnknown
from chat_app.threads.access import Verb, may, may_delete_message, may_edit_message
from chat_app.threads.attempts import answer, is_in, message_refusal, with_attempt
from chat_app.threads.threads import TOO_LATE
from chat_app.threads.versions import next_version, raise_version
from tributary_streams import Stream, StreamId, clean, read_text, utc_now

MENTION = re.compile(r"(?<![\w.@/+-])@gpt(?![\w-]|[.@]\w)", re.IGNORECASE)
"""`@gpt` as a word of its own; not in an address, a path or a longer name."""
MAX_TEXT = 16_000
"""Characters of a message."""
TITLE_LENGTH = 60
"""Characters of a title made from a first message."""
MAX_EDITS = 9_999
"""How often a message can be edited: a page's name of a text has four digits for it."""


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
    return Posted(message.id, await answer(session, thread, message.id, author_id, tab=tab, model=model))


async def edit_message(session: AsyncSession, thread_id: str, message_id: int, user_id: int, text: str) -> bool:
    """Give one's message another text; False if it has that already. The AI is not asked again.

    Raises:
        ThreadUnknown: there is no such message for this person.
        NotPermitted: it is not theirs, or they may not write any more.
        MessageRefused: it cannot have this text.
    """
    text = check_text(text)
    query = with_attempt(select(col(Message.id))).where(*is_in(thread_id, message_id), may_edit_message(user_id))
    if (await session.execute(query)).first() is None:
        raise await message_refusal(session, thread_id, message_id, user_id)
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


async def delete_message(session: AsyncSession, thread_id: str, message_id: int, user_id: int) -> list[StreamId]:
    """Take a message away for everybody; return its streams. Until `clear_deleted` it can be brought back.

    Raises:
        ThreadUnknown: there is no such message for this person.
        NotPermitted: it is not theirs to delete.
    """
    query = with_attempt(select(Message)).where(*is_in(thread_id, message_id), may_delete_message(user_id))
    message = (await session.execute(query)).scalar_one_or_none()
    if message is None:
        raise await message_refusal(session, thread_id, message_id, user_id)
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
        message.text = message.text[: attempt.base] + await read_text(session, StreamId(stream.id))


async def _removes(session: AsyncSession, rows: Delete) -> bool:
    return cast("CursorResult[Any]", await session.execute(rows)).rowcount > 0


def _title_from(text: str) -> str:
    title = one_line(MENTION.sub("", text)).lstrip(",;:.!?-–— ")
    title = title[:1].upper() + title[1:]
    return title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 1].rstrip() + "…"
