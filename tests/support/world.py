"""A running server without its page, and tabs on it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

from chat_app.data.db import Database
from chat_app.live import pace
from chat_app.live.tabs import Tab, TabUpdate
from chat_app.people.identity import Identity
from chat_app.services import Services
from chat_app.settings import Settings
from tests.support.core import cancelled
from tests.support.model import FakeModel, Screen

WITHIN = 30
"""Seconds after which a wait has failed."""


def settings(**values: Any) -> Settings:
    """Settings of a test: nothing from a file, and no demo model."""
    return Settings(_env_file=None, **{"openai_api_key": "sk-test"} | values)  # pyright: ignore[reportCallIssue]  # pydantic-settings' own argument


class OpenTab:
    """A tab whose updates are shown on a screen as they come."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.screen = Screen()
        self.told: list[TabUpdate] = []
        self.is_congested = False
        self.may_advance = asyncio.Event()
        """Clear it to let the tab's loop stand, as behind a state that is busy."""
        self.may_advance.set()
        self._stands = asyncio.Event()
        self._news = asyncio.Event()

    async def run(self) -> None:
        async for update in self.tab.updates(is_congested=self._looks_congested):
            self.screen.updates += 1
            self.told.append(update)
            self.screen.take_in(update)
            self.screen.show(update.frames)
            self.screen.is_gone = update.is_gone
            self.screen.is_signed_out = update.is_signed_out
            if update.may is not None:
                self.screen.may = update.may
            if update.sidebar is not None or update.sidebar_changes:
                self.screen.list(update.sidebar, update.sidebar_changes)
            self.screen.people |= update.people
            if update.crowd is not None:
                self.screen.crowd = update.crowd
            if update.crowd is not None or update.sidebar_changes:
                self.screen.marked_at.append(asyncio.get_running_loop().time())
            if update.read_up_to is not None:
                self.screen.read_up_to = update.read_up_to
            if update.is_unsaved is not None:
                self.screen.is_unsaved = update.is_unsaved
            self.screen.gone |= {message.id for message in update.messages if message.is_deleted}
            for message in update.messages:
                self.screen.reasons[message.name] = message.reason
                self.screen.statuses[message.name] = message.status.value if message.status else ""
                if message.status and message.status.is_terminal:
                    # Whoever is told the end has all the text by then.
                    assert len(self.screen.texts.get(message.name, "")) == message.length
            self._news.set()
            await self.may_advance.wait()

    async def stand(self) -> None:
        """Let its socket stand, and wait until the tab has seen that: nothing is on its way any more."""
        self._stands.clear()
        self.is_congested = True
        self.tab._woken.set()
        async with asyncio.timeout(WITHIN):
            await self._stands.wait()

    def _looks_congested(self) -> bool:
        if self.is_congested:
            self._stands.set()
        return self.is_congested

    async def until(self, name: str, text: str | None = None, status: str | None = None) -> None:
        """Wait until the screen shows this text and this status."""
        await self.until_screen(
            lambda screen: (
                (text is None or screen.texts.get(name) == text)
                and (status is None or screen.statuses.get(name) == status)
            )
        )

    async def until_screen(self, is_so: Callable[[Screen], bool]) -> None:
        """Wait until something is so of the screen."""
        async with asyncio.timeout(WITHIN):
            while not is_so(self.screen):
                self._news.clear()
                await self._news.wait()


class World:
    """A running server without its page."""

    def __init__(self, services: Services, model: FakeModel, database: Database) -> None:
        self.services = services
        self.model = model
        self.database = database

    @asynccontextmanager
    async def tab(self, token: str, who: Identity, thread_id: str) -> AsyncIterator[OpenTab]:
        """An open tab; what it was sent is on its screen."""
        with self.services.tabs.open(token, who, thread_id) as tab:
            opened = OpenTab(tab)
            running = asyncio.create_task(opened.run())
            try:
                yield opened
            finally:
                await cancelled(running)
                if not running.cancelled() and (error := running.exception()) is not None:
                    raise error

    async def written(self) -> None:
        """Wait until no reply is under way."""
        await self.services._writers.written()

    async def cleared(self) -> None:
        """Remove what was deleted now, though it might still be undone, and wait until it has left no rows."""
        await self.services._retention.clear()

    async def ask(self, who: Identity, thread_id: str, token: str, text: str = "@gpt hi") -> str:
        """Post and return the name of the reply's text."""
        posted = await self.services.messages.post(who, thread_id, text, nonce=f"{token} {text}", tab=token)
        return f"{posted.message_id + 1}.1"


@asynccontextmanager
async def running_world(database: Database, **values: Any) -> AsyncIterator[World]:
    """Services at work on a database, with these settings and a fake model; people may write as fast as tests do.

    Tabs are told as often on a busy machine as on an idle one: a test waits for each step that is sent.
    """
    model, of_tests = FakeModel(), settings(**{"chat_messages_per_minute": 0} | values)
    with patch.multiple(pace, DRIVER_WAITS=pace.FRAME_EVERY, FOLLOWER_WAITS=pace.FRAME_EVERY):
        async with Services(of_tests, database, model).running() as services:
            yield World(services, model, database)
