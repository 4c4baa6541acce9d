"""A really started server, and the model that answers in it."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import canary
from tests.support.scripted_model import ScriptedModelThread
from tests.support.server import Mode, Server, running_server


class Site:
    """A server and the model that answers in it."""

    def __init__(self, server: Server, model: ScriptedModelThread) -> None:
        self.server = server
        self.model = model

    @property
    def asked(self) -> int:
        """How many requests the model has had."""
        return len(self.model.requests)

    async def was_asked(self, times: int) -> None:
        """Wait until the model has had so many requests."""
        await asyncio.to_thread(self.model.received, times)

    async def has_let_go(self, number: int) -> None:
        """Wait until the server has left the request of this number, from 0, before its end."""
        await asyncio.to_thread(self.model.cancelled, number)

    async def has_said_all(self, number: int) -> None:
        """Wait until the model has played its script for the request of this number, from 0."""
        await asyncio.to_thread(self.model.finished, number)


@contextmanager
def running_site(directory: Path, mode: Mode, **variables: Any) -> Generator[Site]:
    """A server with a scripted model, for the time of the block; its key must not have got anywhere by its end."""
    with (
        ScriptedModelThread() as model,
        running_server(
            directory,
            mode,
            OPENAI_BASE_URL=model.base_url,
            OPENAI_API_KEY=canary.KEY,
            CHAT_LOG_LEVEL="debug",
            CHAT_SEED="false",
            **variables,
        ) as server,
    ):
        yield Site(server, model)
        assert canary.leaks(server, canary.MARK) == [], "the key got out in one of the tests"
