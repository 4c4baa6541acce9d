"""The sidebar: the brand, the threads, and who I am."""

from typing import Any

import reflex as rx
from reflex.style import resolved_color_mode, toggle_color_mode
from reflex_components_core.react_router.dom import ReactRouterLink

from chat_app.components import words
from chat_app.components.client import thread_list
from chat_app.components.icons import icon
from chat_app.services import services
from chat_app.state import Viewer, address_of, remote, who_asks

SIDEBAR_ID = "sidebar"
ACCOUNT = "/me"
"""Where one's account is."""

ICON_BUTTON = (
    "inline-flex size-9 shrink-0 cursor-pointer items-center justify-center rounded-lg text-muted-foreground "
    "hover:bg-muted hover:text-foreground"
)

# Below the width where the sidebar has room of its own it is a popover, which the browser opens, traps and closes.
_CLOSE = rx.Var(f'() => document.getElementById("{SIDEBAR_ID}")?.hidePopover()')


class Sidebar(rx.State):
    """What a person begins from the sidebar."""

    @remote
    async def new_thread(self) -> Any:
        """Begin a thread and go there."""
        thread_id = await services().threads.create(await who_asks(self), address=address_of(self))
        return rx.redirect(f"/t/{thread_id}")


def _popover_button(name: str, label: str, action: str) -> rx.Component:
    return rx.el.button(
        icon(name, "size-5"),
        type="button",
        class_name=f"{ICON_BUTTON} md:hidden",
        custom_attrs={"popoverTarget": SIDEBAR_ID, "popoverTargetAction": action, "aria-label": label},
    )


def open_button() -> rx.Component:
    """Shows the sidebar where it is a drawer."""
    return _popover_button("menu", words.OPEN_SIDEBAR, "show")


def person_dot(hue: rx.Var[int] | int) -> rx.Component:
    """A dot of somebody's colour, for the eye alone."""
    return rx.el.span(class_name="person-dot size-2.5 shrink-0 rounded-full", style={"--hue": hue})


def _me() -> rx.Component:
    return ReactRouterLink.create(
        person_dot(Viewer.hue),
        rx.el.span(
            rx.el.span(f"{words.YOUR_ACCOUNT}: ", class_name="sr-only"),
            rx.el.span(Viewer.name, id="my-name"),
            class_name="min-w-0 truncate",
        ),
        to=ACCOUNT,
        class_name="flex min-w-0 flex-1 items-center gap-2.5 rounded-lg px-2 py-2 text-sm font-medium hover:bg-muted",
        custom_attrs={"onClick": _CLOSE},
    )


def _color_mode_button() -> rx.Component:
    return rx.el.button(
        icon("sun", "size-5 hidden dark:block"),
        icon("moon", "size-5 dark:hidden"),
        type="button",
        on_click=toggle_color_mode,
        class_name=ICON_BUTTON,
        custom_attrs={"aria-label": rx.cond(resolved_color_mode == "dark", words.TO_LIGHT, words.TO_DARK)},
    )


def brand() -> rx.Component:
    """The mark and the name, which lead to the start."""
    return ReactRouterLink.create(
        rx.el.span(
            icon("river", "size-4.5"),
            class_name="flex size-8 items-center justify-center rounded-lg bg-primary text-primary-foreground",
        ),
        rx.el.span(words.BRAND, class_name="text-base font-semibold tracking-tight"),
        to="/",
        class_name="flex items-center gap-2.5 rounded-lg",
    )


def sidebar() -> rx.Component:
    """The sidebar."""
    return rx.el.aside(
        rx.el.div(
            brand(),
            _popover_button("close", words.CLOSE_SIDEBAR, "hide"),
            class_name="flex h-14 shrink-0 items-center justify-between ps-4 pe-2",
        ),
        rx.el.div(
            rx.el.button(
                icon("plus"),
                words.NEW_THREAD,
                type="button",
                on_click=Sidebar.new_thread,
                custom_attrs={"data-key": "new"},
                class_name=(
                    "flex w-full cursor-pointer items-center gap-2 rounded-lg border border-border bg-card px-3 py-2 "
                    "text-sm font-medium shadow-xs hover:bg-muted"
                ),
            ),
            class_name="px-3 pb-2 pt-1",
            custom_attrs={"onClick": _CLOSE},
        ),
        thread_list(),
        rx.el.div(
            _me(),
            _color_mode_button(),
            class_name="flex shrink-0 items-center gap-2 border-t border-border py-2 ps-3 pe-2",
        ),
        id=SIDEBAR_ID,
        class_name="drawer flex-col md:shrink-0",
        custom_attrs={"popover": "auto", "aria-label": words.THREADS},
    )
