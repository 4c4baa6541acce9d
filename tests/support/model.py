"""A model for tests of what stands between it and the page: it says what the test tells it to, when the test does."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence, Set

from chat_app.live.directory import SidebarThread
from chat_app.live.presence import Crowd
from chat_app.live.tabs import TabUpdate
from chat_app.replies.llm import OnWait, Turn
from chat_app.threads.access import Verb
from tests.support.core import HandFed
from tributary_streams import Finish

WITHIN = 30
"""Seconds after which a wait has failed."""


class FakeModel:
    """Answers each request with the next source in line; remembers what it was asked."""

    name = "fake"

    def __init__(self) -> None:
        self.asked: list[list[Turn]] = []
        self.sources: list[HandFed] = []
        self.models: list[str] = []
        """Which model each request was for; "" is its own."""
        self.on_wait: list[OnWait] = []
        """What each request wants to be told with why it does not begin."""
        self._waiting = asyncio.Event()

    def source(self, number: int) -> HandFed:
        """What answers the request of this number, from 0."""
        while len(self.sources) <= number:
            self.sources.append(HandFed())
        return self.sources[number]

    async def was_asked(self, times: int) -> None:
        """Wait for that many requests."""
        async with asyncio.timeout(WITHIN):
            while len(self.asked) < times:
                self._waiting.clear()
                await self._waiting.wait()

    async def reply(
        self, turns: Sequence[Turn], model: str, *, on_wait: OnWait = lambda _: None
    ) -> AsyncGenerator[str | Finish]:
        self.asked.append(list(turns))
        self.models.append(model)
        self.on_wait.append(on_wait)
        self._waiting.set()
        items = self.source(len(self.asked) - 1)()
        try:
            async for item in items:
                yield item
        finally:
            await items.aclose()  # pyright: ignore[reportAttributeAccessIssue]  # an async generator


class Screen:
    """What a tab shows, put together from its updates as the page would."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.statuses: dict[str, str] = {}
        self.reasons: dict[str, str] = {}
        self.rows: list[int] = []
        """The messages that are listed, oldest first."""
        self.has_earlier = False
        self.gone: set[int] = set()
        self.is_gone = False
        self.is_signed_out = False
        self.may: Set[Verb] = frozenset()
        self.sidebar: dict[str, SidebarThread] = {}
        self.directories: list[list[tuple[str, str]]] = [[]]
        """Each list of threads that was shown, in order."""
        self.people: dict[int, tuple[str, int]] = {}
        self.read_up_to = 0
        self.crowd = Crowd()
        self.marked_at: list[float] = []
        """When an update with marks came, by the loop's clock."""
        self.is_unsaved = False
        self.updates = 0
        self.frames = 0
        self.steps: dict[str, list[str]] = {}

    @property
    def directory(self) -> list[tuple[str, str]]:
        """The list of threads that is shown."""
        return self.directories[-1]

    def take_in(self, update: TabUpdate) -> None:
        """List the messages of an update, as `row_store.js` does."""
        listed = set() if update.is_page else set(self.rows)
        first = min(self.rows, default=0)
        for message in update.messages:
            if message.is_deleted:
                listed.discard(message.id)
            elif update.is_page or not self.has_earlier or message.id >= first:
                listed.add(message.id)
        listed |= {message.id for message in update.earlier or ()}
        if update.is_page or update.earlier is not None:
            self.has_earlier = update.has_earlier
        self.rows = sorted(listed)

    def list(self, rows: Sequence[SidebarThread] | None, changes: Mapping[str, SidebarThread | None]) -> None:
        """Show another list of threads, or what has changed of the one that is shown."""
        if rows is not None:
            self.sidebar = {row.id: row for row in rows}
        for thread_id, row in changes.items():
            self.sidebar.pop(thread_id, None)
            if row is not None:
                self.sidebar[thread_id] = row
        latest = sorted(self.sidebar.values(), key=lambda row: -row.active)
        self.directories.append([(row.id, row.title) for row in latest])

    def show(self, frames: Sequence[tuple[str, int, str]]) -> None:
        """Apply frames; one that leaves a gap or changes what is shown is an error."""
        for name, offset, text in frames:
            shown = self.texts.get(name, "")
            assert offset <= len(shown), f"a gap in {name} at {offset}"
            assert shown[offset : offset + len(text)] == text[: max(0, len(shown) - offset)], f"{name} changed"
            self.texts[name] = shown + text[len(shown) - offset :]
            self.steps.setdefault(name, []).append(text)
            self.frames += 1
