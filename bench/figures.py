"""Figures out of measurements: quantiles, delays, and how something grows."""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import pairwise

from bench.tab import Arrival


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed.

    Raises:
        ValueError: there are none.
    """
    if not values:
        msg = "no values"
        raise ValueError(msg)
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def delays(said: Sequence[float], ends: Sequence[int], arrivals: Sequence[tuple[float, int]]) -> list[float]:
    """Seconds from the model's sending of each delta to the first arrival that had it all.

    `ends` is how long the text is after each delta, `arrivals` are (when, how long the text then was), in order.

    Raises:
        ValueError: a delta never arrived.
    """
    lengths = [length for _, length in arrivals]
    found = [bisect_left(lengths, end) for end in ends]
    if found and found[-1] >= len(lengths):
        msg = f"only {lengths[-1] if lengths else 0} of {ends[-1]} characters arrived"
        raise ValueError(msg)
    return [arrivals[at][0] - sent for at, sent in zip(found, said, strict=True)]


def gaps(times: Sequence[float]) -> list[float]:
    """Seconds from each moment to the next."""
    return [later - earlier for earlier, later in pairwise(times)]


def reached(arrivals: Sequence[Arrival]) -> list[tuple[float, int]]:
    """Arrivals as `delays` takes them."""
    return [(arrival.at, arrival.length) for arrival in arrivals]


def exponent(series: Mapping[int, float]) -> float | None:
    """The power of x by which y grows, fitted by least squares to their logarithms: 1 is linear, 2 a square.

    None where it cannot be said: a value that is not above 0, or fewer than two.
    """
    if len(series) < 2 or any(y <= 0 for y in series.values()):
        return None
    points = [(math.log(x), math.log(y)) for x, y in series.items()]
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
