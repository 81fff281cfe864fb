"""What a session costs, stage by stage, alone or in turns with another checkout of the program.

`python -m benchmarks.replay [--names 300] [--scored 130] [--beside CHECKOUT] [--lake FOLDER]`: a lake of simulated
names is made once, with as many sessions replayed as shall have been scored; each program then replays the next ones
in copies of it, in a process of its own. Told are medians over sessions in which nothing is trained, without the first
two.
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
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from lake.runs import cycle_sessions
from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.config.loading import load
from pipeline.config.resolving import values_of
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.config.toml_document import toml_document, write_document
from pipeline.engine.executor import Executor
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams

Told = dict[str, Any]
"""Of a replay: its sessions, each with processor and wall time, times by stage, fingerprints; and the peak memory."""
WARMING = 2
"""Sessions of each replay that are left out: they import and compile."""
REPORT = "report"
"""The stage that tells of the machine, so that no two of its runs are alike."""


def main() -> None:
    """Make the lake, measure, and print what a session costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=300)
    parser.add_argument("--history", type=int, default=700, help="sessions loaded before the first cycle")
    parser.add_argument("--scored", type=int, default=3, help="sessions replayed before those that are measured")
    parser.add_argument("--sessions", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=2, help="of both programs in turns, each on a new copy")
    parser.add_argument("--lake", type=Path, help="where the lake is made, or was: it is kept and never measured in")
    parser.add_argument("--beside", type=Path, help="another checkout, with an environment of its own in .venv or none")
    parser.add_argument("--replay", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.replay:
        print(json.dumps(replay(asked.replay, asked.sessions)))
        return
    with tempfile.TemporaryDirectory(prefix="nextgen-") as folder:
        lake = asked.lake or Path(folder) / "lake"
        if not lake.exists():
            make_lake(lake, asked.names, asked.history, asked.scored)
        programs = [Path(__file__).parents[1], *([asked.beside.resolve()] if asked.beside else [])]
        told = [[measure(one, lake, Path(folder), asked.sessions) for one in programs] for _ in range(asked.rounds)]
    report([[round_[number] for round_ in told] for number in range(len(programs))])


def make_lake(path: Path, names: int, history: int, scored: int) -> None:
    """A lake with its history loaded and some sessions replayed, under the settings that it keeps."""
    market = SimulatedParams(names=names, history_sessions=history)
    settings = replace(Settings(), runtime=RuntimeParams(durable=False), source=SourceParams(simulated=market))
    runner = Runner(Lake.create(path), settings)
    write_document(path, toml_document((name, value) for name, value in values_of(settings) if value is not None))
    first, last = runner.source.coverage()
    runner.backfill(first, last)
    begin = runner.calendar.next(last)
    for number, cycle in enumerate(runner.replay(begin, runner.calendar.offset(begin, scored - 1)), 1):
        sys.stderr.write(f"\rsession {number} of {scored}: {cycle.session}")
    sys.stderr.write("\n")


def measure(program: Path, lake: Path, folder: Path, sessions: int) -> Told:
    """What the next sessions cost a program, told by a process that runs it on a copy of the lake."""
    copy, own = folder / "copy", program / ".venv/bin/python"
    shutil.copytree(lake, copy)
    command = [own if own.exists() else sys.executable, "-P", __file__, "--replay", copy, "--sessions", str(sessions)]
    try:
        environment = {**os.environ, "PYTHONPATH": str(program)}
        done = subprocess.run(command, cwd=program, env=environment, stdout=subprocess.PIPE, check=True)
    finally:
        shutil.rmtree(copy)
    told: Told = json.loads(done.stdout.splitlines()[-1])
    return told


def replay(path: Path, sessions: int) -> Told:
    """Replay the next sessions of a lake and tell what each took."""
    lake = Lake.open(path)
    runner = Runner(lake, load(path, {}).settings)
    done = cycle_sessions(lake.read(RUNS, columns=("run_id", "session", "work", "status")))
    begin, found = runner.calendar.next(done[-1]), []
    with time_stages() as spent:
        wall, used = perf_counter(), process_time()
        for cycle in runner.replay(begin, runner.calendar.offset(begin, sessions - 1)):
            taken = {"processor": process_time() - used, "wall": perf_counter() - wall, "stages": dict(spent)}
            prints = [(run.recipe.stage, run.fingerprint) for run in cycle.runs if run.recipe.stage != REPORT]
            found.append({"session": str(cycle.session), "prints": prints, **taken})
            spent.clear()
            wall, used = perf_counter(), process_time()
    return {"sessions": found, "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


@contextmanager
def time_stages() -> Iterator[dict[str, float]]:
    """Count the processor seconds of each stage's runs, with their reading and writing, within the block."""
    spent: dict[str, float] = defaultdict(float)
    execute = Executor.execute

    def timed(executor: Executor, work: Any, stage: Any, *rest: Any) -> Any:
        start = process_time()
        try:
            return execute(executor, work, stage, *rest)
        finally:
            spent[stage.name] += process_time() - start

    Executor.execute = timed  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        Executor.execute = execute  # type: ignore[method-assign]


def report(programs: Sequence[Sequence[Told]]) -> None:
    """Print the figures of each program's replays, the stage that costs most first, and one line of all."""
    usual = [list_usual(replays) for replays in programs]
    if not all(usual):
        print("every session tried to train, so that none tells what one costs without; give more --history")
        return
    print(
        "processor milliseconds, medians of sessions without training: this program"
        + " and beside it" * (len(usual) > 1)
    )
    stages = {name for sessions in usual for one in sessions for name in one["stages"]}
    by_stage = {
        name: [median(one["stages"].get(name, 0.0) for one in sessions) for sessions in usual] for name in stages
    }
    rest = [median(one["processor"] - sum(one["stages"].values()) for one in sessions) for sessions in usual]
    for name, seconds in sorted([*by_stage.items(), ("(publishing)", rest)], key=lambda item: -item[1][0]):
        print(f"  {name:24}" + "".join(f"{one * 1000:9.1f}" for one in seconds))
    for label, sessions, replays in zip(("this program", "beside it"), usual, programs, strict=False):
        walls, peak = [one["wall"] for one in sessions], max(one["mebibytes"] for one in replays)
        print(f"{label}: wall {median(walls):.2f} s, at most {max(walls):.2f} s; peak memory {peak:.0f} MiB")
    print(summarise(programs, usual))


def list_usual(replays: Sequence[Told]) -> list[Told]:
    """The sessions that count: what their stages took tells which of them trained."""
    sessions = [one for told in replays for one in told["sessions"][WARMING:]]
    return [one for one in sessions if "train" not in one["stages"]]


def summarise(programs: Sequence[Sequence[Told]], usual: Sequence[Sequence[Told]]) -> str:
    """The last line: what a session costs, and how it compares."""
    costs = [median(one["processor"] for one in sessions) for sessions in usual]
    line = f"session cpu: ours={costs[0]:.3f}"
    if len(costs) > 1:
        line += f" beside={costs[1]:.3f} ratio={costs[0] / costs[1]:.2f} fingerprints={compare_prints(programs)}"
    return f"{line} sessions={len(usual[0])}"


def compare_prints(programs: Sequence[Sequence[Told]]) -> str:
    """Whether both programs wrote the same, or the first stage and session at which they did not."""
    ours, theirs = (
        {(one["session"], *told) for one in replays[0]["sessions"] for told in one["prints"]} for replays in programs
    )
    differing = sorted((session, stage) for session, stage, _ in ours ^ theirs)
    return "{1}@{0}".format(*differing[0]) if differing else "same"


if __name__ == "__main__":
    main()
