"""The context: what the model is sent, which is the thread's messages up to the prompt and who wrote each."""

import re

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.models import Attempt, Message, Role, User
from chat_app.replies.llm import Turn
from chat_app.threads.access import is_current
from chat_app.threads.shown import without_invisible
from tributary_streams import Stream, StreamStatus

NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]+")
NAME_LENGTH = 64
"""The longest `name` the chat completions interface takes, in characters."""


BYTES_PER_TOKEN = 4
"""Bytes of UTF-8 in a token, roughly: exact counts differ by model and need its data."""
TOKENS_PER_TURN = 8
"""Tokens of a message besides its text: role, name and separators."""
GO_ON = "Continue your last message exactly where it broke off. Repeat nothing of it."


async def turns_before(
    session: AsyncSession, prompt_id: int, *, limit: int, tokens: int, system_prompt: str, so_far: str = ""
) -> list[Turn]:
    """The last messages of the prompt's thread up to the prompt itself, oldest first, after the system prompt.

    There are at most `limit` of them, with at most `tokens` estimated tokens together; the prompt is always there.
    Unfinished and failed replies and deleted messages are left out, and what their readers do not see. `so_far` is the
    text of an answer to continue.
    """
    prompt = await session.get_one(Message, prompt_id)
    said = (
        select(col(Message.role), col(Message.text), col(User.name))
        .join(User, col(User.id) == col(Message.author_id), isouter=True)
        .join(Attempt, is_current(), isouter=True)
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
    seen = [(role, without_invisible(text), name) for role, text, name in rows]
    said_last = [Turn(role, text, model_name(name or "")) for role, text, name in seen if text]
    around = [Turn(Role.ASSISTANT, so_far), Turn(Role.USER, GO_ON)] if so_far else []
    first = [Turn(Role.SYSTEM, system_prompt)] if system_prompt else []
    left = tokens - sum(map(estimated_tokens, (*first, *around)))
    kept: list[Turn] = []
    for turn in said_last:
        left -= estimated_tokens(turn)
        if kept and left < 0:
            break
        kept.append(turn)
    return [*first, *reversed(kept), *around]


def estimated_tokens(turn: Turn) -> int:
    """Estimated tokens that a message takes of the model's context."""
    return len(turn.text.encode()) // BYTES_PER_TOKEN + TOKENS_PER_TURN


def model_name(name: str) -> str:
    """A person's name, for the model, in the characters that the interface allows; "" if none is left."""
    return NOT_IN_A_NAME.sub("_", name).strip("_")[:NAME_LENGTH]
