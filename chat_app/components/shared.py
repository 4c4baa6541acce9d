"""The constants that JavaScript shares with Python: `python -m chat_app.components.shared` writes assets/shared.js."""

import json
from pathlib import Path

from chat_app.live.presence import TYPING_LASTS, PersonHere
from chat_app.people.names import AI_HANDLE
from chat_app.state import Row, SidebarRow
from chat_app.threads.mentions import MENTION_IN_BROWSER
from chat_app.threads.messages import MAX_TEXT
from tributary_streams import LIVE_STATUSES

SHARED = Path(__file__).parents[2] / "assets" / "shared.js"


def module() -> str:
    """The text of assets/shared.js."""
    return f"""\
/** What Python and JavaScript have to agree on. Written by `make shared`: change it in Python. */

/** Where the fields of a transcript's row are (`Row` in chat_app/state.py). */
export const ROW = {_places(Row)};

/** Where the fields of a sidebar's row are (`SidebarRow` in chat_app/state.py). */
export const SIDEBAR_ROW = {_places(SidebarRow)};

/** Where the fields of somebody on the thread are (`PersonHere` in chat_app/live/presence.py). */
export const PERSON_HERE = {_places(PersonHere)};

/** Statuses of a reply that has not ended (tributary_streams/tables.py). */
export const LIVE_STATUSES = {json.dumps(sorted(LIVE_STATUSES))};

/** What the AI is called in a message, after an "@", and how it is found there (chat_app/threads/mentions.py). */
export const AI = {json.dumps(AI_HANDLE)};
export const MENTION = {MENTION_IN_BROWSER};

/** Characters (code points) that a message can have. */
export const MAX_TEXT = {MAX_TEXT};

/** Milliseconds after which the server takes it that somebody types no more. */
export const TYPING_LASTS_MS = {round(TYPING_LASTS * 1000)};
"""


def _places(kind: type[Row | SidebarRow | PersonHere]) -> str:
    return f"{{ {', '.join(f'{field}: {place}' for place, field in enumerate(kind._fields))} }}"


if __name__ == "__main__":
    SHARED.write_text(module(), encoding="utf-8")
