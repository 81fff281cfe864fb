"""What many names, years and minute bars would take, from what their parts cost here: `python -m benchmarks.sizing`.

Unit costs are measured on a small lake, each by the code that would do the work: bytes and processor seconds of a daily
bar, a minute bar and a row of features, processor seconds of a window in training, what a file costs a reader of the
log, and the memory of a part by its cells. Then they are multiplied: no large lake is built. Its last line is one of
figures; the table says where it breaks first.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.context import SpawnProcess as Process
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import polars as pl

from benchmarks.big_lake import Builder
from benchmarks.learning import made_up
from benchmarks.scale import LAST, backfill, bars, build, read_peak, write
from lake.contract import Table
from lake.storage.appending import BLOCK
from lake.storage.delta_log import entry_path
from lake.storage.snapshot import EMPTY, read_snapshot
from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.market import MARKET_PRICES
from lake.tables.predictions import QUANTILES
from pipeline.engine.in_parts import LEAST
from pipeline.execution.params import ExecutionParams
from pipeline.features.panel import DEPTH, MARGIN
from pipeline.market.sessions import exchange_sessions
from pipeline.models.folds import SessionSpan
from pipeline.models.members import MEMBERS
from pipeline.models.members.member import FitTask, fit_members
from pipeline.models.params import ModelParams
from pipeline.models.train import HISTORY

SESSIONS_A_YEAR, MINUTES, INPUTS = 252, 390, 80
"""Of the exchange's usual year and day."""


@dataclass(frozen=True)
class Units:
    """What one of each costs on this machine."""

    day_bytes: float
    """Of a daily bar on disk."""
    day_cpu: float
    """Seconds to write it."""
    minute_bytes: float
    minute_cpu: float
    feature_bytes: float
    feature_cpu: float
    """Seconds to read what it is made of, compute and write it."""
    part_bytes: float
    """Of memory for each session and name that a part lays out."""
    window_cpu: float
    """Seconds of a window in a training, all its passes together."""
    file_bytes: float
    """Of the log for each file."""
    file_cpu: float
    """Seconds for each file when a reader opens the table."""


def main() -> None:
    """Measure the units, and multiply."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--tickers", type=int, default=10_000)
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 8, 32])
    parser.add_argument("--folds", type=int, default=8, help="of a training, each of five years at most")
    parser.add_argument("--names", type=int, default=2_000, help="of the small lake")
    parser.add_argument("--sessions", type=int, default=400, help="of the small lake")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sizing-") as folder:
        units = measure(Path(folder), asked)
    for name, value in vars(units).items():
        write(f"{name:14} {value:.3g}")
    write(multiply(units, asked))


def measure(folder: Path, asked: argparse.Namespace) -> Units:
    """The unit costs."""
    child = Process(target=build, args=(folder / "lake", asked.names, asked.sessions))
    child.start()  # apart, so that what it held is not counted
    child.join()
    lake = Lake.open(folder / "lake")
    begun, before = process_time(), read_peak()
    run = backfill(folder / "lake", asked.sessions, ExecutionParams(piece_rows=LEAST * asked.names))
    feature_cpu = (process_time() - begun) / run.rows
    grown = 1e9 * (read_peak() - before)
    day_cpu = time_commit(folder / "days", MARKET_PRICES, daily_bars(200, 250))
    minutes = minute_bars(200, 5)
    minute_cpu = time_commit(folder / "minutes", INTRADAY_PRICES, minutes)
    return Units(
        day_bytes=count_bytes(lake, MARKET_PRICES),
        day_cpu=day_cpu,
        minute_bytes=count_bytes(Lake.open(folder / "minutes"), INTRADAY_PRICES),
        minute_cpu=minute_cpu,
        feature_bytes=count_bytes(lake, FEATURE_ROWS),
        feature_cpu=feature_cpu,
        part_bytes=grown / (asked.names * (LEAST + DEPTH + MARGIN)),
        window_cpu=time_training(),
        **measure_log(lake),
    )


def count_bytes(lake: Lake, table: Table) -> float:
    """On disk, for each row."""
    files = lake.files(table, lake.newest(table))
    folder = Path(lake.uri(table))
    return sum((folder / one.path).stat().st_size for one in files) / sum(one.rows for one in files)


def daily_bars(names: int, sessions: int) -> pl.DataFrame:
    """Daily bars on random walks."""
    calendar, rng = exchange_sessions(), np.random.default_rng(3)
    days = calendar.between(calendar.offset(LAST, 1 - sessions), LAST)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.015, (sessions, names)), axis=0))
    return bars(pl.Series([f"T{number:05d}" for number in range(names)]), days, calendar, closes, rng)


def minute_bars(names: int, sessions: int) -> pl.DataFrame:
    """Bars of a minute on random walks: as many rows as minutes of each session."""
    calendar = exchange_sessions()
    days = calendar.between(calendar.offset(LAST, 1 - sessions), LAST)
    rows = [daily_bars(names, MINUTES).with_columns(session=pl.lit(day)) for day in days]
    minute = pl.int_range(pl.len()).over("ticker")
    opened = [calendar.open_at(day) for day in days]
    return pl.concat(
        one.with_columns(
            interval=pl.lit("1m"),
            ts=pl.lit(at, dtype=pl.Datetime("us", "UTC")) + pl.duration(minutes=minute),
            available_at=pl.lit(at + timedelta(minutes=1), dtype=pl.Datetime("us", "UTC"))
            + pl.duration(minutes=minute),
        )
        for one, at in zip(rows, opened, strict=True)
    )


def time_commit(path: Path, table: Table, rows: pl.DataFrame) -> float:
    """Processor seconds of writing a row, checked and compared as ever."""
    made = Builder(path)
    with made.lake.lock("sizing"):
        return seconds(lambda: made.publish(table, rows)) / rows.height


def seconds(work: Callable[[], Any]) -> float:
    """Of the processor."""
    begun = process_time()
    work()
    return process_time() - begun


def time_training() -> float:
    """Processor seconds of a window, by the members and passes that are set."""
    examples = made_up(8_000, 80)
    params = ModelParams(features=examples.features)
    span = SessionSpan(int(examples.session[0]), int(examples.session[-1]))
    lstm = replace(params.lstm, windows_per_epoch=len(examples))
    task = FitTask(examples=examples, span=span, quantiles=QUANTILES, params=replace(params, lstm=lstm), seed=(1, 0))
    return seconds(lambda: fit_members(MEMBERS, task, [])) / len(examples)


def measure_log(lake: Lake) -> dict[str, float]:
    """What a file costs in the log."""
    version = lake.newest(MARKET_PRICES)
    uri, files = Path(lake.uri(MARKET_PRICES)), len(lake.files(MARKET_PRICES, version))
    size = sum(entry_path(uri, at).stat().st_size for at in range(1, version + 1))
    taken = seconds(lambda: [read_snapshot(uri, MARKET_PRICES, version, EMPTY) for _ in range(20)]) / 20
    return {"file_bytes": size / files, "file_cpu": taken / files}


def multiply(units: Units, asked: argparse.Namespace) -> str:
    """Print what the large lake would take; the last line."""
    sessions = asked.years * SESSIONS_A_YEAR
    learned = asked.tickers * min(sessions, HISTORY)
    days, minutes = asked.tickers * sessions, asked.tickers * sessions * MINUTES
    files = -(-days // BLOCK) * 2 + -(-minutes // BLOCK)
    write(f"\n{asked.tickers:,} tickers x {asked.years} years: {days:,} daily bars, {minutes:,} minute bars")
    sizes = {"daily bars": days * units.day_bytes, "minute bars": minutes * units.minute_bytes,
             "features": days * units.feature_bytes}  # fmt: skip
    for name, size in sizes.items():
        write(f"  {name:12} {size / 1e9:10,.1f} GB")
    write(
        f"  {files:,} files, {files * units.file_bytes / 1e6:,.0f} MB of log, opened in {files * units.file_cpu:,.1f} s"
    )
    alone = {"daily bars": days * units.day_cpu, "minute bars": minutes * units.minute_cpu}
    shared = {"features": days * units.feature_cpu, "folds": asked.folds * learned * units.window_cpu}
    for name, taken in alone.items():
        write(f"  {name:12} {taken / 3600:10,.2f} h to write, in one process")
    for name, taken in shared.items():
        hours = "  ".join(f"{taken / 3600 / workers:8,.2f} h on {workers}" for workers in asked.workers)
        write(f"  {name:12} {hours}")
    part = (DEPTH + MARGIN + LEAST) * asked.tickers * units.part_bytes
    session, examples = minutes / sessions, learned * INPUTS * 4
    write(f"  a training's rows are {examples / 1e9:.1f} GB in one frame, held by each worker that fits")
    whole = minutes * 200  # bytes of a bar in memory, roughly, as the stages hold it
    write(f"  60 sessions of features hold {part / 1e9:.1f} GB; a session has {session:,.0f} minute bars")
    write(
        f"  minute bars derived in one piece would hold {whole / 1e12:.1f} TB: that breaks first, and has to be split"
    )
    return (
        f"sizing tickers={asked.tickers} years={asked.years} tb={sum(sizes.values()) / 1e12:.2f} files={files}"
        f" features_h={shared['features'] / 3600:.1f} minute_h={alone['minute bars'] / 3600:.0f}"
        f" part_gb={part / 1e9:.1f}"
    )


if __name__ == "__main__":
    main()
