"""People: those who take part, with their names, sessions and tokens."""

from sqlalchemy.exc import IntegrityError

from chat_app.data.changes import Changes
from chat_app.data.db import Database
from chat_app.people import identity, names, tokens
from chat_app.people.identity import Identity
from chat_app.people.limits import Rates
from chat_app.people.tokens import TokenView
from chat_app.refusals import NameRefused

FIRST_TOKEN = "First token"  # noqa: S105  # its name
"""Name of the token with which a guest without a browser begins."""


class People:
    """Everybody who takes part in this server's threads."""

    def __init__(self, database: Database, changes: Changes, rates: Rates) -> None:
        """`rates` limits how often people may begin, and change their names."""
        self._database = database
        self._changes = changes
        self._rates = rates

    async def recognise(self, cookie_header: str, authorization: str = "") -> Identity:
        """The person behind the headers of a request or a handshake; nothing else decides who somebody is.

        Raises:
            SignedOut: their session was ended.
            NotRecognised: there is no cookie and no token, or not a valid one.
        """
        return await identity.recognise(self._database, cookie_header, authorization)

    async def has_ended(self, cookie_header: str) -> bool:
        """Whether the cookie can never identify anybody, mostly because its session was ended: it must be replaced."""
        return await identity.has_ended(self._database, cookie_header)

    async def new_guest(self, name: str | None, *, address: str = "") -> tuple[Identity, str]:
        """Add a person with this name or a made-up one; return them and a bearer token, which is shown only this once.

        Raises:
            NameRefused: somebody has the name, or it cannot be one.
            TooMuch: a rate limit is reached.
        """
        await self._rates.guest(address)
        try:
            async with self._database.write() as session:
                user_id = await names.add_guest(session, name)
                token = await tokens.add_token(session, user_id, FIRST_TOKEN)
        except IntegrityError:  # somebody took it at the same moment
            raise NameRefused(names.TAKEN) from None
        return await self.recognise("", f"Bearer {token}"), token

    async def rename(self, who: Identity, name: str, hue: int) -> None:
        """Give this person a new name and colour, a hue in degrees; every page that shows them is updated.

        Raises:
            NameRefused: somebody else has the name, or it cannot be one.
            TooMuch: a rate limit is reached.
        """
        await self._rates.rename(who.user_id)
        try:
            async with self._changes.write() as session:
                await names.rename(session, who.user_id, name, hue)
        except IntegrityError:  # somebody took it at the same moment
            raise NameRefused(names.TAKEN) from None

    async def tokens(self, who: Identity) -> list[TokenView]:
        """This person's bearer tokens."""
        async with self._database.read() as session:
            return await tokens.tokens(session, who.user_id)

    async def add_token(self, who: Identity, name: str) -> str:
        """Make a bearer token for this person; it is shown only this once.

        Raises:
            TokenRefused: the name is blank or too long, or there are too many tokens.
        """
        async with self._database.write() as session:
            return await tokens.add_token(session, who.user_id, name)

    async def revoke_token(self, who: Identity, token_id: str) -> bool:
        """End one of this person's tokens; return whether there was one."""
        async with self._changes.write() as session:
            return await tokens.revoke_token(session, who.user_id, token_id)

    async def sign_out(self, who: Identity, *, is_everywhere: bool) -> None:
        """End this person's other sessions, tokens included; with `is_everywhere` also the one of this request."""
        async with self._changes.write() as session:
            await identity.sign_out(session, who.user_id, keep="" if is_everywhere else who.session)
