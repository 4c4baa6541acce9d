"""The log: one line per record on stderr, without secrets, whichever code writes it.

Records are cleaned where they are made, so that no handler sees a secret: neither ours nor Reflex's nor Granian's.
"""

import logging
import re
import traceback
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from sqlalchemy import make_url

from chat_app.settings import Settings

HIDDEN = "***"
"""What stands in a secret's place."""
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_QUOTE = r"['\"]?"
_SEPARATOR = rf"{_QUOTE}\s*[:=,]\s*b?{_QUOTE}"
SHAPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # Headers: as text, as items of a dict and as ASGI's pairs of bytes. The whole value of a cookie header goes.
        (rf"(?i)\b((?:set-)?cookie{_SEPARATOR})[^\r\n'\"]+", rf"\1{HIDDEN}"),
        (rf"(?i)\b((?:proxy-)?authorization{_SEPARATOR})[^\r\n'\"]+", rf"\1{HIDDEN}"),
        (r"(?i)\b(bearer\s+)[\w.~+/=-]{8,}", rf"\1{HIDDEN}"),
        # Our own secrets: the cookie's, a token's, and such a value without its name (people/secrets.py).
        (r"\b(tributary=)[\w-]{16,}", rf"\1{HIDDEN}"),
        (r"\btrb_[\w-]+", HIDDEN),
        (r"(?<![\w-])(?=[\w-]*[0-9])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{43}(?![\w-])", HIDDEN),
        # Keys of OpenAI and of providers that use its format; even a masked key still shows how it ends.
        (r"\bsk-[\w.*-]{6,}", HIDDEN),
        # Passwords in addresses and in connection strings.
        (r"(://)[^\s/:@'\"]*:[^\s/@'\"]+@", rf"\1{HIDDEN}@"),
        (rf"(?i)\b((?:password|passwd|pwd|secret|api[_-]?key){_SEPARATOR})[^\s'\",;&)]+", rf"\1{HIDDEN}"),
    )
)
"""What secrets look like, including those that this process does not know."""


class Redactor:
    """Removes secrets from text: those that are known, and whatever looks like one."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        """Args:
        known: secrets to remove wherever they are; shorter ones than 4 characters are ignored, as they would also
            match inside ordinary words.
        """
        longest_first = sorted({secret for secret in known if len(secret) > 3}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        """The text without its secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for pattern, replacement in SHAPES:
            text = pattern.sub(replacement, text)
        return text


def secrets_of(settings: Settings) -> set[str]:
    """The secrets in the operator's settings, as they are and as they are quoted in addresses."""
    told = (
        *(key.get_secret_value() for key in (settings.openai_api_key, settings.chat_metrics_token) if key),
        make_url(settings.database_url).password,
        unquote(urlsplit(settings.openai_base_url or "").password or ""),
    )
    secrets = {str(secret) for secret in told if secret}
    return secrets | {quote(secret, safe="") for secret in secrets}


def set_up(settings: Settings) -> None:
    """Log to stderr what the app writes, and the warnings of other packages; from now on, no record has a secret."""
    redact = Redactor(secrets_of(settings))

    def clean_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return cleaned(logging.LogRecord(*args, **kwargs), redact)

    logging.setLogRecordFactory(clean_record)
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(FORMAT))
        root.addHandler(handler)
    for package in ("chat_app", "tributary_streams"):
        logging.getLogger(package).setLevel(settings.chat_log_level.upper())


def cleaned(record: logging.LogRecord, redact: Redactor) -> logging.LogRecord:
    """The record with its message and traceback as cleaned text, so that no formatter gets their parts."""
    try:
        text = record.getMessage()
    except Exception:  # noqa: BLE001  # logging itself would print the uncleaned parts
        text = f"{record.msg} {record.args}"
    if record.exc_info:
        text = "\n".join((text, "".join(traceback.format_exception(*record.exc_info)).rstrip()))
    record.msg, record.args, record.exc_info = redact(text), None, None
    record.stack_info = redact(record.stack_info) if record.stack_info else None
    return record
