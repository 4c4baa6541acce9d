"""The composer: where a message is written."""

from collections.abc import Callable
from typing import Any

import reflex as rx

from chat_app.components import words
from chat_app.components.icons import icon
from chat_app.state import Transcript

COMPOSER_ID = "composer"
"""The id of the text box; `rx.set_value(COMPOSER_ID, text)` gives a text back to it."""

MAX_LENGTH = 16_000
"""Characters (UTF-16 units, as browsers count) that the text box takes."""


def _from_composer_js(name: str) -> rx.Var:
    return rx.Var(name, _var_data=rx.vars.VarData(imports={"$/public/composer.js": [rx.ImportVar(tag=name)]}))


def composer(on_send: Callable[[Any], Any]) -> rx.Component:
    """The form; `on_send({"text": ..., "nonce": ...})` gets each message, and the box is empty at once.

    The nonce is made in the browser, one for each submit, so that a message sent twice is one message.
    """

    # Only these two: Reflex adds a field of its own for the text box's id.
    def _submit(form: rx.Var[dict[str, str]]) -> Any:
        fields = form.to(dict[str, str])
        return on_send({"text": fields["text"], "nonce": fields["nonce"]})

    return rx.el.form(
        rx.el.div(
            rx.el.textarea(
                id=COMPOSER_ID,
                name="text",
                rows=1,
                max_length=MAX_LENGTH,
                auto_focus=True,
                auto_complete="off",
                placeholder=rx.cond(
                    Transcript.reply_mode == "always", words.COMPOSER_PLACEHOLDER_ALWAYS, words.COMPOSER_PLACEHOLDER
                ),
                class_name=(
                    "composer-text block min-h-6 w-full resize-none self-center bg-transparent py-2 leading-6 "
                    "outline-none placeholder:text-muted-foreground"
                ),
                custom_attrs={
                    "aria-label": words.COMPOSER_LABEL,
                    "aria-describedby": "composer-hint",
                    "enterKeyHint": "send",
                    "dir": "auto",
                    "onKeyDown": _from_composer_js("sendOnEnter"),
                    "onInput": _from_composer_js("growWithText"),
                },
            ),
            rx.el.input(type="hidden", name="nonce"),
            rx.el.button(
                icon("send", "size-5"),
                type="submit",
                class_name=(
                    "composer-send mb-0.5 inline-flex size-9 shrink-0 cursor-pointer items-center justify-center "
                    "self-end rounded-xl bg-primary text-primary-foreground transition-opacity hover:opacity-90"
                ),
                custom_attrs={"aria-label": words.SEND},
            ),
            class_name=(
                "flex gap-2 rounded-2xl border border-border bg-card py-1 ps-4 pe-1.5 shadow-sm "
                "focus-within:border-primary focus-within:ring-1 focus-within:ring-primary"
            ),
        ),
        rx.el.p(
            words.COMPOSER_HINT,
            id="composer-hint",
            class_name="hidden pt-1.5 text-center text-xs text-muted-foreground md:block",
        ),
        on_submit=_submit,
        reset_on_submit=True,
        class_name="composer mx-auto w-full max-w-3xl px-3 pb-3 pt-1 md:px-6",
        custom_attrs={"onSubmitCapture": _from_composer_js("beforeSend")},
    )


def read_only() -> rx.Component:
    """Stands in for the composer where a person may not write."""
    return rx.el.p(
        words.READ_ONLY,
        class_name="mx-auto w-full max-w-3xl px-3 pb-5 pt-3 text-center text-sm text-muted-foreground md:px-6",
    )
