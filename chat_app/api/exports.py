"""Transcripts: a thread as a file, written as it is read, so that its length costs no memory."""

import re
from collections.abc import AsyncIterator, Sequence

from chat_app.api import schemas
from chat_app.data.models import Role
from chat_app.threads.messages import Exported
from chat_app.threads.reply_views import AttemptView
from chat_app.threads.thread_views import ThreadView

AI = "AI"
UNTITLED = "Untitled thread"
_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&:@=$^])")


async def as_json(thread: ThreadView, batches: AsyncIterator[Sequence[Exported]]) -> AsyncIterator[str]:
    """One `schemas.Export`."""
    yield f'{{"thread":{schemas.thread_of(thread).model_dump_json()},"messages":['
    separator = "\n"
    async for batch in batches:
        for message in batch:
            yield separator + schemas.exported(*message).model_dump_json()
            separator = ",\n"
    yield "\n]}\n"


async def as_markdown(thread: ThreadView, batches: AsyncIterator[Sequence[Exported]]) -> AsyncIterator[str]:
    """A heading for each message and its text as a quotation, so that no text can pass for a message of another."""
    yield f"# {escaped(thread.title or UNTITLED)}\n"
    async for batch in batches:
        for message, author, attempts in batch:
            name = escaped(author) if message.role is Role.USER else AI
            yield f"\n## {name} · {message.at:%Y-%m-%d %H:%M} UTC\n\n{_quoted(message.text)}\n"
            for note in _notes(attempts):
                yield note


def escaped(text: str) -> str:
    """Text on one line that Markdown shows as it is."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def _notes(attempts: Sequence[AttemptView]) -> list[str]:
    if not attempts:
        return []
    notes = [_ending(attempts[-1])]
    shown = attempts[-1].version
    for version in sorted({attempt.version for attempt in attempts} - {shown}):
        parts = [attempt for attempt in attempts if attempt.version == version]
        texts = [part.text for part in parts]
        text = "*Its text was pruned.*" if None in texts else _quoted("".join(text or "" for text in texts))
        notes.append(f"\n### Version {version} of {shown}\n\n{text}\n{_ending(parts[-1])}")
    return notes


def _ending(attempt: AttemptView) -> str:
    """How it ended, where that is worth a word."""
    if attempt.status == "done" and not attempt.reason:
        return ""
    reason = f": {escaped(attempt.reason)}" if attempt.reason else ""
    return f"\n*{attempt.status.value.capitalize()}{reason}*\n"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines() or [""])
