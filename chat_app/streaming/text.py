"""Text made fit to be stored: every code point encodes to UTF-8, and none is NUL; and names and titles made honest.

A model's endpoint may send half of a surrogate pair (JSON allows it) or NUL. SQLite refuses the first, PostgreSQL the
second, and a socket that meets the first goes deaf. So text is cleaned once, where it comes in; what is counted, stored
and shown after that is the cleaned text.
"""

from __future__ import annotations

import re
import unicodedata

_UNFIT = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
_JOINERS = "\u200c\u200d"
"""Format characters that change what is seen: Persian and Indic words need them, and emoji made of several."""
_BREAKS = frozenset({"Cc", "Zl", "Zp"})
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Characters that show nothing although Unicode takes them for letters or marks."""


def clean(text: str) -> str:
    """`text` without NUL, its surrogate halves joined, each half that has no partner replaced by U+FFFD."""
    if not _UNFIT.search(text):
        return text
    # UTF-16 is where a pair is one character; its decoder puts one U+FFFD for each half that stands alone.
    return text.replace("\x00", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def one_line(text: str) -> str:
    """`text` as a name or a title may be: clean, on one line, and with nothing that turns the text around it.

    What formats without being seen goes too, such as directional overrides and zero-width spaces; accents, emoji and
    any script stay. "" when nothing is left.
    """
    return " ".join("".join(map(_in_a_line, clean(text))).split())


def _in_a_line(character: str) -> str:
    category = unicodedata.category(character)
    if category in _BREAKS:
        return " "
    return "" if category == "Cf" and character not in _JOINERS else character


def look(text: str) -> str:
    """What `text` looks like, to be compared: one for all that differ in case, spacing, width or by what is not seen.

    "" for a text of which nothing is seen. Letters of different scripts that look alike stay different.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", clean(text)).casefold())
    seen = (_in_a_line(character) for character in folded if character not in _JOINERS)
    return " ".join(_BLANK.sub("", "".join(seen)).split())


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
