"""The page for an address that leads nowhere."""

import reflex as rx

from chat_app.components import errors


def not_found() -> rx.Component:
    """The page: it says that there is nothing here, and links back."""
    return rx.el.main(errors.not_found(), class_name="flex h-dvh bg-background text-foreground antialiased")
