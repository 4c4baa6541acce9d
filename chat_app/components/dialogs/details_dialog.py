"""Reply details: a dialog with facts about a reply, as they were when the dialog was opened."""

import dataclasses
from datetime import datetime
from typing import Any

import reflex as rx

from chat_app.components import words
from chat_app.components.client import local_time
from chat_app.components.dialogs.dialog import dialog, opens
from chat_app.components.icons import icon
from chat_app.services import services
from chat_app.state import MessageId, remote, thread_in_address, update_vars, who_asks
from chat_app.threads.reply_views import AttemptDetails

UNKNOWN = -1
"""Stands for a number that is not known, or not known yet."""


@dataclasses.dataclass(frozen=True)
class AttemptLine:
    """An attempt at a reply, as the dialog shows it. Times are in seconds, `asked` since the epoch; `rate` is in
    characters per second."""

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
        """Read the details of a reply's attempts, for the dialog that opens."""
        async with self:
            update_vars(self, attempts=[])  # if access was lost, the dialog went without being closed
        found = await services().replies.attempts(await who_asks(self), thread_in_address(self), message_id)
        async with self:
            update_vars(self, attempts=[_line(attempt) for attempt in found])

    @remote
    async def forget(self) -> None:
        """Drop the details, because the dialog was closed."""
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


DETAILS = "reply-details"


def details_button(message: rx.Var[int], class_name: str) -> rx.Component:
    """Opens the dialog about a reply."""
    return rx.el.button(
        icon("info"),
        type="button",
        on_click=Details.look(message),
        class_name=class_name,
        custom_attrs={"aria-label": words.DETAILS, "title": words.DETAILS, **opens(DETAILS)},
    )


def _fact(name: str, *value: Any, is_known: Any = True) -> rx.Component:
    return rx.cond(
        is_known,
        rx.el.div(
            rx.el.dt(name, class_name="text-muted-foreground"),
            rx.el.dd(*value, class_name="min-w-0 text-end tabular-nums [overflow-wrap:anywhere]"),
            class_name="flex justify-between gap-4 py-1",
        ),
    )


def _attempt(line: AttemptLine) -> rx.Component:
    kind = rx.match(line.kind, *words.ATTEMPTS.items(), "")
    return rx.el.section(
        rx.cond(
            Details.attempts.length() > 1,  # pyright: ignore[reportAttributeAccessIssue]  # an array's
            rx.el.h3(line.number, ". ", kind, class_name="pb-1 text-sm font-semibold"),
        ),
        rx.el.dl(
            _fact(words.MODEL, line.model, is_known=line.model != ""),
            _fact(words.STATUS, rx.match(line.status, *words.STATUSES.items(), "")),
            _fact(words.ASKED, local_time(line.asked, "")),  # pyright: ignore[reportArgumentType]  # a var here
            _fact(words.FIRST_DELTA, line.first, " s", is_known=line.first >= 0),
            _fact(words.TOOK, line.took, " s", is_known=line.took >= 0),
            _fact(words.RATE, line.rate, f" {words.CHARACTERS_A_SECOND}", is_known=line.rate >= 0),
            _fact(words.LENGTH, line.characters, f" {words.CHARACTERS}"),
            _fact(words.TOKENS_IN, line.tokens_in, is_known=line.tokens_in >= 0),
            _fact(words.TOKENS_OUT, line.tokens_out, is_known=line.tokens_out >= 0),
            _fact(words.CHUNKS, line.deltas, " → ", line.chunks, is_known=line.chunks > 0),
            class_name="text-sm",
        ),
        class_name="border-border pt-3 [&+&]:mt-3 [&+&]:border-t",
    )


def details_dialog() -> rx.Component:
    """The dialog; it shows the state at the time it was opened."""
    return dialog(
        DETAILS,
        words.DETAILS_TITLE,
        rx.cond(
            Details.attempts.length() > 0,  # pyright: ignore[reportAttributeAccessIssue]  # an array's
            rx.foreach(Details.attempts, _attempt),
            rx.el.p(words.DETAILS_LOADING, class_name="pt-3 text-sm text-muted-foreground", role="status"),
        ),
        on_close=Details.forget,
    )
