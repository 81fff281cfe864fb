"""From values and dates to places on a chart: round tick marks, and where each point lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, floor, log10

WIDTH, HEIGHT = 760.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 14.0, 10.0, 26.0
"""Room around the drawing, for what is written on its axes."""
MAX_DATES = 8


def round_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round values from just below `low` to just above `high`, about as many as wanted."""
    if not high > low:
        return [low - 1e-3, low, low + 1e-3] if low == high else [0.0, 1.0]
    rough = (high - low) / max(wanted, 1)
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def date_ticks(sessions: Sequence[date]) -> list[tuple[int, str]]:
    """Positions at which a month or year begins, with what is written there: few enough to stay apart."""
    months = [n for n, day in enumerate(sessions) if n and day.month != sessions[n - 1].month]
    years = [n for n in months if sessions[n].year != sessions[n - 1].year]
    if len(months) <= MAX_DATES:
        return [(n, f"{sessions[n]:%b %Y}") for n in months] or [(0, f"{sessions[0]:%d %b %Y}")]
    chosen = years if len(years) >= 3 else months
    every = ceil(len(chosen) / MAX_DATES)
    return [(n, f"{sessions[n]:%Y}" if chosen is years else f"{sessions[n]:%b %Y}") for n in chosen[::every]]


@dataclass(frozen=True)
class Scale:
    """Where a value or the n-th of `points` lies on a chart of the usual size, in its units."""

    points: int
    low: float
    high: float
    height: float = HEIGHT
    inset: bool = False
    """Whether each point has a slot of its own, as bars have, instead of the first and last lying on the edges."""

    def x(self, position: float) -> float:
        """From the left."""
        room = WIDTH - LEFT - RIGHT
        if self.inset or self.points < 2:
            return LEFT + room * (position + 0.5) / self.points
        return LEFT + room * position / (self.points - 1)

    def y(self, value: float) -> float:
        """From the top."""
        room = self.height - TOP - BOTTOM
        return TOP + room * (1 - (value - self.low) / (self.high - self.low))

    def path(self, values: Sequence[float]) -> str:
        """The points of a line through all values, for a `polyline`."""
        return " ".join(f"{self.x(n):.1f},{self.y(value):.1f}" for n, value in enumerate(values))
