"""Charts drawn with braille dots, half blocks and tinted grounds: pure, so that they are tested without a terminal."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, floor, log10

from rich.cells import cell_len

from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import remove_unsafe

BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Row, then column of a braille cell -> its bit."""
NO_BAND = 0
MIN_WIDTH, MIN_HEIGHT = 12, 3
"""Smaller than this there is no chart, only blank."""
MIN_STACKED_ROWS = 5
"""Rows of each of several pictures; with fewer the last ones give way."""
MAX_TEXT = 80
"""Places that a piece of text around a plot may take."""
TICKS = 4
"""Labels on the axis of levels, at most."""


@dataclass(frozen=True)
class Curve:
    """Levels at positions, joined; a position whose level is missing interrupts it."""

    xs: tuple[float, ...]
    ys: tuple[float | None, ...]
    role: str
    dotted: bool = False


@dataclass(frozen=True)
class Band:
    """The ground between two lines of levels."""

    xs: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    shade: int
    """1 the faintest, 3 the strongest; where bands overlap, the strongest shows."""


@dataclass(frozen=True)
class Mark:
    """One sign at a place."""

    x: float
    y: float
    sign: str
    role: str


@dataclass(frozen=True)
class Candle:
    """A session's range and body."""

    x: float
    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True)
class Chart:
    """What a chart shows, in the units of its data."""

    title: str = ""
    lines: tuple[Curve, ...] = ()
    bands: tuple[Band, ...] = ()
    marks: tuple[Mark, ...] = ()
    candles: tuple[Candle, ...] = ()
    label: Callable[[float], str] = formats.money
    """How a level is written on the axis."""
    ticks: tuple[tuple[float, str], ...] = ()
    """Labels below: position and text."""
    legend: tuple[tuple[str, str, str], ...] = ()
    """Sign, role and meaning of what is drawn."""
    span: tuple[float, float] | None = None
    """Lowest and highest level; as far as the data reach where None."""
    share: float = 1.0
    """Of the height, where several pictures stand on top of each other."""

    @property
    def blank(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(y is not None for line in self.lines for y in line.ys) and not self.candles


@dataclass(frozen=True)
class Sign:
    """One character of a chart."""

    sign: str
    role: str = ""
    """What it belongs to: a line's role, `label`, or `bandN` where its ink is a band's tint."""
    band: int = NO_BAND
    """The tint of its ground."""


def draw(chart: Chart, width: int, height: int) -> list[list[Sign]]:
    """A title and legend, the plot with its labels on the left, and the ticks below, as `height` rows of `width` signs.

    Rows are blank where there is too little room or nothing to draw.
    """
    return stack((chart,), width, height)


def stack(charts: Sequence[Chart], width: int, height: int) -> list[list[Sign]]:
    """Several pictures above each other, each with its share of the height, their plots flush on the left."""
    shares = _shares(charts, height)
    if not shares or width < MIN_WIDTH or height < MIN_HEIGHT:
        return [[Sign(" ")] * max(width, 0) for _ in range(max(height, 0))]
    frames = [_frame_chart(chart, width, rows) for chart, rows in shares]
    margin = max(frame.margin for frame in frames)
    margin = margin if width - margin >= MIN_WIDTH // 2 else 0
    return [row for frame in frames for row in _fill_frame(frame, width, margin)]


def _shares(charts: Sequence[Chart], height: int) -> list[tuple[Chart, int]]:
    """The pictures there is room for, with their rows: one that can be read says more than two that cannot."""
    shown = [chart for chart in charts if not chart.blank]
    while len(shown) > 1 and _rows(shown, height)[-1] < MIN_STACKED_ROWS:
        shown.pop()
    return list(zip(shown, _rows(shown, height), strict=True))


def _rows(charts: Sequence[Chart], height: int) -> list[int]:
    """Each picture's share of the rows; the last takes what rounding leaves."""
    whole = sum(chart.share for chart in charts)
    rows = [round(height * chart.share / whole) for chart in charts[:-1]]
    return [*rows, height - sum(rows)] if charts else []


@dataclass(frozen=True)
class _Frame:
    """A picture with what stands around its plot."""

    chart: Chart
    head: list[list[Sign]]
    foot: bool
    plot: int
    """Rows of the plot."""
    levels: tuple[float, float]
    labels: dict[int, str]

    @property
    def margin(self) -> int:
        return max((len(words) for words in self.labels.values()), default=0) + 1


def _frame_chart(chart: Chart, width: int, height: int) -> _Frame:
    head = _head(chart, width)
    foot = bool(chart.ticks) and height >= MIN_HEIGHT + 2
    head = head if height - foot - len(head) >= 2 else []
    plot = height - foot - len(head)
    chart = _with_room(chart, width // 2 - 4)
    levels = _levels(chart)
    return _Frame(chart, head, foot, plot, levels, _labels(chart.label, *levels, plot))


def _fill_frame(frame: _Frame, width: int, margin: int) -> list[list[Sign]]:
    """The rows of a picture; without a margin there are no labels."""
    scale = _Scale(*frame.levels, *_positions(frame.chart), width - margin, frame.plot)
    labels = [f"{frame.labels.get(row, ''):>{margin - 1}} " if margin else "" for row in range(frame.plot)]
    plot = _plot(frame.chart, scale)
    body = [[Sign(sign, "label") for sign in words] + drawn for words, drawn in zip(labels, plot, strict=True)]
    return frame.head + body + ([_foot(frame.chart, scale, margin)] if frame.foot else [])


def _with_room(chart: Chart, max_candles: int) -> Chart:
    """At most so many candles, the last ones, so that none touches another."""
    if len(chart.candles) <= max_candles:
        return chart
    shown = chart.candles[-max_candles:]
    marks = tuple(mark for mark in chart.marks if mark.x >= shown[0].x)
    ticks = tuple(tick for tick in chart.ticks if tick[0] >= shown[0].x)
    return replace(chart, candles=shown, marks=marks, ticks=ticks)


@dataclass(frozen=True)
class _Scale:
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

    def level(self, half: int) -> float:
        """The level at the middle of a half cell, counted from the top."""
        return self.high - (2 * half + 0.5) / (4 * self.height - 1) * (self.high - self.low)


def _plot(chart: Chart, scale: _Scale) -> list[list[Sign]]:
    ground = _ground(chart.bands, scale)
    dots = _Ink(scale)
    for line in chart.lines:
        dots.line(line)
    rows = [
        [
            _cell(dots, ground[2 * row][column], ground[2 * row + 1][column], row, column)
            for column in range(scale.width)
        ]
        for row in range(scale.height)
    ]
    for candle in chart.candles:
        _candle(rows, scale, candle)
    for mark in chart.marks:
        column, row = scale.x(mark.x) // 2, scale.y(mark.y) // 4
        if 0 <= column < scale.width:
            rows[row][column] = replace(rows[row][column], sign=mark.sign, role=mark.role)
    return rows


class _Ink:
    """A grid of braille dots, and which line runs through each cell: the one drawn first."""

    def __init__(self, scale: _Scale) -> None:
        self._scale = scale
        self.bits = [[0] * scale.width for _ in range(scale.height)]
        self.roles = [[""] * scale.width for _ in range(scale.height)]

    def line(self, line: Curve) -> None:
        points = [
            (self._scale.x(x), self._scale.y(y)) if y is not None else None
            for x, y in zip(line.xs, line.ys, strict=True)
        ]
        for one, other in pairwise(points):
            if one and other:
                self._stroke(one, other, line)
        beside = [None, *points, None]
        for number, point in enumerate(points):
            if point and beside[number] is None and beside[number + 2] is None:
                self._dot(*point, line.role)

    def _stroke(self, one: tuple[int, int], other: tuple[int, int], line: Curve) -> None:
        (x0, y0), (x1, y1) = one, other
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for step in range(steps + 1):
            x, y = round(x0 + (x1 - x0) * step / steps), round(y0 + (y1 - y0) * step / steps)
            # Dotted lines differ from whole ones without colour too; counting in x keeps the gaps even.
            if not line.dotted or (x + (y if x0 == x1 else 0)) % 3 != 2:
                self._dot(x, y, line.role)

    def _dot(self, x: int, y: int, role: str) -> None:
        row, column = y // 4, x // 2
        if 0 <= column < self._scale.width:
            self.bits[row][column] |= _DOTS[y % 4][x % 2]
            self.roles[row][column] = self.roles[row][column] or role


def _cell(dots: _Ink, above: int, below: int, row: int, column: int) -> Sign:
    if bits := dots.bits[row][column]:
        return Sign(chr(BRAILLE + bits), dots.roles[row][column], max(above, below))
    if above == below:
        return Sign(" ", "", above)
    return Sign("▀", f"band{above}", below)


def _ground(bands: Sequence[Band], scale: _Scale) -> list[list[int]]:
    """The strongest band at the middle of each half cell."""
    halves = 2 * scale.height
    ground = [[NO_BAND] * scale.width for _ in range(halves)]
    depths = [-scale.level(half) for half in range(halves)]  # rising, as bisection wants them
    for band in sorted(bands, key=lambda band: band.shade):
        for column in range(scale.width):
            at = scale.at(column)
            if len(band.xs) < 2 or not band.xs[0] <= at <= band.xs[-1]:
                continue
            low, high = _between(band.xs, band.lows, at), _between(band.xs, band.highs, at)
            for half in range(bisect_left(depths, -high), bisect_right(depths, -low)):
                ground[half][column] = band.shade
    return ground


def _between(xs: Sequence[float], ys: Sequence[float], at: float) -> float:
    """The level at a position between two others, on a straight line between them."""
    right = min(max(bisect_left(xs, at), 1), len(xs) - 1)
    (x0, x1), (y0, y1) = xs[right - 1 : right + 1], ys[right - 1 : right + 1]
    return y0 + (y1 - y0) * (at - x0) / (x1 - x0) if x1 > x0 else y1


def _candle(rows: list[list[Sign]], scale: _Scale, candle: Candle) -> None:
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


def _levels(chart: Chart) -> tuple[float, float]:
    if chart.span is not None:
        return chart.span
    levels = [y for line in chart.lines for y in line.ys if y is not None]
    levels += [level for band in chart.bands for level in (*band.lows, *band.highs)]
    levels += [level for candle in chart.candles for level in (candle.low, candle.high)]
    levels += [mark.y for mark in chart.marks]
    return min(levels), max(levels)


def _positions(chart: Chart) -> tuple[float, float]:
    positions = [x for line in chart.lines for x in line.xs] + [x for band in chart.bands for x in band.xs]
    positions += [candle.x for candle in chart.candles]
    return min(positions), max(positions)


def _labels(words: Callable[[float], str], low: float, high: float, rows: int) -> dict[int, str]:
    """Row -> label: round levels where there is room for some that differ, the highest and the lowest otherwise."""
    if high <= low:
        return {rows // 2: words(low)}
    scale = _Scale(low, high, 0.0, 1.0, 1, max(rows, 1))
    labels = {scale.y(level) // 4: words(level) for level in _round_levels(low, high, min(TICKS, rows // 2))}
    if len(labels) >= 2 and len(set(labels.values())) == len(labels):
        return labels
    return {0: words(high), max(rows - 1, 0): words(low)}


def _round_levels(low: float, high: float, max_count: int) -> list[float]:
    """At most so many multiples of 1, 2 or 5 times a power of ten."""
    span = high - low
    if max_count < 2 or span <= 1e-9 * max(abs(low), abs(high)) or span < 1e-300:
        return []
    power = 10.0 ** floor(log10(span / max_count))
    for step in (power * factor for factor in (1, 2, 5, 10, 20)):
        first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
        if last - first < max_count:
            return [number * step for number in range(first, last + 1)]
    return []


def _head(chart: Chart, width: int) -> list[list[Sign]]:
    """The title and what the signs mean; what does not fit is left out whole."""
    row = text_signs(chart.title, "title", width)
    for sign, role, meaning in chart.legend:
        entry = [*text_signs("  "), *text_signs(sign, role), *text_signs(" "), *text_signs(meaning, "label")]
        if len(row) + len(entry) <= width:
            row += entry
    return [row + [Sign(" ")] * (width - len(row))] if row else []


def _foot(chart: Chart, scale: _Scale, margin: int) -> list[Sign]:
    """The labels below the plot; one that would touch another is left out."""
    row = [Sign(" ", "label")] * (margin + scale.width)
    free = 0
    for at, label in sorted(chart.ticks):
        words = text_signs(label, "label", len(row))
        start = min(max(margin + scale.x(at) // 2 - len(words) // 2, margin), len(row) - len(words))
        if start >= free and start >= margin:
            row[start : start + len(words)] = words
            free = start + len(words) + 2
    return row


def text_signs(words: str, role: str = "", max_width: int = MAX_TEXT) -> list[Sign]:
    """Words as signs, one for each place they take: a wide sign is followed by an empty one, marks go with none."""
    row: list[Sign] = []
    for sign in remove_unsafe(words[: 8 * max_width + 256]):  # cut first: a megabyte costs no more than a line
        room = cell_len(sign)
        if room and len(row) + room <= max_width:
            row += [Sign(sign, role), *([Sign("", role)] * (room - 1))]
    return row
