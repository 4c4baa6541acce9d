"""The account page: a person's name and colour, tokens for scripts, and signing out."""

import dataclasses
from typing import Annotated, Any

import reflex as rx
from pydantic import Field

from chat_app.components import layout, words
from chat_app.components.account import SHOWN_ONCE_ID, AccountActions, person, signing_out, tokens
from chat_app.components.notices import notice
from chat_app.components.sidebar import ACCOUNT
from chat_app.people.identity import Identity
from chat_app.people.tokens import TOKEN_ID
from chat_app.services import services
from chat_app.state import Transcript, Viewer, by_page_load, remote, show_signed_out, update_vars, who_asks

ROUTE = ACCOUNT

TokenName = Annotated[str, Field(max_length=1000)]
"""A token's name as a page may send it; `people.tokens` decides whether it is valid."""
PersonName = Annotated[str, Field(max_length=1000)]
"""A person's name as a page may send it; `people.names` decides whether it is valid."""
Hue = Annotated[str, Field(pattern=r"^[0-9]{1,3}$")]
"""A colour's degrees, as a form sends them."""
TokenId = Annotated[str, Field(pattern=rf"^{TOKEN_ID.pattern}$")]


@dataclasses.dataclass(frozen=True)
class TokenLine:
    """A token in the page's list; `seen` is when it was last used, in seconds since the epoch."""

    id: str
    name: str
    seen: int


class Account(rx.State):
    """What a person does on the account page. No var holds a token: it is sent once, to its field."""

    tokens: list[TokenLine] = []
    is_alone: bool = False
    """Whether this person has just signed out all other browsers."""

    @by_page_load
    async def show(self) -> None:
        """Show the person, their threads and their tokens; when their session ends, that they were signed out."""
        who = await who_asks(self)
        sidebar = await services().directory.rows(who)
        async with self:
            viewer = await self.get_state(Viewer)
            viewer._recognise(who)
            viewer._list(sidebar)
            update_vars(await self.get_state(Transcript), thread="")  # the sidebar marks no thread as the current one
        await self._refresh(who)
        if await services().endings.until_ended(who.session):
            async with self:
                update_vars(self, tokens=[], is_alone=False)
            await show_signed_out(self)

    @remote
    async def rename(self, name: PersonName, hue: Hue) -> None:
        """Change this person's name and colour."""
        who = await who_asks(self)
        await services().people.rename(who, name, int(hue))
        who = await who_asks(self)
        async with self:
            (await self.get_state(Viewer))._recognise(who)

    @remote
    async def make_token(self, name: TokenName) -> Any:
        """Make a token and show it, only once."""
        who = await who_asks(self)
        token = await services().people.add_token(who, name)
        await self._refresh(who)
        return rx.set_value(SHOWN_ONCE_ID, token)

    @remote
    async def revoke_token(self, token_id: TokenId) -> None:
        """End a token."""
        who = await who_asks(self)
        await services().people.revoke_token(who, token_id)
        await self._refresh(who)

    @remote
    async def sign_out_elsewhere(self) -> None:
        """End the sessions of all other browsers, and all tokens."""
        who = await who_asks(self)
        await services().people.sign_out(who, is_everywhere=False)
        await self._refresh(who, is_alone=True)

    @remote
    async def sign_out_everywhere(self) -> None:
        """End this browser's session too."""
        await services().people.sign_out(await who_asks(self), is_everywhere=True)
        async with self:
            update_vars(self, tokens=[], is_alone=False)
        await show_signed_out(self)

    async def _refresh(self, who: Identity, *, is_alone: bool = False) -> None:
        listed = await services().people.tokens(who)
        async with self:
            lines = [TokenLine(token.id, token.name, int(token.seen.timestamp())) for token in listed]
            update_vars(self, tokens=lines, is_alone=is_alone)
            update_vars(await self.get_state(Viewer), notice="")


def account() -> rx.Component:
    """The account page."""
    return layout.shell(
        words.YOUR_ACCOUNT,
        None,
        rx.el.div(
            person(on_rename=Account.rename),
            notice(),
            tokens(
                Account.tokens,
                AccountActions(on_make=Account.make_token, on_revoke=Account.revoke_token),
            ),
            signing_out(Account.is_alone, on_others=Account.sign_out_elsewhere, on_all=Account.sign_out_everywhere),
            class_name="min-h-0 flex-1 overflow-y-auto px-4 py-6 md:px-6",
        ),
    )
