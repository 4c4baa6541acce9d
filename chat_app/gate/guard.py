"""The socket's gate: an ASGI layer before engine.io that lets through only what our pages send.

Reflex 0.10 does not protect its socket: a client may emit `connect` itself and so forge its address and cookies, call
any handler, choose a token and with it somebody's state, send a frame that ends the socket, or have its data logged. So
each handshake and each frame is read here first, and anything else is dropped before other code sees it.
"""

import asyncio
import hashlib
import hmac
import logging
import re
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat_app.gate import frames
from chat_app.gate.allowances import TOO_MUCH, SocketAllowance, SocketLimits
from chat_app.gate.frames import CHECKS, Call, Join, NotOurs, Plain, Report, read_frame
from chat_app.people.identity import secret_in
from chat_app.refusals import TooMany, words

logger = logging.getLogger(__name__)

FRAME_LENGTH = 128_000
"""Characters of a frame: a message of full length has 96,000 if all are escaped. Beyond a million, engine.io would
close the socket."""
TOO_LONG = "That is too long to be sent: a message can have 16,000 characters."
PAUSE = 0.25
"""Seconds for which a socket that sends too much is not read: only its sender's own buffers fill."""
PATIENCE = 40
"""How many such pauses in a row, a whole window of the limits, close the socket; a page would connect again."""
SUBPROTOCOL_LENGTH = 32
POLICY = 1008
"""The WebSocket close code for a policy violation."""

TOKEN = re.compile(r"[0-9A-Za-z._-]{1,64}")


class Refused(Exception):
    """The handshake is not one of our pages'. The message says why, and repeats none of its content."""


class SocketGuard:
    """Guards every WebSocket of the application; there is no other way to the event socket."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        origins: Collection[str],
        limits: SocketLimits,
        is_remote: Callable[[str], bool],
        notice: Callable[[str], dict[str, Any]],
    ) -> None:
        """Args:
        app: the application that answers.
        origins: the exact origins of the pages that may connect; "*" allows any.
        limits: how much sockets may use.
        is_remote: whether clients may call the handler of this name; those that Reflex's own client calls are allowed
            anyway.
        notice: makes the update by which a page shows a sentence.
        """
        self._app = app
        self._origins = frozenset(origins)
        self._limits = limits
        self._is_remote = is_remote
        self._notice = notice

    def may_call(self, name: str) -> bool:
        """Whether clients may call the handler of this name."""
        return name in CHECKS or self._is_remote(name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._serve(scope, receive, send)
        elif scope["type"] == "http" and f"{scope['path']}/".startswith(f"{frames.SPACE}/"):
            await PlainTextResponse("This is a WebSocket.", 400)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        try:
            genuine = handshake(scope, self._origins)
            with self._limits.connection(client[0] if client else "") as allowance:
                socket = _Socket(receive, send, allowance, self.may_call, self._notice)
                await self._app(genuine, socket.receive, socket.send)
        except Refused as reason:
            await _refuse(receive, send, str(reason))
        except TooMany as refusal:
            await _refuse(receive, send, words(refusal))


async def _refuse(receive: Receive, send: Send, reason: str) -> None:
    """Refuse before the socket is open; the page then shows that it is offline, and tries again later."""
    await receive()
    await send({"type": "websocket.close", "code": POLICY, "reason": reason})


def handshake(scope: Scope, origins: Collection[str]) -> Scope:
    """The scope that the application gets: one token of ours, one cookie header, no other query.

    That token is made from the client's token and the secret in its cookie. So it stays the same for a tab that comes
    back, and anyone with another person's token, but not their cookie, gets a separate state.

    Raises:
        Refused: our pages do not connect like this.
    """
    headers = Headers(scope=scope)
    _check_origin(headers.getlist("origin"), origins)
    query = parse_qs(scope["query_string"].decode("latin-1"))
    token = query.get("token", [])
    if query.get("EIO") != ["4"] or query.get("transport") != ["websocket"] or len(token) != 1:
        raise Refused("another protocol")
    if not TOKEN.fullmatch(token[0]):
        raise Refused("no valid token")
    cookies = "; ".join(headers.getlist("cookie"))
    own = hmac.new((secret_in(cookies) or "").encode(), token[0].encode(), hashlib.sha256).hexdigest()[:32]
    kept = [(name, value) for name, value in scope["headers"] if name != b"cookie" and not _is_too_long(name, value)]
    return {
        **scope,
        "query_string": urlencode({"EIO": 4, "transport": "websocket", "token": own}).encode(),
        "headers": [*kept, (b"cookie", cookies.encode("latin-1"))] if cookies else kept,
    }


def _check_origin(given: list[str], origins: Collection[str]) -> None:
    if len(given) > 1 or (given and "*" not in origins and given[0] not in origins):
        raise Refused("another origin")
    try:
        urlsplit("".join(given))  # Reflex parses it for every event
    except ValueError:
        raise Refused("another origin") from None


def _is_too_long(name: bytes, value: bytes) -> bool:
    """Whether this is a header that Reflex would log in full."""
    return name == b"sec-websocket-protocol" and len(value) > SUBPROTOCOL_LENGTH


class _Socket:
    """One connection: passes on those frames of the client that the application may see."""

    def __init__(
        self,
        receive: Receive,
        send: Send,
        allowance: SocketAllowance,
        may_call: Callable[[str], bool],
        notice: Callable[[str], dict[str, Any]],
    ) -> None:
        self._receive = receive
        self._send = send
        self._allowance = allowance
        self._may_call = may_call
        self._notice = notice
        self._has_joined = False
        self._pauses = 0
        self._was_asked = False
        """Whether engine.io is waiting for a pong."""

    async def send(self, message: Message) -> None:
        text = message.get("text") or ""
        if text == "2":
            self._was_asked = True
        elif text.startswith(frames.REFUSED):
            self._has_joined = False
        await self._send(message)

    async def receive(self) -> Message:
        """The next message that may pass."""
        while True:
            message = await self._receive()
            if message["type"] != "websocket.receive":
                return message
            text = message.get("text")
            if text == frames.PONG and self._was_asked:
                self._was_asked = False
                return {"type": "websocket.receive", "text": text}
            if not self._allowance.may_send():
                await self._slow_down()
            elif (passed := await self._passed(text)) is not None:
                self._pauses = 0
                return {"type": "websocket.receive", "text": passed}
            if self._pauses > PATIENCE:
                await self._send({"type": "websocket.close", "code": POLICY, "reason": "too much"})
                return {"type": "websocket.disconnect", "code": POLICY}

    async def _passed(self, text: str | None) -> str | None:
        if text is not None and len(text) > FRAME_LENGTH:
            return await self._tell(TOO_LONG)
        try:
            frame = self._read(text)
        except NotOurs as kind:
            if self._allowance.may_report():
                logger.warning("a socket sent %s; it was dropped", kind)
            return None
        if isinstance(frame, Report) or (isinstance(frame, Call) and frame.is_report):
            if not self._allowance.may_report():
                return None
        elif isinstance(frame, Join):
            await self._wait_for_turn(len(text or ""))
        elif isinstance(frame, Call) and not self._allowance.may_call(len(text or "")):
            return await self._slow_down()
        self._has_joined = isinstance(frame, Join) or (self._has_joined and not isinstance(frame, Plain))
        return frame.encode()

    def _read(self, text: str | None) -> frames.Frame:
        if text is None:
            raise NotOurs("bytes")
        frame = read_frame(text)
        if isinstance(frame, Call) and not self._may_call(frame.name):
            raise NotOurs("a call of what is not to be called")
        if not self._is_in_order(frame):
            raise NotOurs("a frame out of order")
        return frame

    def _is_in_order(self, frame: frames.Frame) -> bool:
        if isinstance(frame, Join):
            return not self._has_joined  # a second one would leave the first behind in socket.io
        if isinstance(frame, Plain):
            return frame.text != frames.PONG
        return self._has_joined

    async def _wait_for_turn(self, length: int) -> None:
        """Wait before passing on a frame that must not be dropped: the page would wait for its answer for ever."""
        while not self._allowance.may_call(length):  # noqa: ASYNC110  # nothing signals the end of a time window
            await asyncio.sleep(PAUSE)

    async def _slow_down(self) -> None:
        self._pauses += 1
        await self._tell(TOO_MUCH)
        await asyncio.sleep(PAUSE)

    async def _tell(self, sentence: str) -> None:
        if self._has_joined and self._allowance.may_be_told():
            await self._send({"type": "websocket.send", "text": frames.update(self._notice(sentence))})
