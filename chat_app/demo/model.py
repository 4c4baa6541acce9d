"""The demo model's endpoint: OpenAI's chat completions on a loopback port, for the app's own client.

A reply is always streamed, as server-sent events at a human pace, and ends with its usage. A bad request gets the error
that OpenAI would give. What the reply says is composed in `replies`.
"""

import asyncio
import contextlib
import itertools
import json
import random
import re
import socket
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from chat_app.demo.replies import ChatMessage, compose_reply

DEMO_MODEL = "tributary-demo"
"""The only model that the endpoint knows."""


@dataclass(frozen=True)
class Rhythm:
    """How long the model takes before each delta, in seconds."""

    first: float = 0.4
    shortest: float = 0.022
    longest: float = 0.034
    after_sentence: float = 0.090

    async def before(self, previous: str) -> None:
        """Wait as long as the next delta takes; `previous` is the delta before it, "" for the first."""
        if not previous:
            await asyncio.sleep(self.first)
        elif previous.rstrip().endswith((".", "!", "?", ":")):
            await asyncio.sleep(self.after_sentence)
        else:
            await asyncio.sleep(random.uniform(self.shortest, self.longest))  # noqa: S311  not a secret, a rhythm


HUMAN = Rhythm()
INSTANT = Rhythm(0, 0, 0, 0)


def deltas_of(text: str) -> list[str]:
    """Cut a text as a tokenizer would: pieces of at most 6 characters, none lost, spaces before words."""
    pieces: list[str] = []
    for word in re.findall(r"\s*\S+|\s+", text):
        count = -(-len(word) // 6)
        edges = [len(word) * index // count for index in range(count + 1)]
        pieces += [word[start:end] for start, end in itertools.pairwise(edges)]
    return pieces


# --- the server -------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def serve_demo_model(mention: re.Pattern[str], rhythm: Rhythm = HUMAN) -> AsyncGenerator[str]:
    """Serve the demo model in this event loop; yields the base URL for an OpenAI client. `mention` finds the AI's name.

    On the way out connections are cut at once, also those in mid-stream.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # from here on clients are kept waiting, not refused, until the server takes them
        server = _LoopbackServer(_app(mention, rhythm))
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="demo model")
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            server.hang_up()
            await serving


class _LoopbackServer(uvicorn.Server):
    """uvicorn 0.54 as a guest in a loop: takes no signals, wakes for nothing but requests, ends when told."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                timeout_keep_alive=75,  # longer than clients keep an idle connection: none closes under a request
                timeout_graceful_shutdown=1,
            )
        )
        self._is_over = asyncio.Event()

    def hang_up(self) -> None:
        """Stop listening and cut all connections; `serve` returns soon after."""
        self._is_over.set()
        if self.started:
            for listening in self.servers:
                listening.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def main_loop(self) -> None:
        # In place of uvicorn's ten wake-ups a second, for a Date header and signals that are not needed here.
        await self._is_over.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.hang_up()
        await super().shutdown(sockets)


def _app(mention: re.Pattern[str], rhythm: Rhythm) -> Starlette:
    async def complete(request: Request) -> Response:
        try:
            completion = _completion(await request.body(), mention)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        if isinstance(completion, Response):
            return completion
        return StreamingResponse(completion.events(rhythm), media_type="text/event-stream")

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _refusal(f"Invalid URL ({request.method} {request.url.path})", error.status_code)

    routes = [Route("/v1/chat/completions", complete, methods=["POST"])]
    return Starlette(routes=routes, exception_handlers={HTTPException: refuse})


# --- a reply ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Completion:
    """A reply, cut to deltas. Tokens are these deltas; those of the prompt are estimated."""

    prompt_tokens: int
    deltas: Sequence[str]
    finish_reason: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    async def events(self, rhythm: Rhythm) -> AsyncIterator[str]:
        """The reply as server-sent events."""
        yield self._chunk({"role": "assistant", "content": ""})
        for previous, delta in itertools.pairwise(["", *self.deltas]):
            await rhythm.before(previous)
            yield self._chunk({"content": delta})
        yield self._chunk({}, self.finish_reason)
        yield self._event([], self._usage())
        yield "data: [DONE]\n\n"

    def _chunk(self, delta: Mapping[str, str], finish_reason: str | None = None) -> str:
        return self._event([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}])

    def _event(self, choices: Sequence[Mapping[str, Any]], usage: Mapping[str, int] | None = None) -> str:
        data = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": DEMO_MODEL,
            "choices": choices,
            "usage": usage,
        }
        return f"data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"

    def _usage(self) -> dict[str, int]:
        prompt, completion = self.prompt_tokens, len(self.deltas)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


# --- a request --------------------------------------------------------------------------------------------------------


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)

    role: Literal["developer", "system", "user", "assistant"]
    content: str
    name: str = Field(default="", pattern=r"^[^\s<|\\/>]{0,64}$")


class _Request(BaseModel):
    """What the app's client asks for, by OpenAI's names."""

    model_config = ConfigDict(strict=True)

    model: Literal["tributary-demo"]
    messages: list[_Message] = Field(min_length=1)
    stream: Literal[True]
    max_completion_tokens: int | None = Field(default=None, ge=1)


def _refusal(message: str, status: int = 400, param: str | None = None) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
    # As ASCII, because what is quoted from a request may hold half a surrogate pair.
    return Response(json.dumps({"error": error}), status_code=status, media_type="application/json")


def _completion(body: bytes, mention: re.Pattern[str]) -> _Completion | Response:
    """The reply that a request's body asks for, or why there is none."""
    try:
        request = _Request.model_validate(json.loads(body))
    except ValidationError as error:
        fault = error.errors()[0]
        param = ".".join(map(str, fault["loc"]))
        return _refusal(f"Invalid '{param}': {fault['msg']}.", 404 if param == "model" else 400, param or None)
    except (ValueError, RecursionError):
        return _refusal("The body of your request must be a JSON object.")
    turns = [ChatMessage(message.role, message.content, message.name) for message in request.messages]
    deltas, limit = deltas_of(compose_reply(turns, mention)), request.max_completion_tokens
    return _Completion(
        prompt_tokens=sum(3 + len(turn.text) // 4 for turn in turns),
        deltas=deltas[:limit],
        finish_reason="stop" if limit is None or len(deltas) <= limit else "length",
    )
