"""How much is measured: all of it in about 22 minutes, or a little of everything in about one."""

from dataclasses import dataclass

from bench.replies import DELTAS


@dataclass(frozen=True)
class Plan:
    """Sizes; seconds are how long the model takes to say a reply."""

    name: str
    deltas: int
    """Of the reply that stands for one of ordinary length."""
    times_as_long: int
    """As it, the long one is; 0 leaves it out."""
    messages: int
    """In the thread of which one tab is idle while as many more are posted."""
    followers: tuple[int, ...]
    at_once: tuple[int, ...]
    thread_messages: tuple[int, ...]
    threads: tuple[int, ...]
    load_seconds: float
    openings: int
    """Short replies by which the time to the first text is measured."""
    in_one_tab: int
    beside: tuple[int, ...]
    """Deltas a second at which the chats are compared; none leaves the comparison out."""
    beside_seconds: float
    overload: int
    """Replies at once that are too many."""


FULL = Plan(
    name="full",
    deltas=DELTAS,
    times_as_long=10,
    messages=100,
    followers=(1, 10, 100, 1000),
    at_once=(1, 10, 100),
    thread_messages=(10, 100, 1000),
    threads=(10, 1000),
    load_seconds=20,
    openings=10,
    in_one_tab=10,
    beside=(100, 50, 20),
    beside_seconds=15,
    overload=200,
)
QUICK = Plan(
    name="quick",
    deltas=400,
    times_as_long=0,
    messages=10,
    followers=(1, 10),
    at_once=(1, 10),
    thread_messages=(10, 50),
    threads=(10, 50),
    load_seconds=4,
    openings=3,
    in_one_tab=3,
    beside=(),
    beside_seconds=0,
    overload=0,
)
