"""The invite page: it adds the person who opens it to the thread, and redirects there."""

from typing import Any

import reflex as rx

from chat_app.components import words
from chat_app.components.errors import no_invite, signed_out
from chat_app.components.notices import notice
from chat_app.refusals import InviteUnknown
from chat_app.services import services
from chat_app.state import Viewer, by_page_load, update_vars, who_asks
from tributary_streams import clean

ROUTE = "/join/[invite]"


class Join(rx.State):
    """Leads from an invite to its thread."""

    is_unknown: bool = False

    @by_page_load
    async def join(self) -> Any:
        """Join the thread and go there; if the invite no longer works, the page says so."""
        async with self:
            update_vars(self, is_unknown=False)
            update_vars(await self.get_state(Viewer), notice="")
        try:
            thread_id = await services().members.join(await who_asks(self), invite_in_address(self))
        except InviteUnknown:
            async with self:
                self.is_unknown = True
            return None
        # Replaces the address with the secret, which must not stay in the browser's history.
        return rx.redirect(f"/t/{thread_id}", replace=True)


def invite_in_address(state: rx.State) -> str:
    """The invite's secret in the tab's address; the route's variable exists only once the page is compiled."""
    return clean(str(getattr(state, "invite", "")))


def join() -> rx.Component:
    """What the page shows until the redirect to the thread, or why there is none."""
    waiting = rx.el.p(words.JOINING, class_name="m-auto text-muted-foreground", role="status")
    return rx.el.main(
        rx.cond(
            Viewer.is_signed_out,
            signed_out(),
            rx.cond(Join.is_unknown, no_invite(), rx.cond(Viewer.notice != "", notice(), waiting)),
        ),
        class_name="flex h-dvh items-center bg-background text-foreground antialiased",
    )
