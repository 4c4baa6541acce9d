"""The seeded conversation: two made-up people and the AI show a newcomer the point, once, on an empty database."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.db import Database
from chat_app.data.models import Thread
from chat_app.people.identity import Identity
from chat_app.people.names import AI_HANDLE, add_user
from chat_app.threads import threads
from chat_app.threads.messages import Messages
from tributary_streams import StreamId

ORIGIN = "seed"
TITLE = "Welcome to Tributary"


@dataclass(frozen=True)
class SeedMessage:
    """A message of the seeded conversation; `pause` is the seconds before it, to look like typing."""

    speaker: str
    text: str
    pause: float


ASK = f"@{AI_HANDLE}"
MESSAGES = (
    SeedMessage("Ada", "Hi! I set this up a minute ago. Everyone with the address is in the same thread.", 0.2),
    SeedMessage("Noor", "Nice. And the AI is just one of us?", 1.5),
    SeedMessage(
        "Ada", f"Yes, write {ASK} and it joins in. {ASK} what makes a reply here different from other chats?", 1.8
    ),
    SeedMessage("Noor", "I reloaded the page in the middle of that and it simply went on.", 2.0),
    SeedMessage(
        "Noor",
        f"{ASK} please compare a reply that belongs to a tab with a reply that belongs to the server, as a table",
        2.0,
    ),
)


class Seed:
    """Plays the seeded conversation."""

    def __init__(
        self,
        database: Database,
        messages: Messages,
        *,
        start: Callable[[Coroutine[Any, Any, None], str], None],
        written: Callable[[StreamId], Awaitable[None]],
    ) -> None:
        """Args:
        database: where it is played, if there is no thread.
        messages: posts what is said.
        start: runs a coroutine in the background, under a name for the log.
        written: waits for the end of a reply.
        """
        self._database = database
        self._messages = messages
        self._start = start
        self._written = written

    async def begin(self, tab: str) -> str | None:
        """Begin the conversation, driven by this tab; return its thread's id, or None if there is a thread already."""
        if (claimed := await claim(self._database)) is None:
            return None
        thread_id, speakers = claimed
        self._start(self._play(thread_id, speakers, tab), "seeded conversation")
        return thread_id

    async def _play(self, thread_id: str, speakers: dict[str, int], tab: str) -> None:
        for number, said in enumerate(MESSAGES):
            await asyncio.sleep(said.pause)
            who = Identity(speakers[said.speaker], said.speaker, 0)
            posted = await self._messages.post(
                who, thread_id, said.text, nonce=f"seed-{number}", tab=tab, is_counted=False
            )
            if posted.stream_id is not None:
                await self._written(posted.stream_id)


async def claim(database: Database) -> tuple[str, dict[str, int]] | None:
    """Add the seeded thread and its people; return its id, and theirs by name; None if there is a thread already.

    Of several concurrent claims, in one process or in two, one succeeds.
    """
    try:
        async with database.write() as session:
            if not await _is_empty(session):
                return None
            speakers = {
                name: await add_user(session, name) for name in dict.fromkeys(said.speaker for said in MESSAGES)
            }
            owner = next(iter(speakers.values()))
            thread_id = await threads.create(session, owner, title=TITLE, origin=ORIGIN)
    except IntegrityError:
        return None
    return thread_id, speakers


async def _is_empty(session: AsyncSession) -> bool:
    return (await session.execute(select(col(Thread.id)).limit(1))).first() is None
