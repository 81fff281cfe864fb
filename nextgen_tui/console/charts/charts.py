"""Charts of joined strokes and tinted grounds: pure, so that they are tested without a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log10

from rich.cells import cell_len

from nextgen_tui.console.charts.chart import Chart, Sign
from nextgen_tui.console.charts.plot import PlotScale, plot
from nextgen_tui.console.charts.waterfall import draw_stretches
from nextgen_tui.text.safe_text import remove_unsafe

MIN_WIDTH, MIN_HEIGHT = 12, 3
"""Smaller than this there is no chart, only blank."""
GAP = 2
"""Columns between two that stand beside each other."""
BESIDE = 84
"""Columns from which on pictures can stand beside each other."""
MIN_STACKED_ROWS = 5
"""Rows of each of several pictures; with fewer the last ones give way."""
MAX_TEXT = 80
"""Places that a piece of text around a plot may take."""
CROSS_ROWS = 3
"""Rows that the values under a crosshair may take above a plot."""
TICKS = 4
"""Labels on the axis of levels, at most."""


def draw(chart: Chart, width: int, height: int) -> list[list[Sign]]:
    """A title and legend, the plot with its labels on the left, and the ticks below, as `height` rows of `width` signs.

    Rows are blank where there is too little room or nothing to draw.
    """
    return stack((chart,), width, height)


def arrange(charts: Sequence[Chart], width: int, height: int) -> list[list[Sign]]:
    """Several pictures beside each other where there is more breadth than height, above each other otherwise."""
    shown = [chart for chart in charts if not chart.blank]
    if len(shown) < 2 or width < BESIDE or width < 3 * height:
        return stack(shown, width, height)
    edges = [width * number // len(shown) for number in range(len(shown) + 1)]
    spans = zip(shown, edges, edges[1:], strict=False)
    drawn = [stack([one], right - left - GAP, height) for one, left, right in spans]
    return [[sign for part in drawn for sign in (*part[row], *[Sign(" ")] * GAP)] for row in range(height)]


def stack(charts: Sequence[Chart], width: int, height: int) -> list[list[Sign]]:
    """Several pictures above each other, each with its share of the height, their plots flush on the left."""
    shares = _shares(charts, height)
    if not shares or width < MIN_WIDTH or height < MIN_HEIGHT:
        return [[Sign(" ")] * max(width, 0) for _ in range(max(height, 0))]
    frames = [_frame_chart(chart, width, rows) for chart, rows in shares]
    margin = max(frame.margin for frame in frames)
    margin = margin if width - margin >= MIN_WIDTH // 2 else 0
    return [row for frame in frames for row in _fill_frame(frame, width, margin)]


def position_at(charts: Sequence[Chart], column: int, width: int, height: int) -> float | None:
    """The position of the charts' data that a column of the picture shows, of charts above each other."""
    shares = [one for one in _shares(charts, height) if not one[0].stretches]
    if not shares:
        return None
    frames = [_frame_chart(chart, width, rows) for chart, rows in shares]
    margin = max(frame.margin for frame in frames)
    margin = margin if width - margin >= MIN_WIDTH // 2 else 0
    if not margin <= column < width:
        return None
    return PlotScale(0.0, 1.0, *_positions(frames[0].chart), width - margin, 1).at(column - margin)


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
    if frame.chart.stretches:
        return frame.head + draw_stretches(frame.chart, width, frame.plot + frame.foot)
    scale = PlotScale(*frame.levels, *_positions(frame.chart), width - margin, frame.plot)
    labels = [f"{frame.labels.get(row, ''):>{margin - 1}} " if margin else "" for row in range(frame.plot)]
    drawn_plot = plot(frame.chart, scale)
    body = [[Sign(sign, "label") for sign in words] + drawn for words, drawn in zip(labels, drawn_plot, strict=True)]
    return frame.head + body + ([_foot(frame.chart, scale, margin)] if frame.foot else [])


def _with_room(chart: Chart, max_candles: int) -> Chart:
    """At most so many candles or bars, the last ones, so that none touches another."""
    upright = chart.candles or chart.bars
    if len(upright) <= max_candles:
        return chart
    first = upright[-max_candles].x
    return replace(
        chart,
        candles=tuple(candle for candle in chart.candles if candle.x >= first),
        bars=tuple(bar for bar in chart.bars if bar.x >= first),
        marks=tuple(mark for mark in chart.marks if mark.x >= first),
        ticks=tuple(tick for tick in chart.ticks if tick[0] >= first),
    )


def _levels(chart: Chart) -> tuple[float, float]:
    if chart.span is not None or chart.stretches:
        return chart.span or (0.0, 0.0)
    levels = [y for line in chart.lines for y in line.ys if y is not None]
    levels += [level for band in chart.bands for level in (*band.lows, *band.highs)]
    levels += [level for candle in chart.candles for level in (candle.low, candle.high)]
    levels += [mark.y for mark in chart.marks] + [bar.amount for bar in chart.bars]
    levels += [0.0] if chart.bars else []
    return min(levels), max(levels)


def _positions(chart: Chart) -> tuple[float, float]:
    positions = [x for line in chart.lines for x in line.xs] + [x for band in chart.bands for x in band.xs]
    positions += [candle.x for candle in chart.candles] + [bar.x for bar in chart.bars]
    return min(positions), max(positions)


def _labels(words: Callable[[float], str], low: float, high: float, rows: int) -> dict[int, str]:
    """Row -> label: round levels where there is room for some that differ, the highest and the lowest otherwise."""
    if high <= low:
        return {rows // 2: words(low)}
    scale = PlotScale(low, high, 0.0, 1.0, 1, max(rows, 1))
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
    rows = [text_signs(chart.title, "title", width)]
    for sign, role, meaning in chart.legend:
        entry = [*text_signs("  "), *text_signs(sign, role), *text_signs(" "), *text_signs(meaning, "label")]
        if len(rows[-1]) + len(entry) > width and chart.cross is not None and len(rows) < CROSS_ROWS:
            rows.append([])
        if len(rows[-1]) + len(entry) <= width:
            rows[-1] += entry
    return [row + [Sign(" ")] * (width - len(row)) for row in rows] if rows[0] else []


def _foot(chart: Chart, scale: PlotScale, margin: int) -> list[Sign]:
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
