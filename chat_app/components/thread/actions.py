"""The buttons under a message."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import reflex as rx

from chat_app.components import words
from chat_app.components.client import copy_text, replay_button
from chat_app.components.dialogs.details_dialog import details_button
from chat_app.components.icons import icon, stop_icon
from chat_app.components.thread.composer import from_composer_js

Handler = Callable[..., Any]

_BUTTON = (
    "labelled "
    "inline-flex cursor-pointer items-center gap-1.5 rounded-lg border border-border bg-card px-2.5 py-1 text-xs "
    "font-medium text-muted-foreground hover:bg-muted hover:text-foreground"
)
_QUIET = (
    "inline-flex size-7 cursor-pointer items-center justify-center rounded-lg text-muted-foreground hover:bg-muted "
    "hover:text-foreground disabled:cursor-default disabled:opacity-40"
)


@dataclass(frozen=True)
class Actions:
    """The page's handlers. Each takes a message's id; `on_look` also takes a version."""

    on_stop: Handler
    on_retry: Handler
    on_continue: Handler
    on_delete: Handler
    on_look: Handler
    on_earlier: Handler
    """Gets the messages before this one."""
    on_replay: Handler
    """Also takes a version, and gets its timeline."""


def _button(mark: rx.Component, word: str, handler: Any, label: str) -> rx.Component:
    return rx.el.button(
        mark, word, type="button", on_click=handler, class_name=_BUTTON, custom_attrs={"aria-label": label}
    )


def _quiet_button(name: str, label: str, handler: Any) -> rx.Component:
    return rx.el.button(
        icon(name),
        type="button",
        on_click=handler,
        class_name=_QUIET,
        custom_attrs={"aria-label": label, "title": label},
    )


def copy(text_name: rx.Var[str]) -> rx.Component:
    """Copies a message's text, as the Markdown that was written."""
    return copy_text(text_name, icon("copy"), icon("check"), _QUIET)


def details(message: rx.Var[int]) -> rx.Component:
    """Shows the details of a reply."""
    return details_button(message, _QUIET)


def replay(actions: Actions, message: rx.Var[int], version: rx.Var[int], text_name: rx.Var[str]) -> rx.Component:
    """Replays how a version of a reply grew."""
    return replay_button(text_name, icon("play"), _QUIET, actions.on_replay(message, version))


def stop(actions: Actions, message: rx.Var[int]) -> rx.Component:
    """Stops a reply that is being written."""
    return _button(stop_icon(), words.STOP, actions.on_stop(message), words.STOP_LABEL)


def retry(actions: Actions, message: rx.Var[int]) -> rx.Component:
    """Asks for another version of a reply."""
    return _button(icon("again", "size-3.5"), words.RETRY, actions.on_retry(message), words.RETRY)


def retry_quietly(actions: Actions, message: rx.Var[int]) -> rx.Component:
    """Asks for another version of a complete reply, with a smaller button."""
    return _quiet_button("again", words.RETRY, actions.on_retry(message))


def go_on(actions: Actions, message: rx.Var[int]) -> rx.Component:
    """Continues a reply that was cut off."""
    return _button(icon("onward", "size-3.5"), words.CONTINUE, actions.on_continue(message), words.CONTINUE)


def edit(text_name: rx.Var[str]) -> rx.Component:
    """Puts a person's own message into the composer, to be edited there."""
    return rx.el.button(
        icon("pencil"),
        type="button",
        class_name=f"message-edit {_QUIET}",
        custom_attrs={
            "aria-label": words.EDIT_MESSAGE,
            "title": words.EDIT_MESSAGE,
            "data-edit": text_name,
            "onClick": from_composer_js("editMessage"),
        },
    )


def delete(actions: Actions, message: rx.Var[int]) -> rx.Component:
    """Deletes a message, after a second press to confirm."""
    return rx.el.details(
        rx.el.summary(
            icon("bin"),
            class_name=_QUIET,
            custom_attrs={"aria-label": words.DELETE_MESSAGE, "title": words.DELETE_MESSAGE},
        ),
        rx.el.button(
            words.DELETE,
            type="button",
            on_click=actions.on_delete(message),
            class_name="cursor-pointer rounded-lg bg-danger-tint px-2.5 py-1 text-xs font-medium text-danger",
        ),
        class_name="message-delete flex items-center gap-1",
    )


def versions(actions: Actions, message: rx.Var[int], shown: rx.Var[int], count: rx.Var[int]) -> rx.Component:
    """Steps through the versions of a reply that was retried."""

    def step(name: str, label: str, to: Any, is_end: Any) -> rx.Component:
        return rx.el.button(
            icon(name),
            type="button",
            on_click=actions.on_look(message, to),
            disabled=is_end,
            class_name=_QUIET,
            custom_attrs={"aria-label": label},
        )

    return rx.el.span(
        step("earlier", words.EARLIER_VERSION, shown.to(int) - 1, shown == 1),
        rx.el.span(shown, "/", count, class_name="tabular-nums"),
        step("later", words.LATER_VERSION, shown.to(int) + 1, shown == count),
        class_name="inline-flex items-center gap-0.5 text-xs text-muted-foreground",
    )
