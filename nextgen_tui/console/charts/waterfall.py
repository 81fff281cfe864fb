"""Stretches of time below each other, each in a row of its own with its label and how long it lasted."""

from __future__ import annotations

from collections.abc import Sequence

from nextgen_tui.console.charts.chart import Chart, Sign, Stretch

LABEL, WIDE_LABEL = 18, 26
"""Columns of a label, and at most where there is room."""
ROOMY = 100
"""Columns of a picture from which on there is."""
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
    longest = max(len(one.label) for one in shown) + 1
    label = min(max(longest, LABEL), WIDE_LABEL) if width >= ROOMY else LABEL
    scale = (width - label - LASTED) / ((end - begin) or 1.0)
    rows = [_row(one, (one.start - begin) * scale, (one.end - begin) * scale, chart, (label, width)) for one in shown]
    return [*rows, *([[Sign(" ")] * width] * (height - len(rows)))]


def select_longest(stretches: Sequence[Stretch], count: int) -> list[Stretch]:
    """So many stretches at most, the longest: in the order they began, and the longest first."""
    longest = sorted(stretches, key=lambda one: one.start - one.end)[: max(count, 0)]
    return sorted(longest, key=lambda one: (one.start, -one.end, one.label))


def _row(one: Stretch, left: float, right: float, chart: Chart, columns: tuple[int, int]) -> list[Sign]:
    """Label, bar and duration, in the columns of the label and of all; a bar is an eighth of a cell wide at least."""
    label, width = columns
    first = int(left)
    full, rest = divmod(max(round((right - first) * 8), 1), 8)
    bar = "█" * full + (LEFT_EIGHTHS[rest] if rest else "")
    lasted = f" {chart.label(one.end - one.start)}"
    row = [Sign(sign, "label") for sign in f"{one.label[: label - 1]:<{label}}"]
    row += [Sign(" ")] * first + [Sign(sign, one.role) for sign in bar] + [Sign(sign, "label") for sign in lasted]
    return (row + [Sign(" ")] * width)[:width]
