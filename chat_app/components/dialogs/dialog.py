"""Dialogs and the buttons that open and close them. They are the browser's own, which handle focus and Escape."""

from typing import Any

import reflex as rx

from chat_app.components import words
from chat_app.components.icons import icon

BUTTON = (
    "inline-flex shrink-0 cursor-pointer items-center justify-center gap-1.5 rounded-lg px-3 py-1.5 text-sm font-medium"
)
PLAIN = f"{BUTTON} border border-border bg-card hover:bg-muted"
QUIET = f"{BUTTON} hover:bg-muted"
MAIN = f"{BUTTON} bg-primary text-primary-foreground hover:opacity-90"
DANGER = f"{BUTTON} bg-danger-tint text-danger hover:opacity-90"
FIELD = "min-w-0 rounded-lg border border-border bg-background px-3 py-1.5 text-sm"
HEADING = "text-xs font-semibold text-muted-foreground"


def from_dialogs_js(name: str) -> rx.Var:
    """A handler of `assets/dialogs.js`."""
    return rx.Var(name, _var_data=rx.vars.VarData(imports={"$/public/dialogs.js": [rx.ImportVar(tag=name)]}))


class _Dialog(rx.el.Dialog):
    on_close: rx.EventHandler[rx.event.no_args_event_spec]


def opens(dialog_id: str) -> dict[str, Any]:
    """The attributes that make a button open this dialog; the page may still use `on_click`."""
    return {"data-dialog": dialog_id, "aria-haspopup": "dialog", "onClickCapture": from_dialogs_js("openDialog")}


def closes() -> dict[str, Any]:
    """The attributes that make a button close the dialog around it; the page may still use `on_click`."""
    return {"onClickCapture": from_dialogs_js("closeDialog")}


def dialog(dialog_id: str, title: str | rx.Var[str], *children: rx.Component, **props: Any) -> rx.Component:
    """A modal dialog; `on_close` is called however it is closed. Closing it removes what was typed or shown in it.

    When it opens, its first field or button gets the focus.
    """
    return _Dialog.create(
        rx.el.h2(title, id=f"{dialog_id}-title", class_name="pe-8 text-base font-semibold tracking-tight"),
        *children,
        rx.el.button(
            icon("close"),
            type="button",
            class_name=(
                "absolute end-3 top-3 inline-flex size-8 cursor-pointer items-center justify-center rounded-lg "
                "text-muted-foreground hover:bg-muted hover:text-foreground"
            ),
            custom_attrs={"aria-label": words.CLOSE, **closes()},
        ),
        id=dialog_id,
        class_name="dialog",
        custom_attrs={
            "aria-labelledby": f"{dialog_id}-title",
            "closedby": "any",
            "onCloseCapture": from_dialogs_js("forget"),
        },
        **props,
    )


def confirm(dialog_id: str, title: str, text: str, word: str, on_confirm: Any) -> rx.Component:
    """A dialog that asks for confirmation; `word` on its button says what will happen."""
    return dialog(
        dialog_id,
        title,
        rx.el.p(text, class_name="mt-2 text-sm text-muted-foreground text-pretty"),
        _or_cancel(word, type="button", on_click=on_confirm, class_name=DANGER, custom_attrs=closes()),
    )


def form_dialog(
    dialog_id: str, title: str, *children: rx.Component, field: rx.Component, word: str, look: str, on_submit: Any
) -> rx.Component:
    """A dialog with one field. Its button `word`, which looks like `look`, submits the form and closes the dialog."""
    return dialog(
        dialog_id,
        title,
        *children,
        rx.el.form(
            field,
            _or_cancel(word, type="submit", class_name=look),
            on_submit=on_submit,
            custom_attrs={"onSubmitCapture": from_dialogs_js("closeDialog")},
        ),
    )


def _or_cancel(word: str, **props: Any) -> rx.Component:
    return rx.el.div(
        rx.el.button(words.CANCEL, type="button", class_name=QUIET, custom_attrs=closes()),
        rx.el.button(word, **props),
        class_name="mt-5 flex justify-end gap-2",
    )


def radio(group: str, value: str, name: str, text: str, *, current: Any, on_change: Any) -> rx.Component:
    """One of several ways to choose from, with a sentence that explains it; `current` is the value that is chosen."""
    return rx.el.label(
        rx.el.input(
            type="radio",
            name=group,
            value=value,
            checked=current == value,
            on_change=on_change,
            class_name="mt-1 accent-primary",
        ),
        rx.el.span(
            rx.el.span(name, class_name="block text-sm font-medium"),
            rx.el.span(text, class_name="block text-sm text-muted-foreground"),
        ),
        class_name="flex cursor-pointer items-start gap-3 rounded-lg px-2 py-1.5 hover:bg-muted",
    )
