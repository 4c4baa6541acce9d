"""Threads: posting, asking, stopping, and what a thread's page lists.

Each function takes the caller's session. A change raises the thread's version and stamps it on the message, so that
"what has changed since" is one indexed query; raising it first also puts writers of one thread in line, so that
positions follow commits.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.access import ThreadUnknown, may_list, may_post, may_read
from chat_app.models import Attempt, AttemptKind, Member, MemberRole, Message, ReplyMode, Role, Thread, User
from chat_app.streaming import Stream, StreamId, StreamStatus, store
from chat_app.streaming.text import clean

MENTION = re.compile(r"(?<![\w.@/+-])@gpt(?![\w-]|[.@]\w)", re.IGNORECASE)
"""`@gpt` as a word of its own; not in an address, a path or a longer name."""
MAX_TEXT = 16_000
"""Characters of a message."""
TITLE_LENGTH = 60
"""Characters of a title made from a first message."""
LISTED = 50
"""Threads that the sidebar lists."""
NEWEST = 100
"""Messages that a page shows at first."""


class MessageRefused(Exception):
    """The message cannot be posted; the text says why, for the person who wrote it."""


@dataclass(frozen=True)
class Posted:
    """A message that is stored, and the stream that will answer it, if one will."""

    message_id: int
    stream_id: StreamId | None


@dataclass(frozen=True)
class MessageView:
    """A message as its page needs it; `status` is None for a person's. `length` is of the stored text of a reply."""

    id: int
    position: int
    version: int
    author_id: int
    at: datetime
    text: str
    attempt: int
    status: StreamStatus | None
    reason: str
    length: int
    stream_id: StreamId | None
    tab: str
    asked_by: int

    @property
    def name(self) -> str:
        """What the page calls the text in this row: another attempt is another text."""
        return f"{self.id}.{self.attempt}"

    @property
    def is_live(self) -> bool:
        """Whether a model is still to write, or writing."""
        return self.status is not None and not self.status.is_terminal


@dataclass(frozen=True)
class ThreadView:
    """A thread without its messages."""

    id: str
    title: str
    reply_mode: ReplyMode
    version: int


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
        raise MessageRefused(msg)
    return text


async def create(session: AsyncSession, owner_id: int, *, title: str = "", origin: str | None = None) -> str:
    """Add an open thread and its owner; return its id."""
    thread = Thread(owner_id=owner_id, title=title, origin=origin)
    session.add(thread)
    await session.flush()
    session.add(Member(thread_id=thread.id, user_id=owner_id, role=MemberRole.OWNER))
    return thread.id


async def post(
    session: AsyncSession, thread_id: str, author_id: int, text: str, *, nonce: str, tab: str, model: str
) -> Posted:
    """Store a message, and where it asks the AI the reply's message, attempt and pending stream with it.

    The same nonce again is the same message: nothing is added, and no stream is returned. `tab` names the tab that will
    drive the reply.

    Raises:
        ThreadUnknown: there is no such thread for this person to write in.
        MessageRefused: the text cannot be posted.
    """
    text = check_text(text)
    thread = await _next_version(session, thread_id, author_id)
    posted = select(col(Message.id)).where(
        col(Message.thread_id) == thread_id, col(Message.author_id) == author_id, col(Message.nonce) == nonce
    )
    if (known := (await session.execute(posted)).scalar_one_or_none()) is not None:
        return Posted(known, None)
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
    if thread.reply_mode is not ReplyMode.ALWAYS and not mentions_ai(text):
        return Posted(message.id, None)
    return Posted(message.id, await _answer(session, thread, message.id, author_id, tab=tab, model=model))


async def _answer(
    session: AsyncSession, thread: Thread, prompt_id: int, asked_by: int, *, tab: str, model: str
) -> StreamId:
    reply = Message(
        thread_id=thread.id,
        position=thread.last_position + 1,
        role=Role.ASSISTANT,
        version=thread.version,
        attempt=1,
    )
    thread.last_position += 1
    stream_id = store.create(session, model=thread.model or model)
    session.add(reply)
    await session.flush()
    assert reply.id is not None
    session.add(
        Attempt(
            message_id=reply.id,
            number=1,
            kind=AttemptKind.FIRST,
            stream_id=stream_id,
            prompt_id=prompt_id,
            asked_by=asked_by,
            tab=tab,
        )
    )
    return stream_id


async def stoppable(session: AsyncSession, message_id: int, user_id: int) -> StreamId:
    """The stream of a reply that this person may stop.

    Raises:
        ThreadUnknown: there is no such reply for this person.
    """
    query = (
        select(col(Attempt.stream_id))
        .join(Message, and_(col(Message.id) == col(Attempt.message_id), col(Message.attempt) == col(Attempt.number)))
        .join(Thread, col(Thread.id) == col(Message.thread_id))
        .where(col(Message.id) == message_id, may_post(user_id))
    )
    stream_id = (await session.execute(query)).scalar_one_or_none()
    if stream_id is None:
        raise ThreadUnknown(message_id)
    return StreamId(stream_id)


async def store_reply(session: AsyncSession, stream_id: StreamId) -> None:
    """Give an ended stream's text to its message, in the transaction that ends the stream."""
    found = (
        select(Message)
        .join(Attempt, col(Attempt.message_id) == col(Message.id))
        .where(col(Attempt.stream_id) == stream_id)
    )
    message = (await session.execute(found)).scalar_one_or_none()
    if message is None:
        return  # deleted meanwhile
    raised = (
        update(Thread)
        .where(col(Thread.id) == message.thread_id)
        .values(version=Thread.version + 1)
        .returning(col(Thread.version))
    )
    message.version = (await session.execute(raised)).scalar_one()
    message.text = await store.read_text(session, stream_id)
    await session.flush()


async def listed(session: AsyncSession, user_id: int) -> list[ThreadView]:
    """The threads in someone's sidebar, the most recently active first."""
    query = select(Thread).where(may_list(user_id)).order_by(col(Thread.active).desc(), col(Thread.id)).limit(LISTED)
    return [_thread_view(thread) for thread in (await session.execute(query)).scalars()]


async def find(session: AsyncSession, thread_id: str, user_id: int) -> ThreadView:
    """A thread that this person may read.

    Raises:
        ThreadUnknown: there is no such thread for this person.
    """
    query = select(Thread).where(col(Thread.id) == thread_id, may_read(user_id))
    thread = (await session.execute(query)).scalar_one_or_none()
    if thread is None:
        raise ThreadUnknown(thread_id)
    return _thread_view(thread)


async def newest_messages(session: AsyncSession, thread_id: str, limit: int = NEWEST) -> list[MessageView]:
    """The newest messages of a thread, oldest of them first."""
    query = _messages(thread_id).order_by(col(Message.position).desc()).limit(limit)
    return [_message_view(*row) for row in (await session.execute(query)).all()][::-1]


async def messages_changed_since(session: AsyncSession, thread_id: str, version: int) -> list[MessageView]:
    """The messages of a thread that are new or otherwise since `version`, in order."""
    query = _messages(thread_id).where(col(Message.version) > version).order_by(col(Message.position))
    return [_message_view(*row) for row in (await session.execute(query)).all()]


async def message_view(session: AsyncSession, message_id: int, user_id: int) -> MessageView:
    """One message that this person may read.

    Raises:
        ThreadUnknown: there is no such message for this person.
    """
    query = _messages().where(col(Message.id) == message_id, may_read(user_id))
    query = query.join(Thread, col(Thread.id) == col(Message.thread_id))
    row = (await session.execute(query)).first()
    if row is None:
        raise ThreadUnknown(message_id)
    return _message_view(*row)


async def people(session: AsyncSession, user_ids: Sequence[int]) -> dict[int, tuple[str, int]]:
    """Names and hues by user id."""
    if not user_ids:
        return {}
    query = select(col(User.id), col(User.name), col(User.hue)).where(col(User.id).in_(user_ids))
    rows = (await session.execute(query)).all()
    return {user_id: (name, hue) for user_id, name, hue in rows if user_id is not None}


async def _next_version(session: AsyncSession, thread_id: str, user_id: int) -> Thread:
    raised = (
        update(Thread)
        .where(col(Thread.id) == thread_id, may_post(user_id))
        .values(version=Thread.version + 1)
        .execution_options(synchronize_session=False)
        .returning(col(Thread.id))
    )
    if (await session.execute(raised)).scalar_one_or_none() is None:
        raise ThreadUnknown(thread_id)
    return await session.get_one(Thread, thread_id, populate_existing=True)


def _messages(thread_id: str | None = None) -> Select[Message, Attempt, Stream]:
    query = (
        select(Message, Attempt, Stream)
        .join(
            Attempt,
            and_(col(Attempt.message_id) == col(Message.id), col(Attempt.number) == col(Message.attempt)),
            isouter=True,
        )
        .join(Stream, col(Stream.id) == col(Attempt.stream_id), isouter=True)
        .where(col(Message.deleted).is_(None))
    )
    return query if thread_id is None else query.where(col(Message.thread_id) == thread_id)


def _message_view(message: Message, attempt: Attempt | None, stream: Stream | None) -> MessageView:
    assert message.id is not None
    return MessageView(
        id=message.id,
        position=message.position,
        version=message.version,
        author_id=message.author_id or 0,
        at=message.created,
        text=message.text,
        attempt=message.attempt,
        status=stream.status if stream else None,
        reason=stream.reason if stream else "",
        length=stream.length if stream else len(message.text),
        stream_id=StreamId(stream.id) if stream else None,
        tab=attempt.tab if attempt else "",
        asked_by=attempt.asked_by if attempt else 0,
    )


def _thread_view(thread: Thread) -> ThreadView:
    return ThreadView(thread.id, thread.title, thread.reply_mode, thread.version)


def _title_from(text: str) -> str:
    words = MENTION.sub("", text).split()
    title = " ".join(words)
    return title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 1].rstrip() + "…"
