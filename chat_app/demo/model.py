"""The demo model: answers without an endpoint, at a human rhythm. What it says is composed in `replies`."""

import asyncio
import itertools
import random
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from chat_app.demo.replies import ChatMessage, compose_reply
from tributary_streams import Finish, Usage


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


class DemoModel:
    """What answers if no other model is set."""

    name = "tributary-demo"

    def __init__(self, mention: re.Pattern[str], rhythm: Rhythm = HUMAN) -> None:
        """`mention` finds the AI's name in a text."""
        self._mention = mention
        self._rhythm = rhythm

    async def reply(
        self,
        turns: Sequence[ChatMessage],
        model: str,  # noqa: ARG002  # of the demo there is one
        *,
        on_wait: Callable[[str], None],  # noqa: ARG002  # it never waits
    ) -> AsyncGenerator[str | Finish]:
        """Yield the deltas of a reply, then a `Finish`. Tokens written are these deltas; tokens read are estimated."""
        deltas = deltas_of(compose_reply(turns, self._mention))
        for previous, delta in itertools.pairwise(["", *deltas]):
            await self._rhythm.before(previous)
            yield delta
        yield Finish(usage=Usage(sum(3 + len(turn.text) // 4 for turn in turns), len(deltas)))


def deltas_of(text: str) -> list[str]:
    """Cut a text as a tokenizer would: pieces of at most 6 characters, none lost, spaces before words."""
    pieces: list[str] = []
    for word in re.findall(r"\s*\S+|\s+", text):
        count = -(-len(word) // 6)
        edges = [len(word) * index // count for index in range(count + 1)]
        pieces += [word[start:end] for start, end in itertools.pairwise(edges)]
    return pieces
