"""A chunker decides which part of a model's text is ready to be stored.

Deltas go in, chunks come out. The caller passes the time, in seconds of a monotonic clock. Three things make text
ready:

- a boundary: the end of a sentence, line, paragraph or word, as the rule says;
- size: `max_chars` code points follow the last boundary;
- time: no delta for `pause` seconds, or a code point has waited for `max_age` seconds.

After a pause, everything pending is ready, even half a word: there is nothing more to show. While text still flows, a
cut by size or age is made at the last word end, and the unfinished word waits; but after a `take` no code point is
older than `max_age`. A word end is white space or either side of a Chinese or Japanese character. Text without a word
end (base64, a long address) is taken whole by age and in pieces of `max_chars` by size, never between a letter and what
belongs to it (an accent, a variation selector, the parts of a joined emoji).

A missed boundary delays text until the next boundary or timer; a false boundary costs a row. Both are cheap, so the
sentence rule is short. Text is scanned once, as it arrives.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

Boundary = Callable[[str], int]
"""Takes the pending text and returns how many code points of it are complete; 0 for none yet."""


class Granularity(StrEnum):
    DELTA = "delta"
    WORD = "word"
    SENTENCE = "sentence"
    LINE = "line"
    PARAGRAPH = "paragraph"


@dataclass(frozen=True)
class ChunkRule:
    """When text is ready. `max_chars` counts code points; `pause` and `max_age` are seconds.

    A callable `boundary` is called at most once per delta and per take, with all pending text. That is little more than
    `max_chars` if chunks are taken when due. Its result is limited to the length of the pending text.
    """

    boundary: Granularity | Boundary = Granularity.SENTENCE
    max_chars: int = 400
    pause: float = 0.5
    max_age: float = 1.0

    def __post_init__(self) -> None:
        if self.max_chars < 1 or not self.pause >= 0 or not self.max_age >= 0:
            raise ValueError("a chunk rule needs max_chars of at least 1 and times that are not negative")


class Chunker:
    """Holds the text of one stream until it is ready. All chunks and the rest, joined, equal the text that was fed."""

    def __init__(self, rule: ChunkRule) -> None:
        self._rule = rule
        boundary = rule.boundary
        self._boundary = _SCANS[boundary]() if isinstance(boundary, Granularity) else boundary
        self._parts: deque[tuple[str, float]] = deque()  # pending text with the time it came
        self._pending = 0
        self._taken = 0
        self._last_delta = -math.inf
        self._answer: int | None = None  # what a callable boundary returned for the present pending text

    @property
    def pending(self) -> int:
        """How many code points were fed and not yet taken."""
        return self._pending

    def feed(self, text: str, now: float) -> None:
        """Add a delta. An empty one does not end a pause."""
        if not text:
            return
        # In parts of at most max_chars, so that a huge delta is not copied again for each piece that is cut off.
        size = self._rule.max_chars
        self._parts.extend((text[start : start + size], now) for start in range(0, len(text), size))
        self._pending += len(text)
        self._last_delta = now
        self._answer = None
        if isinstance(self._boundary, _Scan):
            self._boundary.read(text)

    def due_at(self) -> float | None:
        """When `take` will next have text if no delta comes: a time, `-inf` for now, None if nothing is pending."""
        if not self._pending:
            return None
        complete = self._complete()
        if complete or self._pending >= self._rule.max_chars:
            return -math.inf
        return min(self._last_delta + self._rule.pause, self._parts[0][1] + self._rule.max_age)

    def take(self, now: float) -> str:
        """Remove and return what is ready, with all complete sentences (or lines, words) in one chunk; "" for nothing.

        If the text without a boundary was longer than `max_chars`, more may be ready at once; `due_at` says so.
        """
        return self._remove(self._ready(now))

    def rest(self) -> str:
        """Remove and return everything pending: the tail of a stream that has ended."""
        return self._remove(self._pending)

    def _ready(self, now: float) -> int:
        if not self._pending or now >= self._last_delta + self._rule.pause:
            return self._pending
        complete = self._complete()
        overdue = self._overdue(now)
        if overdue > complete:
            end = _last_word_end(self._head(self._pending), self._pending)
            return end if end >= overdue else self._pending
        size = self._rule.max_chars
        if self._pending - complete >= size:
            tail = self._head(complete + size + 1)[complete:]
            return complete + (_last_word_end(tail, size) or _last_character_end(tail, size))
        return complete

    def _complete(self) -> int:
        """Pending code points up to the last boundary."""
        if isinstance(self._boundary, _Scan):
            return self._boundary.boundary - self._taken if self._boundary.visible > self._taken else 0
        if self._answer is None:
            answer = self._boundary(self._head(self._pending))
            self._answer = min(max(answer, 0), self._pending)
        return self._answer

    def _overdue(self, now: float) -> int:
        """Pending code points that have waited for `max_age`."""
        count = 0
        for text, came in self._parts:
            if now < came + self._rule.max_age:
                break
            count += len(text)
        return count

    def _head(self, count: int) -> str:
        """At least `count` code points of the pending text, if there are as many."""
        parts: list[str] = []
        for text, _ in self._parts:
            if count <= 0:
                break
            parts.append(text)
            count -= len(text)
        return "".join(parts)

    def _remove(self, count: int) -> str:
        if not count:
            return ""
        self._pending -= count
        self._taken += count
        self._answer = None
        taken: list[str] = []
        while count:
            text, came = self._parts.popleft()
            if len(text) > count:
                self._parts.appendleft((text[count:], came))
                text = text[:count]
            taken.append(text)
            count -= len(text)
        return "".join(taken)


class _Scan:
    """Reads the text of a stream once, code point by code point, and keeps the offset of its last boundary.

    `visible` is the offset after the last visible character before that boundary. A boundary with only white space
    before it is not worth a chunk.
    """

    def __init__(self) -> None:
        self.boundary = 0
        self.visible = 0
        self._offset = 0
        self._previous = ""
        self._last_visible = 0

    def read(self, text: str) -> None:
        for char in text:
            self._look(char)
            self._offset += 1
            self._previous = char
            if not char.isspace():
                self._last_visible = self._offset

    def _look(self, char: str) -> None:
        """Look at the character at `_offset`, and mark a boundary if it shows one."""
        raise NotImplementedError

    def _mark_before(self) -> None:
        self.boundary = self._offset
        self.visible = self._last_visible

    def _mark_after(self) -> None:
        """Mark the boundary after the present character, which is white space and goes with the text before it."""
        self.boundary = self._offset + 1
        self.visible = self._last_visible


class _Deltas(_Scan):
    def read(self, text: str) -> None:
        self.boundary += len(text)
        self.visible = self.boundary


class _Words(_Scan):
    def _look(self, char: str) -> None:
        if char.isspace():
            self._mark_after()
        elif self._previous and _parts_words(self._previous, char):
            self._mark_before()


class _Lines(_Scan):
    def _look(self, char: str) -> None:
        if char in _LINE_ENDS:
            self._mark_after()


class _Paragraphs(_Scan):
    def __init__(self) -> None:
        super().__init__()
        self._line_is_blank = True

    def _look(self, char: str) -> None:
        if char in _LINE_ENDS:
            if self._line_is_blank:
                self._mark_after()
            self._line_is_blank = True
        elif not char.isspace():
            self._line_is_blank = False


class _Sentences(_Scan):
    """Sentence ends and line ends in prose; only line ends in a fenced code block."""

    def __init__(self) -> None:
        super().__init__()
        self._word = ""  # text since the last white space, no longer than an abbreviation can be
        self._line = ""  # text since the last line end, as much as a fence or a list number needs
        self._ender = ""  # the last sentence ender, as long as only closing marks have followed it
        self._fence = ""  # what opened the code block this line is in

    def _look(self, char: str) -> None:
        if char in _LINE_ENDS:
            self._turn_fence()
            self._mark_after()
            self._word = self._line = self._ender = ""
            return
        if not self._fence:
            self._look_in_prose(char)
        if char.isspace():
            self._word = ""
        elif len(self._word) < 24:
            self._word += char
        if len(self._line) < 120:
            self._line += char

    def _look_in_prose(self, char: str) -> None:
        if char in _ENDERS or char in _SOLE_ENDERS:
            self._ender = char
        elif self._ender and not self._closes(char):
            if self._ends_before(char):
                self._mark_before()
            self._ender = ""
        if char.isspace() and self._line and self.boundary == self._offset:
            self._mark_after()

    def _closes(self, char: str) -> bool:
        """Whether `char` still belongs to the sentence whose ender was seen: a closing quote, bracket or emphasis."""
        if char in _PLAIN_CLOSERS or _belongs(self._previous, char):
            return True
        # Initial quotes close in German and Danish; after an ender that needs no white space they open a sentence.
        initial = self._ender in _ENDERS and unicodedata.category(char) == "Pi"
        return initial or unicodedata.category(char) in ("Pe", "Pf")

    def _ends_before(self, char: str) -> bool:
        if self._ender in _SOLE_ENDERS:
            return True
        if not char.isspace() and not _CJK.match(char):
            return False
        return self._ender != "." or not self._is_abbreviated()

    def _is_abbreviated(self) -> bool:
        """Whether the full stop belongs to the word or list number before it."""
        word = self._word.strip(_AROUND_WORDS)
        return bool(_INITIALS.fullmatch(word) or _ABBREVIATION.fullmatch(word) or _LIST_NUMBER.fullmatch(self._line))

    def _turn_fence(self) -> None:
        found = _FENCE.fullmatch(self._line)
        if not found:
            return
        marks, info = found[1], found[2]
        if not self._fence:
            self._fence = marks
        elif marks.startswith(self._fence) and not info.strip():
            self._fence = ""


_SCANS: dict[Granularity, type[_Scan]] = {
    Granularity.DELTA: _Deltas,
    Granularity.WORD: _Words,
    Granularity.SENTENCE: _Sentences,
    Granularity.LINE: _Lines,
    Granularity.PARAGRAPH: _Paragraphs,
}

_LINE_ENDS = frozenset("\n\u2028\u2029")

# These also stand inside names, numbers and operators, so white space must follow.
_ENDERS = frozenset(".!?\u2026\uff0e\u203c\u203d\u2047\u2048\u2049")
# These end a sentence wherever they stand. Source: the Sentence_Terminal property of Unicode, scripts in daily use.
_SOLE_ENDERS = frozenset(
    "\u3002\uff01\uff1f\uff61"  # Chinese, Japanese
    "\u061d\u061e\u061f\u06d4\u0700\u0701\u0702"  # Arabic, Urdu, Syriac
    "\u0964\u0965"  # Devanagari and its neighbours
    "\u0589\u037e"  # Armenian, Greek
    "\u1362\u1367\u1368"  # Ethiopic
    "\u104a\u104b\u17d4\u17d5\u0f0d\u0f0e"  # Burmese, Khmer, Tibetan
    "\u1803\u1809\u1c7e\u1c7f\ua60e\ua60f"  # Mongolian, Ol Chiki, Vai
)
_PLAIN_CLOSERS = frozenset("\"'*_~`")
_AROUND_WORDS = "\"'*_~`()[]{}<>\u00ab\u00bb\u2018\u2019\u201a\u201c\u201d\u201e\u2039\u203a"

_INITIALS = re.compile(r"(?:[^\W\d_]\.)+")  # "J.", "e.g.", "U.S."
_LIST_NUMBER = re.compile(r"[\s>#*_+-]*\(?\d{1,9}(?:\.\d{1,9})*\.[*_]*")
_FENCE = re.compile(r"[\s>]*(`{3,}|~{3,})([^`]*)")
_ABBREVIATION = re.compile(
    r"(?:mrs?|m[sx]|dr|prof|st|jr|sr|rev|hon|gen|col|lt|capt|sgt|sen|rep|gov|pres|ph\.d"
    r"|vs|cf|viz|al|approx|ca|figs?|eqs?|sec|ch|vol|pp|nr|dept|est|inc|ltd|corp|mt"
    r"|jan|feb|apr|aug|sept?|oct|nov|dec"
    r"|bzw|bspw|evtl|ggf|inkl|vgl|hrsg|sra|srta|dra|mme|mlle|стр|рис)\.",
    re.IGNORECASE,
)

# Scripts written without spaces whose characters are words, or nearly: Han, kana, their punctuation and wide forms.
_CJK = re.compile(
    "[\u3000-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)


def _belongs(before: str, after: str) -> bool:
    """Whether a reader sees both as one character: the common cases of Unicode's grapheme clusters (UAX #29)."""
    return (
        unicodedata.category(after) in ("Mn", "Mc", "Me")  # accents, vowel signs, variation selectors
        or before == "\u200d"  # the joiner of emoji families
        or after in "\u200c\u200d\uff9e\uff9f"
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # the tags of regional flags
        or ("\U0001f1e6" <= before <= "\U0001f1ff" and "\U0001f1e6" <= after <= "\U0001f1ff")  # flags
        or ("\u1100" <= before <= "\u11ff" and "\u1160" <= after <= "\u11ff")  # parts of a Hangul syllable
        or ("\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff")
    )


def _parts_words(before: str, after: str) -> bool:
    """Whether a word ends between two characters."""
    if before.isspace():
        return True
    return bool(_CJK.match(before) or _CJK.match(after)) and not _belongs(before, after)


def _last_word_end(text: str, limit: int) -> int:
    """The last word end in the first `limit` code points; 0 if there is none. White space alone has no word end."""
    first_visible = len(text) - len(text.lstrip())
    for end in range(limit, first_visible, -1):
        if text[end - 1].isspace() or (end < len(text) and _parts_words(text[end - 1], text[end])):
            return end
    return 0


def _last_character_end(text: str, limit: int) -> int:
    """The last place in the first `limit` code points that is not inside what a reader sees as one character.

    `limit` itself if that one character is longer than it.
    """
    for end in range(limit, 0, -1):
        if end == len(text) or not _belongs(text[end - 1], text[end]):
            return end
    return limit
