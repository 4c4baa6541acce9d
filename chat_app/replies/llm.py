"""The model: any endpoint that speaks OpenAI's chat completions."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import openai
from openai import AsyncOpenAI, AsyncStream
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from chat_app.data.models import Role
from chat_app.refusals import in_words
from chat_app.settings import Settings
from tributary_streams import Finish, SourceEndedEarly, SourceError, Usage

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
"""Seconds to reach the endpoint. After that the writer judges silence, by content and not by bytes."""
TRIES = 3
"""Requests for one reply at most; once any of it has come, there is no other request."""
LONGEST_WAIT = 20.0
"""Longest wait, in seconds, that the endpoint may ask of a retry; a person can sit out a longer one better."""
TOLD_FROM = 2.0
"""Seconds from which on a wait is reported; a shorter one is over before anybody has read about it."""
LONGEST_BELIEVED = 30 * 86_400.0
"""Longest wait, in seconds, that is believed of an endpoint."""
USAGE_WITHIN = 3.0
"""Seconds to wait for the usage after the finish_reason: it comes right behind, or never. Without this limit, an
endpoint that keeps its connection open would keep a complete reply `streaming` until the timeout for silence."""
PAYMENT_REQUIRED = 402
MOST_TOKENS = 2**31 - 1
"""Largest count that the column can hold."""
QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})

REPORTED = "The model reported an error."
SENTENCES: tuple[tuple[type[Exception], str], ...] = (
    (openai.AuthenticationError, "The model refused the server's key."),
    (openai.PermissionDeniedError, "The model refused the server's key."),
    (openai.NotFoundError, "The model is not known at its address."),
    (openai.InternalServerError, "The model's server failed."),
    (openai.APIStatusError, "The model refused the request."),
    (openai.APITimeoutError, "The model cannot be reached."),
    (openai.APIConnectionError, "The model cannot be reached."),
    (openai.APIError, REPORTED),
    (Exception, "The model sent something that makes no sense."),
)
"""What a person reads for an error: the first class that fits. A provider's own words may carry a key or an address."""
BROKEN = "The connection to the model broke."
NO_QUOTA = "The model's quota is used up."
TOO_LONG = "The thread has grown too long for the model."
NOT_A_MODEL = "What answers at the model's address is not a model."
FILTERED = "The model's content filter ended the reply."
CUT_OFF = "Cut off at the length limit."
REFUSED = "The model declined to answer."


OnWait = Callable[[str], None]
"""Called with the reason why a reply does not begin yet, a sentence for people, and with "" when it goes on. It must
not block."""


@dataclass(frozen=True)
class Turn:
    """A message as the model gets it. Its author is in `name`, not in the text, where anyone could forge it."""

    role: Role
    text: str
    name: str = ""


class OpenAIModel:
    """Streams replies over one client that the whole process shares."""

    def __init__(self, settings: Settings) -> None:
        """`settings` has key, endpoint, model and limits."""
        key = settings.openai_api_key
        address, credentials = _without_credentials(settings.openai_base_url)
        self.name = settings.openai_model
        self._limit = settings.chat_max_reply_tokens
        self._limit_key = "max_completion_tokens"
        self._client = AsyncOpenAI(
            api_key=key.get_secret_value() if key else "none",
            base_url=address,
            timeout=openai.Timeout(None, connect=CONNECT_TIMEOUT),
            max_retries=0,  # the client would retry a quota that is used up
            # Its parser is in C. With h11 a delta takes twice as much CPU, and that is most of a reply's cost.
            http_client=openai.DefaultAioHttpClient(follow_redirects=False, auth=credentials),
        )

    async def reply(
        self, turns: Sequence[Turn], model: str, *, on_wait: OnWait = lambda _: None
    ) -> AsyncGenerator[str | Finish]:
        """Yield the deltas of a reply ("" for reasoning), then a `Finish`.

        Errors that may pass are retried, with growing pauses, as long as nothing of the reply has come. `on_wait` is
        called for each pause that is long enough to be noticed.

        Raises:
            SourceError: the model failed; the message is a sentence of ours for people.
        """
        has_begun = False
        try:
            tries = AsyncRetrying(
                stop=stop_after_attempt(TRIES),
                wait=_pause,
                retry=retry_if_exception(_may_pass),
                reraise=True,
                sleep=_telling(on_wait),
            )
            stream, items, first = await tries(self._begin, turns, model or self.name)
            has_begun = True
            async with stream:
                yield first
                async for item in items:
                    yield item
        except SourceError:
            raise
        except Exception as error:  # noqa: BLE001  # the client lets JSON, Unicode and transport errors through
            logger.warning("the model's endpoint failed: %s", type(error).__name__)
            raise SourceError(sentence(error, has_begun=has_begun)) from None

    async def _begin(
        self, turns: Sequence[Turn], model: str
    ) -> tuple[AsyncStream[Any], AsyncIterator[str | Finish], str | Finish]:
        stream = await self._open(turns, model)
        try:
            if "event-stream" not in stream.response.headers.get("content-type", "event-stream"):
                raise SourceError(NOT_A_MODEL)
            items = _items(stream)
            return stream, items, await anext(items)
        except BaseException:
            await stream.close()
            raise

    async def _open(self, turns: Sequence[Turn], model: str) -> AsyncStream[Any]:
        limit_key = self._limit_key
        try:
            return await self._request(turns, model, limit_key)
        except openai.BadRequestError as error:
            # Newer models refuse `max_tokens`, some compatible servers `max_completion_tokens`: switch once, for good.
            if limit_key not in str(error.body) or limit_key == "max_tokens":
                raise
            self._limit_key = "max_tokens"
            return await self._request(turns, model, self._limit_key)

    async def _request(self, turns: Sequence[Turn], model: str, limit_key: str) -> AsyncStream[Any]:
        # Untyped on purpose: the typed stream costs 110 to 165 µs of CPU a delta, this 14 µs (openai 3.52).
        return await self._client.post(
            "/chat/completions",
            cast_to=object,
            body={
                "model": model,
                "messages": [_message(turn) for turn in turns],
                "stream": True,
                "stream_options": {"include_usage": True},
                limit_key: self._limit,
            },
            stream=True,
            stream_cls=AsyncStream[object],
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _without_credentials(base_url: str | None) -> tuple[str | None, tuple[str, str] | None]:
    """An address, and the name and password in it: aiohttp refuses them there beside an Authorization header."""
    if base_url is None:
        return None, None
    url = httpx.URL(base_url)
    return str(url.copy_with(userinfo=b"")), (url.username, url.password) if url.userinfo else None


def sentence(error: Exception, *, has_begun: bool) -> str:
    """What a person reads for an error of the endpoint."""
    code = getattr(error, "code", None)
    if isinstance(error, openai.RateLimitError):
        return NO_QUOTA if code in QUOTA_CODES else _too_much(_retry_after(error))
    if isinstance(error, openai.APIStatusError) and error.status_code == PAYMENT_REQUIRED:
        return NO_QUOTA
    if code == "context_length_exceeded":
        return TOO_LONG
    if has_begun and isinstance(error, openai.APIConnectionError):
        return BROKEN
    return next(words for kind, words in SENTENCES if isinstance(error, kind))


def _too_much(wait: float | None) -> str:
    if wait is None:
        return "The model has too much to do. Try again in a moment."
    return f"The model has too much to do. Try again in about {in_words(wait)}."


def _telling(on_wait: OnWait) -> Callable[[float], Awaitable[None]]:
    """A sleep that reports its reason if it is long."""

    async def sleep(seconds: float) -> None:
        if seconds < TOLD_FROM:
            await asyncio.sleep(seconds)
            return
        on_wait(f"The model is busy; trying again in {seconds:.0f} s.")
        await asyncio.sleep(seconds)
        on_wait("")

    return sleep


def _may_pass(error: BaseException) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, openai.RateLimitError | openai.InternalServerError):
        return error.code not in QUOTA_CODES and (_retry_after(error) or 0) <= LONGEST_WAIT
    return isinstance(error, openai.APIConnectionError | SourceEndedEarly)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    wait = _retry_after(error) if isinstance(error, openai.APIStatusError) else None
    return wait if wait is not None else _BACKOFF(state)


_BACKOFF = wait_exponential_jitter(multiplier=0.5, max=5, jitter=0.5)


def _retry_after(error: openai.APIStatusError) -> float | None:
    """Seconds that the endpoint asks to wait; None if it gives no number, or one that is not believed."""
    try:
        wait = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return wait if 0 <= wait <= LONGEST_BELIEVED else None


@dataclass
class _Heard:
    """What has come of a reply so far, besides its text."""

    finish_reason: str | None = None
    usage: Usage | None = None
    has_refused: bool = False

    def take(self, frame: Any) -> str | None:
        """Take in a frame and return its text; "" for reasoning, None if it has neither."""
        if not isinstance(frame, dict):
            return None
        if isinstance(counts := frame.get("usage"), dict):
            self.usage = Usage(_count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")))
        choice = next(iter(frame.get("choices") or ()), {})
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        delta = choice.get("delta") or {}
        refusal = delta.get("refusal") or ""
        self.has_refused = self.has_refused or bool(refusal)
        if text := (delta.get("content") or "") + refusal:
            return text
        return "" if delta.get("reasoning_content") or delta.get("reasoning") else None

    def finish(self) -> Finish:
        """The reply's `Finish`.

        Raises:
            SourceError: the reply failed, or broke off without a finish_reason.
        """
        match self.finish_reason:
            case None:
                raise SourceEndedEarly
            case "content_filter":
                raise SourceError(FILTERED)
            case "error":
                raise SourceError(REPORTED)
            case "length":
                return Finish(CUT_OFF, self.usage)
            case _:
                return Finish(REFUSED if self.has_refused else "", self.usage)


async def _items(stream: AsyncStream[Any]) -> AsyncIterator[str | Finish]:
    heard = _Heard()
    until: float | None = None
    try:
        while True:
            if until is None:  # a timer for each frame would cost more than the frame
                frame = await anext(stream)
            else:
                async with asyncio.timeout_at(until):
                    frame = await anext(stream)
            if (text := heard.take(frame)) is not None:
                yield text
            if until is None and heard.finish_reason is not None:
                until = asyncio.get_running_loop().time() + USAGE_WITHIN
    except StopAsyncIteration:
        pass
    except Exception:
        if heard.finish_reason is None:  # once the reply is complete, an error changes nothing
            raise
    yield heard.finish()


def _count(value: object) -> int:
    return min(int(value), MOST_TOKENS) if isinstance(value, int | float) and value > 0 else 0


def _message(turn: Turn) -> dict[str, str]:
    message = {"role": turn.role.value, "content": turn.text}
    if turn.name:
        message["name"] = turn.name
    return message
