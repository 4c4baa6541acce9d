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
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from chat_app.demo.replies import Turn, compose_reply

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
        except _Refused as refused:
            return refused.response()
        return StreamingResponse(completion.events(rhythm), media_type="text/event-stream")

    async def refuse(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return _Refused(f"Invalid URL ({request.method} {request.url.path})", status=status).response()

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

_ROLES = ("developer", "system", "user", "assistant")
_NAME = re.compile(r"[^\s<|\\/>]{1,64}")


class _Refused(Exception):
    """A request that OpenAI would refuse, and its reason in OpenAI's words."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param, self.code, self.status = param, code, status

    def response(self) -> Response:
        error = {"message": str(self), "type": "invalid_request_error", "param": self.param, "code": self.code}
        # As ASCII, because what is quoted from a request may hold half a surrogate pair.
        return Response(json.dumps({"error": error}), status_code=self.status, media_type="application/json")


def _completion(body: bytes, mention: re.Pattern[str]) -> _Completion:
    """Check a request's body and compose the reply. Raises _Refused."""
    request = _request(body)
    model, messages = request.get("model"), request.get("messages")
    if model != DEMO_MODEL:
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise _Refused(message, "model", "model_not_found", status=404)
    if request.get("stream") is not True:
        raise _Refused("The demo model only streams: 'stream' must be true.", "stream", "unsupported_value")
    if not isinstance(messages, list) or not messages:
        raise _Refused("Invalid 'messages': expected an array with at least one object.", "messages", "invalid_type")
    turns = [_turn(index, entry) for index, entry in enumerate(cast("list[object]", messages))]
    deltas = deltas_of(compose_reply(turns, mention))
    limit = _limit(request)
    return _Completion(
        prompt_tokens=sum(3 + len(turn.text) // 4 for turn in turns),
        deltas=deltas[:limit],
        finish_reason="stop" if limit is None or len(deltas) <= limit else "length",
    )


def _request(body: bytes) -> Mapping[str, object]:
    try:
        request: object = json.loads(body)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        raise _Refused("We could not parse the JSON body of your request: it must be a JSON object.")
    return cast("dict[str, object]", request)


def _turn(index: int, entry: object) -> Turn:
    at = f"messages[{index}]"
    message = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
    role, text, name = message.get("role"), message.get("content"), message.get("name", "")
    if role not in _ROLES:
        raise _Refused(f"Invalid '{at}.role': expected one of {_ROLES}.", f"{at}.role", "invalid_value")
    if not isinstance(text, str):
        raise _Refused(f"Invalid '{at}.content': expected a string.", f"{at}.content", "invalid_type")
    if not isinstance(name, str) or (name and not _NAME.fullmatch(name)):
        expected = f"at most 64 characters that match '{_NAME.pattern}'"
        raise _Refused(f"Invalid '{at}.name': expected {expected}.", f"{at}.name", "invalid_value")
    return Turn(str(role), text, name)


def _limit(request: Mapping[str, object]) -> int | None:
    """The most deltas that the request allows; None if it does not say."""
    limit = request.get("max_completion_tokens")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        expected = "expected an integer of at least 1"
        raise _Refused(f"Invalid 'max_completion_tokens': {expected}.", "max_completion_tokens", "invalid_value")
    return limit
