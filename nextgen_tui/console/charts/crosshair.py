"""The crosshair of a chart: an upright rule at a position, and what every line, ground and candle says there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from nextgen_tui.console.charts.chart import Band, Candle, Chart
from nextgen_tui.text import formats

Entry = tuple[str, str, str]
"""Sign, role and words of a legend."""
SHADES = ("band1", "band2", "band3", "band4")


def positions(chart: Chart) -> list[float]:
    """Where a crosshair can stand: every position at which something is drawn, in their order."""
    found = {x for line in chart.lines for x, y in zip(line.xs, line.ys, strict=True) if y is not None}
    found |= {candle.x for candle in chart.candles} | {bar.x for bar in chart.bars}
    found |= {x for band in chart.bands for x in band.xs}
    return sorted(found)


def stand_at(charts: Sequence[Chart], x: float | None) -> tuple[Chart, ...]:
    """The charts with a crosshair at the position that is nearest to one; without where None.

    What the legend says of a line is followed by its level there; the first entry says where it is.
    """
    return tuple(chart if x is None else _cross(chart, x) for chart in charts)


def _cross(chart: Chart, x: float) -> Chart:
    there = positions(chart)
    if not there or chart.stretches:
        return chart
    at = min(there, key=lambda one: (abs(one - x), one))
    return replace(chart, cross=at, legend=(("│", "rule", _name(chart, at)), *_values(chart, at)))


def _name(chart: Chart, at: float) -> str:
    """The day at a position, how many sessions it lies beyond the last one, its label on the axis, or its number."""
    if at.is_integer() and 0 <= at < len(chart.days):
        return formats.day(chart.days[int(at)])
    if chart.days and at.is_integer() and at > 0:
        return f"+{at - len(chart.days) + 1:.0f}"
    return next((words for where, words in chart.ticks if where == at), formats.number(at, 0))


def _values(chart: Chart, at: float) -> Iterator[Entry]:
    named = {role: words for _, role, words in chart.legend}
    for line in chart.lines:
        level = next((y for x, y in zip(line.xs, line.ys, strict=True) if x == at), None)
        if level is not None:
            sign = "╌" if line.dotted else "─"
            yield sign, line.role, f"{named.get(line.role, '')} {chart.label(level)}".strip()
    for band in chart.bands:
        yield from _ground(chart, band, at, named.get(SHADES[band.shade - 1], ""))
    for candle in chart.candles:
        if candle.x == at:
            yield from _prices(chart, candle)
    for bar in chart.bars:
        if bar.x == at:
            yield "▮", bar.role, chart.label(bar.amount)


def _ground(chart: Chart, band: Band, at: float, name: str) -> Iterator[Entry]:
    for x, low, high in zip(band.xs, band.lows, band.highs, strict=True):
        if x == at:
            yield "█", SHADES[band.shade - 1], f"{name} {chart.label(low)} to {chart.label(high)}".strip()


def _prices(chart: Chart, candle: Candle) -> Iterator[Entry]:
    role = "good" if candle.close >= candle.open else "bad"
    for sign, level in (("o", candle.open), ("h", candle.high), ("l", candle.low), ("c", candle.close)):
        yield sign, role, chart.label(level)
