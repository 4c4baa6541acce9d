"""The thread page: the transcript, its composer, and the list of threads beside it."""

from collections.abc import Awaitable
from typing import Annotated, Any

import reflex as rx
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from chat_app import refusals
from chat_app.components import layout, words
from chat_app.components.actions import Actions
from chat_app.components.client import attention
from chat_app.components.composer import composer, hint, read_only
from chat_app.components.errors import not_found
from chat_app.components.notices import (
    browser_notifications,
    demo_notice,
    notice,
    notification_button,
    undo_notice,
    unsaved,
)
from chat_app.components.people import people_here, typing_line
from chat_app.components.sidebar import ICON_BUTTON, sidebar
from chat_app.components.thread_menu import ThreadActions, thread_menu
from chat_app.components.transcript import transcript
from chat_app.refusals import Refusal, SignedOut
from chat_app.services import services
from chat_app.settings import MODEL_LENGTH
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
    tell,
    thread_in_address,
    update_vars,
    who_asks,
)
from chat_app.threads.access import Verb

ROUTE = "/t/[thread_id]"


Title = Annotated[str, Field(max_length=1000)]
"""What a title can be said to be; whether it can be one is for `threads` to say."""


Nonce = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{8,64}$")]
"""The composer's name of a draft, which makes the same draft sent twice one message."""
ANSWERS = 8
"""Drafts of which the page still hears what became of them, of either kind."""


class Draft(BaseModel):
    """What the composer sends."""

    model_config = ConfigDict(strict=True, extra="forbid")

    text: str
    nonce: Nonce


SettingName = Annotated[str, Field(max_length=40)]
SettingValue = Annotated[str, Field(max_length=MODEL_LENGTH)]
"""Whether there is such a setting, and whether it can have this value, is for `ThreadSettings` to say."""


class Composer(rx.State):
    """What a person does on the thread page."""

    stored: list[str] = []
    refused: list[str] = []
    """The nonces of the last drafts that were stored, and of those that the composer is to give back."""
    deleted_thread: str = ""
    """Where this tab has deleted last, for as long as it is offered to undo it."""
    deleted_message: int = 0
    """What there; 0 is the thread itself."""

    @remote
    async def send(self, form: dict[str, Any]) -> None:
        """Post a message; what could not be stored comes back to the composer."""
        try:
            draft = Draft.model_validate(form)
        except ValidationError:
            await tell(self, "The page sent something unexpected. Reload it.")
            return

        async def post() -> None:
            who, thread_id = await who_asks(self), thread_in_address(self)
            tab, address = tab_of(self), address_of(self)
            await services().messages.post(who, thread_id, draft.text, nonce=draft.nonce, tab=tab, address=address)

        await self._settle(draft.nonce, post())

    @remote
    async def edit(self, message_id: MessageId, text: str, nonce: Nonce) -> None:
        """Give one's message another text; what could not be stored comes back to the composer."""

        async def edit() -> None:
            who, thread_id = await who_asks(self), thread_in_address(self)
            await services().messages.edit(who, thread_id, message_id, text, address=address_of(self))

        await self._settle(nonce, edit())

    async def _settle(self, nonce: str, storing: Awaitable[None]) -> None:
        """Wait until a draft is stored or refused, and tell the page which."""
        notice = ""
        try:
            await storing
        except Refusal as refusal:
            if isinstance(refusal, SignedOut):
                await show_signed_out(self)
            notice = refusals.words(refusal)
        except (SQLAlchemyError, OSError):
            notice = "Your message could not be stored. Try again in a moment."
        async with self:
            update_vars(await self.get_state(Viewer), notice=notice)
            if notice:
                self.refused = [*self.refused, nonce][-ANSWERS:]
            else:
                self.stored = [*self.stored, nonce][-ANSWERS:]

    @remote
    async def stop(self, message_id: MessageId) -> None:
        """Stop a reply; its text stays."""
        await services().replies.stop(await who_asks(self), thread_in_address(self), message_id)

    @remote
    async def retry(self, message_id: MessageId) -> None:
        """Answer again, in a new version."""
        who, thread_id = await who_asks(self), thread_in_address(self)
        await services().replies.retry(who, thread_id, message_id, tab=tab_of(self), address=address_of(self))

    @remote
    async def go_on(self, message_id: MessageId) -> None:
        """Continue a reply that was cut off."""
        who, thread_id = await who_asks(self), thread_in_address(self)
        await services().replies.go_on(who, thread_id, message_id, tab=tab_of(self), address=address_of(self))

    @remote
    async def delete(self, message_id: MessageId) -> None:
        """Take a message away for everybody."""
        thread_id = thread_in_address(self)
        await services().messages.delete(await who_asks(self), thread_id, message_id)
        async with self:
            update_vars(self, deleted_thread=thread_id, deleted_message=message_id)

    @remote
    async def rename(self, title: Title) -> None:
        """Give this thread another title."""
        await services().threads.rename(await who_asks(self), thread_in_address(self), title)

    @remote
    async def clear(self) -> None:
        """Take all messages of this thread away for everybody."""
        await services().threads.clear(await who_asks(self), thread_in_address(self))

    @remote
    async def delete_thread(self) -> Any:
        """Take this thread away for everybody, and go home."""
        thread_id = thread_in_address(self)
        await services().threads.delete(await who_asks(self), thread_id)
        async with self:
            update_vars(self, deleted_thread=thread_id, deleted_message=0)
        return rx.redirect("/", replace=True)

    @remote
    async def undo(self) -> Any:
        """Bring back what this tab has deleted last."""
        async with self:
            thread_id, message_id = self.deleted_thread, self.deleted_message
            update_vars(self, deleted_thread="", deleted_message=0)
        if thread_id == "":
            return None
        who = await who_asks(self)
        if message_id:
            await services().messages.restore(who, thread_id, message_id)
            return None
        await services().threads.restore(who, thread_id)
        return rx.redirect(f"/t/{thread_id}")

    @remote
    async def keep_deleted(self) -> None:
        """Offer no more to undo it."""
        async with self:
            update_vars(self, deleted_thread="", deleted_message=0)

    @remote
    async def configure(self, name: SettingName, value: SettingValue) -> None:
        """Change one setting of this thread, from its next reply on."""
        await services().threads.configure(await who_asks(self), thread_in_address(self), {name: value})
        await tell(self, "")

    @remote
    async def new_thread(self) -> Any:
        """Begin a thread and go there."""
        thread_id = await services().threads.create(await who_asks(self), address=address_of(self))
        return rx.redirect(f"/t/{thread_id}")


def thread() -> rx.Component:
    """The page of one thread."""
    return layout.shell(
        sidebar(on_new_thread=Composer.new_thread),
        rx.cond(Transcript.title != "", Transcript.title, rx.cond(Transcript.is_missing, words.BRAND, words.UNTITLED)),
        rx.fragment(
            people_here(),
            notification_button(ICON_BUTTON),
            thread_menu(
                ThreadActions(
                    on_rename=Composer.rename,
                    on_configure=Composer.configure,
                    on_clear=Composer.clear,
                    on_delete=Composer.delete_thread,
                )
            ),
        ),
        demo_notice(),
        attention(),
        browser_notifications(),
        rx.cond(
            Composer.deleted_thread != "",
            undo_notice(
                rx.cond(Composer.deleted_message == 0, words.DELETED_THREAD, words.DELETED_MESSAGE),
                f"{Composer.deleted_thread} {Composer.deleted_message}",
                on_undo=Composer.undo,
                on_over=Composer.keep_deleted,
            ),
        ),
        rx.cond(
            Transcript.is_missing,
            not_found(),
            rx.fragment(
                transcript(
                    Actions(
                        on_stop=Composer.stop,
                        on_retry=Composer.retry,
                        on_continue=Composer.go_on,
                        on_delete=Composer.delete,
                        on_look=Live.look_at,
                        on_older=Live.show_earlier,
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
                            on_send=lambda text, nonce: Composer.send({"text": text, "nonce": nonce}),
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
