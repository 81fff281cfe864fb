"""Seconds per session of a replay, by stage: `python -m benchmarks.replay [--names 300] [--sessions 20]`."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

from lake.store import Lake
from pipeline.config.settings import Settings
from pipeline.ingestion.sources.params import SimulatedParams, SourceParams
from pipeline.runner import Cycle, Runner
from pipeline.stages import TRAINING


def main() -> None:
    """Build a lake of simulated names, replay sessions, and print what a session costs without training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=300)
    parser.add_argument("--history", type=int, default=700, help="sessions loaded before the replay")
    parser.add_argument("--sessions", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(*measure(Path(folder) / "lake", asked.names, asked.history, asked.sessions))


def measure(path: Path, names: int, history: int, sessions: int) -> tuple[float, list[tuple[Cycle, float]]]:
    """Seconds for the history, and each cycle with its wall seconds."""
    market = SimulatedParams(names=names, history_sessions=history)
    settings = replace(Settings(), source=SourceParams(simulated=market))
    runner = Runner(Lake.create(path), settings)
    first, last = runner.source.coverage()
    start = perf_counter()
    runner.load_history(first, last)
    loaded = perf_counter() - start
    begin = runner.calendar.next(last)
    cycles: list[tuple[Cycle, float]] = []
    start = perf_counter()
    for cycle in runner.replay(begin, runner.calendar.offset(begin, sessions)):
        cycles.append((cycle, perf_counter() - start))
        start = perf_counter()
    return loaded, cycles


def report(loaded: float, cycles: list[tuple[Cycle, float]]) -> None:
    """Print the figures."""
    write = sys.stdout.write
    write(f"history loaded in {loaded:.1f} s; first cycle (derives history, trains) {cycles[0][1]:.1f} s\n")
    trained = {stage.name for stage in TRAINING}
    later = [(cycle, wall) for cycle, wall in cycles[1:] if not trained & {r.recipe.stage for r in cycle.runs}]
    by_stage: dict[str, list[float]] = defaultdict(list)
    for cycle, wall in later:
        for run in cycle.runs:
            by_stage[run.recipe.stage].append(run.seconds)
        by_stage["(publishing and the rest)"].append(wall - sum(run.seconds for run in cycle.runs))
    for name, seconds in sorted(by_stage.items(), key=lambda item: -median(item[1])):
        write(f"  {name:28} {median(seconds) * 1000:8.1f} ms\n")
    walls = [wall for _, wall in later]
    write(f"seconds per session without training: median {median(walls):.2f}, worst {max(walls):.2f}\n")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write(f"peak memory {peak:.0f} MiB over {len(cycles)} sessions\n")


if __name__ == "__main__":
    main()
