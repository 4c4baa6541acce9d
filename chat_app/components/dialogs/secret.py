"""Copy buttons, and a field that shows a secret once."""

import reflex as rx

from chat_app.components import words
from chat_app.components.dialogs.dialog import FIELD, PLAIN, QUIET, from_dialogs_js
from chat_app.components.icons import icon


def copy_button(word: str, path: rx.Var[str] | str = "") -> rx.Component:
    """Copies the address of a path of this site or, without a path, the content of the field beside it."""
    return rx.el.button(
        icon("copy"),
        rx.el.span(word, class_name="copy-word"),
        rx.el.span(words.COPIED, class_name="copied-word", role="status"),
        type="button",
        class_name=f"{PLAIN} copy-button",
        custom_attrs={"data-path": path, "onClick": from_dialogs_js("copy")},
    )


def shown_once(field_id: str, label: str, text: str) -> rx.Component:
    """A field for a secret that its owner must copy now; hidden until `rx.set_value` fills it."""
    return rx.el.div(
        rx.el.div(
            rx.el.input(
                id=field_id,
                read_only=True,
                placeholder=" ",  # lets the style sheet see whether it is empty
                class_name=f"{FIELD} flex-1 font-mono text-xs",
                custom_attrs={"aria-label": label, "spellCheck": "false"},
            ),
            copy_button(words.COPY),
            class_name="flex gap-2",
        ),
        rx.el.div(
            rx.el.p(text, class_name="text-sm text-muted-foreground text-pretty", role="status"),
            rx.el.button(
                words.DONE, type="button", class_name=QUIET, custom_attrs={"onClick": from_dialogs_js("forget")}
            ),
            class_name="mt-2 flex items-center justify-between gap-2",
        ),
        class_name="shown-once mt-3 rounded-xl bg-accent p-3",
    )
