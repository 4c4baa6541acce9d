"""The layout: the places of sidebar and main part, and what surrounds every page."""

from collections.abc import Callable
from typing import Any

import reflex as rx

from chat_app.components.client import transcript_feed
from chat_app.components.dialogs.keyboard import MAIN_ID, keyboard, skip_link
from chat_app.components.errors import page_error_boundary, signed_out
from chat_app.components.notices import connection, demo_notice
from chat_app.components.sidebar import open_button, sidebar
from chat_app.state import Viewer


def shell(title: rx.Var[str] | str, title_button: rx.Component | None, *main: rx.Component) -> rx.Component:
    """The page: the sidebar beside the main part, or over it as a drawer if there is no room for both.

    `title_button` is at the end of the title's line. A person who was signed out sees neither it nor the main part.
    """
    return rx.el.div(
        skip_link(),
        sidebar(),
        rx.el.main(
            rx.el.header(
                open_button(),
                rx.el.h1(title, class_name="min-w-0 flex-1 truncate text-sm font-semibold"),
                *([] if title_button is None else [rx.cond(Viewer.is_signed_out, rx.fragment(), title_button)]),
                class_name="flex h-14 shrink-0 items-center gap-1 border-b border-border px-2 md:px-6",
            ),
            rx.cond(Viewer.is_signed_out, signed_out(), rx.fragment(demo_notice(), *main)),
            id=MAIN_ID,
            class_name="flex min-w-0 flex-1 flex-col outline-none",
            custom_attrs={"tabIndex": -1},
        ),
        keyboard(),
        class_name="flex h-dvh overflow-hidden bg-background text-foreground antialiased",
    )


def app_wraps(on_gap: Callable[..., Any]) -> dict[tuple[int, str], Callable[[bool], rx.Component | None]]:
    """What surrounds every page, instead of Reflex's own error page, connection banner and toasts.

    `on_gap(name, have)` is called while the text `name` on the page lacks what follows its first `have` code points.
    """
    return {
        (55, "ErrorBoundary"): lambda _: page_error_boundary(),
        # The feed is here because a page may only mount after its first updates have arrived.
        (5, "Overlay"): lambda _: rx.fragment(transcript_feed(on_gap), connection()),
    }
