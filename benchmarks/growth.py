"""A lake of 100,000 runs beside a young one: what looking at either costs. `python -m benchmarks.growth [--runs N]`."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import polars as pl

from benchmarks.big_lake import build
from benchmarks.daemon_turn import fill_history
from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.engine.stages import CYCLE

YOUNG, TICKERS, FORECASTS = 60, 20, 100
REPEATS = 5
LOOKS: dict[str, tuple[str, ...]] = {
    "status": ("status", "--json"),
    "runs": ("runs", "--limit", "20"),
    "schedule": ("schedule", "preview"),
    "console": ("console", "--screenshot", "{folder}"),
}


def main() -> None:
    """Build both lakes, look at each in turn, and print processor seconds and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    asked = parser.parse_args()
    sessions = {"young": YOUNG, "old": -(-asked.runs // len(CYCLE))}
    with tempfile.TemporaryDirectory(prefix="nextgen-") as folder:
        lakes = {
            name: build(Path(folder) / name, tickers=TICKERS, sessions=count, forecasts=FORECASTS)
            for name, count in sessions.items()
        }
        for name, count in sessions.items():
            fill_history(lakes[name], count)
        runs = {name: count_runs(lake) for name, lake in lakes.items()}
        print(f"young: {runs['young']:,} runs; old: {runs['old']:,} runs")
        told = [f"growth runs={runs['old']}"]
        for look, words in LOOKS.items():
            young, old = (measure(lake, words, Path(folder)) for lake in lakes.values())
            print(f"{look:10} young {young:6.2f} s   old {old:6.2f} s   {old / young:5.2f}x", flush=True)
            told.append(f"{look}={old / young:.2f}x")
        turns = [measure_daemon(lake) for lake in lakes.values()]
        for look, young in turns[0].items():
            old = turns[1][look]
            print(f"{look:12} young {young * 1e3:6.1f} ms  old {old * 1e3:6.1f} ms  {old / young:5.2f}x", flush=True)
            told.append(f"{look.replace(' ', '_')}={old / young:.2f}x")
    print(" ".join(told))


def count_runs(lake: Lake) -> int:
    """Rows of `runs`."""
    return int(lake.read(RUNS, columns=("run_id",)).select(pl.len()).item())


def measure(lake: Lake, words: Sequence[str], folder: Path) -> float:
    """Processor seconds of a command on a lake, the median of a few."""
    command = [sys.executable, "-P", "-m", "nextgen_tui.cli.main"]
    command += [word.format(folder=folder / "pictures") for word in words] + ["--lake", str(lake.path)]
    return median(_spent(command) for _ in range(REPEATS))


def measure_daemon(lake: Lake) -> dict[str, float]:
    """Processor seconds of a daemon's start, its turn, and its look for alerts, the median of a few processes."""
    command = [sys.executable, "-P", "-m", "benchmarks.daemon_turn", str(lake.path)]
    every = [json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(REPEATS)]
    return {look: median(one[look] for one in every) for look in every[0]}


def _spent(command: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode not in (0, 1) or not done.stdout:  # 1: the verdict on a made-up lake
        sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
