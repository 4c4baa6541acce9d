"""A server process without its page: the streaming core on a shared database, told what to do by the test.

The test talks to it in lines of JSON: a request has a number, and every answer to it bears that number.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Self

from chat_app.data.db import Database
from chat_app.data.models import Role
from chat_app.replies.llm import OpenAIModel, Turn
from chat_app.settings import PROJECT, Settings
from tests.support.core import Core
from tributary_streams import End, Finish, Piece, StreamId, Sweeper, follow, store

# --- the test's side --------------------------------------------------------------------------------------------------


class OtherProcess:
    """A running process, as the test sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._answers: dict[int, asyncio.Queue[Any]] = {}
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        database: Database,
        base_url: str,
        *,
        renew_every: float = 5.0,
        expiry: float = 30.0,
        sweep_every: float = 10.0,
    ) -> AsyncIterator[Self]:
        """A process at work on this database and this model's endpoint, from its first sweep until the block ends."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.leash", "-m", "tests.support.other_process"),
            *(database.url.render_as_string(hide_password=False), base_url),
            *map(str, (renew_every, expiry, sweep_every)),
            cwd=PROJECT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        other = cls(process)
        try:
            await other._ask("greet")
            yield other
        finally:
            other.kill()
            await process.wait()
            await other._listening

    def kill(self) -> None:
        """End it at once, with no chance to tidy up."""
        if self._process.returncode is None:
            self._process.kill()

    async def start(self, stream_id: StreamId, *, times: int = 1) -> list[bool]:
        """Let so many writers start the stream at the same moment; whether each wrote it, once all have ended."""
        return await self._ask("start", stream=stream_id, times=times)

    async def stop(self, stream_id: StreamId) -> None:
        """Ask from there that the stream be stopped."""
        await self._ask("stop", stream=stream_id)

    async def follow(self, stream_id: StreamId) -> AsyncIterator[Piece | End]:
        """What a follower there gets."""
        answers = self._send("follow", stream=stream_id)
        while (answer := await answers.get()) is not None:
            yield End(**answer) if "status" in answer else Piece(**answer)

    async def _ask(self, deed: str, **arguments: Any) -> Any:
        return await self._send(deed, **arguments).get()

    def _send(self, deed: str, **arguments: Any) -> asyncio.Queue[Any]:
        number = len(self._answers)
        self._answers[number] = asyncio.Queue()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"number": number, "deed": deed, **arguments}).encode() + b"\n")
        return self._answers[number]

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            answer = json.loads(line)
            self._answers[answer["number"]].put_nowait(answer["answer"])


# --- the process's side -----------------------------------------------------------------------------------------------


class _Worker:
    def __init__(self, database: Database, model: OpenAIModel, renew_every: float) -> None:
        self.core = Core(database, holder=str(os.getpid()), renew_every=renew_every)
        self._model = model
        self._starts: set[asyncio.Task[bool]] = set()

    async def answer(self, request: Mapping[str, Any]) -> None:
        stream_id = StreamId(request.get("stream", ""))
        match request["deed"]:
            case "greet":
                _say(request, "here")
            case "start":
                starts = (self.core.writer(stream_id, self._reply).run() for _ in range(request["times"]))
                _say(request, await asyncio.gather(*starts))
            case "stop":
                async with self.core.transactions.write() as session:
                    await store.request_stop(session, stream_id)
                _say(request, "done")
            case "follow":
                async for item in follow(self.core.tailer, stream_id):
                    _say(request, vars(item))
                _say(request, None)

    def begin(self, stream_id: StreamId) -> None:
        """Start a stream that the sweep has found."""
        start = asyncio.create_task(self.core.writer(stream_id, self._reply).run())
        self._starts.add(start)
        start.add_done_callback(self._starts.discard)

    async def _reply(self) -> AsyncIterator[str | Finish]:
        async with aclosing(self._model.reply([Turn(Role.USER, "go on")], "scripted")) as items:
            async for item in items:
                yield item


def _say(request: Mapping[str, Any], answer: Any) -> None:
    print(json.dumps({"number": request["number"], "answer": answer}), flush=True)


async def _work(url: str, base_url: str, renew_every: float, expiry: float, sweep_every: float) -> None:
    database = Database(url)
    settings = Settings(_env_file=None, openai_base_url=base_url)  # pyright: ignore[reportCallIssue]  # pydantic-settings' own argument
    worker = _Worker(database, OpenAIModel(settings), renew_every)
    core = worker.core
    database.take_part()
    sweeper = Sweeper(
        database,
        lambda: core.writers,
        start=worker.begin,
        on_commit=core.tailer.wake,
        is_alone=database.is_alone,
        expiry=expiry,
        every=sweep_every,
    )
    await sweeper.sweep()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with asyncio.TaskGroup() as group:
        for part in (core.flusher, core.tailer, sweeper):
            group.create_task(part.run())
        async for line in reader:
            group.create_task(worker.answer(json.loads(line)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("url", "base_url"):
        parser.add_argument(name)
    for name in ("renew_every", "expiry", "sweep_every"):
        parser.add_argument(name, type=float)
    asyncio.run(_work(**vars(parser.parse_args())))
