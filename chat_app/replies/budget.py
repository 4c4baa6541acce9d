"""The budget: tokens a day (UTC) for each person and for all together, stored in the database to survive restarts.

Before a call, the most that it may cost is reserved; the transaction that ends its stream replaces that by the actual
cost. A call is allowed while any tokens are left, so a limit is exceeded by one call at most. Counts come from the
model if it gives them, else they are estimated. Without a limit nothing is checked or stored.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.models import Attempt, DailyUsage, Reservation
from chat_app.refusals import UsedUp, in_words
from chat_app.replies.context import BYTES_PER_TOKEN
from chat_app.settings import Settings
from tributary_streams import Ending, StreamId, read_text, utc_now

EVERYBODY = 0
"""The spender that stands for all people together."""
INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Budget:
    """The tokens that may be spent in a day; a limit of 0 means no limit."""

    def __init__(self, settings: Settings) -> None:
        self._per_person = settings.chat_tokens_per_day
        self._in_all = settings.chat_tokens_per_day_total
        self._reply = settings.chat_max_reply_tokens

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return bool(self._per_person or self._in_all)

    async def reserve(self, session: AsyncSession, stream_id: StreamId, person: int, tokens_in: int) -> None:
        """Reserve the most that a call with a prompt of `tokens_in` tokens may cost, in a transaction of its own.

        Raises:
            UsedUp: nothing is left; roll the transaction back.
        """
        now = utc_now()
        reserved = Reservation(
            stream_id=stream_id, spender=person, day=now.date(), tokens_in=tokens_in, tokens_out=self._reply
        )
        insert = INSERTS[session.get_bind().dialect.name]
        # Everybody's row first, here and in `settle`: with one order of locks no two transactions deadlock.
        for spender, limit, whose in (
            (EVERYBODY, self._in_all, "The AI's tokens for today are used up"),
            (person, self._per_person, "Whoever asked has used up their tokens for today"),
        ):
            row = insert(DailyUsage).values(day=reserved.day, spender=spender, tokens=0)
            await session.execute(row.on_conflict_do_nothing())
            if not await _add(session, reserved.day, spender, tokens_in + self._reply, limit=limit):
                wait = in_words((_midnight_after(now) - now).total_seconds())
                msg = f"{whose}; they are back at midnight UTC, in {wait}."
                raise UsedUp(msg)
        session.add(reserved)

    async def settle(self, session: AsyncSession, stream_id: StreamId, ending: Ending | None = None) -> None:
        """Replace a stream's reservation by its actual cost; without a reservation, or the second time, do nothing."""
        if not self.is_limited:
            return
        gone = (
            delete(Reservation)
            .where(col(Reservation.stream_id) == stream_id)
            .returning(
                col(Reservation.day),
                col(Reservation.spender),
                col(Reservation.tokens_in),
                col(Reservation.tokens_out),
            )
        )
        row = (await session.execute(gone)).first()
        if row is None:
            return
        day, person, tokens_in, tokens_out = row
        usage = ending.usage if ending is not None else None
        spent = usage.tokens_in + usage.tokens_out if usage is not None else 0
        if not spent:
            spent = tokens_in + len((await read_text(session, stream_id)).encode()) // BYTES_PER_TOKEN
        for spender in (EVERYBODY, person):
            await _add(session, day, spender, spent - tokens_in - tokens_out)

    async def settle_deleted(self, session: AsyncSession) -> None:
        """Settle the reservations of deleted replies: a writer whose stream is gone has no ending in which to do it."""
        if not self.is_limited:
            return
        orphans = (
            select(col(Reservation.stream_id))
            .join(Attempt, col(Attempt.stream_id) == col(Reservation.stream_id), isouter=True)
            .where(col(Attempt.stream_id).is_(None))
        )
        for stream_id in (await session.execute(orphans)).scalars():
            await self.settle(session, StreamId(stream_id))


async def _add(session: AsyncSession, day: date, spender: int, tokens: int, *, limit: int = 0) -> bool:
    """Add to a count; False if it has reached `limit` already. One statement decides, so concurrent calls are safe."""
    counted = update(DailyUsage).where(col(DailyUsage.day) == day, col(DailyUsage.spender) == spender)
    if limit:
        counted = counted.where(col(DailyUsage.tokens) < limit)
    counted = counted.values(tokens=DailyUsage.tokens + tokens).execution_options(synchronize_session=False)
    return cast("CursorResult[Any]", await session.execute(counted)).rowcount == 1


def _midnight_after(moment: datetime) -> datetime:
    return datetime.combine(moment.date() + timedelta(days=1), time(), UTC)
