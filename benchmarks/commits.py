"""What a table costs to open, read and append to as its commits grow: `python -m benchmarks.commits`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter

import polars as pl

from lake.compaction import compact_due
from lake.maintenance import CHECKPOINT_EVERY, checkpoint_due
from lake.store import Lake
from lake.tables.control import SERVICE_HEARTBEATS

MARKS = (50, 200, 500, 1_000, 2_000, 3_000, 5_000)
COMPACT_EVERY = 200
AROUND = 10
"""Commits up to each mark over which the medians are taken."""


def main() -> None:
    """Append row by row with the upkeep that a lake gets, and print the medians at each mark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=5_000)
    parser.add_argument("--folder", type=Path, help="where to make the lake, such as on another disk")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        figures = measure(Path(folder) / "lake", asked.commits)
    sys.stdout.write(f"{'commits':>8} {'open ms':>9} {'read ms':>9} {'append ms':>10}\n")
    for mark, columns in figures.items():
        sys.stdout.write(f"{mark:8} {columns['open']:9.1f} {columns['read']:9.1f} {columns['append']:10.1f}\n")
    first, last = figures[min(figures)], figures[max(figures)]
    ratios = ", ".join(f"{what} {last[what] / first[what]:.1f}x" for what in first)
    sys.stdout.write(f"from {min(figures)} to {max(figures)} commits: {ratios}\n")


def measure(path: Path, commits: int) -> dict[int, dict[str, float]]:
    """Milliseconds to open and read with a new handle, and to append with a held one, at each mark."""
    lake = Lake.create(path)
    lake.durable = False
    spent: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(1, commits + 1):
        near = next((mark for mark in MARKS if mark - AROUND < number <= mark), None)
        append = timed(lambda number=number: lake.commit(SERVICE_HEARTBEATS, beat(number), f"beat-{number}", {}))  # type: ignore[misc]
        if near is not None:
            spent[near]["append"].append(append)
            fresh = Lake.open(path)
            spent[near]["open"].append(timed(lambda fresh=fresh: fresh.newest(SERVICE_HEARTBEATS)))  # type: ignore[misc]
            recent = moment(number - 20)
            spent[near]["read"].append(timed(lambda fresh=fresh, at=recent: fresh.read(SERVICE_HEARTBEATS, since=at)))  # type: ignore[misc]
        if number % CHECKPOINT_EVERY == 0:
            with lake.lease("upkeep"):
                if number % COMPACT_EVERY == 0:
                    compact_due(lake)
                checkpoint_due(lake, {})
    return {mark: {what: median(times) for what, times in found.items()} for mark, found in spent.items()}


def timed(work: object) -> float:
    """Milliseconds a call takes."""
    assert callable(work)
    start = perf_counter()
    work()
    return (perf_counter() - start) * 1000


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
