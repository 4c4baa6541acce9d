"""Finding a thread by its title: the sidebar's search, beyond the threads that are listed."""

from typing import Annotated

import reflex as rx
from pydantic import Field

from chat_app.services import services
from chat_app.state import Viewer, remote, sidebar_row_of, who_asks

Query = Annotated[str, Field(min_length=1, max_length=100)]


class Finder(rx.State):
    """Finds threads for this tab's sidebar."""

    @remote
    async def find(self, query: Query) -> None:
        """Find the threads whose titles match the query."""
        found = await services().directory.find(await who_asks(self), query)
        async with self:
            (await self.get_state(Viewer)).found = (query, [sidebar_row_of(thread) for thread in found])
