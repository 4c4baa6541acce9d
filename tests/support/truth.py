"""Whether a page shows what was written, by a reading of the source that knows no parser.

Letters, digits and `< > $ ~ \\ |` of the source must be on the page, in order, and nothing else of their kind. Only the
marks in the lists below may be missing, for the page shows what they mean.
"""

import html
import re
import unicodedata
from collections.abc import Iterator

SIGNS = frozenset("<>$~\\|")
HARMLESS = "b|strong|i|em|u|s|del|ins|mark|sub|sup|kbd|br"
PUNCTUATION = r"[!-/:-@\[-`{-~]"
SPACES = r"[ \t]*"
LINE_START = r"(?m)^(?:[ \t>]|[-+*](?:[ \t]|$)|\d{1,9}[.)](?:[ \t]|$))*"
"""Marks of quotes and lists before what a line says, one in another."""

IN_BOTH = (
    r"\]\((?:https?|mailto):[^\s<>]*\)",  # the address of a link
    LINE_START,
    r"(?m)^[ \t]*~{3,}",  # a fence
)
IN_REPLIES = (
    *IN_BOTH,
    rf"(?i)</?(?:{HARMLESS}) ?/?>",  # formatting
    r"(?<=\])\((?:[^()\n]|\([^()\n]*\))*\)",  # the address of any link, its title, and that of an image
    r"<(?=[a-z][a-z0-9+.-]*:|[^\s<>@]+@)",  # around an address
    r"(?<=[\w/])>",
    rf"\\(?={PUNCTUATION})",  # an escape
    r"(?m)\\$",  # at a line's end: a break
    r"(?m)\\[()\[\]]|\$\$?",  # around a formula
    r"~~",  # struck
    r"(?m)^[ \t>]*\|?[ \t:|-]+\|[ \t:|-]*$",  # below a table's head
    r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|\w{2,31});",  # a character by its name: `unescaped` has it
    r"\[[xX]\](?=[ \t])",  # a task that is done
)
WHILE_GROWING = (
    r"~\Z",
    rf"(?i)</?(?:{'|'.join(sorted({tag[:end] for tag in HARMLESS.split('|') for end in range(len(tag) + 1)}))})? ?/?\Z",
    r"(?<=\])\([^\n]*\Z",  # the address of a link, half of it
)


def is_significant(character: str) -> bool:
    return character in SIGNS or (character.isalnum() and unicodedata.category(character) != "Mn")


def significant(text: str) -> str:
    """What of a text has to be shown."""
    return "".join(filter(is_significant, text))


def _consumable(source: str, patterns: tuple[str, ...]) -> list[bool]:
    may_go = [False] * len(source)
    for pattern in patterns:
        for found in re.finditer(pattern, source):
            may_go[found.start() : found.end()] = [True] * (found.end() - found.start())
    return may_go


def _tables(source: str) -> Iterator[int]:
    """The places of bars in tables: lines with bars around one that has nothing but bars, dashes and colons."""
    lines = source.splitlines(keepends=True)
    is_rule = [re.fullmatch(r"[ \t>]*\|?[ \t:|-]*-[ \t:|-]*", line.rstrip("\n")) is not None for line in lines]
    at = 0
    for number, line in enumerate(lines):
        first = number
        while first > 0 and lines[first - 1].strip():
            first -= 1
        if any(is_rule[first : number + 2]):
            yield from (at + place for place, character in enumerate(line) if character == "|")
        at += len(line)


def untruth(source: str, shown: str, *, is_reply: bool, is_growing: bool = False) -> str:
    """What the page does not show, or shows too much, of `source`; "" if it tells the truth."""
    patterns = (IN_REPLIES if is_reply else IN_BOTH) + (WHILE_GROWING if is_growing else ())
    may_go = _consumable(source, patterns)
    if is_reply:
        for place in _tables(source):
            may_go[place] = True
    said = significant(shown)
    reached = {0}
    for place, character in enumerate(source):
        if not is_significant(character):
            continue
        on = {end + 1 for end in reached if end < len(said) and said[end] == character}
        if may_go[place]:
            on |= reached
            on |= {end + len(name) for end in reached for name in _named(source, place) if said.startswith(name, end)}
        if not on:
            end = max(reached)
            return f"{source[max(0, place - 30) : place + 30]!r} is shown as …{said[max(0, end - 15) : end + 15]!r}"
        reached = on
    return "" if len(said) in reached else f"more than was written: {said[max(reached) :][:60]!r}"


def _named(source: str, place: int) -> Iterator[str]:
    """The character that is written by its name, at its last letter."""
    before = source.rfind("&", max(0, place - 32), place)
    if before >= 0 and source[place + 1 : place + 2] == ";":
        name = significant(html.unescape(source[before : place + 2]))
        if name and "&" not in name:
            yield name
