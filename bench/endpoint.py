"""The scripted model in a process of its own, so that what it costs is not the server's; it tells when it said what."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import overload

from bench.replies import Reply, ordered
from tests.support.scripted_model import Request, Say, Script, ScriptedModel, Step, reference_or_short
from tests.support.server import PROJECT

LINE = 64 * 1024 * 1024
"""Bytes that one line of the process may have: the times of a long reply."""


@dataclass(frozen=True)
class Said:
    """When the model was asked for a reply, and when it had sent each delta; seconds since the epoch."""

    asked: float
    deltas: Sequence[float]


class Endpoint:
    """The running process, as the bench sees it."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._said: dict[str, Said] = {}
        self._news = asyncio.Condition()

    async def said(self, reply: Reply, within: float = 60.0) -> Said:
        """Wait until a reply was said to its end, and return when.

        Raises:
            TimeoutError: it was not within so many seconds.
        """
        async with asyncio.timeout(within), self._news:
            await self._news.wait_for(lambda: reply.key in self._said)
        return self._said.pop(reply.key)

    async def listen(self, lines: asyncio.StreamReader) -> None:
        """Take in what the process tells, until it ends."""
        async for line in lines:
            key, asked, deltas = json.loads(line)
            async with self._news:
                self._said[key] = Said(asked, deltas)
                self._news.notify_all()


@asynccontextmanager
async def running_endpoint() -> AsyncGenerator[Endpoint]:
    """Start the process for the time of the block."""
    command = (sys.executable, "-m", "bench.endpoint")
    process = await asyncio.create_subprocess_exec(
        *command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=LINE
    )
    assert process.stdout is not None
    endpoint = Endpoint((await process.stdout.readline()).decode().strip())
    listener = asyncio.create_task(endpoint.listen(process.stdout))
    try:
        yield endpoint
    finally:
        process.terminate()
        await process.wait()
        await listener


class _Noted(Sequence[Step]):
    """A reply's deltas, which note when each has been sent: the endpoint asks for the next one at once."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._pieces = reply.pieces
        self._asked = time.time()
        self._is_told = False

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return self._pieces[index]

    def __len__(self) -> int:
        return len(self._pieces)

    def __iter__(self) -> Iterator[str]:
        times: list[float] = []
        for piece in self._pieces:
            yield piece
            times.append(time.time())
        if not self._is_told:  # they are counted once more at the end
            self._is_told = True
            print(json.dumps([self._reply.key, self._asked, times]), flush=True)


def _choose(request: Request) -> Script:
    reply = ordered(request.last_text)
    if reply is None:
        return reference_or_short(request)
    return Say(_Noted(reply), pace=1 / reply.rate if reply.rate else None)


async def _serve() -> None:
    async with ScriptedModel(_choose) as model:
        print(model.base_url, flush=True)
        # Until whoever started it is gone.
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
