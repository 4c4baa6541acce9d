"""Messages: post, edit, delete, restore, read and export them."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import CursorResult, Delete, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.changes import Changes
from chat_app.data.models import Attempt, Deletion, Message, ReplyMode, Role, Thread
from chat_app.people.identity import Identity
from chat_app.people.limits import Rates
from chat_app.people.names import one_line
from chat_app.refusals import MessageRefused, MessageTooLong, NotNow, ThreadUnknown
from chat_app.threads import message_views, reply_views, thread_views
from chat_app.threads.access import Verb, is_in, may, may_delete_message, may_edit_message, message_refusal
from chat_app.threads.attempts import answer, end_quietly, with_attempt
from chat_app.threads.mentions import MENTION, mentions_ai
from chat_app.threads.message_views import NEWEST, MessageView
from chat_app.threads.reply_views import AttemptView
from chat_app.threads.threads import TOO_LATE
from chat_app.threads.versions import next_version, raise_version
from tributary_streams import Stream, StreamId, clean, read_text, utc_now

MAX_TEXT = 16_000
"""Characters of a message at most."""
TITLE_LENGTH = 60
"""Characters of a title that is made from a first message, at most."""
MAX_EDITS = 9_999
"""How often a message can be edited: the page's name of a text has four digits for it."""
EXPORTED_AT_ONCE = 50
"""Messages of a thread that are read, and held in memory, at a time."""

Exported = tuple[MessageView, str, list[AttemptView]]
"""A message with its text, its author's name ("" for a reply), and the attempts at it (none for a person's message)."""


@dataclass(frozen=True)
class Posted:
    """A stored message, the stream that will answer it, if any, and whether this call stored it."""

    message_id: int
    stream_id: StreamId | None
    is_new: bool = True


class Messages:
    """The messages of this server's threads."""

    def __init__(
        self,
        changes: Changes,
        rates: Rates,
        *,
        model: str,
        begin: Callable[[StreamId], None],
        on_post: Callable[[str, int], None],
        on_delete: Callable[[Sequence[StreamId]], None],
    ) -> None:
        """Args:
        changes: where messages are stored.
        rates: how many messages a person may send.
        model: the name of the model that answers if the thread names none.
        begin: called with the stream of each new reply, once it is committed.
        on_post: called with the thread id and the author's user id of each message that is sent.
        on_delete: called with the streams of deleted messages, once the deletion is committed.
        """
        self._changes = changes
        self._rates = rates
        self._model = model
        self._begin = begin
        self._on_post = on_post
        self._on_delete = on_delete

    async def post(
        self,
        who: Identity,
        thread_id: str,
        text: str,
        *,
        nonce: str,
        tab: str,
        address: str = "",
        asks: bool | None = None,
        is_counted: bool = True,
    ) -> Posted:
        """Store a message, then let the AI answer if it is asked: the model is called only after the commit.

        The same nonce again is the same message, which is not stored or counted again. `tab` names the tab that will
        drive the reply. `address` counts against the limit of its network, "" against none. `asks` says whether the AI
        is asked; None leaves it to the text and the thread's mode. Messages of the server itself are not counted.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not write, or not ask the AI, in it.
            MessageRefused: the text cannot be posted.
            TooMuch: a rate limit is reached.
        """
        async with self._changes.write() as session:
            posted = await post(
                session, thread_id, who.user_id, text, nonce=nonce, tab=tab, model=self._model, asks=asks
            )
            if posted.is_new and is_counted:
                await self._rates.message(who.user_id, address)  # a refusal rolls the transaction back
        self._on_post(thread_id, who.user_id)
        if posted.stream_id is not None:
            self._begin(posted.stream_id)
        return posted

    async def edit(self, who: Identity, thread_id: str, message_id: int, text: str, *, address: str = "") -> None:
        """Change the text of one's message, for everybody. It counts as a message, and the AI is not asked again.

        Raises:
            ThreadUnknown: there is no such message for this person.
            NotPermitted: it is not theirs, or they may not write any more.
            MessageRefused: the text cannot be posted, or the message was edited too often.
            TooMuch: a rate limit is reached.
        """
        async with self._changes.write() as session:
            if await edit_message(session, thread_id, message_id, who.user_id, text):
                await self._rates.message(who.user_id, address)  # a refusal rolls the transaction back

    async def delete(self, who: Identity, thread_id: str, message_id: int) -> None:
        """Delete a message for everybody; if it is being written, its writer ends quietly.

        For a while it can be restored.

        Raises:
            ThreadUnknown: there is no such message for this person.
            NotPermitted: they may not delete it.
        """
        query = with_attempt(select(Message)).where(*is_in(thread_id, message_id), may_delete_message(who.user_id))
        async with self._changes.write() as session:
            message = (await session.execute(query)).scalar_one_or_none()
            if message is None:
                raise await message_refusal(session, thread_id, message_id, who.user_id)
            message.version = await raise_version(session, message.thread_id)
            message.deleted = utc_now()
            session.add(Deletion(message_id=message_id, user_id=who.user_id, at=message.deleted))
            streams = select(col(Attempt.stream_id)).where(col(Attempt.message_id) == message_id)
            stream_ids = [StreamId(stream_id) for stream_id in (await session.execute(streams)).scalars()]
            await end_quietly(session, stream_ids)
        self._on_delete(stream_ids)

    async def restore(self, who: Identity, thread_id: str, message_id: int) -> None:
        """Bring back a message that this person has just deleted; a reply that was under way has been stopped.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not write in it any more.
            NotNow: it is gone for good, or was not deleted by them.
        """
        async with self._changes.write() as session:
            thread = await next_version(session, thread_id, who.user_id, may(Verb.POST, who.user_id))
            gone = delete(Deletion).where(col(Deletion.message_id) == message_id, col(Deletion.user_id) == who.user_id)
            message = await session.get(Message, message_id, populate_existing=True)
            if message is None or message.thread_id != thread_id or not await _removes(session, gone):
                raise NotNow(TOO_LATE)
            message.deleted, message.version = None, thread.version
            await _complete(session, message)

    async def newest(
        self, who: Identity, thread_id: str, *, before: int | None = None, limit: int = NEWEST
    ) -> tuple[list[MessageView], dict[int, tuple[str, int]]]:
        """The newest messages of a thread, or the newest before a position, in order, with their authors by user id.

        The text of a reply under way is what is stored so far.

        Raises:
            ThreadUnknown: there is no such thread for this person.
        """
        async with self._changes.read() as session:
            await thread_views.find(session, thread_id, who.user_id)
            found = await message_views.newest_messages(session, thread_id, limit, before=before)
            found = [await message_views.with_stored_text(session, message) for message in found]
            return found, await message_views.authors(session, found)

    async def export(self, who: Identity, thread_id: str) -> AsyncGenerator[list[Exported]]:
        """Yield all messages of a thread in order, in batches; each batch checks again whether this person may read it.

        Raises:
            ThreadUnknown: there is no such thread for this person, or no longer.
        """
        position = 0
        while True:
            async with self._changes.read() as session:
                await thread_views.find(session, thread_id, who.user_id)
                found = await message_views.messages_after(session, thread_id, position, EXPORTED_AT_ONCE)
                attempts = await reply_views.attempts(session, found)
                found = [await message_views.with_stored_text(session, message) for message in found]
                people = await message_views.authors(session, found)
            if not found:
                return
            position = found[-1].position
            names = {user_id: name for user_id, (name, _) in people.items()}
            yield [(each, names.get(each.author_id, ""), attempts.get(each.id, [])) for each in found]

    async def text_of(self, who: Identity, thread_id: str, message_id: int, offset: int) -> tuple[MessageView, str]:
        """A message, and its stored text from `offset` (code points) on, for a tab that has missed a part.

        Raises:
            ThreadUnknown: there is no such message for this person.
        """
        async with self._changes.read() as session:
            message = await message_views.message_view(session, thread_id, message_id, who.user_id)
            message = await message_views.with_stored_text(session, message)
        return message, message.text[offset:]


def check_text(text: str) -> str:
    """A person's text as it is stored: cleaned, and stripped of blanks at both ends.

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
    """Store a message and, if it asks the AI, the reply's message, attempt and pending stream; see `Messages.post`.

    The same nonce again is the same message: nothing is added, and no stream is returned.

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
    """Change the text of one's message, as `Messages.edit` does; False if it has that text already.

    Raises:
        ThreadUnknown: there is no such message for this person.
        NotPermitted: it is not theirs, or they may not write any more.
        MessageRefused: the text cannot be posted, or the message was edited too often.
    """
    text = check_text(text)
    query = with_attempt(select(col(Message.id))).where(*is_in(thread_id, message_id), may_edit_message(user_id))
    if (await session.execute(query)).first() is None:
        raise await message_refusal(session, thread_id, message_id, user_id)
    # From here on nobody else changes the thread until this transaction ends: of two concurrent edits none is lost.
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


async def _complete(session: AsyncSession, message: Message) -> None:
    """Give a reply the text of its stream, if that ended while the reply was deleted."""
    attempt = await session.get(Attempt, (message.id, message.attempt))
    if attempt is None:
        return
    stream = await session.get_one(Stream, attempt.stream_id, populate_existing=True)
    if stream.status.is_terminal and len(message.text) < attempt.base + stream.length:
        message.text = message.text[: attempt.base] + await read_text(session, StreamId(stream.id))


async def _removes(session: AsyncSession, rows: Delete) -> bool:
    return cast("CursorResult[Any]", await session.execute(rows)).rowcount > 0


def _title_from(text: str) -> str:
    title = one_line(MENTION.sub("", text)).lstrip(",;:.!?-–— ")
    title = title[:1].upper() + title[1:]
    return title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 1].rstrip() + "…"
