"""A scripted OpenAI endpoint: real HTTP on a loopback port, and every way in which a model's endpoint can misbehave.

Written on a bare protocol and not on a web framework, so that it can also break HTTP: drop a connection in mid-stream,
cut a character in two, answer with nothing at all.

    async with ScriptedModel() as model:
        model.enqueue(Say(["Half a ", Hold(), "sentence."]))
        ...                                  # let the app ask the endpoint at model.base_url
        await model.held(1)                  # "Half a " is on its way
        model.release()
        await model.finished(0)
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import struct
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self, cast

# --- steps within a reply ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hold:
    """Wait until the test calls `release`; each release lets one hold go."""


@dataclass(frozen=True)
class Hang:
    """Say nothing more, for ever."""


@dataclass(frozen=True)
class KeepAlives:
    """Send comments only: `count` of them, or for ever, every so many seconds."""

    count: int | None = None
    every: float = 0.01


@dataclass(frozen=True)
class Drop:
    """Close the connection without ending the reply; as a script of its own, without beginning it."""

    is_reset: bool = False


@dataclass(frozen=True)
class Raw:
    """Send these bytes as they are."""

    data: bytes


@dataclass(frozen=True)
class Event:
    """Send an event with this JSON and nothing else in it."""

    data: object


@dataclass(frozen=True)
class Delta:
    """Send a chunk whose one choice has this delta."""

    delta: object


def refusal(text: str) -> Delta:
    """A piece of a refusal, in place of content."""
    return Delta({"refusal": text})


def reasoning(text: str) -> Delta:
    """A piece of reasoning, as DeepSeek and vLLM send it beside the content."""
    return Delta({"reasoning_content": text})


EMPTY_CHOICES = Event({"object": "chat.completion.chunk", "choices": []})
NULL_CHOICES = Event({"object": "chat.completion.chunk", "choices": None})
USAGE_ONLY = Event(
    {
        "object": "chat.completion.chunk",
        "choices": [],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
)
NULL_DELTA = Delta(None)
NULL_CONTENT = Delta({"content": None})
ERROR_EVENT = Raw(b'event: error\ndata: {"error": {"message": "upstream failed", "type": "server_error"}}\n\n')
BARE_ERROR_EVENT = Raw(b'event: error\ndata: {"message": "upstream failed"}\n\n')
BAD_JSON = Raw(b'data: {"choices": [{"delta": {"content": "half\n\n')
BAD_UTF8 = Raw(b'data: {"choices": [{"index": 0, "delta": {"content": "\xff\xfe"}}]}\n\n')
HALF_AN_EVENT = Raw(b'data: {"choices": [{"index": 0, "delta": {"con')
SURROGATE_HALVES = ("\ud83d", "\ude00")
"""One emoji as two deltas, each with half of it as a JSON escape."""

Step = str | Hold | Hang | KeepAlives | Drop | Raw | Event | Delta

# --- scripts, one for each request ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Say:
    """A reply of deltas, with other steps among them.

    pace: seconds from one delta to the next, or None for as fast as can be. finish: the finish_reason, or None to end
    without one. usage: whether a usage chunk follows, if it was asked for. ends: whether `data: [DONE]` is sent.
    split_bytes: cut what is sent at every so many bytes, so that characters fall over network frames.
    """

    deltas: Sequence[Step]
    pace: float | None = None
    finish: str | None = "stop"
    usage: bool = True
    ends: bool = True
    split_bytes: int | None = None

    @property
    def text(self) -> str:
        return "".join(delta for delta in self.deltas if isinstance(delta, str))


@dataclass(frozen=True)
class Status:
    """An answer that is not a reply."""

    code: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Garbage:
    """A 200 that says it is an event stream, and is these bytes."""

    data: bytes


@dataclass(frozen=True)
class Html:
    """A 200 that is a web page, as proxies and sign-in walls send it."""

    page: str = "<!doctype html><title>Sign in</title><h1>Sign in</h1>"


@dataclass(frozen=True)
class Silence:
    """Take the request and never answer, not even with a status."""


Script = Say | Status | Garbage | Html | Silence | Drop


def refused(code: int, message: str, error: str, headers: Mapping[str, str] | None = None) -> Status:
    """An error in OpenAI's shape; `error` is its code."""
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": error}}
    return Status(code, body, headers or {})


BAD_KEY = refused(401, "Incorrect API key provided: sk-secret. See http://internal.example.", "invalid_api_key")
UNKNOWN_MODEL = refused(404, "The model `x` does not exist or you do not have access to it.", "model_not_found")
TOO_LONG = refused(400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded")
NO_QUOTA = refused(429, "You exceeded your current quota.", "insufficient_quota")
SERVER_ERROR = refused(500, "The server had an error while processing your request.", "server_error")


def too_many(retry_after: float) -> Status:
    """A rate limit that asks to wait so many seconds."""
    return refused(429, "Rate limit reached.", "rate_limit_exceeded", {"Retry-After": f"{retry_after:g}"})


# --- what it says unless told -----------------------------------------------------------------------------------------

_WORDS = (
    "the river carries every word from the source to the sea and nobody on the bank has to wait for the others because"
)


def _sentence(number: int) -> str:
    words = _WORDS.split()
    turned = " ".join([*words[number % len(words) :], *words])
    return f"{f'Sentence {number} tells that {turned} {_WORDS}'[:197].rstrip():x<198}. "


REFERENCE_TEXT = "".join(_sentence(number) for number in range(1, 41)).rstrip().removesuffix(".") + "s."
"""8,000 characters in 40 sentences."""
REFERENCE_DELTAS = tuple(REFERENCE_TEXT[at : at + 4] for at in range(0, len(REFERENCE_TEXT), 4))
"""The reference reply: 2,000 deltas of 4 characters."""
SHORT_DELTAS = ("This ", "is a ", "short ", "reply. ", "It has ", "two ", "sentences.")


@dataclass(frozen=True)
class Request:
    """What the endpoint was asked; header names are in lower case."""

    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def last_text(self) -> str:
        """The text of the last message."""
        messages: Sequence[Mapping[str, Any]] = self.body.get("messages") or [{}]
        return str(messages[-1].get("content") or "")


def reference_or_short(request: Request) -> Script:
    """The reference reply at 100 deltas a second to a message with the word "reference", else a short one."""
    return Say(REFERENCE_DELTAS, pace=0.01) if "reference" in request.last_text.lower() else Say(SHORT_DELTAS)


# --- the endpoint -----------------------------------------------------------------------------------------------------


class Outcome(Enum):
    """How an exchange ended: by its script, or by the client, who left before that."""

    FINISHED = "finished"
    CANCELLED = "cancelled"


class ScriptedModel:
    """An endpoint that answers each request by the next script in its queue, or as `choose` says if that is empty."""

    def __init__(self, choose: Callable[[Request], Script] = reference_or_short) -> None:
        self.requests: list[Request] = []
        self._choose = choose
        self._scripts: deque[Script] = deque()
        self._outcomes: list[asyncio.Future[Outcome]] = []
        self._held = 0
        self._released = 0
        self._changed = asyncio.Event()
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.transport.abort()
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        for error in ended:
            if isinstance(error, Exception):
                raise error

    def enqueue(self, *scripts: Script) -> None:
        """Answer the next requests by these."""
        self._scripts.extend(scripts)

    def release(self, holds: int = 1) -> None:
        """Let so many holds go; one that is not reached yet will not stop."""
        self._released += holds
        self._tell()

    async def received(self, count: int = 1) -> None:
        """Wait until so many requests came."""
        await self._until(lambda: len(self.requests) >= count)

    async def held(self, count: int = 1) -> None:
        """Wait until so many holds were reached, released or not: all before them has been sent."""
        await self._until(lambda: self._held >= count)

    async def cancelled(self, index: int) -> None:
        """Wait until the client of a request leaves. Raises AssertionError if all of its script was played."""
        assert await self._outcome(index) is Outcome.CANCELLED, f"request {index} was answered to its end"

    async def finished(self, index: int) -> None:
        """Wait until all of a request's script was played. Raises AssertionError if its client left before."""
        assert await self._outcome(index) is Outcome.FINISHED, f"the client of request {index} left"

    async def _outcome(self, index: int) -> Outcome:
        await self.received(index + 1)
        return await asyncio.shield(self._outcomes[index])

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            await self._changed.wait()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def connected(self, connection: _Connection) -> asyncio.Task[None]:
        """Serve a new connection."""
        self._connections.add(connection)
        task = asyncio.create_task(self._serve(connection))
        self._tasks.add(task)
        # A task that failed stays, to fail the test at the end.
        task.add_done_callback(lambda task: task.cancelled() or task.exception() or self._tasks.discard(task))
        return task

    def disconnected(self, connection: _Connection) -> None:
        """Forget a connection that is gone."""
        self._connections.discard(connection)

    async def _serve(self, connection: _Connection) -> None:
        try:
            while not connection.transport.is_closing():
                path, request = await connection.request()
                if path.endswith("/chat/completions"):
                    await self._answer(request, connection)
                else:
                    connection.answer(Status(200, {"object": "list", "data": [{"id": "scripted", "object": "model"}]}))
        finally:
            connection.transport.close()

    async def _answer(self, request: Request, connection: _Connection) -> None:
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        script = self._scripts.popleft() if self._scripts else self._choose(request)
        self.requests.append(request)
        self._outcomes.append(outcome)
        self._tell()
        try:
            await self._play(script, request, connection)
        except asyncio.CancelledError:
            outcome.set_result(Outcome.CANCELLED)
            raise
        outcome.set_result(Outcome.FINISHED)

    async def _play(self, script: Script, request: Request, connection: _Connection) -> None:
        match script:
            case Say() if request.body.get("stream"):
                await self._say(script, request, connection)
            case Say():
                message = {"role": "assistant", "content": script.text}
                choice = {"index": 0, "message": message, "finish_reason": script.finish}
                usage = {"usage": _usage(script)} if script.usage else {}
                connection.answer(Status(200, {"object": "chat.completion", "choices": [choice]} | usage))
            case Status():
                connection.answer(script)
            case Garbage():
                connection.answer(Status(200, script.data, {"Content-Type": "text/event-stream"}))
            case Html():
                connection.answer(Status(200, script.page.encode(), {"Content-Type": "text/html"}))
            case Silence():
                await asyncio.Event().wait()
            case Drop():
                connection.drop(script)

    async def _say(self, script: Say, request: Request, connection: _Connection) -> None:
        stream = _Stream(connection, f"chatcmpl-scripted-{len(self.requests)}", script.pace, script.split_bytes)
        stream.begin()
        for step in script.deltas:
            await self._take(step, stream)
            if connection.transport.is_closing():
                return
        if script.finish is not None:
            stream.delta({}, script.finish)
        options: Mapping[str, Any] = request.body.get("stream_options") or {}
        if script.usage and options.get("include_usage"):
            stream.event({"object": "chat.completion.chunk", "choices": [], "usage": _usage(script)})
        if script.ends:
            stream.send(b"data: [DONE]\n\n")
        stream.end()

    async def _take(self, step: Step, stream: _Stream) -> None:
        match step:
            case str():
                await stream.pause()
                stream.delta({"content": step})
            case Hold():
                self._held += 1
                turn = self._held
                self._tell()
                await self._until(lambda: self._released >= turn)
            case Hang():
                await asyncio.Event().wait()
            case KeepAlives():
                for _ in range(step.count) if step.count is not None else itertools.count():
                    stream.send(b": keepalive\n\n")
                    await asyncio.sleep(step.every)
            case Drop():
                stream.connection.drop(step)
            case Raw():
                stream.send(step.data)
            case Event():
                stream.event(step.data)
            case Delta():
                stream.delta(step.delta)


def _usage(script: Say) -> dict[str, int]:
    said = sum(isinstance(step, str) for step in script.deltas)
    return {"prompt_tokens": 7, "completion_tokens": said, "total_tokens": 7 + said}


class _Connection(asyncio.Protocol):
    """One client's connection: reads requests, and ends its task when the client is gone."""

    transport: asyncio.Transport

    def __init__(self, model: ScriptedModel) -> None:
        self._model = model
        self._data = bytearray()
        self._came = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._task = self._model.connected(self)

    def data_received(self, data: bytes) -> None:
        self._data += data
        self._came.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._task.cancel()
        self._model.disconnected(self)

    async def request(self) -> tuple[str, Request]:
        """The next request: its path, and what it asks."""
        end = b"\r\n\r\n"
        head = await self._read(lambda: self._data.find(end) + len(end) if end in self._data else None)
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        body = await self._read(lambda: length if len(self._data) >= length else None)
        return first.split(" ")[1], Request(headers, json.loads(body or b"{}"))

    async def _read(self, size: Callable[[], int | None]) -> bytes:
        while (count := size()) is None:
            self._came.clear()
            await self._came.wait()
        data = bytes(self._data[:count])
        del self._data[:count]
        return data

    def head(self, code: int, headers: Mapping[str, str]) -> None:
        """Send the status line and headers."""
        lines = [f"HTTP/1.1 {code} Scripted", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.transport.write("\r\n".join(lines).encode("latin-1"))

    def answer(self, status: Status) -> None:
        """Send a whole answer."""
        body = status.body if isinstance(status.body, bytes) else json.dumps(status.body).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        self.head(status.code, headers | dict(status.headers))
        self.transport.write(body)

    def drop(self, how: Drop) -> None:
        """Close at once; what was sent is still delivered, unless it is a reset."""
        if how.is_reset:
            connected = cast("socket.socket", self.transport.get_extra_info("socket"))
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        self.transport.close()


class _Stream:
    """An answer of server-sent events, in chunks of HTTP."""

    def __init__(self, connection: _Connection, name: str, pace: float | None, split_bytes: int | None) -> None:
        self.connection = connection
        self._name = name
        self._pace = pace or 0
        self._split_bytes = split_bytes
        self._due = 0.0

    def begin(self) -> None:
        """Send the headers and the chunk that names the role."""
        self.connection.head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        self.delta({"role": "assistant", "content": ""})

    async def pause(self) -> None:
        """Wait until the next delta is due; after a standstill its time starts anew."""
        now = asyncio.get_running_loop().time()
        self._due = self._due + self._pace if self._due + 10 * self._pace > now else now + self._pace
        await asyncio.sleep(max(0, self._due - now))

    def delta(self, delta: object, finish_reason: str | None = None) -> None:
        """Send a chunk with one choice."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        self.event({"object": "chat.completion.chunk", "choices": [choice]})

    def event(self, data: object) -> None:
        """Send JSON as an event."""
        if isinstance(data, dict):
            data = {"id": self._name, "created": 1_735_689_600, "model": "scripted"} | cast("dict[str, object]", data)
        try:
            line = json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # half a surrogate pair, which only an escape can carry
            line = json.dumps(data).encode()
        self.send(b"data: " + line + b"\n\n")

    def send(self, data: bytes) -> None:
        """Send bytes."""
        size = self._split_bytes or len(data)
        for at in range(0, len(data), size):
            part = data[at : at + size]
            self.connection.transport.write(b"%x\r\n%b\r\n" % (len(part), part))

    def end(self) -> None:
        """End the answer, so that the connection can be used again."""
        self.connection.transport.write(b"0\r\n\r\n")


class ScriptedModelThread:
    """A ScriptedModel with a thread and a loop of its own, for tests without a loop.

    Its methods are those of ScriptedModel; they may be called from any thread and wait `patience` seconds at most.
    """

    def __init__(self, choose: Callable[[Request], Script] = reference_or_short, patience: float = 30) -> None:
        self._choose = choose
        self._patience = patience
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="scripted model")

    def __enter__(self) -> Self:
        ready: Future[ScriptedModel] = Future()
        self._ended = self._executor.submit(lambda: asyncio.run(self._run(ready)))
        self._model = ready.result(self._patience)
        self.base_url = self._model.base_url
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._is_over.set)
        self._executor.shutdown()
        self._ended.result()

    async def _run(self, ready: Future[ScriptedModel]) -> None:
        self._loop = asyncio.get_running_loop()
        self._is_over = asyncio.Event()
        async with ScriptedModel(self._choose) as model:
            ready.set_result(model)
            await self._is_over.wait()

    @property
    def requests(self) -> list[Request]:
        """The requests so far."""
        return list(self._model.requests)

    def enqueue(self, *scripts: Script) -> None:
        """Answer the next requests by these."""
        self._loop.call_soon_threadsafe(self._model.enqueue, *scripts)

    def release(self, holds: int = 1) -> None:
        """Let so many holds go; one that is not reached yet will not stop."""
        self._loop.call_soon_threadsafe(self._model.release, holds)

    def received(self, count: int = 1) -> None:
        """Wait until so many requests came."""
        self._wait(self._model.received(count))

    def held(self, count: int = 1) -> None:
        """Wait until so many holds were reached."""
        self._wait(self._model.held(count))

    def cancelled(self, index: int) -> None:
        """Wait until the client of a request leaves."""
        self._wait(self._model.cancelled(index))

    def finished(self, index: int) -> None:
        """Wait until all of a request's script was played."""
        self._wait(self._model.finished(index))

    def _wait(self, waiting: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(waiting, self._loop).result(self._patience)
