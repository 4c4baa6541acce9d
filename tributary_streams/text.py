"""Text made fit to be stored: every code point encodes to UTF-8, and none is NUL.

A model's endpoint may send half of a surrogate pair (JSON allows it) or NUL. SQLite refuses the first, PostgreSQL the
second, and a socket that meets the first goes deaf. So text is cleaned once, where it comes in; what is counted, stored
and shown after that is the cleaned text.
"""

from __future__ import annotations

import re

_UNFIT = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def clean(text: str) -> str:
    """`text` without NUL, its surrogate halves joined, each half that has no partner replaced by U+FFFD."""
    if not _UNFIT.search(text):
        return text
    # UTF-16 is where a pair is one character; its decoder puts one U+FFFD for each half that stands alone.
    return text.replace("\x00", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Cleaner:
    """Cleans a stream of deltas: all it gives, in order, is `clean` of all it was fed, however that was split."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, delta: str) -> str:
        """The text that is certain by now. A high surrogate at the end is held back for its partner."""
        text = self._half + delta.replace("\x00", "")
        self._half = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        return clean(text[: len(text) - len(self._half)])

    def rest(self) -> str:
        """What is left at the end of the stream: U+FFFD for a half whose partner never came, else nothing."""
        rest = _REPLACEMENT if self._half else ""
        self._half = ""
        return rest
