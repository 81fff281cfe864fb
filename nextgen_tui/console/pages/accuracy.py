"""Screen 4: how good were the forecasts, and do the intervals hold what they promise?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import polars as pl

from lake.tables.feedback import FEEDBACK_METRICS, PREDICTION_ACCURACY
from nextgen_tui.console.board.card import Card
from nextgen_tui.console.charts.chart import Band, Chart, Curve, Mark
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, describe_slice, fact, note
from nextgen_tui.console.page import Detail, Page, Row, Section, SheetSpec, row_link
from nextgen_tui.console.sheet.sheet import Cell, Col, Style
from nextgen_tui.text import formats
from pipeline.reading.results.accuracy import (
    SPARK,
    find_measure,
    largest_errors,
    measure_history,
    measure_rows,
    measure_title,
    same_slices,
    scorecard_rows,
    slice_filter,
    slice_rows,
)
from pipeline.reading.results.summary import correct_verdicts, coverage_facts, skill_facts

WORST = 15
"""Forecasts listed under a measure."""
KEY = ("scope", "slice", "horizon", "metric")
SIGNS = "●◆■▲▼"
"""One sign per horizon in the calibration chart."""
ROLES = ("own", "median", "benchmark", "outcome", "other")
"""One colour per horizon there."""
_FORMATS: dict[str, Callable[[float | None], str]] = {
    "correlation": lambda value: formats.number(value, 3, signed=True),
    "factor": lambda value: formats.number(value, 2),
    "fraction": lambda value: formats.percent(value, 2, signed=True),
    "share": lambda value: formats.percent(value, 1),
}
"""Unit of a measure -> how its figures are written."""
_STYLES: dict[str, Style] = {
    "skill": "good",
    "calibrated": "good",
    "unbiased": "good",
    "worse": "bad",
    "too narrow": "warn",
    "too wide": "warn",
    "biased": "warn",
    "too few": "dim",
}


@dataclass(frozen=True)
class AccuracyData:
    """The measures as last computed, and their history."""

    session: date | None
    now: pl.DataFrame
    history: pl.DataFrame
    """The measures over all forecasts, every session."""


class AccuracyPage(Page[AccuracyData]):
    """Each measure with its interval, its baseline, and how it went."""

    number, name = "4", "Accuracy"
    question = "How good were we, and are we still calibrated?"
    has_cards = True
    tables = (FEEDBACK_METRICS, PREDICTION_ACCURACY)

    def load(self, view: LakeView) -> AccuracyData:
        """Today's measures of every slice, and the history of the overall ones."""
        session = view.last(FEEDBACK_METRICS)
        if session is None:
            empty = pl.DataFrame(schema=FEEDBACK_METRICS.stored_schema)
            return AccuracyData(None, add_interval(empty), empty)
        history = view.read(FEEDBACK_METRICS, where=pl.col("scope") == "all")
        now = correct_verdicts(view.read(FEEDBACK_METRICS, since=session, until=session))
        return AccuracyData(session, add_interval(now), history)

    def sentence(self, data: AccuracyData) -> str:
        """Skill and calibration in words."""
        if data.session is None:
            return "No forecast has matured yet; the first scores come with the shortest horizon."
        skill = [one for one in skill_facts(data.now) if one.metric == "pinball_skill"]
        parts = [
            f"{formats.counted(one.horizon, 'session')} {one.finding} "
            f"({formats.percent(one.value, 1, signed=True)}{'' if number else ' quantile skill'})"
            for number, one in enumerate(skill)
        ]
        coverage = [
            f"{formats.percent(one.measured, 0)} over {formats.counted(one.horizon, 'session')} ({one.verdict})"
            for one in coverage_facts(data.now)
            if one.stated == 0.8
        ]
        intervals = f" 80 % intervals held {', '.join(coverage)}." if coverage else ""
        return f"{'; '.join(parts) or 'Too few forecasts to judge skill'}.{intervals}"

    def specs(self, data: AccuracyData) -> tuple[SheetSpec[AccuracyData], ...]:
        """Overall, and cut by sector, ticker, model or regime."""
        del data
        return SHEETS


def measure_notes(row: Row) -> tuple[Line, ...]:
    """What a measure means and says."""
    show, measure = metric_format(row["metric"]), find_measure(row["metric"])
    about = f"  over {formats.counted(row['horizon'], 'session')}, {describe_slice(row['scope'], row['slice'])}"
    return (
        (Cell(measure_title(row["metric"]), "accent"), Cell(about, "dim")),
        fact("measured", f"{show(row['value'])} ({_span(row['span'])})"),
        fact("baseline", show(row["baseline"])),
        fact("verdict", row["verdict"], _STYLES.get(row["verdict"], "")),
        fact("forecasts", f"{formats.whole(row['n'])}, worth {formats.number(row['n_effective'], 0)} independent ones"),
        note(measure.doc if measure else "", "dim"),
    )


def measure_detail(view: LakeView, data: AccuracyData, row: Row) -> Detail:
    """A measure over time, the calibration, and the forecasts that were worst.

    Raises:
        LakeError: if the lake cannot be read.
    """
    mine = slice_filter(row["scope"], row["slice"], row["horizon"])
    scored = largest_errors(view.read(PREDICTION_ACCURACY, where=mine), WORST)
    links = tuple(
        row_link(PREDICTION_ACCURACY, one, f"{one['ticker']} of {one['made_session']}", _outcome(one))
        for one in scored.iter_rows(named=True)
    )
    sections = (
        Section("This measure", measure_notes(row)),
        Section("Below: the forecasts with the largest errors", ()),
    )
    return Detail(_title(row), sections, measure_charts(data, row), links, str(row["value"]))


def add_interval(metrics: pl.DataFrame) -> pl.DataFrame:
    """Adds `span`, `figure` and `beside`: the columns a cell is written from, each with its measure's name."""
    return metrics.with_columns(
        span=pl.struct("metric", "low", "high"),
        figure=pl.struct("metric", "value"),
        beside=pl.struct("metric", "baseline"),
    )


def metric_format(metric: str) -> Callable[[float | None], str]:
    """How a measure's figures are written."""
    measure = find_measure(metric)
    return _FORMATS[measure.unit] if measure else formats.number


def history_chart(history: pl.DataFrame, metric: str, horizon: int) -> Chart:
    """A measure over the sessions, its interval as ground, its baseline as a dotted line."""
    rows = measure_history(history, metric, horizon)
    xs = tuple(float(number) for number in range(rows.height))
    bounded = rows.with_row_index("x").filter(pl.col("low").is_not_null() & pl.col("high").is_not_null())
    band = Band(
        tuple(float(x) for x in bounded["x"]), tuple(bounded["low"].to_list()), tuple(bounded["high"].to_list()), 1
    )
    days = rows["session"].to_list()
    ticks = tuple((float(n), f"{days[n]:%b %d}") for n in sorted({0, len(days) // 2, len(days) - 1})) if days else ()
    return Chart(
        f"{measure_title(metric)} over {formats.counted(horizon, 'session')}",
        (
            Curve(xs, tuple(rows["value"].to_list()), "own"),
            Curve(xs, tuple(rows["baseline"].to_list()), "rule", dotted=True),
        ),
        (band,) if bounded.height else (),
        label=metric_format(metric),
        ticks=ticks,
        legend=(("─", "own", "measured"), ("╌", "rule", "baseline")),
    )


def measure_charts(data: AccuracyData, row: Row) -> tuple[Chart, ...]:
    """The measure over time and the calibration; what the measure is about comes first, for where one has room."""
    charts = (history_chart(data.history, row["metric"], row["horizon"]), calibration_chart(data.now))
    return charts[::-1] if row["metric"].startswith("coverage") else charts


def calibration_chart(metrics: pl.DataFrame) -> Chart:
    """Stated against realised coverage, one sign per horizon; honest intervals lie on the dotted diagonal."""
    facts = coverage_facts(metrics)
    horizons = sorted({one.horizon for one in facts})
    lines: list[Curve] = []
    steps = [0.4 + 0.02 * number for number in range(31)]
    marks = [Mark(level, level, "·", "rule") for level in steps]
    for one in facts:
        number = horizons.index(one.horizon)
        x = one.stated + 0.015 * (number - (len(horizons) - 1) / 2)  # beside each other
        if one.low is not None and one.high is not None:
            lines.append(Curve((x, x), (max(one.low, 0.3), min(one.high, 1.0)), ROLES[number % 5]))
        marks.append(Mark(x, one.measured, SIGNS[number % 5], ROLES[number % 5]))
    if not facts:
        return Chart()
    levels = [y for line in lines for y in line.ys if y is not None]
    return Chart(
        "realised coverage",
        tuple(lines),
        marks=tuple(marks),
        label=lambda value: formats.percent(value, 0),
        ticks=((0.5, "stated 50 %"), (0.8, "80 %"), (0.9, "90 %")),
        legend=tuple((SIGNS[n % 5], ROLES[n % 5], formats.counted(h, "session")) for n, h in enumerate(horizons)),
        span=(min(0.4, *levels), 1.0),
    )


def slice_chart(metrics: pl.DataFrame, row: Row) -> Chart:
    """The chosen measure over all slices of its kind, with intervals; the chosen one marked."""
    rows = same_slices(metrics, row["scope"], row["metric"], row["horizon"])
    lines = [Curve((0.0, float(max(rows.height - 1, 1))), (row["baseline"],) * 2, "rule", dotted=True)]
    marks = []
    for number, one in enumerate(rows.iter_rows(named=True)):
        mine = one["slice"] == row["slice"]
        if one["low"] is not None and one["high"] is not None:
            lines.append(Curve((float(number),) * 2, (one["low"], one["high"]), "hot" if mine else "own"))
        marks.append(Mark(float(number), one["value"], "◆" if mine else "•", "hot" if mine else "own"))
    return Chart(
        f"{measure_title(row['metric'])} by {row['scope']}, {formats.counted(row['horizon'], 'session')}",
        tuple(lines),
        marks=tuple(marks),
        label=metric_format(row["metric"]),
        legend=(("◆", "hot", row["slice"]), ("╌", "rule", "baseline")),
    )


def _title(row: Row) -> str:
    return f"{measure_title(row['metric'])} over {formats.counted(row['horizon'], 'session')}"


def _outcome(row: Row) -> str:
    point, realised = (formats.percent(row[name], signed=True) for name in ("point", "realised"))
    return f"forecast {point}, realised {realised}"


def _span(value: dict[str, float | str | None]) -> str:
    low, high = value["low"], value["high"]
    if not isinstance(low, float) or not isinstance(high, float):
        return "no interval"
    show = metric_format(str(value["metric"]))
    return f"{show(low)} to {show(high)}"


def _figure(name: str) -> Callable[[dict[str, object]], str]:
    return lambda value: metric_format(str(value["metric"]))(value[name])  # type: ignore[arg-type]


def _verdict(value: str) -> Cell:
    signs = {"good": "✓ ", "bad": "✗ ", "warn": "! "}
    style = _STYLES.get(value, "")
    return Cell(signs.get(style, "· ") + value, style)


def _trail(values: object) -> Cell:
    return Cell(formats.sparkline(list(values), SPARK) if values is not None else "", "dim")  # type: ignore[call-overload]


COLS = (
    Col("horizon", "horizon", right=True),
    Col("measure", "metric", measure_title),
    Col("value", "figure", _figure("value"), right=True, sort="value"),
    Col("95 % interval", "span", _span, right=True, sort="low", rank=1),
    Col("baseline", "beside", _figure("baseline"), right=True, sort="baseline"),
    Col("verdict", "verdict", _verdict),
    Col("16 sessions", "trail", _trail, rank=2, sort="value"),
    Col("n", "n", formats.whole, right=True, rank=3),
    Col("effective n", "n_effective", lambda value: formats.number(value, 0), right=True, rank=4),
)
SLICE_COLS = (
    Col("by", "scope"),
    Col("slice", "slice", max_width=26),
    Col("horizon", "horizon", right=True),
    Col("measure", "metric", measure_title),
    Col("value", "figure", _figure("value"), right=True, sort="value"),
    Col("95 % interval", "span", _span, right=True, sort="low", rank=2),
    Col("baseline", "beside", _figure("baseline"), right=True, sort="baseline", rank=1),
    Col("verdict", "verdict", _verdict),
    Col("n", "n", formats.whole, right=True, rank=3),
)


SHORT = {"pinball_skill": "skill", "ic": "order", "hit_rate": "hits", "coverage_80": "80 % held", "bias": "bias"}
"""Measure of the scorecard -> its name on a tile."""


def measure_card(row: Row) -> Card:
    """A measure as a tile: its verdict, its figure with the interval, what it is held against, and how it went."""
    show = metric_format(row["metric"])
    verdict = _verdict(row["verdict"])
    beside = f"{'promised' if row['metric'].startswith('coverage') else 'naive'} {show(row['baseline'])}"
    words = (Cell(show(row["value"])), Cell(_span(row["span"]), "dim"), Cell(beside, "dim"))
    title = f"{SHORT[row['metric']]}, {row['horizon']}"
    trend = tuple(value for value in row["trail"] or () if value is not None)
    return Card(title, verdict, words, trend=trend, trend_of=f"{len(trend)} sessions", row=str(row["horizon"]))


SHEETS: tuple[SheetSpec[AccuracyData], ...] = (
    SheetSpec(
        "scorecard",
        lambda data: scorecard_rows(measure_rows(data.now, data.history)),
        COLS,
        KEY,
        "measure",
        "Nothing has been measured yet.",
        notes=lambda _, row: measure_notes(row),
        charts=measure_charts,
        detail=measure_detail,
        origin=lambda row: row_link(FEEDBACK_METRICS, row),
        card=measure_card,
    ),
    SheetSpec(
        "measures",
        lambda data: measure_rows(data.now, data.history),
        COLS,
        KEY,
        "measure",
        "Nothing has been measured yet.",
        notes=lambda _, row: measure_notes(row),
        charts=measure_charts,
        detail=measure_detail,
        origin=lambda row: row_link(FEEDBACK_METRICS, row),
    ),
    SheetSpec(
        "by slice",
        lambda data: slice_rows(data.now),
        SLICE_COLS,
        KEY,
        "slice",
        "Nothing has been measured by slice yet.",
        notes=lambda _, row: measure_notes(row),
        charts=lambda data, row: (slice_chart(data.now, row),),
        detail=measure_detail,
        origin=lambda row: row_link(FEEDBACK_METRICS, row),
    ),
)
