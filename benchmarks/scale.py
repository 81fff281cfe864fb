"""Past one process: a feature backfill and a search, by whom pieces can be done: `python -m benchmarks.scale`.

The same backfill (2,000 tickers x 2,500 sessions unless told otherwise) and the same search of 16 trainings, each in a
fresh program: alone with one thread, by processes beside it, by a Dask cluster on this machine, and by the pool that
anyone would take (`ProcessPoolExecutor`, spawned). Wall clock and processor seconds hold everything, the start of
workers too; `path` is processor seconds of this program and of one worker together: what the wall clock would show on
a machine that does nothing else. Peaks are of this program and of its largest worker. The fingerprints have to be
equal. Its last line is one of figures.

A build larger than memory: `--only features --tickers 5400 --sessions 5000 --by one,dask`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import date
from hashlib import sha256
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess as Process
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl

from benchmarks.big_lake import Builder
from lake.runs import Run
from lake.store import Lake
from lake.tables.market import MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.predictions import QUANTILES
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.execution.current import working_on
from pipeline.execution.in_process import InProcess
from pipeline.execution.opening import close_executors, open_executor
from pipeline.execution.params import ExecutionParams
from pipeline.execution.piece import Piece, PieceExecutor, PieceFunction, Told
from pipeline.execution.processes import ONE_THREAD
from pipeline.market.sessions import exchange_sessions
from pipeline.models.members import MEMBERS
from pipeline.models.params import ModelParams
from pipeline.models.search.halving import search

LAST = date(2025, 12, 31)
CONTENDERS = ("one", "processes", "dask", "pool")
BLOCK = 500_000
"""Rows of a commit of made-up bars, roughly."""


class PlainPool:
    """The pool of the standard library as anyone would use it: what pieces share goes along with each."""

    def __init__(self, workers: int) -> None:
        self.at_once = workers

    def run(
        self, function: PieceFunction, pieces: Sequence[Piece], shared: Any, _told: Told
    ) -> Generator[tuple[int, Any], None, None]:
        with ProcessPoolExecutor(self.at_once, get_context("spawn")) as pool:
            numbers = {pool.submit(function, one.given, shared): number for number, one in enumerate(pieces)}
            for done in as_completed(numbers):
                yield numbers[done], done.result()

    def close(self) -> None:
        """It is closed after each round."""


def main() -> None:
    """Measure both jobs, and print what each contender took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--tickers", type=int, default=2_000)
    parser.add_argument("--sessions", type=int, default=2_500)
    parser.add_argument("--trainings", type=int, default=16)
    parser.add_argument("--windows", type=int, default=24_000, help="that each training may see")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--piece-rows", type=int, default=ExecutionParams.piece_rows)
    parser.add_argument("--only", choices=("features", "search"))
    parser.add_argument("--by", default=",".join(CONTENDERS), help="contenders, by commas")
    parser.add_argument("--child", nargs=3, metavar=("JOB", "CONTENDER", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(measure(*asked.child, asked)))
        return
    figures = ["scale", f"workers={asked.workers}"]
    with tempfile.TemporaryDirectory(prefix="scale-", dir=os.environ.get("SCALE_FOLDER")) as folder:
        for job in ("features", "search"):
            if asked.only in (None, job):
                figures += compare(job, Path(folder), asked)
    write(" ".join(figures))


def compare(job: str, folder: Path, asked: argparse.Namespace) -> list[str]:
    """Do a job by each contender in turn; the figures of the last line."""
    lake = folder / "lake"
    if job == "features":
        begun = perf_counter()
        child = Process(target=build, args=(lake, asked.tickers, asked.sessions))
        child.start()  # apart, so that what it held is not counted
        child.join()
        write(f"a lake of {asked.tickers} tickers x {asked.sessions} sessions built in {perf_counter() - begun:.0f} s")
    found = {}
    for name in asked.by.split(","):
        copy = folder / name
        if job == "features":
            shutil.copytree(lake, copy, copy_function=os.link)
        found[name] = run_child(job, name, copy)
        shutil.rmtree(copy, ignore_errors=True)
        tell(job, name, found[name])
    if len({one["fingerprint"] for one in found.values()}) != 1:
        raise SystemExit(
            f"{job}: the fingerprints differ: {[(name, one['fingerprint']) for name, one in found.items()]}"
        )
    first = next(iter(found.values()))
    told = [f"{job}_{name}={first['wall'] / one['wall']:.2f}x" for name, one in list(found.items())[1:]]
    told += [f"{job}_{name}_path={first['path'] / one['path']:.2f}x" for name, one in list(found.items())[1:]]
    more = [f"{job}_{name}_cpu={one['cpu'] / first['cpu']:.2f}" for name, one in list(found.items())[1:]]
    return [f"{job}_one_s={first['wall']:.0f}", f"{job}_one_gb={first['peak']:.2f}", *told, *more, f"{job}_equal=yes"]


def tell(job: str, name: str, one: dict[str, Any]) -> None:
    """A line for a contender."""
    write(
        f"{job:8} {name:10} {one['wall']:7.1f} s wall {one['cpu']:7.1f} s cpu {one['path']:7.1f} s path"
        f"   peak {one['peak']:.2f} GB, largest worker {one['worker_peak']:.2f} GB"
        f"   {one['rows']:,} rows {one['fingerprint'][:12]}"
    )


def run_child(job: str, name: str, folder: Path) -> dict[str, Any]:
    """A contender in a program of its own."""
    command = [sys.executable, "-m", "benchmarks.scale", *sys.argv[1:], "--child", job, name, str(folder)]
    environment = {**os.environ, **ONE_THREAD}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(job: str, name: str, folder: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Do a job as one contender does it: seconds, peaks and the fingerprint of what came out."""
    prepared = prepare_search(asked) if job == "search" else None
    before, begun = processor_seconds(), perf_counter()
    params = ExecutionParams(
        executor="dask" if name == "dask" else "local",
        workers=asked.workers if name in ("dask", "processes") else 0,
        piece_rows=asked.piece_rows,
    )
    with chosen(name, asked.workers):
        if prepared is None:
            run = backfill(Path(folder), asked.sessions, params)
            rows, mark = run.rows, run.fingerprint
        else:
            with working_on(lambda: open_executor(params)):
                rows, mark = asked.trainings, search_settings(*prepared)
    close_executors()
    wall = perf_counter() - begun
    cpu = [now - then for now, then in zip(processor_seconds(), before, strict=True)]
    return {
        "wall": wall,
        "cpu": sum(cpu),
        "path": cpu[0] + cpu[1] / asked.workers,
        "peak": read_peak(),
        "worker_peak": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6,
        "rows": rows,
        "fingerprint": mark,
    }


@contextmanager
def chosen(name: str, workers: int) -> Iterator[None]:
    """Who does the pieces, where the settings do not say it."""
    others: dict[str, PieceExecutor] = {"one": InProcess(), "pool": PlainPool(workers)}
    with working_on(lambda: others[name]) if name in others else nullcontext():
        yield


def processor_seconds() -> list[float]:
    """Of this program, and of all that it started and that has ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return [one.ru_utime + one.ru_stime for one in used]


def read_peak() -> float:
    """The most memory that this program held, GB; what `getrusage` tells began with its parent's."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1e6


def backfill(path: Path, sessions: int, params: ExecutionParams) -> Run:
    """Compute the features of all sessions."""
    runner = Runner(Lake.open(path), Settings(runtime=RuntimeParams(durable=False), execution=params))
    return runner.run_stage(find_stage("features"), LAST, runner.calendar.offset(LAST, 1 - sessions))


def prepare_search(asked: argparse.Namespace) -> tuple[Any, ModelParams]:
    """Examples, and a space of as many points as there are to be trainings, all of them on all windows."""
    from benchmarks.learning import made_up  # which imports torch, as workers of the backfill need not

    examples = made_up(60_000, 80)
    rates = ",".join(f"{0.0005 * (1 + number / 10):.6f}" for number in range(asked.trainings - 1))
    params = ModelParams(features=examples.features)
    lstm = replace(params.lstm, windows_per_epoch=asked.windows, epochs=4, patience=4, location_epochs=2)
    space = (f"lstm.learning_rate={rates}",)
    halving = {"search_space": space, "search_points": asked.trainings, "search_halving": asked.trainings}
    return examples, replace(params, lstm=lstm, **halving)


def search_settings(examples: Any, params: ModelParams) -> str:
    """Search, and return a hash of what each point came to."""
    found = search(examples, QUANTILES, params, 7, MEMBERS)
    assert found is not None
    told = [(one.point.describe(), one.score.hex(), one.losses.tobytes().hex()) for one in found.trials]
    return sha256(repr((found.best.describe(), told)).encode()).hexdigest()


def build(path: Path, tickers: int, sessions: int) -> None:
    """A lake of bars and members: random walks, one commit for some sessions at a time."""
    made = Builder(path)
    calendar = exchange_sessions()
    days = calendar.between(calendar.offset(LAST, 1 - sessions), LAST)
    names = pl.Series([f"T{number:05d}" for number in range(tickers)])
    rng, level = np.random.default_rng(1), np.full(tickers, 100.0)
    with made.lake.lock("building"):
        step = max(BLOCK // tickers, 1)
        for start in range(0, len(days), step):
            block = days[start : start + step]
            moves = rng.normal(0.0002, 0.015, (len(block), tickers))
            closes = level * np.exp(np.cumsum(moves, axis=0))
            level = closes[-1]
            made.publish(MARKET_PRICES, bars(names, block, calendar, closes, rng), block[-1])
            made.publish(TICKER_UNIVERSE, members(names, block, closes), block[-1])


def bars(names: pl.Series, days: Sequence[date], calendar: Any, closes: Any, rng: np.random.Generator) -> pl.DataFrame:
    """Daily bars around the closes, [sessions, tickers]."""
    gap, reach = rng.normal(0, 0.004, closes.shape), np.abs(rng.normal(0, 0.008, (2, *closes.shape)))
    opens = closes * np.exp(gap)
    moments = [calendar.close_at(day) for day in days]
    count = len(names)
    return pl.DataFrame(
        {
            "ticker": pl.concat([names] * len(days)),
            "session": pl.Series(days, dtype=pl.Date).gather(np.repeat(np.arange(len(days)), count)),
            "ts": pl.Series(moments, dtype=pl.Datetime("us", "UTC")).gather(np.repeat(np.arange(len(days)), count)),
            "open": opens.ravel(),
            "high": (np.maximum(opens, closes) * (1 + reach[0])).ravel(),
            "low": (np.minimum(opens, closes) * (1 - reach[1])).ravel(),
            "close": closes.ravel(),
            "volume": rng.integers(100_000, 5_000_000, closes.size),
        }
    ).with_columns(interval=pl.lit("1d"), available_at="ts", currency=pl.lit("USD"), source=pl.lit("simulated"),
                   payload_id=pl.lit("ab" * 32))  # fmt: skip


def members(names: pl.Series, days: Sequence[date], closes: Any) -> pl.DataFrame:
    """All of them members of ten sectors, in every session."""
    count, numbers = len(names), np.arange(len(names))
    sectors = pl.Series([f"Sector {number}" for number in range(10)]).gather(numbers % 10)
    return pl.DataFrame(
        {
            "session": pl.Series(days, dtype=pl.Date).gather(np.repeat(np.arange(len(days)), count)),
            "ticker": pl.concat([names] * len(days)),
            "sector": pl.concat([sectors] * len(days)),
            "close": closes.ravel(),
        }
    ).with_columns(member=True, reason=pl.lit("member"), history=500)


def write(line: str) -> None:
    """Print at once: the whole takes minutes."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
