"""Background tasks: each has an owner, and its failure is logged because nobody awaits it."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from typing import Any

logger = logging.getLogger(__name__)


class Tasks:
    """The running tasks of one owner."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        return iter(tuple(self._running))

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Start a task; the log uses `name` if it fails."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(report)

    def cancel(self) -> None:
        """Cancel all running tasks. One that is already being cancelled is left to finish its clean-up."""
        for task in self:
            if not task.cancelling():
                task.cancel()

    async def ended(self) -> None:
        """Wait until no task runs, however each ends; also for tasks that are started meanwhile."""
        while self._running:
            await asyncio.wait(self._running)


def report(task: asyncio.Task[Any]) -> None:
    """Log the error of a task that failed; for `add_done_callback`."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("%s failed", task.get_name(), exc_info=error)
