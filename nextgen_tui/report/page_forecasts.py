"""What the forecasts were worth, on the page: skill and calibration, each figure with its interval."""

from __future__ import annotations

from nextgen_tui.report.charts import Interval, interval_mark
from nextgen_tui.report.markup import Html, join, table, tag, words
from nextgen_tui.report.summary_view import figure, interval
from nextgen_tui.text import formats
from pipeline.reading.report.full_report import Report
from pipeline.reading.results.accuracy import find_measure, measure_title
from pipeline.reading.results.summary import CoverageFacts, SkillFacts

TONES = {"better than naive": "good", "worse than naive": "bad"}


def forecast_section(report: Report) -> Html:
    """Skill beside the naive forecast, then how often outcomes fell into the intervals."""
    quality = report.summary.quality
    forecaster = f"Forecasts by {quality.champion}." if quality.champion else "No model has earned to forecast."
    return tag(
        "section",
        tag("h2", "Forecasts"),
        tag("p", f"{quality.sentence} {forecaster}"),
        _skill(quality.skills),
        tag("h3", "Calibration: how many outcomes fell into the stated intervals"),
        _calibration(quality.coverages),
    )


def _skill(skills: tuple[SkillFacts, ...]) -> Html:
    if not skills:
        return Html()
    rows = [
        [
            measure_title(one.metric),
            str(one.horizon),
            figure(one.metric, one.value),
            tag("td", interval(one), class_="nowrap"),
            interval_mark(Interval(one.value, one.low, one.high, one.naive), *_ends(one.metric, skills)),
            figure(one.metric, one.naive),
            formats.whole(one.n),
            tag("td", tag("span", one.finding, class_=TONES.get(one.finding)), class_="words nowrap"),
        ]
        for one in skills
    ]
    headings = ("measure", "horizon", "value", "95 % interval", "", "naive", "forecasts", words("finding"))
    measures = dict.fromkeys(one.metric for one in skills)
    told = [f"{measure_title(name)}: {found.doc}." for name in measures if (found := find_measure(name))]
    return join(
        table(headings, rows),
        tag("p", "The dashed line is the naive forecast. " + " ".join(told), class_="quiet"),
    )


def _ends(metric: str, skills: tuple[SkillFacts, ...]) -> tuple[float, float]:
    """The two ends of the scale that all horizons of a measure share."""
    same = [one for one in skills if one.metric == metric]
    values = [value for one in same for value in (one.value, one.low, one.high, one.naive) if value is not None]
    return min(values), max(values)


def _calibration(coverages: tuple[CoverageFacts, ...]) -> Html:
    if not coverages:
        return tag("p", "No interval has been tested yet.")
    rows = [
        [
            formats.counted(one.horizon, "session"),
            formats.percent(one.stated, 0),
            formats.percent(one.measured, 1),
            tag("td", _between(one), class_="nowrap"),
            interval_mark(Interval(one.measured, one.low, one.high, one.stated), 0.0, 1.0),
            formats.whole(one.n),
            tag("td", one.verdict, class_="words"),
        ]
        for one in coverages
    ]
    return table(("horizon", "stated", "measured", "95 % interval", "0 to 100 %", "forecasts", words("finding")), rows)


def _between(one: CoverageFacts) -> str:
    if one.low is None or one.high is None:
        return formats.MISSING
    return f"{formats.percent(one.low, 1)} to {formats.percent(one.high, 1)}"
