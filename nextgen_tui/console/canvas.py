"""A line and a fan of intervals drawn with braille dots and shades: pure, so that it is tested without a terminal."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nextgen_tui.console.forecasts import Fan

BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Row, then column of a braille cell -> its bit."""
SHADES = {0: " ", 1: "░", 2: "▒", 3: "▓"}
"""Band -> the sign that fills it: shape as well as colour tells the bands apart."""


@dataclass(frozen=True)
class Cell:
    """One character of a chart."""

    sign: str
    band: int
    """0 outside the fan, 1 in the 90 % interval, 2 in the 80 %, 3 in the 50 %."""
    line: str = ""
    """`past` or `median` where a line runs through it."""


def chart(past: Sequence[float], fan: Fan | None, width: int, height: int) -> list[list[Cell]]:
    """Draw the past as a line and the fan behind it, on `height` rows of `width` cells.

    Time runs evenly from the first past level to the last horizon; the last past level stands at the origin of the
    fan. With too little room or nothing to draw, the rows are blank.
    """
    blank = [[Cell(" ", 0) for _ in range(max(width, 0))] for _ in range(max(height, 0))]
    ahead = fan.horizons[-1] if fan else 0
    # Two dots to a cell, and at most one session to a dot: older sessions are left out, not squeezed in.
    past = tuple(past)[-max(2 * width - ahead, 0) :]
    if width < 4 or height < 2 or not past:
        return blank
    levels = [*past, *(level for step in (fan.levels if fan else ()) for level in step)]
    scale = _Scale(min(levels), max(levels), len(past) - 1 + ahead, width, height)
    dots = _Dots(width, height)
    dots.draw([(scale.x(number), scale.y(level)) for number, level in enumerate(past)], "past")
    origin = len(past) - 1
    if fan:
        steps = [(origin, past[-1]), *((origin + h, row[fan.median]) for h, row in _steps(fan))]
        dots.draw([(scale.x(at), scale.y(level)) for at, level in steps], "median")
    return [
        [_cell(dots, column, row, _band(fan, past[-1], origin, scale, column, row)) for column in range(width)]
        for row in range(height)
    ]


def extent(past: Sequence[float], fan: Fan | None) -> tuple[float, float] | None:
    """Lowest and highest level of a chart; None where there is nothing to draw."""
    levels = [*past, *(level for step in (fan.levels if fan else ()) for level in step)]
    return (min(levels), max(levels)) if levels else None


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    span: int
    width: int
    height: int

    def x(self, at: float) -> int:
        return round(at / self.span * (2 * self.width - 1)) if self.span else 0

    def y(self, level: float) -> int:
        share = (self.high - level) / (self.high - self.low) if self.high > self.low else 0.5
        return round(share * (4 * self.height - 1))

    def at(self, column: int) -> float:
        """The position in time of a cell's middle."""
        return (2 * column + 0.5) / (2 * self.width - 1) * self.span

    def level(self, row: int) -> float:
        """The level at a cell's middle."""
        return self.high - (4 * row + 1.5) / (4 * self.height - 1) * (self.high - self.low)


class _Dots:
    """A grid of braille dots, and which line runs through each cell."""

    def __init__(self, width: int, height: int) -> None:
        self.bits = [[0] * width for _ in range(height)]
        self.lines = [[""] * width for _ in range(height)]

    def draw(self, points: Sequence[tuple[int, int]], line: str) -> None:
        for (x0, y0), (x1, y1) in pairwise(points):
            steps = max(abs(x1 - x0), abs(y1 - y0), 1)
            for step in range(steps + 1):
                # The median is dotted, so that it differs from the past without colour too.
                if line == "past" or step % 2 == 0:
                    self._set(round(x0 + (x1 - x0) * step / steps), round(y0 + (y1 - y0) * step / steps), line)
        if len(points) == 1:
            self._set(*points[0], line)

    def _set(self, x: int, y: int, line: str) -> None:
        row, column = y // 4, x // 2
        self.bits[row][column] |= _DOTS[y % 4][x % 2]
        self.lines[row][column] = self.lines[row][column] or line


def _cell(dots: _Dots, column: int, row: int, band: int) -> Cell:
    if bits := dots.bits[row][column]:
        return Cell(chr(BRAILLE + bits), band, dots.lines[row][column])
    return Cell(SHADES[band], band)


def _band(fan: Fan | None, start: float, origin: int, scale: _Scale, column: int, row: int) -> int:
    ahead = scale.at(column) - origin
    if fan is None or ahead <= 0:
        return 0
    quantiles, level = _quantiles(fan, start, ahead), scale.level(row)
    for band, (low, high) in ((3, (2, -3)), (2, (1, -2)), (1, (0, -1))):
        if quantiles[low] <= level <= quantiles[high]:
            return band
    return 0


def _quantiles(fan: Fan, start: float, ahead: float) -> tuple[float, ...]:
    """The quantile levels at a time between two horizons, on straight lines between them."""
    position = bisect_left(fan.horizons, ahead)
    if position == len(fan.horizons):
        return fan.levels[-1]
    before = fan.horizons[position - 1] if position else 0
    earlier = fan.levels[position - 1] if position else (start,) * len(fan.levels[0])
    share = (ahead - before) / (fan.horizons[position] - before)
    return tuple(a + (b - a) * share for a, b in zip(earlier, fan.levels[position], strict=True))


def _steps(fan: Fan) -> list[tuple[int, tuple[float, ...]]]:
    return list(zip(fan.horizons, fan.levels, strict=True))
