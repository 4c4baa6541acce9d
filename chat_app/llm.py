"""The model: any endpoint that speaks OpenAI's chat completions."""

import asyncio
import itertools
import logging
import math
import random
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import openai
from openai import AsyncOpenAI, AsyncStream

from chat_app.models import Role
from chat_app.settings import Settings
from chat_app.streaming import Finish, SourceEndedEarly, SourceError, Usage

logger = logging.getLogger(__name__)

for chatty in ("openai", "httpx2", "httpcore2"):
    # Below a warning they write addresses, headers and what people say.
    logging.getLogger(chatty).setLevel(logging.WARNING)

CONNECT_TIMEOUT = 10.0
"""Seconds to reach the endpoint. Silence after that is the writer's to judge, by content and not by bytes."""
RETRIES = 2
"""How often a request is sent again, as long as none of its text has come."""
FIRST_WAIT = 0.5
"""Seconds before the first retry, unless the endpoint names its own; twice as many before the next."""
LONGEST_WAIT = 20.0
"""Seconds that a reply waits for an endpoint that asks for it; who would wait longer is told so instead."""
LONGEST_TOLD = 30 * 86_400.0
"""Seconds of a wait that are believed."""
LINGER = 5.0
"""Seconds in which the counts may follow the finish_reason; a connection left open then does not hold up the end."""

# What people are told, all of it; the words of a provider may carry a key, an address or what somebody else wrote.
KEY_REFUSED = "The model refused the server's key."
QUOTA_USED_UP = "The model's quota is used up."
MODEL_UNKNOWN = "The model is not known at its address."
BUSY = "The model has too much to do. Try again {when}."
TOO_LONG = "The thread has grown too long for the model."
FILTERED = "The model's content filter stopped the reply."
REFUSED = "The model refused to answer."
CUT_OFF = "Cut off at the length limit."
REQUEST_REFUSED = "The model refused the request."
MOVED = "The model has moved to another address."
SERVER_FAILED = "The model's server failed."
UNREACHABLE = "The model cannot be reached."
CONNECTION_BROKE = "The connection to the model broke."
WEB_PAGE = "A web page answered in place of the model."
NONSENSE = "The model sent something that makes no sense."

QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
FILTER_CODES = frozenset({"content_filter", "content_policy_violation"})
TOO_LONG_WORDS = re.compile(r"context.?(length|size|window)|prompt is too long|too many tokens", re.IGNORECASE)
"""How OpenAI, vLLM, llama.cpp and others say that a request exceeds the model's context."""
LIMIT_KEYS = ("max_completion_tokens", "max_tokens")
"""The names of the limit: newer models refuse the second, some compatible servers the first."""
REASONING_KEYS = ("reasoning_content", "reasoning")
"""Where a delta has its reasoning: DeepSeek and vLLM, OpenRouter and Groq."""
TIME_UNITS = (
    (86_400, "a day", "days"),
    (3600, "an hour", "hours"),
    (60, "a minute", "minutes"),
    (1, "a second", "seconds"),
)


@dataclass(frozen=True)
class Turn:
    """A message as the model gets it; `name` tells its author, not words in the text, which anyone could write."""

    role: Role
    text: str
    name: str = ""


class OpenAIModel:
    """Streams replies over one client that the whole process shares."""

    def __init__(
        self,
        settings: Settings,
        *,
        base_url: str | None = None,
        name: str | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Args:
        settings: key, endpoint, model and limits.
        base_url: an endpoint that takes the place of the settings' one, such as the demo model's.
        name: a model there.
        sleep: waits so many seconds before a retry.
        """
        key = settings.openai_api_key
        self.name = name or settings.openai_model
        self._limit = settings.chat_max_reply_tokens
        self._limit_keys: dict[str, str] = {}
        self._sleep = sleep
        self._client = AsyncOpenAI(
            api_key=key.get_secret_value() if key else "none",
            base_url=base_url or (str(settings.openai_base_url) if settings.openai_base_url else None),
            timeout=openai.Timeout(None, connect=CONNECT_TIMEOUT),
            # Its own retries (3.52) ask three times with a used-up quota, sleep for up to two minutes where told to,
            # and end with the headers, while a connection may well break between them and the first delta.
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False),
        )

    async def reply(self, turns: Sequence[Turn], model: str) -> AsyncGenerator[str | Finish]:
        """The deltas of a reply ("" for reasoning), and at last a `Finish`.

        A rate limit or a connection that breaks is met with another try, but never once there is text.

        Raises:
            SourceError: with a sentence of ours; the provider's words may carry a key or an address.
        """
        for tries in itertools.count(1):
            is_open = has_text = False
            try:
                async with await self._open(turns, model or self.name) as stream, aclosing(_items(stream)) as items:
                    is_open = True
                    async for item in items:
                        has_text = has_text or bool(item)
                        yield item
                return
            except SourceError:
                raise
            except Exception as error:  # noqa: BLE001  # the client passes on JSON, Unicode and transport errors as they are
                wait = None if has_text else wait_before_retry(error, tries, luck=random.random())  # noqa: S311  # jitter
                logger.warning(
                    "the model's endpoint failed: %s%s",
                    type(error).__name__,
                    "" if wait is None else f"; asking again in {wait:.1f} s",
                )
                if wait is None:
                    raise SourceError(sentence(error, is_open=is_open)) from None
            await self._sleep(wait)

    async def _open(self, turns: Sequence[Turn], model: str) -> AsyncStream[Any]:
        limit_key = self._limit_keys.get(model, LIMIT_KEYS[0])
        try:
            return await self._request(turns, model, limit_key)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            if limit_key not in str(error.body):
                raise
        other_key = LIMIT_KEYS[1 - LIMIT_KEYS.index(limit_key)]
        stream = await self._request(turns, model, other_key)
        self._limit_keys[model] = other_key
        return stream

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
        """Let go of the connections."""
        await self._client.close()


def wait_before_retry(error: Exception, tries: int, *, luck: float) -> float | None:
    """Seconds until the same request may be sent again, or None if that is of no use.

    Args:
        error: why the request failed.
        tries: how often it has been sent.
        luck: from 0 to 1; spreads those who failed together, so that they do not come back together.
    """
    match error:
        case openai.APIError() if _is_quota(error):
            return None
        case openai.RateLimitError() | openai.InternalServerError():
            asked_for = retry_after(error.response.headers)
        case openai.APIConnectionError():
            asked_for = None
        case _:
            return None
    wait = FIRST_WAIT * 2 ** (tries - 1) if asked_for is None else asked_for
    return None if tries > RETRIES or wait > LONGEST_WAIT else wait * (1 + luck / 4)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by the Retry-After header of an answer, which has seconds or a date; None if it names none."""
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return None if math.isnan(seconds) else min(max(seconds, 0.0), LONGEST_TOLD)


def sentence(error: Exception, *, is_open: bool = False) -> str:
    """What a person is told of an error of the endpoint; `is_open` says that the reply had begun to come."""
    match error:
        case openai.APIStatusError() if error.status_code < 500:
            return _sentence_of_refusal(error)
        case openai.APIConnectionError():
            return CONNECTION_BROKE if is_open else UNREACHABLE
        case openai.APIError():
            return QUOTA_USED_UP if _is_quota(error) else SERVER_FAILED
        case _:
            return NONSENSE


def _sentence_of_refusal(error: openai.APIStatusError) -> str:
    match error:
        case _ if _is_quota(error):
            return QUOTA_USED_UP
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return KEY_REFUSED
        case openai.NotFoundError():
            return MODEL_UNKNOWN
        case openai.RateLimitError():
            return BUSY.format(when=_from_now(retry_after(error.response.headers)))
        case _ if error.code in FILTER_CODES:
            return FILTERED
        case _ if error.status_code == 413 or TOO_LONG_WORDS.search(str(error.body)):
            return TOO_LONG
        case _ if error.status_code < 400:
            return MOVED
        case _:
            return REQUEST_REFUSED


def _is_quota(error: openai.APIError) -> bool:
    return not QUOTA_CODES.isdisjoint({error.code, error.type}) or getattr(error, "status_code", 0) == 402


def _from_now(seconds: float | None) -> str:
    for size, one, many in TIME_UNITS:
        if seconds is not None and seconds >= 0.9 * size:
            count = round(seconds / size)
            return f"in about {one}" if count == 1 else f"in about {count} {many}"
    return "in a moment"


async def _items(stream: AsyncStream[Any]) -> AsyncGenerator[str | Finish]:
    if stream.response.headers.get("content-type", "").startswith("text/html"):
        raise SourceError(WEB_PAGE)
    is_understood = is_refusal = False
    finish_reason: str | None = None
    usage: Usage | None = None
    while True:
        try:
            frame = await (anext(stream) if finish_reason is None else asyncio.wait_for(anext(stream), LINGER))
        except StopAsyncIteration:
            break
        except Exception:
            if finish_reason is None:
                raise
            break  # all text has come, and only the counts are missing
        if not isinstance(frame, dict):
            continue
        is_understood = True
        usage = _usage(frame.get("usage")) or usage
        for choice in (frame.get("choices") or ())[:1]:
            delta = choice.get("delta") or {}
            refusal = delta.get("refusal") or ""
            is_refusal = is_refusal or bool(refusal)
            text = (delta.get("content") or "") + refusal
            # Reasoning is activity without text; keep-alives are none, be they comments or empty deltas.
            if text or any(delta.get(key) for key in REASONING_KEYS):
                yield text
            finish_reason = choice.get("finish_reason") or finish_reason
    if not is_understood:
        raise SourceError(NONSENSE)
    yield _finish(finish_reason, usage, is_refusal=is_refusal)


def _finish(finish_reason: str | None, usage: Usage | None, *, is_refusal: bool) -> Finish:
    match finish_reason:
        case None:
            raise SourceEndedEarly
        case "content_filter":
            raise SourceError(FILTERED)
        case "error" | "abort":  # OpenRouter, vLLM
            raise SourceError(SERVER_FAILED)
        case "length":
            return Finish(CUT_OFF, usage)
        case _:
            return Finish(REFUSED if is_refusal else "", usage)


def _usage(counts: object) -> Usage | None:
    if not isinstance(counts, dict):
        return None
    tokens = counts.get("prompt_tokens"), counts.get("completion_tokens")
    # A count that the database could not hold would keep the reply from ending.
    return Usage(*(count if isinstance(count, int) and 0 <= count < 2**31 else 0 for count in tokens))


def _message(turn: Turn) -> dict[str, str]:
    message = {"role": turn.role.value, "content": turn.text}
    if turn.name:
        message["name"] = turn.name
    return message
