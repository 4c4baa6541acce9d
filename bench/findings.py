"""Findings: what a run has measured, by name, and how it grew."""

import logging
from collections.abc import Mapping
from typing import Any

from bench.figures import exponent

logger = logging.getLogger(__name__)


class Findings:
    """The figures and series of one run."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        """Bytes, seconds, counts and ratios by name; `budgets.py` says what they mean."""
        self.series: dict[str, dict[int, dict[str, float]]] = {}
        """By what grows, then by how much of it there is, then by what it costs."""
        self.beside: dict[str, Any] = {}
        self.failures: dict[str, str] = {}
        """What could not be measured, and why."""

    def note(self, **figures: float) -> None:
        """Add figures."""
        for name, value in figures.items():
            logger.info("%s: %s", name, f"{value:,.4g}")
        self.figures.update(figures)

    def add(self, series: str, size: int, costs: Mapping[str, float]) -> None:
        """Add a point to a series."""
        told = ", ".join(f"{name} {value:,.4g}" for name, value in costs.items())
        logger.info("%s %s: %s", size, series, told)
        self.series.setdefault(series, {})[size] = dict(costs)

    def exponents(self) -> dict[str, dict[str, float | None]]:
        """By which power of its size each series' costs grow."""
        return {
            series: {
                cost: exponent({size: costs[cost] for size, costs in points.items()})
                for cost in _costs(points.values())
            }
            for series, points in self.series.items()
        }

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "figures": _all_rounded(self.figures),
            "series": {
                series: {str(size): _all_rounded(costs) for size, costs in points.items()}
                for series, points in self.series.items()
            },
            "exponents": {
                series: {cost: None if power is None else round(power, 2) for cost, power in powers.items()}
                for series, powers in self.exponents().items()
            },
            "beside": self.beside,
            "failures": self.failures,
        }


def _costs(points: Any) -> list[str]:
    first, *others = points
    return [cost for cost in first if all(cost in other for other in others)]


def _all_rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.5g}") for name, value in values.items()}
