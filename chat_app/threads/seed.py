"""The seeded conversation: two made-up people and the AI show a newcomer the point, once, on an empty database."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.db import Database
from chat_app.data.models import Thread
from chat_app.people.names import add_user
from chat_app.threads import threads

ORIGIN = "seed"
TITLE = "Welcome to Tributary"


@dataclass(frozen=True)
class Line:
    """What somebody says, after a pause in seconds that looks like typing."""

    speaker: str
    text: str
    pause: float


LINES = (
    Line("Ada", "Hi! I set this up a minute ago. Everyone with the address is in the same thread.", 0.2),
    Line("Noor", "Nice. And the AI is just one of us?", 1.5),
    Line("Ada", "Yes, write @gpt and it joins in. @gpt what makes a reply here different from other chats?", 1.8),
    Line("Noor", "I reloaded the page in the middle of that and it simply went on.", 2.0),
    Line(
        "Noor",
        "@gpt please compare a reply that belongs to a tab with a reply that belongs to the server, as a table",
        2.0,
    ),
)


async def claim(database: Database) -> tuple[str, dict[str, int]] | None:
    """Add the seeded thread and its people, and return its id and their ids; None where there is a thread already.

    Of several claims at once, in one process or in two, one succeeds.
    """
    try:
        async with database.write() as session:
            if not await _is_empty(session):
                return None
            speakers = {name: await add_user(session, name) for name in dict.fromkeys(line.speaker for line in LINES)}
            owner = next(iter(speakers.values()))
            thread_id = await threads.create(session, owner, title=TITLE, origin=ORIGIN)
    except IntegrityError:
        return None
    return thread_id, speakers


async def _is_empty(session: AsyncSession) -> bool:
    return (await session.execute(select(col(Thread.id)).limit(1))).first() is None
