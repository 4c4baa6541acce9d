"""The composer: where a message is written."""

from collections.abc import Callable
from typing import Any

import reflex as rx
from reflex_components_core.core.banner import has_connection_errors

from chat_app.components import words
from chat_app.components.dialogs.keyboard import shortcuts_button
from chat_app.components.icons import icon_paths
from chat_app.state import Presence, Transcript, Viewer

_LIBRARY = "$/public/composer.js"


def _send_spec(text: rx.Var[str], nonce: rx.Var[str]) -> tuple[rx.Var[str], rx.Var[str]]:
    return (text, nonce)


def _edit_spec(
    message: rx.Var[int], text: rx.Var[str], nonce: rx.Var[str]
) -> tuple[rx.Var[int], rx.Var[str], rx.Var[str]]:
    return (message, text, nonce)


class _Composer(rx.Component):
    library = _LIBRARY
    tag = "Composer"

    me: rx.Var[int]
    shown: rx.Var[str]
    people: rx.Var[dict[str, Any]]
    here: rx.Var[list[Any]]
    always: rx.Var[bool]
    opened: rx.Var[int]
    is_down: rx.Var[bool]
    stored: rx.Var[list[str]]
    refused: rx.Var[list[str]]
    words: rx.Var[dict[str, str]]
    icons: rx.Var[dict[str, Any]]
    on_send: rx.EventHandler[_send_spec]
    on_edit: rx.EventHandler[_edit_spec]


class _ForgetDrafts(rx.Component):
    library = _LIBRARY
    tag = "ForgetDrafts"


def from_composer_js(name: str) -> rx.Var:
    """A handler of `assets/composer.js`: `compose` or `editMessage`."""
    return rx.Var(name, _var_data=rx.vars.VarData(imports={_LIBRARY: [rx.ImportVar(tag=name)]}))


def composer(on_send: Callable[..., Any], on_edit: Callable[..., Any], *, stored: Any, refused: Any) -> rx.Component:
    """The form; `on_send(text, nonce)` gets each message and `on_edit(message, text, nonce)` each edit.

    The browser makes a nonce for each, which comes back in `stored` or `refused`. Until then the composer keeps the
    text and sends it again after each loss of the connection; the nonce lets it be stored only once.
    """
    return _Composer.create(
        me=Viewer.me,
        shown=Transcript.thread,
        people=Transcript.people,
        here=Presence.people,
        always=Transcript.settings["reply_mode"] == "always",
        opened=Presence.opened,
        is_down=has_connection_errors,
        stored=stored,
        refused=refused,
        words=words.COMPOSER,
        icons=icon_paths("send", "check", "pencil", "clock", "river"),
        on_send=on_send,
        on_edit=on_edit,
    )


def hint() -> rx.Component:
    """The line under the composer."""
    return rx.el.p(
        rx.el.span(words.COMPOSER_HINT, id="composer-hint"),
        shortcuts_button("cursor-pointer rounded p-1 underline underline-offset-2 hover:text-foreground"),
        class_name="hidden pb-1.5 pt-0.5 text-center text-xs text-muted-foreground md:block",
    )


def read_only() -> rx.Component:
    """Replaces the composer for a person who may not write."""
    return rx.el.p(
        words.READ_ONLY,
        class_name="mx-auto w-full max-w-3xl px-3 pb-5 pt-3 text-center text-sm text-muted-foreground md:px-6",
    )


def forget_drafts() -> rx.Component:
    """Removes unsent drafts from the browser of a person who was signed out."""
    return _ForgetDrafts.create()
