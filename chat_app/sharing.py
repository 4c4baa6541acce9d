"""Sharing: what the dialog about a thread's members shows, and what can be done there.

A dialog shows what was so when it was opened, and again after each deed in it. An invite's secret is in no var: it is
sent once, to the field that shows it.
"""

import dataclasses
from datetime import timedelta
from typing import Annotated, Any, Literal

import reflex as rx
from pydantic import Field

from chat_app.models import MemberRole, Visibility
from chat_app.services import services
from chat_app.state import Viewer, remote, thread_in_address, update_vars, who_asks

LASTS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
}
"""How long an invite can be asked to last."""

INVITE_LINK_ID = "invite-link"
"""The id of the field that shows the link of a new invite."""

Lasts = Literal["hour", "day", "week", "month"]
Found = Literal["open", "link", "private"]
Given = Literal["member", "viewer"]
Id = Annotated[int, Field(ge=1, lt=2**31)]
Digits = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}$")]
"""An id as a form sends it."""


@dataclasses.dataclass(frozen=True)
class MemberLine:
    """A member, as the dialog lists them."""

    id: int
    name: str
    hue: int
    role: str


@dataclasses.dataclass(frozen=True)
class InviteLine:
    """An open invite; `expires` is in seconds since the epoch."""

    id: int
    role: str
    expires: int


class Sharing(rx.State):
    """The dialog about who belongs to this tab's thread."""

    thread: str = ""
    """Whose members and invites these are."""
    members: list[MemberLine] = []
    invites: list[InviteLine] = []

    @remote
    async def look(self) -> None:
        """Read who belongs to the thread, for the dialog that opens."""
        await self._refresh()

    @remote
    async def forget(self) -> None:
        """Let go of all, for the dialog is closed."""
        async with self:
            update_vars(self, thread="", members=[], invites=[])

    @remote
    async def set_visibility(self, visibility: Found) -> None:
        """Say who finds the thread besides its members."""
        await services().set_visibility(await who_asks(self), thread_in_address(self), Visibility(visibility))
        await self._refresh()

    @remote
    async def make_invite(self, role: Given, lasts: Lasts) -> Any:
        """Make an invite and show its link, this once."""
        thread_id = thread_in_address(self)
        _, secret = await services().invite(await who_asks(self), thread_id, MemberRole(role), LASTS[lasts])
        await self._refresh()
        # The browser's own word for where it is, as its handshake gave it.
        return rx.set_value(INVITE_LINK_ID, f"{self.router.headers.origin}/join/{secret}")

    @remote
    async def withdraw(self, invite_id: Id) -> None:
        """Let an invite bring nobody any more."""
        await services().withdraw(await who_asks(self), thread_in_address(self), invite_id)
        await self._refresh()

    @remote
    async def set_role(self, member_id: Id, role: Given) -> None:
        """Make a member a viewer or a viewer a member."""
        await services().set_role(await who_asks(self), thread_in_address(self), member_id, MemberRole(role))
        await self._refresh()

    @remote
    async def remove(self, member_id: Id) -> None:
        """Make somebody a stranger to the thread."""
        await services().remove_member(await who_asks(self), thread_in_address(self), member_id)
        await self._refresh()

    @remote
    async def hand_over(self, member_id: Digits) -> None:
        """Make somebody else the owner."""
        await services().hand_over(await who_asks(self), thread_in_address(self), int(member_id))
        await self._refresh()

    @remote
    async def leave(self) -> Any:
        """Be a member no more, and go home."""
        await services().leave(await who_asks(self), thread_in_address(self))
        return rx.redirect("/", replace=True)

    async def _refresh(self) -> None:
        thread_id = thread_in_address(self)
        members, invites = await services().members(await who_asks(self), thread_id)
        async with self:
            update_vars(
                self,
                thread=thread_id,
                members=[MemberLine(each.user_id, each.name, each.hue, each.role.value) for each in members],
                invites=[InviteLine(each.id, each.role.value, int(each.expires.timestamp())) for each in invites],
            )
            update_vars(await self.get_state(Viewer), notice="")
