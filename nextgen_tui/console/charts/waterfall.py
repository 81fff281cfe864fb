"""Stretches of time below each other, each in a row of its own with its label and how long it lasted."""

from __future__ import annotations

from collections.abc import Sequence

from nextgen_tui.console.charts.chart import Chart, Sign, Stretch

LABEL = 18
"""Columns of a label."""
LASTED = 9
"""Columns of how long it lasted, behind its bar."""
LEFT_EIGHTHS = " ▏▎▍▌▋▊▉"
"""A block for each eighth of a cell that it fills from the left."""


def draw_stretches(chart: Chart, width: int, height: int) -> list[list[Sign]]:
    """A row for each stretch, in the order they began: the longest of them where there are more than rows."""
    shown = select_longest(chart.stretches, height)
    if not shown or width < LABEL + LASTED + 4:
        return [[Sign(" ")] * width for _ in range(height)]
    begin, end = min(one.start for one in chart.stretches), max(one.end for one in chart.stretches)
    scale = (width - LABEL - LASTED) / ((end - begin) or 1.0)
    rows = [_row(one, (one.start - begin) * scale, (one.end - begin) * scale, chart, width) for one in shown]
    return [*rows, *([[Sign(" ")] * width] * (height - len(rows)))]


def select_longest(stretches: Sequence[Stretch], count: int) -> list[Stretch]:
    """So many stretches at most, the longest: in the order they began, and the longest first."""
    longest = sorted(stretches, key=lambda one: one.start - one.end)[: max(count, 0)]
    return sorted(longest, key=lambda one: (one.start, -one.end, one.label))


def _row(one: Stretch, left: float, right: float, chart: Chart, width: int) -> list[Sign]:
    """Label, bar and duration; a bar is an eighth of a cell wide at least."""
    first = int(left)
    full, rest = divmod(max(round((right - first) * 8), 1), 8)
    bar = "█" * full + (LEFT_EIGHTHS[rest] if rest else "")
    lasted = f" {chart.label(one.end - one.start)}"
    row = [Sign(sign, "label") for sign in f"{one.label[: LABEL - 1]:<{LABEL}}"]
    row += [Sign(" ")] * first + [Sign(sign, one.role) for sign in bar] + [Sign(sign, "label") for sign in lasted]
    return (row + [Sign(" ")] * width)[:width]
