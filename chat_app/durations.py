"""How long something takes, in words for people."""

import math


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
