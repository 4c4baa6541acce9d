"""The home page: it redirects to the newest thread, or to a new one."""

from typing import Any

import reflex as rx

from chat_app.components import words
from chat_app.components.notices import notice
from chat_app.services import services
from chat_app.state import Viewer, address_of, by_page_load, tab_of, who_asks

ROUTE = "/"


class Home(rx.State):
    """Leads from `/` to a thread."""

    @by_page_load
    async def lead(self) -> Any:
        """Go to the newest thread. On an empty database, the seeded conversation begins."""
        thread_id = await services().threads.home(await who_asks(self), tab_of(self), address=address_of(self))
        return rx.redirect(f"/t/{thread_id}", replace=True)


def home() -> rx.Component:
    """What the page shows until the redirect to a thread."""
    return rx.el.main(
        rx.cond(Viewer.notice == "", rx.el.p(words.LOADING)),
        notice(),
        class_name="grid min-h-dvh place-items-center text-muted-foreground",
    )
