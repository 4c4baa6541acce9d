"""The dialog about a reply: which model, how long, how fast, how much, for each attempt at it."""

from typing import Any

import reflex as rx

from chat_app.components import words
from chat_app.components.client import local_time
from chat_app.components.dialog import dialog, opens
from chat_app.components.icons import icon
from chat_app.reply_details import AttemptLine, Details

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
    """The dialog; it shows what was so when it was opened."""
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
