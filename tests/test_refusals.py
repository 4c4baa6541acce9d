"""Refusals: each has a sentence for the person and a status for the client, wherever it is raised."""

from collections.abc import Iterator

import pytest

from chat_app.api.problems import STATUSES
from chat_app.refusals import Refusal, TooMuch, words


def kinds(of: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_refusal_has_words_and_a_status(kind: type[Refusal]) -> None:
    refusal = TooMuch("wait {wait}", 1) if kind is TooMuch else kind("The sentence.")
    assert words(refusal).strip()
    assert any(each in STATUSES for each in kind.__mro__)
