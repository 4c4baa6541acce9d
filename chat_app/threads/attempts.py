"""Attempts: the successive streams that answer a message, and the reply that they write."""

from collections.abc import Sequence
from typing import TypeVarTuple

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.models import Attempt, AttemptKind, Message, Role, Thread
from chat_app.refusals import NotNow
from chat_app.threads.access import Verb, is_current, is_in, may, message_refusal
from chat_app.threads.versions import next_version, raise_version
from tributary_streams import (
    STOPPED,
    Stream,
    StreamId,
    StreamStatus,
    close_pending,
    create_stream,
    read_text,
    request_stop,
)

Ts = TypeVarTuple("Ts")


async def answer_again(
    session: AsyncSession,
    kind: AttemptKind,
    thread_id: str,
    message_id: int,
    user_id: int,
    *,
    tab: str,
    model: str,
    after: StreamId | None = None,
) -> StreamId:
    """Add an attempt to a reply that has ended, and return its pending stream.

    A retry is a new version, and the earlier versions stay; a continuation goes on from the text that is there.

    Raises:
        ThreadUnknown: there is no such reply for this person.
        NotPermitted: they may not retry or continue it.
        NotNow: it is being answered, it is complete (of a continuation), or `after` is given and is not its newest
            stream.
    """
    is_retry = kind is AttemptKind.RETRY
    verb = Verb.RETRY if is_retry else Verb.CONTINUE
    thread, reply, attempt, stream = await _ended_reply(session, thread_id, message_id, user_id, verb, after)
    if is_retry:
        reply.text = ""
    elif stream.status is StreamStatus.DONE and not stream.reason:
        msg = "This reply is complete."
        raise NotNow(msg)
    again = Attempt(
        message_id=message_id,
        number=attempt.number + 1,
        version=attempt.version + is_retry,
        base=len(reply.text),
        kind=kind,
        stream_id="",
        prompt_id=attempt.prompt_id,
        asked_by=user_id,
        tab=tab,
    )
    return await _attempt(session, thread, reply, again, model)


async def stoppable(session: AsyncSession, thread_id: str, message_id: int, user_id: int) -> StreamId:
    """The current stream of a reply that this person may stop.

    Raises:
        ThreadUnknown: there is no such reply for this person.
        NotPermitted: they may not stop it.
    """
    query = with_attempt(select(col(Attempt.stream_id))).where(
        *is_in(thread_id, message_id), col(Attempt.stream_id).is_not(None)
    )
    stream_id = (await session.execute(query.where(may(Verb.STOP, user_id)))).scalar_one_or_none()
    if stream_id is None:
        raise await message_refusal(session, thread_id, message_id, user_id)
    return StreamId(stream_id)


async def change_reply(session: AsyncSession, stream_id: StreamId) -> None:
    """Raise the version of a stream's reply, so that pages show a change of it other than its text."""
    message = await _reply_of(session, stream_id)
    if message is not None:
        message.version = await raise_version(session, message.thread_id)


async def store_reply(session: AsyncSession, stream_id: StreamId) -> None:
    """Copy an ended stream's text to its message, in the transaction that ends the stream."""
    message = await _reply_of(session, stream_id)
    if message is None:
        return  # deleted meanwhile
    attempt = await session.get_one(Attempt, (message.id, message.attempt))
    message.version = await raise_version(session, message.thread_id)
    message.text = message.text[: attempt.base] + await read_text(session, stream_id)
    await session.flush()


async def _reply_of(session: AsyncSession, stream_id: StreamId) -> Message | None:
    query = with_attempt(select(Message)).where(col(Attempt.stream_id) == stream_id, col(Message.deleted).is_(None))
    return (await session.execute(query)).scalar_one_or_none()


async def _ended_reply(
    session: AsyncSession, thread_id: str, message_id: int, user_id: int, verb: Verb, after: StreamId | None
) -> tuple[Thread, Message, Attempt, Stream]:
    query = with_attempt(select(col(Message.id))).where(
        *is_in(thread_id, message_id), col(Attempt.stream_id).is_not(None), may(verb, user_id)
    )
    if (await session.execute(query)).first() is None:
        raise await message_refusal(session, thread_id, message_id, user_id)
    # From here on nobody else changes the thread until this transaction ends: of two concurrent retries one begins.
    thread = await next_version(session, thread_id, user_id, may(verb, user_id))
    reply = await session.get_one(Message, message_id, populate_existing=True)
    attempt = await session.get_one(Attempt, (message_id, reply.attempt))
    stream = await session.get_one(Stream, attempt.stream_id)
    if not stream.status.is_terminal:
        msg = "This reply is still being written."
        raise NotNow(msg)
    if after is not None and stream.id != after:
        msg = "This reply was retried or continued meanwhile."
        raise NotNow(msg)
    return thread, reply, attempt, stream


async def end_quietly(session: AsyncSession, stream_ids: Sequence[StreamId]) -> None:
    """End streams that nobody will read: close those that have not begun, and ask the writers of the others to stop."""
    for stream_id in stream_ids:
        if not await close_pending(session, stream_id, STOPPED):
            await request_stop(session, stream_id)


async def answer(
    session: AsyncSession, thread: Thread, prompt_id: int, asked_by: int, *, tab: str, model: str
) -> StreamId:
    """Add the reply to a message, with its first attempt; return its pending stream, which the named tab drives."""
    reply = Message(thread_id=thread.id, position=thread.last_position + 1, role=Role.ASSISTANT)
    thread.last_position += 1
    session.add(reply)
    await session.flush()
    assert reply.id is not None
    first = Attempt(message_id=reply.id, number=1, stream_id="", prompt_id=prompt_id, asked_by=asked_by, tab=tab)
    return await _attempt(session, thread, reply, first, model)


async def _attempt(session: AsyncSession, thread: Thread, reply: Message, attempt: Attempt, model: str) -> StreamId:
    stream_id = create_stream(session, model=thread.model or model)
    await session.flush()
    attempt.stream_id = stream_id
    reply.attempt, reply.version = attempt.number, thread.version
    session.add(attempt)
    await session.flush()
    return stream_id


def with_attempt(query: Select[*Ts]) -> Select[*Ts]:
    """The query, from messages joined with their thread, and with their current attempt if they have one."""
    return (
        query.select_from(Message)
        .join(Thread, col(Thread.id) == col(Message.thread_id))
        .join(Attempt, is_current(), isouter=True)
    )
