"""What of a message its readers see: what they do not see asks nobody, and is told to no model."""

import re

_ADDRESS = re.compile(r"(?<=\]\()(?:https?://|mailto:)[^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*(?=\))", re.IGNORECASE)
"""The address behind the words of a link; it may have parentheses of its own (assets/chat_text.js)."""
_FLAG = "\U0001f3f4[\U000e0030-\U000e007a]{1,6}\U000e007f"
_SELECTOR = "[\ufe00-\ufe0f\U000e0100-\U000e01ef]"
_INVISIBLE = re.compile(
    rf"({_FLAG})|[\u115f\u1160\u180b-\u180f\u2060-\u206f\u3164\uffa0\ufff0-\ufff8\U000e0000-\U000e007f]"
    rf"|(?<={_SELECTOR}){_SELECTOR}"
)
"""Characters that show nothing, of which whole sentences can be made that only a model reads.

Those of flags, a single variation selector, and joiners stay: emoji and scripts need them.
"""


def without_invisible(text: str) -> str:
    """A text without the characters that show nothing."""
    return _INVISIBLE.sub(lambda found: found[1] or "", text)


def without_addresses(text: str) -> str:
    """A text without the addresses that stand behind the words of links."""
    return _ADDRESS.sub("", text)
