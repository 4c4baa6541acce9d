"""An event loop whose time jumps: when nothing is ready, it is at once the moment of the next timer.

Hours pass in milliseconds and the same program runs the same way each time. Nothing outside of the loop can wake it,
so threads and sockets have no place in it.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

STEP = 1e-6
"""Seconds that each pass of the loop takes: a timer that fires a rounding error early finds its moment in the end."""
SPINNING = 50_000
"""Passes without a wait after which the program is taken to turn in circles."""


class NothingWillHappen(Exception):
    """The loop waits, and there is no timer and nothing ready: the program hangs."""


class TurnsInCircles(Exception):
    """The loop is busy without an end, and no time passes."""


class _Jump(selectors.SelectSelector):
    now = 0.0
    _passes = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise NothingWillHappen
        self._passes = 0 if timeout > STEP else self._passes + 1
        if self._passes > SPINNING:
            raise TurnsInCircles
        self.now += max(timeout, 0) + STEP
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Remembers all its tasks and what it was told of errors that nobody saw."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self.tasks: list[asyncio.Task[Any]] = []
        self.unseen: list[str] = []
        self.set_task_factory(self._remembered)
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._jump.now

    def unseen_errors(self) -> list[str]:
        """Errors of tasks that have ended and that nobody has asked for."""
        # The flag that makes asyncio complain when such a task is collected; this asks without waiting for that.
        ignored = [task for task in self.tasks if task.done() and task._log_traceback]  # pyright: ignore[reportAttributeAccessIssue]
        return [*self.unseen, *(f"{task.get_name()}: {task.exception()!r}" for task in ignored)]

    def _remembered(self, loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **more)
        self.tasks.append(task)
        return task

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.unseen.append(f"{context.get('message')}: {context.get('exception')!r}")


def run_in_virtual_time(main: Callable[[VirtualTimeLoop], Coroutine[Any, Any, None]]) -> None:
    """Run `main` to its end in a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualTimeLoop)
        runner.run(main(loop))
