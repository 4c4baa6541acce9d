"""The built-in offline model: an OpenAI-compatible endpoint on a loopback port of its own.

Without a key the app is answered from here, by the same client and over the same HTTP as by a real model: streamed as
server-sent events at a human pace, with usage, and with OpenAI's errors for requests that OpenAI would refuse.
"""

from __future__ import annotations

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
from dataclasses import dataclass
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from chat_app.demo_replies import ChatMessage, compose_reply

DEMO_MODEL = "tributary-demo"
"""The only model that the endpoint knows."""


@dataclass(frozen=True)
class Pace:
    """How long the model takes before each delta, in seconds."""

    first: float = 0.4
    shortest: float = 0.022
    longest: float = 0.034
    after_sentence: float = 0.090

    async def before(self, previous: str) -> None:
        """Wait as long as the next delta takes; `previous` is the delta before it, "" for the first."""
        if not previous:
            await asyncio.sleep(self.first)
        elif previous.rstrip().endswith((".", "!", "?", "…", "。", "！", "？", ":")):
            await asyncio.sleep(self.after_sentence)
        else:
            await asyncio.sleep(random.uniform(self.shortest, self.longest))  # noqa: S311  not a secret, a rhythm


HUMAN = Pace()
INSTANT = Pace(0, 0, 0, 0)


def deltas_of(text: str) -> list[str]:
    """Cut a text as a tokenizer would: pieces of about 2 to 6 characters, none lost, spaces before words."""
    pieces: list[str] = []
    for word in re.findall(r"\s*\S+|\s+", text):
        count = -(-len(word) // 6)
        edges = [len(word) * index // count for index in range(count + 1)]
        pieces += [word[start:end] for start, end in itertools.pairwise(edges)]
    return pieces


@contextlib.asynccontextmanager
async def serve_demo_model(pace: Pace = HUMAN) -> AsyncGenerator[str, None]:
    """Serve the demo model while the context is open; yields the base URL for an OpenAI client."""
    async with serve_on_loopback(demo_app(pace)) as address:
        yield f"{address}/v1"


@contextlib.asynccontextmanager
async def serve_on_loopback(app: ASGIApp) -> AsyncGenerator[str, None]:
    """Serve an ASGI app in this event loop; yields "http://127.0.0.1:port" with a port that the system chose.

    On the way out connections are cut at once, also those in mid-stream: the app sees its clients disconnect.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # from here on clients are kept waiting, not refused, until the server takes them
        server = _LoopbackServer(
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
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="loopback server")
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.hang_up()
            await serving


class _LoopbackServer(uvicorn.Server):
    """uvicorn 0.54 as a guest in a loop: takes no signals, wakes for nothing but requests, ends when told."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
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
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def main_loop(self) -> None:
        # In place of uvicorn's ten wake-ups a second, for a Date header and signals that are not needed here.
        await self._is_over.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.hang_up()
        await super().shutdown(sockets)


# --- the endpoint -----------------------------------------------------------------------------------------------------


def demo_app(pace: Pace = HUMAN) -> Starlette:
    """The endpoint as an ASGI app."""

    async def complete(request: Request) -> Response:
        try:
            completion = _Completion.read(await request.body())
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except _Refused as refused:
            return refused.response()
        if completion.is_streamed:
            return StreamingResponse(
                completion.events(pace), media_type="text/event-stream", headers={"Cache-Control": "no-cache"}
            )
        await pace.before("")
        return JSONResponse(completion.whole())

    async def list_models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_MODEL_CARD]})

    async def show_model(request: Request) -> Response:
        model = request.path_params["model"]
        return JSONResponse(_MODEL_CARD) if model == DEMO_MODEL else _unknown_model(model).response()

    async def refuse(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        message = f"Invalid URL ({request.method} {request.url.path})" if status < 500 else "The demo model has failed"
        return _Refused(message, status=status).response()

    return Starlette(
        routes=[
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/v1/models", list_models),
            Route("/v1/models/{model:path}", show_model),
        ],
        exception_handlers={HTTPException: refuse},
    )


_MODEL_CARD = {"id": DEMO_MODEL, "object": "model", "created": 1_735_689_600, "owned_by": "tributary"}


class _Refused(Exception):
    """A request that OpenAI would refuse, and its reason in OpenAI's words."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param, self.code, self.status = param, code, status

    def response(self) -> Response:
        error = {"message": str(self), "type": "invalid_request_error", "param": self.param, "code": self.code}
        # As ASCII, because what is quoted from a request may hold half a surrogate pair.
        return Response(json.dumps({"error": error}), status_code=self.status, media_type="application/json")


def _unknown_model(model: object) -> _Refused:
    message = f"The model `{model}` does not exist or you do not have access to it."
    return _Refused(message, code="model_not_found", status=404)


@dataclass(frozen=True)
class _Completion:
    """A valid request, with the reply to it."""

    id: str
    created: int
    is_streamed: bool
    includes_usage: bool
    prompt_tokens: int
    deltas: Sequence[str]
    finish_reason: str

    @classmethod
    def read(cls, body: bytes) -> _Completion:
        """Check a request's body and compose the reply. Raises _Refused."""
        request = _object(body)
        model = request.get("model")
        if model is None:
            raise _Refused("you must provide a model parameter", "model")
        if model != DEMO_MODEL:
            raise _unknown_model(model)
        messages = _messages(request.get("messages"))
        is_streamed = request.get("stream") or False
        if not isinstance(is_streamed, bool):
            raise _Refused("Invalid type for 'stream': expected a boolean.", "stream", "invalid_type")
        options = request.get("stream_options")
        if options is not None and not is_streamed:
            raise _Refused("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
        if request.get("n") not in (None, 1):
            raise _Refused("The demo model gives one choice: 'n' must be 1.", "n", "invalid_value")

        deltas = deltas_of(compose_reply(messages))
        limit = min(_limit(request, "max_completion_tokens"), _limit(request, "max_tokens"), len(deltas))
        return cls(
            id=f"chatcmpl-{uuid.uuid4().hex}",
            created=int(time.time()),
            is_streamed=is_streamed,
            includes_usage=isinstance(options, Mapping)
            and bool(cast("Mapping[str, object]", options).get("include_usage")),
            prompt_tokens=sum(3 + len(str(message.get("content") or "")) // 4 for message in messages),
            deltas=deltas[:limit],
            finish_reason="length" if limit < len(deltas) else "stop",
        )

    @property
    def usage(self) -> dict[str, int]:
        """Tokens are the demo model's own deltas; those of the prompt are estimated."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": len(self.deltas),
            "total_tokens": self.prompt_tokens + len(self.deltas),
        }

    def whole(self) -> dict[str, Any]:
        """The reply as one object."""
        message = {"role": "assistant", "content": "".join(self.deltas), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return self._described("chat.completion", [choice]) | {"usage": self.usage}

    async def events(self, pace: Pace) -> AsyncIterator[str]:
        """The reply as server-sent events."""
        previous = ""
        for delta in self.deltas:
            await pace.before(previous)
            if not previous:
                yield self._chunk({"role": "assistant", "content": "", "refusal": None})
            yield self._chunk({"content": delta})
            previous = delta
        yield self._chunk({}, self.finish_reason)
        if self.includes_usage:
            yield _event(self._described("chat.completion.chunk", []) | {"usage": self.usage})
        yield "data: [DONE]\n\n"

    def _chunk(self, delta: Mapping[str, object], finish_reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage = {"usage": None} if self.includes_usage else {}
        return _event(self._described("chat.completion.chunk", [choice]) | usage)

    def _described(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": DEMO_MODEL,
            "service_tier": "default",
            "system_fingerprint": "fp_tributary_demo",
            "choices": choices,
        }


def _event(data: Mapping[str, object]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


_ROLES = ("developer", "system", "user", "assistant", "tool", "function")
_NAME = re.compile(r"[^\s<|\\/>]{1,64}")


def _object(body: bytes) -> Mapping[str, object]:
    try:
        request: object = json.loads(body)
    except (ValueError, RecursionError):
        raise _Refused("We could not parse the JSON body of your request.") from None
    if not isinstance(request, dict):
        raise _Refused("The body of your request must be a JSON object.")
    return cast("dict[str, object]", request)


def _messages(given: object) -> list[ChatMessage]:
    if given is None:
        raise _Refused("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    if not isinstance(given, list):
        raise _Refused("Invalid type for 'messages': expected an array of objects.", "messages", "invalid_type")
    messages = cast("list[object]", given)
    if not messages:
        raise _Refused("Invalid 'messages': empty array.", "messages", "empty_array")
    for index, entry in enumerate(messages):
        at = f"messages[{index}]"
        if not isinstance(entry, dict):
            raise _Refused(f"Invalid type for '{at}': expected an object.", at, "invalid_type")
        message = cast("dict[str, object]", entry)
        role, name, content = message.get("role"), message.get("name"), message.get("content")
        if role not in _ROLES:
            supported = ", ".join(f"'{known}'" for known in _ROLES)
            raise _Refused(
                f"Invalid value: {role!r}. Supported values are: {supported}.", f"{at}.role", "invalid_value"
            )
        if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
            expected = r"a string of at most 64 characters that matches the pattern '^[^\s<|\\/>]+$'"
            raise _Refused(f"Invalid '{at}.name': expected {expected}.", f"{at}.name", "invalid_value")
        if content is not None and not isinstance(content, str | list):
            expected = "expected a string, an array of content parts or null"
            raise _Refused(f"Invalid type for '{at}.content': {expected}.", f"{at}.content", "invalid_type")
    return cast("list[ChatMessage]", messages)


def _limit(request: Mapping[str, object], name: str) -> int:
    limit = request.get(name)
    if limit is None:
        return 1 << 62
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise _Refused(f"Invalid type for '{name}': expected an integer.", name, "invalid_type")
    if limit < 1:
        raise _Refused(f"Invalid '{name}': expected a value >= 1.", name, "integer_below_min_value")
    return limit
