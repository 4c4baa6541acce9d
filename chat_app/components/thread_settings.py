"""The dialog about how the AI takes part in a thread: which messages it answers, which model it is, in what pieces."""

from collections.abc import Callable
from typing import Any, cast

import reflex as rx

from chat_app.components import words
from chat_app.components.dialog import FIELD, dialog
from chat_app.components.notices import notice_line
from chat_app.state import Transcript, Viewer

SETTINGS = "thread-settings"

_HEADING = "text-xs font-semibold text-muted-foreground"
_GRANULARITIES = ("", "delta", "word", "sentence", "line", "paragraph")

Handler = Callable[..., Any]


def _way(mode: str, name: str, text: str, on_configure: Handler) -> rx.Component:
    return rx.el.label(
        rx.el.input(
            type="radio",
            name="reply-mode",
            value=mode,
            checked=Transcript.settings["reply_mode"] == mode,
            on_change=on_configure("reply_mode", mode),
            class_name="mt-1 accent-primary",
        ),
        rx.el.span(
            rx.el.span(name, class_name="block text-sm font-medium"),
            rx.el.span(text, class_name="block text-sm text-muted-foreground"),
        ),
        class_name="flex cursor-pointer items-start gap-3 rounded-lg px-2 py-1.5 hover:bg-muted",
    )


def _choice(label: str, text: str, *options: rx.Component, **props: Any) -> rx.Component:
    return rx.el.label(
        rx.el.span(label, class_name=_HEADING),
        rx.el.select(*options, class_name=f"{FIELD} w-full cursor-pointer", **props),
        rx.el.span(text, class_name="text-sm text-muted-foreground text-pretty"),
        class_name="flex flex-col gap-1.5",
    )


def thread_settings(on_configure: Handler) -> rx.Component:
    """Shows the settings; `on_configure(name, value)` is called with each change."""
    models = cast("rx.vars.ArrayVar[list[str]]", Viewer.models)
    return dialog(
        SETTINGS,
        words.SETTINGS_TITLE,
        rx.el.div(
            notice_line(),
            rx.el.fieldset(
                rx.el.legend(words.ANSWERS, class_name=f"{_HEADING} pb-1"),
                _way("mention", words.WHEN_ASKED, words.WHEN_ASKED_TEXT, on_configure),
                _way("always", words.ALWAYS, words.ALWAYS_TEXT, on_configure),
            ),
            rx.cond(
                models.length() > 1,
                _choice(
                    words.MODEL,
                    words.MODEL_TEXT,
                    rx.el.option(f"{words.SERVERS_CHOICE}: ", models[0], value=""),
                    rx.foreach(models[1:], lambda name: rx.el.option(name, value=name)),
                    value=Transcript.settings["model"],
                    on_change=lambda model: on_configure("model", model),
                ),
            ),
            _choice(
                words.PIECES,
                words.PIECES_TEXT,
                *(rx.el.option(words.PIECES_BY[name], value=name) for name in _GRANULARITIES),
                value=Transcript.settings["granularity"],
                on_change=lambda pieces: on_configure("granularity", pieces),
            ),
            rx.el.p(words.FROM_NEXT_REPLY, class_name="text-sm text-muted-foreground"),
            class_name="mt-4 flex flex-col gap-5",
        ),
    )
