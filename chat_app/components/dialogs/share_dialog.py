"""Sharing: the dialog about a thread's members.

It is read when it is opened, and again after each change made in it. No var holds an invite's secret: it is sent once,
to the field that shows it.
"""

import dataclasses
from datetime import timedelta
from typing import Annotated, Any, Literal, cast

import reflex as rx
from pydantic import Field

from chat_app.components import words
from chat_app.components.client import local_time
from chat_app.components.dialogs.dialog import (
    DANGER,
    FIELD,
    HEADING,
    PLAIN,
    QUIET,
    dialog,
    form_dialog,
    opens,
    radio,
)
from chat_app.components.dialogs.secret import copy_button, shown_once
from chat_app.components.icons import icon
from chat_app.components.notices import notice_line
from chat_app.components.sidebar import person_dot
from chat_app.data.models import MemberRole, Visibility
from chat_app.services import services
from chat_app.state import Transcript, Viewer, may, remote, thread_in_address, update_vars, who_asks
from chat_app.threads.access import Verb

LASTS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
}
"""How long an invite can last."""

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
    """A member in the dialog's list."""

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
    """The dialog about the members of this tab's thread."""

    thread: str = ""
    """The thread whose members and invites these are."""
    members: list[MemberLine] = []
    invites: list[InviteLine] = []

    @remote
    async def look(self) -> None:
        """Read the members of the thread, for the dialog that opens."""
        await self._refresh()

    @remote
    async def forget(self) -> None:
        """Drop the lists, because the dialog was closed."""
        async with self:
            update_vars(self, thread="", members=[], invites=[])

    @remote
    async def set_visibility(self, visibility: Found) -> None:
        """Set who can open the thread besides its members."""
        await services().members.set_visibility(await who_asks(self), thread_in_address(self), Visibility(visibility))
        await self._refresh()

    @remote
    async def make_invite(self, role: Given, lasts: Lasts) -> Any:
        """Make an invite and show its link, only once."""
        thread_id = thread_in_address(self)
        _, secret = await services().members.invite(await who_asks(self), thread_id, MemberRole(role), LASTS[lasts])
        await self._refresh()
        # The origin of the page, as the browser's handshake gave it.
        return rx.set_value(INVITE_LINK_ID, f"{self.router.headers.origin}/join/{secret}")

    @remote
    async def withdraw(self, invite_id: Id) -> None:
        """Withdraw an invite: nobody can join by it any more."""
        await services().members.withdraw(await who_asks(self), thread_in_address(self), invite_id)
        await self._refresh()

    @remote
    async def set_role(self, member_id: Id, role: Given) -> None:
        """Make a member a viewer, or a viewer a member."""
        await services().members.set_role(await who_asks(self), thread_in_address(self), member_id, MemberRole(role))
        await self._refresh()

    @remote
    async def remove(self, member_id: Id) -> None:
        """Remove somebody from the thread."""
        await services().members.remove(await who_asks(self), thread_in_address(self), member_id)
        await self._refresh()

    @remote
    async def hand_over(self, member_id: Digits) -> None:
        """Make somebody else the owner."""
        await services().members.hand_over(await who_asks(self), thread_in_address(self), int(member_id))
        await self._refresh()

    @remote
    async def leave(self) -> Any:
        """Leave the thread, and go home."""
        await services().members.leave(await who_asks(self), thread_in_address(self))
        return rx.redirect("/", replace=True)

    async def _refresh(self) -> None:
        thread_id = thread_in_address(self)
        members, invites = await services().members.listed(await who_asks(self), thread_id)
        async with self:
            update_vars(
                self,
                thread=thread_id,
                members=[MemberLine(each.user_id, each.name, each.hue, each.role.value) for each in members],
                invites=[InviteLine(each.id, each.role.value, int(each.expires.timestamp())) for each in invites],
            )
            update_vars(await self.get_state(Viewer), notice="")


SHARE = "share-thread"
_HAND_OVER = "hand-over-thread"

_ROLES = {"owner": words.OWNER, "member": words.MEMBER, "viewer": words.VIEWER}


def _role(role: Any) -> rx.Component | rx.Var[Any]:
    return rx.match(role, *_ROLES.items(), words.MEMBER)


def _way(visibility: str, name: str, text: str) -> rx.Component:
    on_change = Sharing.set_visibility(visibility)
    return radio("visibility", visibility, name, text, current=Transcript.visibility, on_change=on_change)


def _who_finds_it() -> rx.Component:
    return rx.el.fieldset(
        rx.el.legend(words.WHO_FINDS_IT, class_name=f"{HEADING} pb-1"),
        _way("open", words.OPEN, words.OPEN_TEXT),
        _way("link", words.BY_LINK, words.BY_LINK_TEXT),
        _way("private", words.PRIVATE, words.PRIVATE_TEXT),
    )


def _select(label: str | rx.Var[str], options: dict[str, str], **props: Any) -> rx.Component:
    return rx.el.select(
        *(rx.el.option(word, value=value) for value, word in options.items()),
        class_name=f"{FIELD} cursor-pointer",
        custom_attrs={"aria-label": label},
        **props,
    )


def _removal(member: MemberLine) -> rx.Component:
    """Removes a member, after a second press to confirm."""
    return rx.el.details(
        rx.el.summary(
            icon("close"),
            class_name=(
                "inline-flex size-8 cursor-pointer items-center justify-center rounded-lg text-muted-foreground "
                "hover:bg-muted hover:text-foreground"
            ),
            custom_attrs={"aria-label": f"{words.REMOVE} {member.name}"},
        ),
        rx.el.button(words.REMOVE, type="button", on_click=Sharing.remove(member.id), class_name=DANGER),
        class_name="member-removal flex items-center gap-1",
    )


def _member(member: MemberLine) -> rx.Component:
    plain_role = rx.el.span(_role(member.role), class_name="text-sm text-muted-foreground")
    owner = rx.cond(
        Sharing.members.length() > 1,  # pyright: ignore[reportAttributeAccessIssue]  # an array's
        rx.el.button(words.HAND_OVER_MENU, type="button", class_name=QUIET, custom_attrs=opens(_HAND_OVER)),
    )
    other = rx.fragment(
        _select(
            f"{words.ROLE_OF} {member.name}",
            {"member": words.MEMBER, "viewer": words.VIEWER},
            value=member.role,
            on_change=lambda role: Sharing.set_role(member.id, role),
        ),
        _removal(member),
    )
    return rx.el.li(
        person_dot(member.hue),
        rx.el.span(
            member.name,
            rx.cond(
                member.id == Viewer.me,
                rx.el.span(f" ({words.MEMBER_YOU})", class_name="text-muted-foreground"),
            ),
            class_name="min-w-0 flex-1 truncate text-sm",
        ),
        rx.cond(
            may(Verb.SHARE),
            rx.cond(member.role == "owner", rx.fragment(plain_role, owner), other),
            plain_role,
        ),
        key=member.id.to_string(),  # pyright: ignore[reportAttributeAccessIssue]  # a var's
        class_name="flex min-h-11 flex-wrap items-center gap-2 px-2",
    )


def _members() -> rx.Component:
    return rx.el.section(
        rx.cond(may(Verb.SHARE), rx.el.h3(words.MEMBERS, class_name=HEADING)),
        rx.el.ul(rx.foreach(Sharing.members, _member), class_name="mt-1 flex flex-col"),
    )


def _hand_over() -> rx.Component:
    def submit(form: rx.Var[dict[str, str]]) -> Any:
        return Sharing.hand_over(form.to(dict[str, str])["heir"])

    def heir(member: MemberLine) -> rx.Component:
        return rx.cond(member.role != "owner", rx.el.option(member.name, value=cast("rx.Var[int]", member.id)))

    return form_dialog(
        _HAND_OVER,
        words.HAND_OVER_TITLE,
        rx.el.p(words.HAND_OVER_TEXT, class_name="mt-2 text-sm text-muted-foreground text-pretty"),
        field=rx.el.label(
            words.HAND_OVER_LABEL,
            rx.el.select(rx.foreach(Sharing.members, heir), name="heir", class_name=f"{FIELD} flex-1 cursor-pointer"),
            class_name="mt-4 flex items-center gap-3 text-sm font-medium",
        ),
        word=words.HAND_OVER,
        look=DANGER,
        on_submit=submit,
    )


def _new_invite() -> rx.Component:
    def submit(form: rx.Var[dict[str, str]]) -> Any:
        fields = form.to(dict[str, str])
        return Sharing.make_invite(fields["role"], fields["lasts"])

    return rx.el.form(
        _select(words.INVITE_AS, {"member": words.MEMBER_TEXT, "viewer": words.VIEWER_TEXT}, name="role"),
        _select(words.INVITE_LASTS, words.LASTS, name="lasts", default_value="week"),
        rx.el.button(words.MAKE_LINK, type="submit", class_name=PLAIN),
        on_submit=submit,
        class_name="mt-2 flex flex-wrap gap-2",
    )


def _invite(invite: InviteLine) -> rx.Component:
    return rx.el.li(
        rx.el.span(
            _role(invite.role),
            rx.el.span(
                f" {words.INVITE_UNTIL} ",
                local_time(cast("rx.Var[int]", invite.expires), ""),
                class_name="text-muted-foreground",
            ),
            class_name="min-w-0 flex-1 text-sm",
        ),
        rx.el.button(words.WITHDRAW, type="button", on_click=Sharing.withdraw(invite.id), class_name=QUIET),
        key=invite.id.to_string(),  # pyright: ignore[reportAttributeAccessIssue]  # a var's
        class_name="flex min-h-10 items-center gap-2 px-2",
    )


def _invites() -> rx.Component:
    return rx.el.section(
        rx.el.h3(words.INVITE, class_name=HEADING),
        _new_invite(),
        shown_once(INVITE_LINK_ID, words.INVITE_LINK, words.INVITE_ONCE),
        rx.cond(
            Sharing.invites.length() > 0,  # pyright: ignore[reportAttributeAccessIssue]  # an array's
            rx.fragment(
                rx.el.h4(words.OPEN_INVITES, class_name=f"{HEADING} mt-4"),
                rx.el.ul(rx.foreach(Sharing.invites, _invite), class_name="mt-1"),
            ),
        ),
    )


def share_dialog() -> rx.Component:
    """Shows the thread's members; people who may share the thread can also change them."""
    return rx.fragment(
        dialog(
            SHARE,
            rx.cond(may(Verb.SHARE), words.SHARE_TITLE, words.MEMBERS_TITLE),
            rx.el.div(
                notice_line(),
                rx.cond(may(Verb.SHARE), _who_finds_it()),
                rx.cond(
                    Transcript.visibility != "private",
                    rx.el.div(copy_button(words.COPY_THREAD_LINK, f"/t/{Transcript.thread}")),
                ),
                # Not the lists of another thread that the tab showed before.
                rx.cond(
                    Sharing.thread == Transcript.thread,
                    rx.fragment(_members(), rx.cond(may(Verb.SHARE), _invites())),
                ),
                class_name="mt-4 flex flex-col gap-5",
            ),
            on_close=Sharing.forget(),
        ),
        _hand_over(),
    )
