"""What an insight is about over the sessions with the steps of its life, slices by their bias, challengers by loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from nextgen_tui.console.charts.chart import Chart, Curve, Mark
from nextgen_tui.console.page import Row
from nextgen_tui.console.pages.accuracy import history_chart
from nextgen_tui.console.sheet.sheet import Cell, Style, dim, strip
from nextgen_tui.text import formats
from pipeline.reading.results.accuracy import measure_history
from pipeline.reading.results.insights import confidence_interval

STEP_SIGNS = {"open": "?", "acted": "▶", "measured": "✓", "retired": "■"}
"""Signs of the steps of an insight's life in its chart."""
LIFE: dict[str, tuple[str, Style]] = {
    "not yet": (" ", "dim"),
    "open": ("?", "warn"),
    "acted": ("▶", "accent"),
    "measured": ("✓", ""),
    "helped": ("✓", "good"),
    "hurt": ("✗", "bad"),
    "retired": ("■", "dim"),
    "=open": ("·", "warn"),
    "=acted": ("━", "accent"),
    "=measured": ("─", ""),
    "=helped": ("━", "good"),
    "=hurt": ("━", "bad"),
    "=retired": (" ", "dim"),
}
"""Where an insight stood after a session -> its sign."""


def life_strip(states: Sequence[str] | None) -> Cell:
    """An insight's life session by session: believed, acted on, measured, retired."""
    return strip([LIFE.get(state, ("?", "dim")) for state in states]) if states is not None else dim(None)


def insight_chart(metrics: pl.DataFrame, steps: pl.DataFrame, row: Row) -> Chart:
    """The measure an insight is about, over the sessions, with the steps of its life marked."""
    metric = {"bias": "bias", "interval": "coverage_90"}.get(row["kind"], "pinball_skill")
    chart = history_chart(metrics, metric, row["horizon"])
    rows = measure_history(metrics, metric, row["horizon"])
    place = {day: number for number, day in enumerate(rows["session"])}
    mine = steps.filter(pl.col("insight_id") == row["insight_id"])
    marks = tuple(
        Mark(float(place[day]), rows["value"][place[day]], STEP_SIGNS[status], "hot")
        for day, status in mine.select("session", "status").iter_rows()
        if day in place
    )
    legend = tuple((STEP_SIGNS[status], "hot", status) for status in STEP_SIGNS if status in set(mine["status"]))
    return replace(chart, marks=marks, legend=(*chart.legend, *legend))


def bias_chart(bias: pl.DataFrame, row: Row) -> Chart:
    """The levels of all slices of the chosen horizon, smallest first; active ones marked."""
    rows = bias.filter(pl.col("horizon") == row["horizon"]).sort("mean_error", "slice")
    lines = [Curve((0.0, float(max(rows.height - 1, 1))), (0.0, 0.0), "rule", dotted=True)]
    marks: list[Mark] = []
    for number, one in enumerate(rows.iter_rows(named=True)):
        mine = (one["scope"], one["slice"]) == (row["scope"], row["slice"])
        interval = confidence_interval(one["mean_error"], one["standard_error"])
        x = float(number)
        lines.append(Curve((x, x), interval, "hot" if mine else "own"))
        marks.append(Mark(x, one["mean_error"], "◆" if one["active"] else "•", "hot" if mine else "own"))
    return Chart(
        f"level by slice, {formats.counted(row['horizon'], 'session')}",
        tuple(lines),
        marks=tuple(marks),
        label=lambda value: formats.percent(value, 2, signed=True),
        legend=(("◆", "own", "adjusted"), ("•", "own", "not adjusted"), ("•", "hot", str(row["slice"]))),
    )


def loss_chart(promotions: pl.DataFrame) -> Chart:
    """Out-of-sample loss of each challenger beside champion and naive."""
    rows = promotions.sort("session")
    xs = tuple(float(number) for number in range(rows.height))
    return Chart(
        "loss out of sample",
        (
            Curve(xs, tuple(rows["challenger_loss"].to_list()), "own"),
            Curve(xs, tuple(rows["champion_loss"].to_list()), "median"),
            Curve(xs, tuple(rows["naive_loss"].to_list()), "rule", dotted=True),
        ),
        label=lambda value: f"{value:.3f}",
        legend=(("─", "own", "challenger"), ("─", "median", "champion"), ("╌", "rule", "naive")),
    )
