"""The figures of docs/results.md from a lake that was replayed: `python -m benchmarks.results LAKE`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import polars as pl

from lake.runs import of_work
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.control import RUNS, WorkKind
from lake.tables.feedback import FEEDBACK_METRICS
from lake.tables.models import MODEL_PROMOTIONS
from pipeline.config.loading import load
from pipeline.engine.stages import TRAINING
from pipeline.market.annual_sessions import sessions_per_year
from pipeline.market.sessions import exchange_sessions
from pipeline.reading.report.span import read_span
from pipeline.reading.report.tracks import BOOK, EQUAL_WEIGHT, read_tracks
from pipeline.trading.review.performance import compare, measure

SHOWN = ("ic", "pinball_skill", "mae_skill", "hit_rate", "coverage_50", "coverage_80", "coverage_90")


def main() -> None:
    """Print the lake's figures as Markdown."""
    lake = Lake.open(Path(sys.argv[1]))
    for part in (forecasts(lake), promotions(lake), book(lake), effort(lake)):
        sys.stdout.write("\n".join(part) + "\n\n")


def forecasts(lake: Lake) -> Iterator[str]:
    """Each measured quality at the last session, with its 95 % interval and what the naive forecast gives."""
    metrics = lake.read(FEEDBACK_METRICS)
    last = metrics.filter(
        (pl.col("session") == metrics["session"].max()) & (pl.col("scope") == "all") & pl.col("metric").is_in(SHOWN)
    )
    yield "| horizon | measure | value | 95 % interval | naive or stated | forecasts | verdict |"
    yield "|---|---|---|---|---|---|---|"
    order = {name: number for number, name in enumerate(SHOWN)}
    for row in sorted(last.iter_rows(named=True), key=lambda row: (row["horizon"], order[row["metric"]])):
        span = "too short to say" if row["low"] is None else f"{row['low']:+.4f} to {row['high']:+.4f}"
        yield (
            f"| {row['horizon']} | {row['metric']} | {row['value']:+.4f} | {span} | {row['baseline']:+.4f} "
            f"| {row['n']:,} | {row['verdict']} |"
        )


def promotions(lake: Lake) -> Iterator[str]:
    """Each judged challenger."""
    yield "| session | promoted | gain over naive (pinball) | standard error | sessions compared |"
    yield "|---|---|---|---|---|"
    for row in lake.read(MODEL_PROMOTIONS).iter_rows(named=True):
        answer = "yes" if row["promoted"] else "no"
        yield (
            f"| {row['session']} | {answer} | {row['gain_over_naive']:+.2%} | {row['gain_error']:.2%} "
            f"| {row['sessions']} |"
        )


def book(lake: Lake) -> Iterator[str]:
    """The book beside what it is compared with, and what it paid."""
    value = lake.read(PORTFOLIO_VALUE)
    exchange = load(lake.path, os.environ).settings.market.exchange
    per_year = sessions_per_year(exchange_sessions(exchange), value["session"][-1])
    yield "| | total return | annualised volatility | Sharpe | deepest fall |"
    yield "|---|---|---|---|---|"
    tracks = {track.name: track.returns for track in read_tracks(read_span(lake))}
    for name, returns in tracks.items():
        found = measure(returns, per_year)
        ratio = "undefined" if found.sharpe is None else f"{found.sharpe:.2f}"
        yield (
            f"| {name} | {found.total_return:+.2%} | {found.volatility or 0:.1%} | {ratio} | {found.max_drawdown:.1%} |"
        )
    against = compare(tracks[BOOK], tracks[EQUAL_WEIGHT], per_year, seed=1)
    yield ""
    if against.sharpe_difference is not None and against.low is not None and against.high is not None:
        yield (
            f"Sharpe of the book less that of equal weight: {against.sharpe_difference:+.2f} "
            f"(95 % stationary bootstrap {against.low:+.2f} to {against.high:+.2f})."
        )
    last = value.row(-1, named=True)
    yield (
        f"Costs paid: commission {last['commission']:,}, half-spreads {last['spread_cost']:,}, "
        f"impact {last['impact_cost']:,}; unexplained {last['unexplained']}."
    )


def effort(lake: Lake) -> Iterator[str]:
    """Rows, and seconds a session took."""
    runs = lake.read(RUNS, where=of_work(WorkKind.CYCLE) | (pl.col("stage") == "report"))
    trained = {stage.name for stage in TRAINING}
    training = runs.filter(pl.col("stage").is_in(trained))["seconds"].sum()
    by_session = runs.filter(~pl.col("stage").is_in(trained)).group_by("session").agg(pl.col("seconds").sum())
    seconds: Sequence[float] = by_session.sort("session")["seconds"].to_list()[1:]
    rows = {name: lake.rows(table) for name, table in TABLES.items()}
    big = sorted(rows.items(), key=lambda item: -item[1])[:8]
    yield "Rows: " + ", ".join(f"{name} {count:,}" for name, count in big) + "."
    yield (
        f"Seconds of stages per session without training: median {median(seconds):.2f}, worst {max(seconds):.2f}; "
        f"training {training:.0f} s in all."
    )


if __name__ == "__main__":
    main()
