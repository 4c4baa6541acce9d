"""Place notices: each reply that waits for a place at the model says which one it has in the queue."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from chat_app.data.db import Database
from chat_app.replies.places import Places
from chat_app.threads import attempts
from tributary_streams import DATABASE_AWAY, StreamId, keep_waiting

logger = logging.getLogger(__name__)

PLACES_TOLD = 20
"""Places in the queue that are shown by number; a reply further behind only says that it waits."""
TELL_PLACES_EVERY = 1.0
"""Seconds between two updates of the places, in one transaction for all replies."""
RETRY_AFTER = 1.0
"""Seconds until places that the database refused are stored again."""


def waiting_at(place: int) -> str:
    """The sentence for a reply that waits at this place in the queue, counted from 1."""
    if place == 1:
        return "Waiting: next in line."
    if place > PLACES_TOLD:
        return "Waiting in line."
    ending = "th" if place in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"Waiting: {place}{ending} in line."


class PlaceNotices:
    """Stores the place of each waiting reply as the reason why its stream is still pending."""

    def __init__(self, database: Database, places: Places, *, on_commit: Callable[[], None]) -> None:
        """`on_commit` is called after each commit; it must not block."""
        self._database = database
        self._places = places
        self._on_commit = on_commit

    async def run(self) -> None:
        """Show each waiting reply its place whenever it has changed, every `TELL_PLACES_EVERY` at most."""
        told: dict[str, str] = {}
        while True:
            await self._places.has_moved.wait()
            self._places.has_moved.clear()
            places = {name: waiting_at(place) for place, name in enumerate(self._places.queue, start=1)}
            changed = {name: said for name, said in places.items() if told.get(name) != said}
            try:
                if changed:
                    await self._store(changed)
            except DATABASE_AWAY as error:
                logger.warning("places in the queue could not be told (%s); trying again", type(error).__name__)
                self._places.has_moved.set()
                await asyncio.sleep(RETRY_AFTER)
                continue
            told = places
            await asyncio.sleep(TELL_PLACES_EVERY)

    async def _store(self, reasons: Mapping[str, str]) -> None:
        async with self._database.write() as session:
            for stream_id, reason in reasons.items():
                if await keep_waiting(session, StreamId(stream_id), reason):
                    await attempts.change_reply(session, StreamId(stream_id))
        self._on_commit()
