"""What-if from stored forecasts beside running the stages again: `python -m benchmarks.what_if [--sessions N]`.

A market is simulated and run once, session by session. Then the book is asked for under its own settings, which has to
be equal, and under others, in memory and by running the stages of the last sessions. Its last line is one of figures.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.experiments import run_once, write
from lake.store import Lake
from pipeline.config.check_values import Given
from pipeline.config.loading import choice, load
from pipeline.engine.runner import Runner
from pipeline.market.calendar_cache import ChildCalendars
from pipeline.research.compare_runs import RunComparison
from pipeline.research.what_if import ask_what_if

CALENDARS = ChildCalendars()
"""As the command has them: from the file, when they are first asked for."""
TRIED = "trading.philosophy.turnover", "0.1"


def main() -> None:
    """Run, ask, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=250)
    parser.add_argument("--names", type=int, default=50)
    parser.add_argument("--again", type=int, default=10, help="sessions of which the stages run again")
    parser.add_argument("--lake", type=Path, help="a lake that was run before, instead of a new one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.lake is None:
            lake, runner, one = run_once(Path(folder) / "lake", asked.names, asked.sessions)
            write(f"{asked.sessions} sessions x {asked.names} names run in {one:.0f} s")
        else:
            lake = Lake.open(asked.lake)
            runner = Runner(lake, load(asked.lake, {}).settings)
        measure(lake, runner, asked.again)


def measure(lake: Lake, runner: Runner, again: int) -> None:
    """The book under its own settings and under others, in memory; and the stages of the last sessions."""
    same, unchanged, cpu = time(lake, runner, {})
    write(f"unchanged: {same.verdict}, {same.sessions} sessions in {unchanged:.1f} s ({cpu:.1f} CPU s)")
    tried: dict[str, Given] = {TRIED[0]: choice(*TRIED)}
    told, changed, changed_cpu = time(lake, runner, tried)
    write(f"{TRIED[0]}={TRIED[1]}: {told.verdict}, in {changed:.1f} s ({changed_cpu:.1f} CPU s)")
    first = runner.calendar.offset(told.last, 1 - again)
    ran, _, stages_cpu = time(lake, runner, tried, first, runs_stages=True)
    here, *_ = time(lake, runner, tried, first)
    print(
        f"what_if: sessions={same.sessions} unchanged={same.verdict} unchanged_s={unchanged:.2f}"
        f" changed_s={changed:.2f} cpu_per_session_ms={1e3 * changed_cpu / told.sessions:.1f}"
        f" stages_cpu_per_session_ms={1e3 * stages_cpu / ran.sessions:.1f}"
        f" same_as_stages={here.equity.equals(ran.equity)}"
    )


def time(
    lake: Lake, runner: Runner, tried: Mapping[str, Given], first: date | None = None, *, runs_stages: bool = False
) -> tuple[RunComparison, float, float]:
    """An answer with the wall and processor seconds that it took."""
    begun, cpu = perf_counter(), process_time()
    calendar = CALENDARS(runner.settings.market.exchange)
    found = ask_what_if(lake, runner.settings, calendar, tried, first, runs_stages=runs_stages)
    return found, perf_counter() - begun, process_time() - cpu


if __name__ == "__main__":
    main()
