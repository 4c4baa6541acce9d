"""Refusals: every reason to refuse what a person asks, as one tree of exceptions, with one table of sentences.

Refusal
├── NotRecognised       the request came with nothing that identifies a person
│   └── SignedOut       the session was ended
├── Unknown             it does not exist, or this person may not know of it
│   ├── ThreadUnknown
│   └── InviteUnknown
├── NotPermitted        this person may see it, but not do this with it
├── NotNow              the state of the thread or reply does not allow it
├── Unfit               what was given cannot be stored
│   ├── MessageRefused
│   │   └── MessageTooLong
│   ├── TitleRefused
│   ├── SettingRefused
│   ├── NameRefused
│   ├── TokenRefused
│   └── SharingRefused
├── TooMuch             a rate limit is reached
├── TooMany             too many connections are open, or were opened in a minute
└── UsedUp              the tokens of the day are spent

`words` says what a person reads. The HTTP statuses are in `api/problems.py`.
"""

import math


class Refusal(Exception):
    """Base of all refusals. The message is the sentence for the person, unless `WORDS` has one for the class."""


class NotRecognised(Refusal):
    """No valid cookie or token came with the request. Load the page again: its answer sets a cookie."""


class SignedOut(NotRecognised):
    """The session of the cookie or token was ended; its secret no longer identifies anybody."""


class Unknown(Refusal):
    """It does not exist, or this person may not know of it."""


class ThreadUnknown(Unknown):
    """There is no such thread, message or stream for this person."""


class InviteUnknown(Unknown):
    """There is no such invite: it was withdrawn, has expired, or never was."""


class NotPermitted(Refusal):
    """This person may read the thread but not do this with it."""


class NotNow(Refusal):
    """The state of the thread or reply does not allow this, or it comes too late."""


class Unfit(Refusal):
    """What was given cannot be stored."""


class MessageRefused(Unfit):
    """The message cannot be posted."""


class MessageTooLong(MessageRefused):
    """The message has more characters than a message can have."""


class TitleRefused(Unfit):
    """A thread cannot have this title."""


class SettingRefused(Unfit):
    """A thread cannot have this setting."""


class NameRefused(Unfit):
    """Nobody can have this name."""


class TokenRefused(Unfit):
    """The token cannot be made."""


class SharingRefused(Unfit):
    """A thread cannot be shared in this way."""


class TooMuch(Refusal):
    """A rate limit is reached; the message says how long to wait."""

    def __init__(self, sentence: str, wait: float) -> None:
        """Args:
        sentence: what is too much, with a `{wait}` in it.
        wait: seconds until the person may ask again.
        """
        super().__init__(sentence.format(wait=in_words(wait)))
        self.wait = wait


class TooMany(Refusal):
    """The server or one address has as many connections as it may have, or opened too many in a minute. Try later."""


class UsedUp(Refusal):
    """The tokens of the day are spent; the message says whose, and when there are new ones."""


WORDS: dict[type[Refusal], str] = {
    NotRecognised: "This browser keeps no cookies, so nobody can know who you are. Allow them and reload.",
    SignedOut: "You were signed out. Reload to come back as a new guest.",
    Unknown: "This does not exist, or you may not see it.",
    InviteUnknown: "This invite does not work any more. Ask for a new one.",
    NotPermitted: "You may read this thread, but not do that in it.",
    TooMany: "too many connections",
}
"""What a person reads if the message is empty, or names an id."""


def words(refusal: Refusal) -> str:
    """The sentence that a person reads."""
    return next((WORDS[kind] for kind in type(refusal).__mro__ if kind in WORDS), str(refusal))


def in_words(seconds: float) -> str:
    """A wait, rounded up: "1 second", "45 seconds", "12 minutes", "3 h 20 min"."""
    whole = math.ceil(seconds)
    if whole < 90:
        return f"{whole} second" + "s" * (whole != 1)
    minutes = math.ceil(whole / 60)
    if minutes < 120:
        return f"{minutes} minutes"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
