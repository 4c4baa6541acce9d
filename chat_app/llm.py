"""The model: any endpoint that speaks OpenAI's chat completions."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import openai
from openai import AsyncOpenAI, AsyncStream

from chat_app.models import Role
from chat_app.settings import Settings
from chat_app.streaming import Finish, SourceEndedEarly, SourceError, Usage

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
"""Seconds to reach the endpoint. Silence after that is the writer's to judge, by content and not by bytes."""


@dataclass(frozen=True)
class Turn:
    """A message as the model gets it; `name` tells its author, not words in the text, which anyone could write."""

    role: Role
    text: str
    name: str = ""


class OpenAIModel:
    """Streams replies over one client that the whole process shares."""

    def __init__(self, settings: Settings, *, base_url: str | None = None, name: str | None = None) -> None:
        """Args:
        settings: key, endpoint, model and limits.
        base_url: an endpoint that takes the place of the settings' one, such as the demo model's.
        name: a model there.
        """
        key = settings.openai_api_key
        self.name = name or settings.openai_model
        self._limit = settings.chat_max_reply_tokens
        self._limit_key = "max_completion_tokens"
        self._client = AsyncOpenAI(
            api_key=key.get_secret_value() if key else "none",
            base_url=base_url or (str(settings.openai_base_url) if settings.openai_base_url else None),
            timeout=openai.Timeout(None, connect=CONNECT_TIMEOUT),
            max_retries=2,
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False),
        )

    async def reply(self, turns: Sequence[Turn], model: str) -> AsyncGenerator[str | Finish]:
        """The deltas of a reply ("" for reasoning), and at last a `Finish`.

        Raises:
            SourceError: with a sentence of ours; the provider's words may carry a key or an address.
        """
        try:
            stream = await self._open(turns, model or self.name)
            async with stream:
                async for item in _items(stream):
                    yield item
        except SourceError:
            raise
        except Exception as error:  # noqa: BLE001  # the client passes on JSON, Unicode and transport errors as they are
            logger.warning("the model's endpoint failed: %s", type(error).__name__)
            raise SourceError(sentence(error)) from None

    async def _open(self, turns: Sequence[Turn], model: str) -> AsyncStream[Any]:
        try:
            return await self._request(turns, model)
        except openai.BadRequestError as error:
            # Newer models refuse `max_tokens`, some compatible servers `max_completion_tokens`: switch once, for good.
            if self._limit_key not in str(error.body) or self._limit_key == "max_tokens":
                raise
            self._limit_key = "max_tokens"
            return await self._request(turns, model)

    async def _request(self, turns: Sequence[Turn], model: str) -> AsyncStream[Any]:
        # Untyped on purpose: the typed stream costs 110 to 165 µs of CPU a delta, this 14 µs (openai 3.52).
        return await self._client.post(
            "/chat/completions",
            cast_to=object,
            body={
                "model": model,
                "messages": [_message(turn) for turn in turns],
                "stream": True,
                "stream_options": {"include_usage": True},
                self._limit_key: self._limit,
            },
            stream=True,
            stream_cls=AsyncStream[object],
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.close()


def sentence(error: Exception) -> str:
    """What a person is told of an error of the endpoint."""
    match error:
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return "The model refused the server's key."
        case openai.NotFoundError():
            return "The model is not known at its address."
        case openai.RateLimitError() if getattr(error, "code", None) == "insufficient_quota":
            return "The model's quota is used up."
        case openai.RateLimitError():
            return "The model has too much to do. Try again in a moment."
        case openai.BadRequestError() if getattr(error, "code", None) == "context_length_exceeded":
            return "The thread has grown too long for the model."
        case openai.APIStatusError() if error.status_code >= 500:
            return "The model's server failed."
        case openai.APIStatusError():
            return "The model refused the request."
        case openai.APITimeoutError():
            return "The model did not answer in time."
        case openai.APIConnectionError():
            return "The connection to the model broke."
        case _:
            return "The model sent something that makes no sense."


async def _items(stream: AsyncStream[Any]) -> AsyncIterator[str | Finish]:
    finish_reason: str | None = None
    usage: Usage | None = None
    async for frame in stream:
        if not isinstance(frame, dict):
            continue
        if isinstance(counts := frame.get("usage"), dict):
            usage = Usage(int(counts.get("prompt_tokens") or 0), int(counts.get("completion_tokens") or 0))
        for choice in (frame.get("choices") or ())[:1]:
            delta = choice.get("delta") or {}
            # Reasoning is activity without text; keep-alive comments never get here.
            yield delta.get("content") or delta.get("refusal") or ""
            finish_reason = choice.get("finish_reason") or finish_reason
    match finish_reason:
        case None:
            raise SourceEndedEarly
        case "content_filter":
            msg = "The model's content filter ended the reply."
            raise SourceError(msg)
        case "length":
            yield Finish("Cut off at the length limit.", usage)
        case _:
            yield Finish(usage=usage)


def _message(turn: Turn) -> dict[str, str]:
    message = {"role": turn.role.value, "content": turn.text}
    if turn.name:
        message["name"] = turn.name
    return message
