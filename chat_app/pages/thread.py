"""The thread page: the transcript, its composer, and the list of threads beside it."""

from collections.abc import Awaitable
from typing import Annotated

import reflex as rx
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from chat_app import refusals
from chat_app.components import layout, words
from chat_app.components.client import attention
from chat_app.components.errors import not_found
from chat_app.components.notices import browser_notifications, notice, notification_button, unsaved
from chat_app.components.sidebar import ICON_BUTTON
from chat_app.components.thread.actions import Actions
from chat_app.components.thread.composer import composer, hint, read_only
from chat_app.components.thread.deletion import Deletion, undo_notice
from chat_app.components.thread.people import people_here, typing_line
from chat_app.components.thread.thread_menu import thread_menu
from chat_app.components.thread.transcript import transcript
from chat_app.refusals import Refusal, SignedOut
from chat_app.services import services
from chat_app.state import (
    Live,
    MessageId,
    Transcript,
    Viewer,
    address_of,
    may,
    remote,
    show_signed_out,
    tab_of,
    thread_in_address,
    update_vars,
    who_asks,
)
from chat_app.threads.access import Verb

ROUTE = "/t/[thread_id]"


Nonce = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{8,64}$")]
"""The composer's name for a draft, so that a draft that is sent twice becomes one message."""
ANSWERS = 8
"""How many of the last drafts the page keeps the result of: so many stored ones, and so many refused ones."""


class Composer(rx.State):
    """What a person writes in this tab, and what they ask of the AI."""

    stored: list[str] = []
    refused: list[str] = []
    """The nonces of the last drafts that were stored, and of those that the composer must give back."""

    @remote
    async def send(self, text: str, nonce: Nonce) -> None:
        """Post a message; the composer gets back a draft that could not be stored."""

        async def post() -> None:
            who, thread_id = await who_asks(self), thread_in_address(self)
            tab, address = tab_of(self), address_of(self)
            await services().messages.post(who, thread_id, text, nonce=nonce, tab=tab, address=address)

        await self._settle(nonce, post())

    @remote
    async def edit(self, message_id: MessageId, text: str, nonce: Nonce) -> None:
        """Edit this person's message; the composer gets back a draft that could not be stored."""

        async def edit() -> None:
            who, thread_id = await who_asks(self), thread_in_address(self)
            await services().messages.edit(who, thread_id, message_id, text, address=address_of(self))

        await self._settle(nonce, edit())

    async def _settle(self, nonce: str, storing: Awaitable[None]) -> None:
        """Wait until a draft is stored or refused, and tell the page the result."""
        notice = ""
        try:
            await storing
        except Refusal as refusal:
            if isinstance(refusal, SignedOut):
                await show_signed_out(self)
            notice = refusals.words(refusal)
        except (SQLAlchemyError, OSError):
            notice = words.NOT_STORED
        async with self:
            update_vars(await self.get_state(Viewer), notice=notice)
            if notice:
                self.refused = [*self.refused, nonce][-ANSWERS:]
            else:
                self.stored = [*self.stored, nonce][-ANSWERS:]

    @remote
    async def stop(self, message_id: MessageId) -> None:
        """Stop a reply and keep its text."""
        await services().replies.stop(await who_asks(self), thread_in_address(self), message_id)

    @remote
    async def retry(self, message_id: MessageId) -> None:
        """Answer again in a new version."""
        who, thread_id = await who_asks(self), thread_in_address(self)
        await services().replies.retry(who, thread_id, message_id, tab=tab_of(self), address=address_of(self))

    @remote
    async def go_on(self, message_id: MessageId) -> None:
        """Continue a reply that was cut off."""
        who, thread_id = await who_asks(self), thread_in_address(self)
        await services().replies.continue_reply(who, thread_id, message_id, tab=tab_of(self), address=address_of(self))


def thread() -> rx.Component:
    """The page of one thread."""
    return layout.shell(
        rx.cond(Transcript.title != "", Transcript.title, rx.cond(Transcript.is_missing, words.BRAND, words.UNTITLED)),
        rx.fragment(
            people_here(),
            notification_button(ICON_BUTTON),
            thread_menu(),
        ),
        attention(),
        browser_notifications(),
        undo_notice(),
        rx.cond(
            Transcript.is_missing,
            not_found(),
            rx.fragment(
                transcript(
                    Actions(
                        on_stop=Composer.stop,
                        on_retry=Composer.retry,
                        on_continue=Composer.go_on,
                        on_delete=Deletion.delete_message,
                        on_look=Live.look_at,
                        on_earlier=Live.show_earlier,
                        on_replay=Live.replay,
                    )
                ),
                unsaved(),
                notice(),
                typing_line(),
                rx.cond(
                    Transcript.is_loaded & ~may(Verb.POST),
                    read_only(),
                    rx.fragment(
                        composer(
                            on_send=Composer.send,
                            on_edit=Composer.edit,
                            stored=Composer.stored,
                            refused=Composer.refused,
                        ),
                        hint(),
                    ),
                ),
            ),
        ),
    )
