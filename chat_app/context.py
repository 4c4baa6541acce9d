"""What the model is told: this thread's messages up to the prompt, and who said what."""

import re

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.llm import Turn
from chat_app.models import Attempt, Message, Role, User
from chat_app.streaming import Stream, StreamStatus

NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]+")
NAME_LENGTH = 64
"""The longest `name` the chat completions interface takes, in characters."""


async def turns_before(session: AsyncSession, prompt_id: int, *, limit: int, system_prompt: str) -> list[Turn]:
    """The last `limit` messages of the prompt's thread up to the prompt itself, oldest first, after the system prompt.

    Unfinished and failed replies are left out, and so is what was deleted.
    """
    prompt = await session.get_one(Message, prompt_id)
    said = (
        select(col(Message.role), col(Message.text), col(User.name))
        .join(User, col(User.id) == col(Message.author_id), isouter=True)
        .join(
            Attempt,
            and_(col(Attempt.message_id) == col(Message.id), col(Attempt.number) == col(Message.attempt)),
            isouter=True,
        )
        .join(Stream, col(Stream.id) == col(Attempt.stream_id), isouter=True)
        .where(
            col(Message.thread_id) == prompt.thread_id,
            col(Message.position) <= prompt.position,
            col(Message.deleted).is_(None),
            or_(col(Message.role) != Role.ASSISTANT, col(Stream.status) == StreamStatus.DONE),
        )
        .order_by(col(Message.position).desc())
        .limit(limit)
    )
    rows = (await session.execute(said)).all()
    turns = [Turn(role, text, model_name(name or "")) for role, text, name in reversed(rows) if text]
    return [Turn(Role.SYSTEM, system_prompt), *turns] if system_prompt else turns


def model_name(name: str) -> str:
    """A person's name in the characters that the chat completions interface allows; "" if none is left."""
    return NOT_IN_A_NAME.sub("_", name).strip("_")[:NAME_LENGTH]
