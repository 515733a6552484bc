"""Percentiles, ratios of interleaved rounds, and rows of the table. Measures nothing itself."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``goal`` is empty where there is none, ``met`` is None then."""

    what: str
    ours: str
    beside: str
    ratio: str = ""
    goal: str = ""
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """One measurement: its rows, and what has to be known to read them."""

    name: str
    title: str
    beside: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile, ``share`` in 0...1: always a value that was measured."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(ratios: Sequence[float]) -> str:
    """Median with lowest and highest of interleaved rounds."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} … {max(ratios):.2f})"


def verdict(row: Row) -> str:
    """The goal and whether it was met, in words."""
    if row.met is None:
        return row.goal
    return f"{row.goal}: {'met' if row.met else 'MISSED'}"
