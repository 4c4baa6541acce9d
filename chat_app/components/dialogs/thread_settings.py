"""The settings dialog of a thread: which messages the AI answers, which model answers, and in what pieces."""

from typing import Annotated, Any, cast

import reflex as rx
from pydantic import Field

from chat_app.components import words
from chat_app.components.dialogs.dialog import FIELD, HEADING, dialog, radio
from chat_app.components.notices import notice_line
from chat_app.services import services
from chat_app.settings import MODEL_LENGTH
from chat_app.state import Transcript, Viewer, remote, tell, thread_in_address, who_asks
from tributary_streams import Granularity

SETTINGS = "thread-settings"

_GRANULARITIES = ("", *Granularity)

SettingName = Annotated[str, Field(max_length=40)]
SettingValue = Annotated[str, Field(max_length=MODEL_LENGTH)]
"""A setting as a page may send it; `data.models.ThreadSettings` decides whether it exists and the value is valid."""


class Configuration(rx.State):
    """The settings that the owner of this tab's thread changes in the dialog."""

    @remote
    async def configure(self, name: SettingName, value: SettingValue) -> None:
        """Change one setting of this thread, from its next reply on; the other settings stay."""
        await services().threads.configure(await who_asks(self), thread_in_address(self), {name: value})
        await tell(self, "")


def _way(mode: str, name: str, text: str) -> rx.Component:
    on_change = Configuration.configure("reply_mode", mode)
    return radio("reply-mode", mode, name, text, current=Transcript.settings["reply_mode"], on_change=on_change)


def _choice(label: str, text: str, *options: rx.Component, **props: Any) -> rx.Component:
    return rx.el.label(
        rx.el.span(label, class_name=HEADING),
        rx.el.select(*options, class_name=f"{FIELD} w-full cursor-pointer", **props),
        rx.el.span(text, class_name="text-sm text-muted-foreground text-pretty"),
        class_name="flex flex-col gap-1.5",
    )


def thread_settings() -> rx.Component:
    """The dialog; each change is stored at once."""
    models = cast("rx.vars.ArrayVar[list[str]]", Viewer.models)
    return dialog(
        SETTINGS,
        words.SETTINGS_TITLE,
        rx.el.div(
            notice_line(),
            rx.el.fieldset(
                rx.el.legend(words.ANSWERS, class_name=f"{HEADING} pb-1"),
                _way("mention", words.WHEN_ASKED, words.WHEN_ASKED_TEXT),
                _way("always", words.ALWAYS, words.ALWAYS_TEXT),
            ),
            rx.cond(
                models.length() > 1,
                _choice(
                    words.MODEL,
                    words.MODEL_TEXT,
                    rx.el.option(f"{words.SERVERS_CHOICE}: ", models[0], value=""),
                    rx.foreach(models[1:], lambda name: rx.el.option(name, value=name)),
                    value=Transcript.settings["model"],
                    on_change=lambda model: Configuration.configure("model", model),
                ),
            ),
            _choice(
                words.PIECES,
                words.PIECES_TEXT,
                *(rx.el.option(words.PIECES_BY[name], value=name) for name in _GRANULARITIES),
                value=Transcript.settings["granularity"],
                on_change=lambda pieces: Configuration.configure("granularity", pieces),
            ),
            rx.el.p(words.FROM_NEXT_REPLY, class_name="text-sm text-muted-foreground"),
            class_name="mt-4 flex flex-col gap-5",
        ),
    )
