"""Precision and recall of judging Yahoo's charts, by kind of fault: `python -m benchmarks.chart_repair [FILE...]`.

A FILE is a Parquet file of recorded series by name: those of "-bad-" or "-error" are faulty, those of "-fixed" are the
repaired twins, those of "-no-bad-" are clean. Without a file only generated charts are judged.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np

from pipeline.ingestion.prices.yahoo_chart.consistency import check_consistency
from pipeline.ingestion.prices.yahoo_chart.findings import Findings
from pipeline.ingestion.prices.yahoo_chart.parse_chart import PRICES, Chart, Dividend
from tests.frames.chart_faults import FAULTS, Planted, plant
from tests.frames.charts import TRUE, true_chart
from tests.frames.recorded_charts import Recorded, recorded_series

write = sys.stdout.write


@dataclass
class Score:
    """Counts over the charts of a kind."""

    charts: int = 0
    flagged: int = 0
    """Charts whose fault was told by the right rule."""
    right: int = 0
    """Values rewritten to what they were."""
    wrong: int = 0
    """Values rewritten to something else, or that were right."""
    aside: int = 0
    """Charts with a value that was set aside with both readings, or told without being changed."""

    def add(self, other: Score) -> None:
        """Count the other's charts as well."""
        self.charts += other.charts
        self.flagged += other.flagged
        self.right += other.right
        self.wrong += other.wrong
        self.aside += other.aside

    @property
    def recall(self) -> float:
        """Share of the faulty charts that were told; NaN without one."""
        return self.flagged / self.charts if self.charts else float("nan")

    @property
    def precision(self) -> float:
        """Share of the rewritten values that are right; 1 where none was."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0


def score_true(chart: Chart) -> Score:
    """Judge a chart without a fault."""
    return _score(check_consistency(chart), chart, told=False)


def score_fault(planted: Planted) -> Score:
    """Judge a chart with a planted fault."""
    findings = check_consistency(planted.faulty)
    told = planted.rule in findings.rules and all(findings.bar_rules[bar] == planted.rule for bar in planted.bars)
    return _score(findings, planted.true, told=told)


def score_recorded(series: Recorded) -> Score:
    """Judge a recorded series by its twin, itself judged as well: some twins have faults of another kind left."""
    findings = check_consistency(series.chart)
    if series.twin is None:
        return _score(findings, series.chart, told=bool(findings.rules)) if series.clean else Score(1)
    twin = check_consistency(series.twin)
    told = bool(findings.rules & series.rules) if series.rules else bool(findings.rules)
    paid = [one.stated for one in twin.dividends]
    return _score(findings, _with_dividends(twin.repaired, paid), told=told, within=1e-5)


def _score(findings: Findings, true: Chart, *, told: bool, within: float = 2e-6) -> Score:
    score = Score(1, int(told), aside=int(bool(findings.undecided) or any(one.readings for one in findings.dividends)))
    for bar, rule in enumerate(findings.bar_rules):
        if rule is not None and bar not in findings.undecided:
            good = all(_same(findings.repaired.series[name][bar], true.series[name][bar], within) for name in PRICES)
            score.right, score.wrong = score.right + good, score.wrong + (not good)
    paid = {one.stamp: one.amount for one in true.dividends}
    for one in findings.dividends:
        if one.rule is None or one.readings or one.amount == one.stated.amount:
            continue
        good = _same(one.amount or 0.0, paid.get(one.stated.stamp, 0.0), 2e-3 if not one.stated.amount else within)
        score.right, score.wrong = score.right + good, score.wrong + (not good)
    return score


def _same(found: float, wanted: float, within: float) -> bool:
    return bool(abs(found - wanted) <= within * max(abs(wanted), 1e-9) + 2e-6 or (np.isnan(found) and np.isnan(wanted)))


def _with_dividends(chart: Chart, paid: Sequence[Dividend]) -> Chart:
    return replace(chart, dividends=tuple(paid))


def judge_generated(count: int) -> tuple[dict[str, Score], dict[str, Score]]:
    """Scores of true kinds, which share ten times the count, and of kinds of faults, each with the count."""
    true = {kind: Score() for kind in TRUE}
    for number in range(10 * count):
        kind = list(TRUE)[number % len(TRUE)]
        true[kind].add(score_true(true_chart(kind, np.random.default_rng([2027, 1, number]))))
    faults = {kind: Score() for kind in FAULTS}
    for place, kind in enumerate(FAULTS):
        for number in range(count):
            faults[kind].add(score_fault(plant(kind, np.random.default_rng([2027, 2, place, number]))))
    return true, faults


def main() -> None:
    """Print the table, and on the last line its sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--count", type=int, default=1_000, help="charts of each kind of fault; ten times as many true")
    asked = parser.parse_args()
    start = perf_counter()
    true, faults = judge_generated(asked.count)
    clean, recorded = dict(true), dict(faults)
    for series in recorded_series(asked.files) if asked.files else ():
        (clean if series.clean else recorded)[f"recorded: {series.name}"] = score_recorded(series)
    _print_table("true", clean)
    _print_table("faulty", recorded)
    write(_sums(clean, recorded, perf_counter() - start))


def _print_table(title: str, scores: dict[str, Score]) -> None:
    write(f"{title:48}{'charts':>8}{'recall':>9}{'precision':>11}{'rewritten':>11}{'wrongly':>9}{'aside':>7}\n")
    for kind, one in scores.items():
        recall = "" if title == "true" else f"{one.recall:.2%}"
        precision = f"{one.precision:.2%}"
        write(
            f"{kind:48}{one.charts:8}{recall:>9}{precision:>11}{one.right + one.wrong:11}{one.wrong:9}{one.aside:7}\n"
        )


def _sums(clean: dict[str, Score], faulty: dict[str, Score], seconds: float) -> str:
    total = Score()
    for one in faulty.values():
        total.add(one)
    rewritten = sum(one.right + one.wrong for one in clean.values())
    lowest = min(one.recall for one in faulty.values())
    return (
        f"chart_repair: true={sum(one.charts for one in clean.values())} true_rewritten={rewritten}"
        f" faulty={total.charts} recall={total.recall:.4f} lowest_recall={lowest:.4f} precision={total.precision:.6f}"
        f" wrongly_rewritten={total.wrong} set_aside={total.aside} seconds={seconds:.0f}\n"
    )


if __name__ == "__main__":
    main()
