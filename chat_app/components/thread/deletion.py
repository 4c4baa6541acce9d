"""Deletion: deletes a message or the thread, and offers for some seconds to undo it."""

from typing import Any

import reflex as rx

from chat_app.components import words
from chat_app.components.client import toast
from chat_app.components.dialogs.dialog import QUIET
from chat_app.services import services
from chat_app.state import MessageId, remote, thread_in_address, update_vars, who_asks

UNDO_SECONDS = 10
"""How many seconds undo is offered; the server keeps what was deleted for longer."""


class Deletion(rx.State):
    """What this tab deleted last."""

    thread: str = ""
    """The thread in which this tab deleted something last; "" if there is nothing to undo."""
    message: int = 0
    """The message that it deleted there; 0 for the thread itself."""

    @remote
    async def delete_message(self, message_id: MessageId) -> None:
        """Delete a message for everybody."""
        thread_id = thread_in_address(self)
        await services().messages.delete(await who_asks(self), thread_id, message_id)
        async with self:
            update_vars(self, thread=thread_id, message=message_id)

    @remote
    async def delete_thread(self) -> Any:
        """Delete this thread for everybody, and go home."""
        thread_id = thread_in_address(self)
        await services().threads.delete(await who_asks(self), thread_id)
        async with self:
            update_vars(self, thread=thread_id, message=0)
        return rx.redirect("/", replace=True)

    @remote
    async def undo(self) -> Any:
        """Restore what this tab deleted last."""
        async with self:
            thread_id, message_id = self.thread, self.message
            update_vars(self, thread="", message=0)
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
        """Stop offering to undo the deletion."""
        async with self:
            update_vars(self, thread="", message=0)


def undo_notice() -> rx.Component:
    """Says that something was deleted and offers to undo it, for some seconds after each deletion."""
    return rx.cond(
        Deletion.thread != "",
        toast(
            rx.el.p(rx.cond(Deletion.message == 0, words.DELETED_THREAD, words.DELETED_MESSAGE), role="status"),
            rx.el.button(words.UNDO, type="button", on_click=Deletion.undo, class_name=f"{QUIET} text-primary"),
            key=f"{Deletion.thread} {Deletion.message}",
            seconds=UNDO_SECONDS,
            on_over=Deletion.keep_deleted,
            class_name="undo-notice",
        ),
    )
