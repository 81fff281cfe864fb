"""Seconds per session of a replay, by stage: `python -m benchmarks.replay [--names 300] [--sessions 20]`."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from lake.store import Lake
from pipeline.config.settings import Settings
from pipeline.engine.runner import Cycle, Runner
from pipeline.engine.stages import TRAINING
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams


@dataclass(frozen=True)
class Session:
    """A cycle and what it took, in seconds."""

    cycle: Cycle
    wall: float
    processor: float
    """Of all threads; unlike the wall time it says something on a busy machine too."""

    @property
    def trained(self) -> bool:
        """Whether a model was fitted in it."""
        return bool({stage.name for stage in TRAINING} & {run.recipe.stage for run in self.cycle.runs})


def main() -> None:
    """Build a lake of simulated names, replay sessions, and print what a session costs without training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=300)
    parser.add_argument("--history", type=int, default=700, help="sessions loaded before the replay")
    parser.add_argument("--sessions", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(*measure(Path(folder) / "lake", asked.names, asked.history, asked.sessions))


def measure(path: Path, names: int, history: int, sessions: int) -> tuple[float, list[Session]]:
    """Seconds for the history, and what each session took."""
    market = SimulatedParams(names=names, history_sessions=history)
    settings = replace(Settings(), source=SourceParams(simulated=market))
    runner = Runner(Lake.create(path), settings)
    first, last = runner.source.coverage()
    start = perf_counter()
    runner.backfill(first, last)
    loaded = perf_counter() - start
    begin = runner.calendar.next(last)
    measured: list[Session] = []
    start, used = perf_counter(), process_time()
    for cycle in runner.replay(begin, runner.calendar.offset(begin, sessions)):
        measured.append(Session(cycle, perf_counter() - start, process_time() - used))
        start, used = perf_counter(), process_time()
    return loaded, measured


def report(loaded: float, measured: list[Session]) -> None:
    """Print the figures."""
    write = sys.stdout.write
    write(f"history loaded in {loaded:.1f} s; first cycle (derives history, trains) {measured[0].wall:.1f} s\n")
    later = [session for session in measured[1:] if not session.trained]
    if not later:
        write("every session tried to train, so that none tells what one costs without; give more --history\n")
        return
    by_stage: dict[str, list[float]] = defaultdict(list)
    for session in later:
        runs = session.cycle.runs
        for run in runs:
            by_stage[run.recipe.stage].append(run.seconds)
        by_stage["(publishing and the rest)"].append(session.wall - sum(run.seconds for run in runs))
    for name, seconds in sorted(by_stage.items(), key=lambda item: -median(item[1])):
        write(f"  {name:28} {median(seconds) * 1000:8.1f} ms\n")
    walls = [session.wall for session in later]
    processor = median(session.processor for session in later)
    write(f"seconds per session without training: median {median(walls):.2f}, worst {max(walls):.2f}; ")
    write(f"processor {processor:.2f}\n")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write(f"peak memory {peak:.0f} MiB over {len(measured)} sessions\n")


if __name__ == "__main__":
    main()
