"""Text made fit to be stored: every code point encodes to UTF-8, and none is NUL.

A model's endpoint may send half of a surrogate pair (JSON allows it) or NUL. SQLite refuses the first, PostgreSQL the
second, and half a pair makes a socket fail. So text is cleaned once, where it comes in; from then on, only the cleaned
text is counted, stored and shown.
"""

from __future__ import annotations

import re

_UNFIT = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def clean(text: str) -> str:
    """`text` without NUL, with surrogate halves joined, and each half without a partner replaced by U+FFFD."""
    if not _UNFIT.search(text):
        return text
    # In UTF-16 a pair is one character; the decoder puts one U+FFFD for each half that stands alone.
    return text.replace("\x00", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Cleaner:
    """Cleans a stream of deltas: its outputs, joined, are `clean` of its inputs, joined, however these were split."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, delta: str) -> str:
        """The cleaned text that can go on. A high surrogate at the end is held back for its partner."""
        text = self._half + delta.replace("\x00", "")
        self._half = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        return clean(text[: len(text) - len(self._half)])

    def rest(self) -> str:
        """What is left at the end of the stream: U+FFFD for a half whose partner never came, else nothing."""
        rest = _REPLACEMENT if self._half else ""
        self._half = ""
        return rest
