"""Reply details: what the dialog about a reply shows, as it was when the dialog was opened."""

import dataclasses
from datetime import datetime

import reflex as rx

from chat_app.services import services
from chat_app.state import MessageId, remote, thread_in_address, update_vars, who_asks
from chat_app.views import AttemptDetails

UNKNOWN = -1
"""In the place of a number that is not known, or not yet."""


@dataclasses.dataclass(frozen=True)
class AttemptLine:
    """An attempt at a reply, as the dialog shows it: times in seconds, `asked` since the epoch, `rate` in characters
    a second."""

    number: int
    kind: str
    status: str
    model: str
    asked: int
    first: float
    took: float
    rate: float
    characters: int
    deltas: int
    chunks: int
    tokens_in: int
    tokens_out: int


class Details(rx.State):
    """The dialog about a reply of this tab's thread."""

    attempts: list[AttemptLine] = []

    @remote
    async def look(self, message_id: MessageId) -> None:
        """Read what the attempts at a reply took, for the dialog that opens."""
        found = await services().attempts(await who_asks(self), thread_in_address(self), message_id)
        async with self:
            update_vars(self, attempts=[_line(attempt) for attempt in found])

    @remote
    async def forget(self) -> None:
        """Let go of all, for the dialog is closed."""
        async with self:
            update_vars(self, attempts=[])


def _line(attempt: AttemptDetails) -> AttemptLine:
    writing = _seconds(attempt.first_delta, attempt.ended)
    return AttemptLine(
        number=attempt.number,
        kind=attempt.kind.value,
        status=attempt.status.value,
        model=attempt.model,
        asked=int(attempt.asked.timestamp()),
        first=_seconds(attempt.asked, attempt.first_delta),
        took=_seconds(attempt.asked, attempt.ended),
        rate=round(attempt.length / writing, 1) if writing > 0 else UNKNOWN,
        characters=attempt.length,
        deltas=attempt.deltas,
        chunks=attempt.chunks,
        tokens_in=UNKNOWN if attempt.tokens_in is None else attempt.tokens_in,
        tokens_out=UNKNOWN if attempt.tokens_out is None else attempt.tokens_out,
    )


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return UNKNOWN if start is None or end is None else round((end - start).total_seconds(), 2)
