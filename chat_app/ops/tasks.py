"""Tasks that run beside whoever began them: they have an owner, and a failure is logged where nobody awaits it."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from typing import Any

logger = logging.getLogger(__name__)


class Tasks:
    """The tasks of one owner, each until it has ended."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        return iter(tuple(self._running))

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Begin a task; `name` says in the log what has failed."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(report)

    def cancel(self) -> None:
        """Ask all that run to end; who was asked already is not asked again, for that would cost it its last words."""
        for task in self:
            if not task.cancelling():
                task.cancel()

    async def ended(self) -> None:
        """Wait until none runs, however each ends; those that begin meanwhile are waited for too."""
        while self._running:
            await asyncio.wait(self._running)


def report(task: asyncio.Task[Any]) -> None:
    """Log how a task failed, if it did; for `add_done_callback`."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("%s failed", task.get_name(), exc_info=error)
