"""The notices: what the page says about itself, and what it tells people who do not look at it."""

from typing import Any

import reflex as rx
from reflex_components_core.core.banner import has_connection_errors

from chat_app.components import words
from chat_app.components.icons import icon, icon_paths
from chat_app.state import Presence, Transcript, Viewer

_NOTIFICATIONS = "$/public/browser_notifications.js"


def _name(text: str) -> rx.Component:
    return rx.el.code(text, class_name="font-mono text-[0.92em]")


def demo_notice() -> rx.Component:
    """While the demo model answers, says so, and how to use a real one."""
    return rx.cond(
        Viewer.is_demo,
        rx.el.p(
            words.DEMO_NOTICE,
            rx.el.span(  # for the person who runs the server, who is not on a phone
                words.DEMO_NOTICE_BEFORE,
                _name("OPENAI_API_KEY"),
                words.DEMO_NOTICE_BETWEEN,
                _name("OPENAI_BASE_URL"),
                words.DEMO_NOTICE_AFTER,
                class_name="hidden md:inline",
            ),
            class_name=(
                "shrink-0 border-b border-border bg-muted px-4 py-1.5 text-center text-xs text-muted-foreground "
                "text-pretty"
            ),
        ),
    )


def _notice() -> rx.Component:
    return rx.el.p(
        icon("warning", "mt-0.5 size-4"),
        rx.el.span(Viewer.notice, class_name="min-w-0"),
        class_name="flex gap-2 rounded-xl bg-danger-tint px-3.5 py-2 text-sm text-danger",
    )


def notice() -> rx.Component:
    """Shows `Viewer.notice` while there is one."""
    return rx.el.div(
        rx.cond(Viewer.notice != "", _notice()),
        role="alert",
        class_name="mx-auto w-full max-w-3xl px-3 empty:hidden md:px-6",
    )


def notice_line() -> rx.Component:
    """Shows the notice in a dialog, which covers the page's own notice."""
    return rx.cond(Viewer.notice != "", rx.el.div(_notice(), role="alert"))


def unsaved() -> rx.Component:
    """While the database is away for too long, says that what is shown is not stored."""
    return rx.el.div(
        rx.cond(
            Transcript.is_unsaved,
            rx.el.p(
                icon("warning", "mt-0.5 size-4"),
                words.UNSAVED,
                class_name="flex gap-2 rounded-xl bg-caution-tint px-3.5 py-2 text-sm text-caution",
            ),
        ),
        role="status",
        class_name="mx-auto w-full max-w-3xl px-3 empty:hidden md:px-6",
    )


def _ask_spec(number: rx.Var[int]) -> tuple[rx.Var[int]]:
    return (number,)


class _Connection(rx.Component):
    library = "$/public/connection.js"
    tag = "Connection"

    is_down: rx.Var[bool]
    answered: rx.Var[int]
    words: rx.Var[dict[str, str]]
    icons: rx.Var[dict[str, Any]]
    on_ask: rx.EventHandler[_ask_spec]


class _BrowserNotifications(rx.Component):
    library = _NOTIFICATIONS
    tag = "BrowserNotifications"

    thread: rx.Var[str]
    title: rx.Var[str]
    is_loaded: rx.Var[bool]
    me: rx.Var[int]
    people: rx.Var[dict[str, Any]]
    words: rx.Var[dict[str, Any]]


class _NotificationButton(rx.Component):
    library = _NOTIFICATIONS
    tag = "NotificationButton"

    words: rx.Var[dict[str, Any]]
    icons: rx.Var[dict[str, Any]]


def connection() -> rx.Component:
    """A small sign while the server cannot be reached; it also replaces a dead connection at once."""
    return _Connection.create(
        is_down=has_connection_errors,
        answered=Presence.answered,
        words=words.CONNECTION,
        icons=icon_paths("offline", "check"),
        on_ask=Presence.answer,
    )


def browser_notifications() -> rx.Component:
    """Says what is new to a person who does not see the transcript: by screen reader, the tab's title, the system."""
    return _BrowserNotifications.create(
        thread=Transcript.thread,
        title=Transcript.title,
        is_loaded=Transcript.is_loaded,
        me=Viewer.me,
        people=Transcript.people,
        words=words.NOTIFICATIONS,
    )


def notification_button(class_name: str) -> rx.Component:
    """Turns on system notifications for when this person's replies are done."""
    return _NotificationButton.create(
        words=words.NOTIFICATIONS, icons=icon_paths("bell", "bellOff"), class_name=class_name
    )
