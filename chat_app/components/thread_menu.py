"""What its owner can do with a thread."""

from collections.abc import Callable
from typing import Any

import reflex as rx

from chat_app.access import Verb
from chat_app.components import words
from chat_app.components.icons import icon
from chat_app.state import may

_POPOVER = "delete-thread"
_BUTTON = "cursor-pointer rounded-lg px-3 py-1.5 text-sm font-medium"


def delete_thread_button(on_delete: Callable[..., Any]) -> rx.Component:
    """Asks once more, then deletes the thread."""
    return rx.cond(
        may(Verb.DELETE),
        rx.el.div(
            rx.el.button(
                icon("bin", "size-5"),
                type="button",
                class_name=(
                    "inline-flex size-9 cursor-pointer items-center justify-center rounded-lg text-muted-foreground "
                    "hover:bg-muted hover:text-foreground"
                ),
                custom_attrs={"aria-label": words.DELETE_THREAD, "popoverTarget": _POPOVER},
            ),
            rx.el.div(
                rx.el.p(words.DELETE_THREAD_ASK, class_name="max-w-xs text-sm text-pretty"),
                rx.el.div(
                    rx.el.button(
                        words.CANCEL,
                        type="button",
                        class_name=f"{_BUTTON} hover:bg-muted",
                        custom_attrs={"popoverTarget": _POPOVER, "popoverTargetAction": "hide"},
                    ),
                    rx.el.button(
                        words.DELETE,
                        type="button",
                        on_click=on_delete,
                        class_name=f"{_BUTTON} bg-danger-tint text-danger",
                        custom_attrs={"popoverTarget": _POPOVER, "popoverTargetAction": "hide"},
                    ),
                    class_name="mt-3 flex justify-end gap-2",
                ),
                id=_POPOVER,
                class_name="m-auto rounded-2xl border border-border bg-card p-4 text-foreground shadow-md",
                custom_attrs={"popover": "auto", "role": "dialog", "aria-label": words.DELETE_THREAD},
            ),
        ),
    )
