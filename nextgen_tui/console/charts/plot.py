"""The plot of a chart as rows of signs: joined strokes over grounds whose edges lie at an eighth of a cell."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from nextgen_tui.console.charts.chart import NO_BAND, Band, Bar, Candle, Chart, Curve, Sign

WHOLE, DASHED = ("─", "│"), ("╌", "╎")
"""Level and upright strokes of a line."""
EIGHTHS = " ▁▂▃▄▅▆▇"
"""A block for each eighth of a cell that it fills from below."""


@dataclass(frozen=True)
class PlotScale:
    low: float
    high: float
    first: float
    last: float
    width: int
    height: int

    def x(self, at: float) -> int:
        span = self.last - self.first
        return round((at - self.first) / span * (2 * self.width - 1)) if span else self.width

    def y(self, level: float) -> int:
        share = (self.high - level) / (self.high - self.low) if self.high > self.low else 0.5
        return min(max(round(share * (4 * self.height - 1)), 0), 4 * self.height - 1)

    def at(self, column: int) -> float:
        """The position of a cell's middle."""
        return self.first + (2 * column + 0.5) / (2 * self.width - 1) * (self.last - self.first)

    def level(self, eighth: int) -> float:
        """The level at the middle of an eighth of a cell, counted from the top."""
        return self.high - (eighth + 0.5) / (8 * self.height) * (self.high - self.low)


def plot(chart: Chart, scale: PlotScale) -> list[list[Sign]]:
    ground = _ground(chart.bands, scale)
    ink = _Ink(scale)
    for line in sorted(chart.lines, key=lambda one: one.dotted):
        ink.line(line)
    rows = [
        [_cell(ink, ground[column][8 * row : 8 * row + 8], row, column) for column in range(scale.width)]
        for row in range(scale.height)
    ]
    if chart.cross is not None:
        _rule(rows, scale.x(chart.cross) // 2)
    for bar in chart.bars:
        _bar(rows, scale, bar)
    for candle in chart.candles:
        _candle(rows, scale, candle)
    for mark in chart.marks:
        column, row = scale.x(mark.x) // 2, scale.y(mark.y) // 4
        if 0 <= column < scale.width:
            rows[row][column] = replace(rows[row][column], sign=mark.sign, role=mark.role)
    return rows


class _Ink:
    """What lines are made of in each cell, and whose it is: the one's drawn first, whole ones before dashed ones.

    Strokes are joined from column to column, so that no line falls into specks where it is steep.
    """

    def __init__(self, scale: PlotScale) -> None:
        self._scale = scale
        self.strokes = [[""] * scale.width for _ in range(scale.height)]
        self.roles = [[""] * scale.width for _ in range(scale.height)]

    def line(self, line: Curve) -> None:
        points = [
            (self._scale.x(x), self._scale.y(y)) if y is not None else None
            for x, y in zip(line.xs, line.ys, strict=True)
        ]
        for run in _runs(points):
            if run[0][0] // 2 == run[-1][0] // 2:
                self._upright(run, line)
            else:
                self._join(run, line)

    def _upright(self, points: Sequence[tuple[int, int]], line: Curve) -> None:
        """A line within one column, or a single point."""
        rows = [y // 4 for _, y in points]
        for row in range(min(rows), max(rows) + 1):
            self._put(row, points[0][0] // 2, "│" if len(points) > 1 else "•", line.role)

    def _join(self, points: Sequence[tuple[int, int]], line: Curve) -> None:
        """Strokes from column to column: level ones in a row, corners and uprights where the row changes."""
        level, upright = DASHED if line.dotted else WHOLE
        before: int | None = None
        for column, row in _column_rows(points):
            if before is None or row == before:
                self._put(row, column, level, line.role)
            else:
                rises = row < before
                for between in range(min(row, before) + 1, max(row, before)):
                    self._put(between, column, upright, line.role)
                self._put(before, column, "╯" if rises else "╮", line.role)
                self._put(row, column, "╭" if rises else "╰", line.role)
            before = row

    def _put(self, row: int, column: int, stroke: str, role: str) -> None:
        if 0 <= column < self._scale.width and not self.strokes[row][column]:
            self.strokes[row][column], self.roles[row][column] = stroke, role


def _runs(points: Sequence[tuple[int, int] | None]) -> Iterator[list[tuple[int, int]]]:
    """The stretches of points that nothing interrupts."""
    for there, run in groupby(points, key=lambda point: point is not None):
        if there:
            yield [point for point in run if point is not None]


def _column_rows(points: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Each column that a line passes, with its row there: the last point of a column, or between two points."""
    last = {x // 2: y for x, y in points}
    places = sorted(last)
    for left, right in pairwise(places):
        for column in range(left, right):
            y = last[left] + (last[right] - last[left]) * (column - left) / (right - left)
            yield column, round(y) // 4
    yield places[-1], last[places[-1]] // 4


def _cell(ink: _Ink, shades: Sequence[int], row: int, column: int) -> Sign:
    """A cell of the plot; the edge of a ground lies at an eighth of it.

    Args:
        ink: the lines.
        shades: the strongest band at each eighth of the cell, from the top.
        row: of the cell.
        column: of the cell.
    """
    above, below = shades[0], shades[-1]
    if stroke := ink.strokes[row][column]:
        return Sign(stroke, ink.roles[row][column], shades[len(shades) // 2])
    if above == below:
        return Sign(" ", "", above)
    filled = next(n for n, shade in enumerate(reversed(shades)) if shade != below)
    return Sign(EIGHTHS[filled], f"band{below}", above)


def _ground(bands: Sequence[Band], scale: PlotScale) -> list[list[int]]:
    """Column by column the strongest band at the middle of each eighth of a cell, from the top."""
    eighths = 8 * scale.height
    ground = [[NO_BAND] * eighths for _ in range(scale.width)]
    depths = [-scale.level(eighth) for eighth in range(eighths)]  # rising, as bisection wants them
    for band in sorted(bands, key=lambda band: band.shade):
        for column in range(scale.width):
            at = scale.at(column)
            if len(band.xs) < 2 or not band.xs[0] <= at <= band.xs[-1]:
                continue
            low, high = _between(band.xs, band.lows, at), _between(band.xs, band.highs, at)
            top, bottom = bisect_left(depths, -high), bisect_right(depths, -low)
            ground[column][top:bottom] = [band.shade] * (bottom - top)
    return ground


def _between(xs: Sequence[float], ys: Sequence[float], at: float) -> float:
    """The level at a position between two others, on a straight line between them."""
    right = min(max(bisect_left(xs, at), 1), len(xs) - 1)
    (x0, x1), (y0, y1) = xs[right - 1 : right + 1], ys[right - 1 : right + 1]
    return y0 + (y1 - y0) * (at - x0) / (x1 - x0) if x1 > x0 else y1


def _rule(rows: list[list[Sign]], column: int) -> None:
    """An upright rule behind what is drawn."""
    for row in rows:
        column = min(column, len(row) - 1)
        if row[column].sign == " ":
            row[column] = replace(row[column], sign="│", role="rule")


def _bar(rows: list[list[Sign]], scale: PlotScale, bar: Bar) -> None:
    column = scale.x(bar.x) // 2
    share = (bar.amount - scale.low) / (scale.high - scale.low) if scale.high > scale.low else 0.5
    full, rest = divmod(max(round(share * 8 * scale.height), 1), 8)
    for number, sign in enumerate("█" * full + (EIGHTHS[rest] if rest else "")):
        if number < scale.height and 0 <= column < scale.width:
            rows[scale.height - 1 - number][column] = Sign(sign, bar.role)


def _candle(rows: list[list[Sign]], scale: PlotScale, candle: Candle) -> None:
    column = scale.x(candle.x) // 2
    if not 0 <= column < scale.width:
        return
    rising = candle.close >= candle.open
    top, bottom = scale.y(candle.high) // 4, scale.y(candle.low) // 4
    body = scale.y(max(candle.open, candle.close)) // 4, scale.y(min(candle.open, candle.close)) // 4
    for row in range(top, bottom + 1):
        inside = body[0] <= row <= body[1]
        sign = ("┃" if rising else "█") if inside else "│"
        rows[row][column] = replace(rows[row][column], sign=sign, role="good" if rising else "bad")
