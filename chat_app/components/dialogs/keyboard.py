"""The keyboard: the keys that work anywhere, the dialog that lists them, and the link that skips the sidebar."""

import reflex as rx

from chat_app.components import words
from chat_app.components.dialogs.dialog import dialog, opens

MAIN_ID = "main"
"""The id of the page's main part."""
SHEET = "shortcuts"

_LIBRARY = "$/public/keyboard.js"


class _Keyboard(rx.Component):
    library = _LIBRARY
    tag = "Keyboard"


def keyboard() -> rx.Component:
    """Listens for the keys, and holds the dialog that lists them."""
    return rx.fragment(
        _Keyboard.create(),
        dialog(
            SHEET,
            words.SHORTCUTS,
            rx.el.dl(
                *(
                    rx.el.div(
                        rx.el.dt(deed, class_name="min-w-0 flex-1"),
                        rx.el.dd(*(rx.el.kbd(key, class_name="key") for key in keys), class_name="flex gap-1"),
                        class_name="flex items-center gap-4 py-2",
                    )
                    for deed, keys in words.SHORTCUT_LIST
                ),
                class_name="mt-3 divide-y divide-border text-sm",
            ),
        ),
    )


def shortcuts_button(class_name: str) -> rx.Component:
    """Opens the list of shortcuts."""
    return rx.el.button(words.SHORTCUTS, type="button", class_name=class_name, custom_attrs=opens(SHEET))


def skip_link() -> rx.Component:
    """The first element that Tab reaches: it skips the sidebar."""
    return rx.el.a(
        words.SKIP,
        href=f"#{MAIN_ID}",
        class_name="skip-link",
        custom_attrs={
            "onClick": rx.Var("skip", _var_data=rx.vars.VarData(imports={_LIBRARY: [rx.ImportVar(tag="skip")]}))
        },
    )
