"""What it costs to force publications onto the disk: the same cycles with the barrier on and off, in turns.

`python -m benchmarks.durability [--names 300] [--sessions 10] [--folder DIR]`; DIR should lie on a real disk.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter

from lake.store import Lake
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.models.params import ModelParams

NEVER_TRAINED = 1_000_000
"""Sessions of history nobody has: the cost of training would drown what is measured."""


def main() -> None:
    """Run two lakes side by side, session by session, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=300)
    parser.add_argument("--history", type=int, default=300, help="sessions loaded before the replay")
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="where to make the lakes")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        runners = {on: begin(Path(folder) / f"durable-{on}", asked.names, asked.history, on) for on in (True, False)}
        walls = side_by_side(runners, asked.sessions)
    on, off = (median(walls[kind]) for kind in (True, False))
    sys.stdout.write(f"median seconds of a cycle of {asked.names} names: barrier on {on:.2f}, off {off:.2f}\n")
    sys.stdout.write(f"overhead {100 * (on / off - 1):.0f} % over {len(walls[True])} sessions, run in turns\n")


def begin(path: Path, names: int, history: int, durable: bool) -> tuple[Runner, date]:
    """A lake with its history and first cycle, and the session that comes next."""
    market = SimulatedParams(names=names, history_sessions=history)
    settings = replace(
        Settings(),
        source=SourceParams(simulated=market),
        runtime=RuntimeParams(durable=durable),
        models=ModelParams(min_sessions=NEVER_TRAINED),
    )
    runner = Runner(Lake.create(path), settings)
    first, last = runner.source.coverage()
    runner.backfill(first, last)
    session = runner.calendar.next(last)
    runner.cycle(session)  # derives the history; no measure of what follows
    return runner, runner.calendar.next(session)


def side_by_side(runners: dict[bool, tuple[Runner, date]], sessions: int) -> dict[bool, list[float]]:
    """Seconds of each session's cycle in either lake; which goes first alternates."""
    walls: dict[bool, list[float]] = {True: [], False: []}
    for number in range(sessions):
        for on in (True, False) if number % 2 else (False, True):
            runner, start = runners[on]
            session = runner.calendar.offset(start, number)
            clock = perf_counter()
            runner.cycle(session)
            walls[on].append(perf_counter() - clock)
    return walls


if __name__ == "__main__":
    main()
