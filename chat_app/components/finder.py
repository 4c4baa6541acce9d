"""Finding a thread by its title: the sidebar's search, beyond the threads that are listed."""

from typing import Annotated

import reflex as rx
from pydantic import Field

from chat_app.services import services
from chat_app.state import SidebarRow, remote, sidebar_row_of, who_asks

Query = Annotated[str, Field(min_length=1, max_length=100)]


class Finder(rx.State):
    """The threads that the server has found for this tab's sidebar."""

    found: tuple[str, list[SidebarRow]] = ("", [])
    """The query, and the threads that match it."""

    @remote
    async def find(self, query: Query) -> None:
        """Find the threads whose titles match the query."""
        lines = await services().directory.find(await who_asks(self), query)
        async with self:
            self.found = (query, [sidebar_row_of(line) for line in lines])
