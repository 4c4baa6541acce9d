"""Replies that the bench asks the scripted model for, written as words of the prompt that any chat can pass on."""

import re
import secrets
from dataclasses import dataclass, field
from itertools import accumulate, cycle, islice

from tests.support.scripted_model import REFERENCE_DELTAS

DELTAS = len(REFERENCE_DELTAS)
"""Of the reference reply: 2,000 of 4 characters, 40 sentences."""

_ORDER = re.compile(r"reply (\w+) of (\d+) deltas at (\d+) a second")


@dataclass(frozen=True)
class Reply:
    """So many deltas of 4 characters, the reference text over and over; `rate` is deltas a second, 0 for at once.

    The key stands in the place of its first characters, so that no two look alike on a page.
    """

    deltas: int = DELTAS
    rate: int = 100
    key: str = field(default_factory=lambda: secrets.token_hex(6))

    @property
    def order(self) -> str:
        """What makes the scripted model say it."""
        return f"reply {self.key} of {self.deltas} deltas at {self.rate} a second"

    @property
    def pieces(self) -> tuple[str, ...]:
        """Its deltas."""
        name = tuple(self.key[at : at + 4] for at in range(0, len(self.key), 4))
        return (*name, *islice(cycle(REFERENCE_DELTAS), len(name), self.deltas))

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)

    @property
    def ends(self) -> list[int]:
        """How many characters the text has after each delta."""
        return list(accumulate(map(len, self.pieces)))

    @property
    def seconds(self) -> float:
        """How long the model takes to say it."""
        return self.deltas / self.rate if self.rate else 0.0


def ordered(prompt: str) -> Reply | None:
    """The reply that a prompt orders, if it does."""
    found = _ORDER.search(prompt)
    return Reply(int(found[2]), int(found[3]), found[1]) if found else None
