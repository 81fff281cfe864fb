"""What a table costs to open, read and append to as its commits grow: `python -m benchmarks.commits`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import polars as pl

from lake.store import Lake
from lake.tables.control import SERVICE_HEARTBEATS
from lake.upkeep.checkpoints import CHECKPOINT_EVERY, write_checkpoints
from lake.upkeep.compaction import compact_tables

MARKS = (50, 200, 500, 1_000, 2_000, 3_000, 5_000)
COMPACT_EVERY = 200
AROUND = 20
"""Commits up to each mark over which the medians are taken."""


def main() -> None:
    """Append row by row with the upkeep that a lake gets, and print the medians at each mark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=5_000)
    parser.add_argument("--folder", type=Path, help="where to make the lake, such as on another disk")
    parser.add_argument("--cpu", action="store_true", help="processor time, for a machine that has other work")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        figures = measure(Path(folder) / "lake", asked.commits, process_time if asked.cpu else perf_counter)
    sys.stdout.write("commits " + "".join(f"{what + ' ms':>17}" for what in next(iter(figures.values()))) + "\n")
    for mark, columns in figures.items():
        sys.stdout.write(f"{mark:7} " + "".join(f"{figure:17.1f}" for figure in columns.values()) + "\n")
    first, last = figures[min(figures)], figures[max(figures)]
    ratios = ", ".join(f"{what} {last[what] / first[what]:.1f}x" for what in first)
    sys.stdout.write(f"from {min(figures)} to {max(figures)} commits: {ratios}\n")


def measure(path: Path, commits: int, clock: Callable[[], float]) -> dict[int, dict[str, float]]:
    """Milliseconds at each mark: to append with a lake held open and with one just opened, to open, and to read."""
    lake = Lake.create(path)
    lake.durable = False
    spent: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def timed(mark: int | None, what: str, work: Callable[[], object]) -> None:
        start = clock()
        work()
        if mark is not None:
            spent[mark][what].append((clock() - start) * 1000)

    for number in range(1, commits + 1):
        near = next((mark for mark in MARKS if mark - AROUND < number <= mark), None)
        fresh = Lake.open(path)
        fresh.durable = False
        first = near is not None and number % 2 == 0
        timed(near, "first append" if first else "append", partial(append, fresh if first else lake, number))
        if near is not None:
            timed(near, "open", partial(Lake.open(path).newest, SERVICE_HEARTBEATS))
            timed(near, "read", partial(Lake.open(path).read, SERVICE_HEARTBEATS, since=moment(number - 20)))
        if number % CHECKPOINT_EVERY == 0:
            with lake.lock("upkeep"):
                if number % COMPACT_EVERY == 0:
                    compact_tables(lake)
                write_checkpoints(lake, {})
    return {mark: {what: median(times) for what, times in sorted(found.items())} for mark, found in spent.items()}


def append(lake: Lake, number: int) -> None:
    """Commit one beat."""
    lake.commit(SERVICE_HEARTBEATS, beat(number), f"beat-{number}", {})


def moment(number: int) -> datetime:
    """When the beat of that number was."""
    return datetime(2026, 1, 5, tzinfo=UTC) + timedelta(minutes=5 * number)


def beat(number: int) -> pl.DataFrame:
    """One row, as small as what a service writes."""
    at = moment(number)
    row = {
        "service": "daemon",
        "until": at,
        "since": at - timedelta(minutes=5),
        "beats": 300,
        "longest_gap": 1.0,
        "pid": 1,
        "memory": 1,
        "descriptors": 1,
        "cpu": 1.0,
        "owed": 0,
        "running": 0,
        "status": "ok",
        "reason": "",
    }
    return pl.DataFrame([row], schema=SERVICE_HEARTBEATS.schema)


if __name__ == "__main__":
    main()
