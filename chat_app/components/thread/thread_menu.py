"""The menu of a thread: what a person can do with the whole thread; each item shows only if they may do it."""

from typing import Annotated, Any
from urllib.parse import urlsplit

import reflex as rx
from pydantic import Field
from reflex.utils.exec import is_prod_mode

from chat_app.components import words
from chat_app.components.dialogs.dialog import (
    FIELD,
    MAIN,
    confirm,
    form_dialog,
    from_dialogs_js,
    opens,
)
from chat_app.components.dialogs.share_dialog import SHARE, Sharing, share_dialog
from chat_app.components.dialogs.thread_settings import SETTINGS, thread_settings
from chat_app.components.icons import icon
from chat_app.components.sidebar import ICON_BUTTON
from chat_app.components.thread.deletion import Deletion
from chat_app.services import services
from chat_app.state import Transcript, may, remote, thread_in_address, who_asks
from chat_app.threads.access import Verb
from chat_app.threads.threads import MAX_TITLE

_MENU, _RENAME, _CLEAR, _LEAVE, _DELETE = (
    "thread-menu",
    "rename-thread",
    "clear-thread",
    "leave-thread",
    "delete-thread",
)
_ITEM = "flex w-full cursor-pointer items-center gap-2.5 rounded-lg px-3 py-2 text-start text-sm hover:bg-muted"

Title = Annotated[str, Field(max_length=1000)]
"""A title as a page may send it; `threads.threads` decides whether it is valid."""


class ThreadMenu(rx.State):
    """What a person does with the whole thread of this tab."""

    @remote
    async def rename(self, title: Title) -> None:
        """Change this thread's title."""
        await services().threads.rename(await who_asks(self), thread_in_address(self), title)

    @remote
    async def clear(self) -> None:
        """Delete all messages of this thread, for everybody."""
        await services().threads.clear(await who_asks(self), thread_in_address(self))


def _item(icon_name: str, word: str | rx.Var[str], dialog_id: str, tone: str = "", **props: Any) -> rx.Component:
    return rx.el.button(
        icon(icon_name, "size-4.5"),
        word,
        type="button",
        class_name=f"{_ITEM} {tone}",
        custom_attrs=opens(dialog_id),
        **props,
    )


def _download() -> rx.Component:
    """A link to the thread as a file; in development another server than the page's has it."""
    port = "" if is_prod_mode() else str(urlsplit(rx.config.get_config().api_url).port)
    return rx.el.a(
        icon("download", "size-4.5"),
        words.DOWNLOAD,
        href=f"/api/threads/{Transcript.thread}/export?format=markdown",
        class_name=_ITEM,
        custom_attrs={
            "download": "",
            "data-port": port,
            "reloadDocument": True,
            "onClickCapture": from_dialogs_js("download"),
        },
    )


def _menu() -> rx.Component:
    share = rx.cond(may(Verb.SHARE), words.SHARE_MENU, words.MEMBERS_MENU)
    return rx.el.div(
        rx.cond(may(Verb.RENAME), _item("pencil", words.RENAME_MENU, _RENAME)),
        rx.cond(may(Verb.READ), _item("people", share, SHARE, on_click=Sharing.look())),
        rx.cond(may(Verb.CONFIGURE), _item("sliders", words.SETTINGS_MENU, SETTINGS)),
        _download(),
        rx.cond(may(Verb.CLEAR), _item("eraser", words.CLEAR_MENU, _CLEAR)),
        rx.cond(may(Verb.LEAVE), _item("leave", words.LEAVE_MENU, _LEAVE)),
        rx.cond(may(Verb.DELETE), _item("bin", words.DELETE_MENU, _DELETE, "text-danger")),
        id=_MENU,
        class_name="menu",
        custom_attrs={"popover": "auto"},
    )


def _rename() -> rx.Component:
    def submit(form: rx.Var[dict[str, str]]) -> Any:
        return ThreadMenu.rename(form.to(dict[str, str])["title"])

    return form_dialog(
        _RENAME,
        words.RENAME_TITLE,
        field=rx.el.input(
            name="title",
            # The field keeps its own value; a new key resets it to the new title.
            key=Transcript.title,
            default_value=Transcript.title,
            max_length=MAX_TITLE,  # a browser counts UTF-16 units
            required=True,
            auto_complete="off",
            class_name=f"{FIELD} mt-3 w-full",
            custom_attrs={"aria-label": words.RENAME_LABEL, "dir": "auto"},
        ),
        word=words.RENAME,
        look=MAIN,
        on_submit=submit,
    )


def thread_menu() -> rx.Component:
    """The button at the end of the title's line, its menu, and the dialogs that the menu opens."""
    return rx.cond(
        may(Verb.READ),
        rx.el.div(
            rx.el.button(
                icon("more", "size-5"),
                type="button",
                class_name=ICON_BUTTON,
                custom_attrs={"aria-label": words.THREAD_MENU, "popoverTarget": _MENU},
            ),
            _menu(),
            _rename(),
            share_dialog(),
            thread_settings(),
            confirm(_CLEAR, words.CLEAR_TITLE, words.CLEAR_TEXT, words.CLEAR, ThreadMenu.clear),
            confirm(_LEAVE, words.LEAVE_TITLE, words.LEAVE_TEXT, words.LEAVE, Sharing.leave()),
            confirm(_DELETE, words.DELETE_THREAD_TITLE, words.DELETE_THREAD_TEXT, words.DELETE, Deletion.delete_thread),
            # A new menu for each thread: a dialog that is open for one thread must not act on the next.
            key=Transcript.thread,
        ),
    )
