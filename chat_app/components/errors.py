"""The error pages."""

import reflex as rx
from reflex.vars.function import ArgsFunctionOperation
from reflex_components_core.base.error_boundary import ErrorBoundary
from reflex_components_core.react_router.dom import ReactRouterLink

from chat_app.components import words
from chat_app.components.icons import icon
from chat_app.components.thread.composer import forget_drafts

_BUTTON = (
    "way-out inline-flex cursor-pointer items-center rounded-lg bg-primary px-4 py-2 text-sm font-medium "
    "text-primary-foreground hover:opacity-90"
)


def _apology(title: str, text: str, way_out: rx.Component) -> rx.Component:
    return rx.el.div(
        rx.el.span(
            icon("river", "size-7"),
            class_name="flex size-14 items-center justify-center rounded-2xl bg-accent text-primary",
        ),
        rx.el.h1(title, class_name="text-xl font-semibold tracking-tight"),
        rx.el.p(text, class_name="max-w-sm text-muted-foreground text-pretty"),
        way_out,
        class_name="flex min-h-0 flex-1 flex-col items-center justify-center gap-4 p-6 text-center",
    )


def not_found() -> rx.Component:
    """Fills the main part of the page if there is no such thread or page."""
    return _apology(
        words.NOT_FOUND_TITLE,
        words.NOT_FOUND_TEXT,
        ReactRouterLink.create(words.TO_START, to="/", class_name=_BUTTON),
    )


def no_invite() -> rx.Component:
    """Fills the page of an invite that no longer works."""
    return _apology(
        words.NO_INVITE_TITLE, words.NO_INVITE_TEXT, ReactRouterLink.create(words.TO_START, to="/", class_name=_BUTTON)
    )


def signed_out() -> rx.Component:
    """Fills the main part of every page for a person who was signed out."""
    return rx.fragment(forget_drafts(), _apology(words.SIGNED_OUT_TITLE, words.SIGNED_OUT_TEXT, _reload_button()))


def _reload_button() -> rx.Component:
    return rx.el.button(
        words.RELOAD,
        type="button",
        class_name=_BUTTON,
        custom_attrs={"onClick": rx.Var("() => window.location.reload()")},
    )


def page_error_boundary() -> rx.Component:
    """Replaces the page when React fails on it. The server is told; the person sees no stack trace."""
    fallback = rx.el.main(
        _apology(
            words.BROKEN_TITLE,
            words.BROKEN_TEXT,
            _reload_button(),
        ),
        class_name="flex h-dvh",
    )
    return ErrorBoundary.create(fallback_render=ArgsFunctionOperation.create((), rx.Var.create(fallback)))
