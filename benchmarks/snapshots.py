"""What snapshots cost beside cycles, on real bars: `python -m benchmarks.snapshots FIVE_MINUTES ONE_MINUTE`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median
from time import process_time

import polars as pl

from lake.runs import Run, find_done_runs
from lake.store import Lake
from lake.tables.control import SYSTEM_HEALTH, WorkKind
from lake.tables.intraday import INTRADAY_PRICES, QUARANTINED_INTRADAY
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.control.schedule.trigger import parse_trigger
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.market.sessions import Sessions, exchange_sessions

EXCHANGE, ZONE = "XNYS", "America/New_York"
WRONG = 1.01
"""By what one close of the daily bars is multiplied, to be found by its own shorter bars."""


def main() -> None:
    """Replay sessions with a snapshot every quarter of an hour, and print what came of it and what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("five", type=Path, help="bars of five minutes: ticker, ts (local, start), prices, volume")
    parser.add_argument("one", type=Path, help="bars of one minute, the same")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, default=date(2025, 11, 20))
    parser.add_argument("--sessions", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        calendar = exchange_sessions(EXCHANGE)
        last = calendar.offset(asked.first, asked.sessions - 1)
        runner = make_runner(Path(folder), asked.five, asked.one, contradicted=last)
        runner.backfill(runner.source.coverage()[0], calendar.previous(asked.first))
        list(runner.replay(asked.first, last, snapshots=list_moments(calendar, asked.first, last)))
        for line in describe(runner, asked.first):
            sys.stdout.write(f"{line}\n")


def make_runner(folder: Path, five: Path, one: Path, contradicted: date) -> Runner:
    """A runner of a new lake with both lengths of bars, and daily ones made of those of five minutes.

    Args:
        folder: where the lake and the daily bars are put.
        five: bars of five minutes.
        one: bars of one minute.
        contradicted: a session of which the first ticker's daily close is made wrong.
    """
    daily = daily_bars(pl.read_parquet(five)).sort("ticker", "date")
    first = daily.filter(pl.col("date") == contradicted)["ticker"][0]
    wrong = (pl.col("ticker") == first) & (pl.col("date") == contradicted)
    daily = daily.with_columns(close=pl.when(wrong).then(pl.col("close") * WRONG).otherwise("close"))
    daily = daily.with_columns(high=pl.max_horizontal("high", "close"))
    daily.write_parquet(folder / "daily.parquet")
    files = FilesParams(
        prices=(str(folder / "daily.parquet"),),
        intraday=(str(five), str(one)),
        intervals=("1d", "5m", "1m"),
        zone=ZONE,
    )
    settings = Settings(runtime=RuntimeParams(durable=False), source=SourceParams(name="files", files=files))
    return Runner(Lake.create(folder / "lake"), settings)


def daily_bars(five: pl.DataFrame) -> pl.DataFrame:
    """One bar per ticker and day, of the bars that begin within the exchange's hours."""
    calendar = exchange_sessions(EXCHANGE)
    hours = calendar.frame(five["ts"].dt.date().min(), five["ts"].dt.date().max())  # type: ignore[arg-type]
    begun = five.with_columns(at=pl.col("ts").dt.replace_time_zone(ZONE).dt.convert_time_zone("UTC")).sort("at")
    inside = begun.join_asof(hours, left_on="at", right_on="open_at").filter(pl.col("at") < pl.col("close_at"))
    ends = (pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last())
    ordered = inside.sort("ticker", "at").group_by("ticker", pl.col("session").alias("date"), maintain_order=True)
    return ordered.agg(*ends, pl.col("volume").sum())


def list_moments(calendar: Sessions, first: date, last: date) -> Sequence[datetime]:
    """Every quarter of an hour while a session is open, and each close."""
    trigger = parse_trigger("every 15m while open", calendar, calendar.zone)
    due = {slot.due_at for slot in trigger.slots(calendar.open_at(first), calendar.close_at(last))}
    return sorted(due | {calendar.close_at(session) for session in calendar.between(first, last)})


def describe(runner: Runner, first: date) -> Iterator[str]:
    """What came of a replay, and what its snapshots took."""
    lake = runner.lake
    held = lake.read(INTRADAY_PRICES, since=first, every_revision=True)
    for interval, bars, tickers in (
        held.group_by("interval").agg(pl.len(), pl.col("ticker").n_unique()).sort("interval").iter_rows()
    ):
        yield f"{interval}: {bars:,} bars of {tickers} tickers"
    yield f"revisions: {held.filter(pl.col('revision') > 0).height}"
    yield f"set aside: {dict(lake.read(QUARANTINED_INTRADAY)['rule'].value_counts().iter_rows())}"
    health = lake.read(SYSTEM_HEALTH).filter(pl.col("service") == "intraday_prices")
    for row in health.filter(pl.col("status") != "ok").sort("session").iter_rows(named=True):
        yield f"{row['session']} {row['check']}: {row['message']}"
    for name, took in durations(find_done_runs(lake)).items():
        yield f"{name}: {len(took)}, median {median(took):.2f} s, longest {max(took):.2f} s"
    yield f"processor time in all: {timedelta(seconds=round(process_time()))}"


def durations(runs: Sequence[Run]) -> dict[str, list[float]]:
    """Seconds of each snapshot and of each cycle, by the sum of its stages."""
    found: dict[str, dict[str, float]] = {WorkKind.SNAPSHOT: {}, WorkKind.CYCLE: {}}
    for run in runs:
        if run.recipe.work in found:
            of = found[run.recipe.work]
            of[run.recipe.cycle_id] = of.get(run.recipe.cycle_id, 0.0) + run.seconds
    return {kind: list(took.values()) for kind, took in found.items() if took}


if __name__ == "__main__":
    main()
