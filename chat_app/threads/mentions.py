"""Mentions: how a text asks the AI by its name."""

import re

from chat_app.people.names import AI_HANDLE
from chat_app.threads.shown import without_addresses


def _pattern(word: str) -> str:
    """The AI's name as a word of its own, not in an address, a path or a longer name.

    `word` is what stands for a letter, a digit or "_" within a character class.
    """
    return rf"(?<![{word}.@/+-])@{AI_HANDLE}(?![{word}-]|[.@][{word}])"


MENTION = re.compile(_pattern(r"\w"), re.IGNORECASE)
"""The AI's name, as people write it in a message."""
MENTION_IN_BROWSER = "/" + _pattern(r"\p{L}\p{N}_") + "/iu"
"""The same as a literal of JavaScript, whose own `\\w` knows only ASCII."""


def mentions_ai(text: str) -> bool:
    """Whether a message asks the AI by name, where its readers see it."""
    return MENTION.search(without_addresses(text)) is not None
