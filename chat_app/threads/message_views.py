"""Message views: messages as a page or an API client sees them.

Only `message_view` checks permission. Callers of the other functions check it before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.models import Attempt, Message, ReadReceipt, Role, Thread, User
from chat_app.refusals import ThreadUnknown
from chat_app.threads.access import Verb, is_current, may
from tributary_streams import Stream, StreamId, StreamStatus, read_text

NEWEST = 100
"""Messages that a page shows at first, and that it gets each time its reader scrolls back."""


@dataclass(frozen=True)
class MessageView:
    """A message as its page needs it; `status` is None for a person's message.

    `text` is the text in the message's row: all of an ended message; for a continuation under way, what it adds to.
    `version` is the text's version: for a reply from 1, for a person's message how often they have edited it.
    `thread_version` is the thread's version at the last change. `length` is the code points stored so far, and `base`
    the offset among them at which the current stream's text begins. `author_id` and `asked_by` are 0 for nobody.
    """

    id: int
    position: int
    role: Role
    thread_version: int
    author_id: int
    at: datetime
    text: str
    version: int
    status: StreamStatus | None
    reason: str
    length: int
    base: int
    stream_id: StreamId | None
    tab: str
    asked_by: int
    is_deleted: bool

    @property
    def name(self) -> str:
        """The page's name for this text; each version is a text of its own."""
        return f"{self.id}.{self.version}"

    @property
    def is_live(self) -> bool:
        """Whether this is a reply that is still to be written, or being written."""
        return self.status is not None and not self.status.is_terminal


async def first_unread(session: AsyncSession, thread_id: str, user_id: int) -> int | None:
    """Id of the first message that others added after this person last read the thread; None if there is none, or they
    never read it."""
    query = (
        select(func.min(col(Message.id)))
        .join(ReadReceipt, col(ReadReceipt.thread_id) == col(Message.thread_id))
        .where(
            col(Message.thread_id) == thread_id,
            col(Message.deleted).is_(None),
            col(Message.position) > col(ReadReceipt.position),
            or_(col(Message.author_id).is_(None), col(Message.author_id) != user_id),
            col(ReadReceipt.user_id) == user_id,
        )
    )
    return (await session.execute(query)).scalar_one()


async def newest_messages(
    session: AsyncSession, thread_id: str, limit: int = NEWEST, *, before: int | None = None
) -> list[MessageView]:
    """The newest messages of a thread, or the newest before a position, in order."""
    query = _messages(thread_id).where(col(Message.deleted).is_(None))
    if before is not None:
        query = query.where(col(Message.position) < before)
    query = query.order_by(col(Message.position).desc()).limit(limit)
    return [_message_view(*row) for row in (await session.execute(query)).all()][::-1]


async def page_of_messages(
    session: AsyncSession, thread_id: str, *, before: int | None = None
) -> tuple[list[MessageView], bool]:
    """The newest messages of a thread, or the newest before a message id, in order, and whether there are earlier ones.

    Within a thread ids grow with positions, so `before` may name a message that was deleted.
    """
    query = _messages(thread_id).where(col(Message.deleted).is_(None))
    if before is not None:
        query = query.where(col(Message.id) < before)
    query = query.order_by(col(Message.position).desc()).limit(NEWEST + 1)
    found = [_message_view(*row) for row in (await session.execute(query)).all()]
    return found[NEWEST - 1 :: -1], len(found) > NEWEST


async def messages_after(session: AsyncSession, thread_id: str, position: int, limit: int) -> list[MessageView]:
    """The first messages of a thread after a position, in order."""
    query = _messages(thread_id).where(col(Message.deleted).is_(None), col(Message.position) > position)
    query = query.order_by(col(Message.position)).limit(limit)
    return [_message_view(*row) for row in (await session.execute(query)).all()]


async def messages_changed_since(session: AsyncSession, thread_id: str, version: int) -> list[MessageView]:
    """The messages of a thread that were added, changed or deleted after `version`, in order."""
    query = _messages(thread_id).where(col(Message.version) > version).order_by(col(Message.position))
    return [_message_view(*row) for row in (await session.execute(query)).all()]


async def message_view(session: AsyncSession, thread_id: str, message_id: int, user_id: int) -> MessageView:
    """One message that this person may read, named with its thread, because message ids can be guessed.

    Raises:
        ThreadUnknown: there is no such message for this person.
    """
    query = _messages(thread_id).where(
        col(Message.id) == message_id, col(Message.deleted).is_(None), may(Verb.READ, user_id)
    )
    query = query.join(Thread, col(Thread.id) == col(Message.thread_id))
    row = (await session.execute(query)).first()
    if row is None:
        raise ThreadUnknown(message_id)
    return _message_view(*row)


async def with_stored_text(session: AsyncSession, message: MessageView) -> MessageView:
    """The message with all its text stored so far; the session must be the one in which the message was read."""
    if not message.is_live or message.stream_id is None:
        return message
    text = message.text[: message.base] + await read_text(session, message.stream_id)
    return replace(message, text=text)


async def authors(session: AsyncSession, messages: Sequence[MessageView]) -> dict[int, tuple[str, int]]:
    """Names and hues of the authors of these messages, by user id."""
    return await people(session, sorted({message.author_id for message in messages}))


async def people(session: AsyncSession, user_ids: Sequence[int]) -> dict[int, tuple[str, int]]:
    """Names and hues by user id."""
    if not user_ids:
        return {}
    query = select(col(User.id), col(User.name), col(User.hue)).where(col(User.id).in_(user_ids))
    rows = (await session.execute(query)).all()
    return {user_id: (name, hue) for user_id, name, hue in rows if user_id is not None}


def _messages(thread_id: str) -> Select[Message, Attempt, Stream]:
    return (
        select(Message, Attempt, Stream)
        .join(Attempt, is_current(), isouter=True)
        .join(Stream, col(Stream.id) == col(Attempt.stream_id), isouter=True)
        .where(col(Message.thread_id) == thread_id)
    )


def _message_view(message: Message, attempt: Attempt | None, stream: Stream | None) -> MessageView:
    assert message.id is not None
    if message.deleted is not None:  # while this can be undone the text is there, but nobody may see it
        attempt = stream = None
    text = "" if message.deleted is not None else message.text
    base = attempt.base if attempt else 0
    return MessageView(
        id=message.id,
        position=message.position,
        role=message.role,
        thread_version=message.version,
        author_id=message.author_id or 0,
        at=message.created,
        text=text,
        version=attempt.version if attempt else message.edits,
        status=stream.status if stream else None,
        reason=stream.reason if stream else "",
        length=base + stream.length if stream else len(text),
        base=base,
        stream_id=StreamId(stream.id) if stream else None,
        tab=attempt.tab if attempt else "",
        asked_by=attempt.asked_by if attempt else 0,
        is_deleted=message.deleted is not None,
    )
