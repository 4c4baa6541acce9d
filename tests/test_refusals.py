"""Refusals: each has a sentence for the person and a status for the client, wherever it is raised."""

from collections.abc import Iterator

import pytest

from chat_app.api.problems import STATUSES
from chat_app.refusals import (
    WORDS,
    InviteUnknown,
    NotPermitted,
    NotRecognised,
    Refusal,
    SignedOut,
    ThreadUnknown,
    TooMany,
    TooMuch,
    words,
)

SAY_NOTHING = {NotRecognised, SignedOut, ThreadUnknown, InviteUnknown, NotPermitted, TooMany}
"""Refusals that are raised without a sentence, some with an id."""


def leaves(of: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    """The kinds that are raised."""
    for kind in of.__subclasses__():
        if not (below := list(leaves(kind))) or kind in SAY_NOTHING:
            yield kind
        yield from below


@pytest.mark.parametrize("kind", list(leaves()), ids=lambda kind: kind.__name__)
def test_every_refusal_has_words_and_a_status(kind: type[Refusal]) -> None:
    refusal = TooMuch("Wait {wait}.", 1) if kind is TooMuch else kind("an id or a sentence")
    said = words(refusal)
    assert said in WORDS.values() if kind in SAY_NOTHING else said == str(refusal)
    assert any(each in STATUSES for each in kind.__mro__)
