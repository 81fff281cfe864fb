"""Variants of a past beside running it again from the start: `python -m benchmarks.experiments [--variants N]`.

A market of some names is simulated and run once, session by session. Then an experiment of as many variants (costs,
risk, turnover) is run beside it: wall time, processor time and disk against those of the one run, and whether an
unchanged variant is equal to it. With `--kills` a copy of the market is asked the same, killed at so many moments and
resumed, and its results compared. With `--beside` so many cycles are run before, beside and after the
experiment instead, as a daemon would run them. The last line is one of figures.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import polars as pl

from lake.branches.branch import BRANCHES
from lake.runs import cycle_sessions
from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.config.resolving import values_of
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.config.toml_document import toml_document, write_document
from pipeline.engine.child_command import python_command
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.research.experiments import list_results, run_experiment
from pipeline.research.spec import read_spec
from pipeline.research.what_if import ask_what_if

SPEC = """
name = "bench"
question = "What do variants cost?"
kill = "more than six runs"
from = {first}
to = {last}
[vary]
"trading.costs.half_spread" = [{spreads}]
"""


def main() -> None:
    """Run, vary, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=20)
    parser.add_argument("--sessions", type=int, default=250)
    parser.add_argument("--names", type=int, default=60)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--beside", type=int, default=0, help="cycles, in place of what else is measured")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (measure_cycles if asked.beside else measure)(Path(folder) / "lake", asked)


def measure(path: Path, asked: argparse.Namespace) -> None:
    """One run of the sessions, an unchanged variant, and the experiment, once more where it is to be killed."""
    lake, runner, one = run_once(path, asked.names, asked.sessions)
    size = disk(path)
    write(f"{asked.sessions} sessions x {asked.names} names run in {one.wall:.0f} s, {size / 1e6:.0f} MB")
    with Took() as unchanged:
        same = ask_what_if(lake, runner.settings, runner.calendar, {})
    write(f"unchanged what-if: {same.verdict} in {unchanged.wall:.1f} s")
    spec = write_spec(same.first, same.last, asked.variants)
    copy = shutil.copytree(path, path.with_name("killed")) if asked.kills else path
    most = size
    with Took() as all_of_them:
        for done, result in enumerate(run_experiment(lake, read_spec(spec), runner.calendar, asked.workers), 1):
            most = max(most, disk(path))
            took = all_of_them.wall + perf_counter()
            write(f"{done:3} of {asked.variants}: {result['variant']} {result['verdict']}, {took:.0f} s so far")
    told = ""
    if asked.kills:
        kill_and_resume(copy, spec, asked.kills, all_of_them.wall)
        told = f" kills={asked.kills} resumed={'same' if results(copy).equals(results(path)) else 'OTHER'}"
    print(
        f"experiments: variants={asked.variants} sessions={asked.sessions} names={asked.names}"
        f" one_s={one.wall:.0f} all_s={all_of_them.wall:.0f} wall={all_of_them.wall / one.wall:.2f}"
        f" one_cpu_s={one.cpu:.0f} all_cpu_s={all_of_them.cpu:.0f} cpu={all_of_them.cpu / one.cpu:.2f}"
        f" disk={disk(path) / size:.3f} most_disk={most / size:.3f}"
        f" unchanged={same.verdict} unchanged_s={unchanged.wall:.1f}{told}"
    )


def measure_cycles(path: Path, asked: argparse.Namespace) -> None:
    """What cycles of the lake take while an experiment runs on its branches, beside what they take before and after."""
    lake, runner, _ = run_once(path, asked.names, asked.sessions)
    done = cycle_sessions(lake.read(RUNS))
    file = path.with_name("bench.toml")
    file.write_text(write_spec(done[1], done[-1], asked.variants), encoding="utf-8")
    ahead = iter(range(1, 3 * asked.beside + 1))

    def cycle() -> Took:
        with Took() as took:
            runner.cycle(runner.calendar.offset(done[-1], next(ahead)))
        return took

    before = [cycle() for _ in range(asked.beside)]
    workers = ("--workers", str(asked.workers)) if asked.workers else ()
    command = python_command("nextgen_tui.cli.main", "--lake", str(path), "experiment", "run", str(file), *workers)
    running = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    while not list(path.glob(f"{BRANCHES}/*/tables")) and running.poll() is None:
        sleep(0.1)  # it imports, and makes the branches
    beside = [cycle() for _ in range(asked.beside)]
    ended = running.poll() is not None
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    after = [cycle() for _ in range(asked.beside)]
    alone, meanwhile = before[1:] + after, beside
    walls, cpus = (
        [median(getattr(one, name) for one in part) for part in (alone, meanwhile)] for name in ("wall", "cpu")
    )
    print(
        f"cycles beside an experiment: names={asked.names} cycles={asked.beside} alone_s={walls[0]:.2f}"
        f" beside_s={walls[1]:.2f} wall={walls[1] / walls[0]:.2f} alone_cpu_s={cpus[0]:.2f} beside_cpu_s={cpus[1]:.2f}"
        f" cpu={cpus[1] / cpus[0]:.2f} slowest_s={max(one.wall for one in meanwhile):.2f}"
        f" experiment={'ENDED BEFORE' if ended else 'ran throughout'}"
    )


def write_spec(first: date, last: date, variants: int) -> str:
    """An experiment of so many half spreads."""
    spreads = ", ".join(f"{0.0003 + 0.00005 * number:.5f}" for number in range(1, variants + 1))
    return SPEC.format(first=first, last=last, spreads=spreads)


class Took:
    """Seconds by the wall's clock, and of processor time with that of processes that were started and have ended."""

    def __enter__(self) -> Took:
        self.wall, self.cpu = -perf_counter(), -_cpu()  # until it ends, what is to be added to now
        return self

    def __exit__(self, *_: object) -> None:
        self.wall += perf_counter()
        self.cpu += _cpu()


def kill_and_resume(path: Path, spec: str, kills: int, seconds: float) -> None:
    """Run an experiment by the command, killed at random moments within what it takes; the last time it ends."""
    file = path.with_name("bench.toml")
    file.write_text(spec, encoding="utf-8")
    command = python_command("nextgen_tui.cli.main", "--lake", str(path), "experiment", "run", str(file))
    moments = random.Random(kills)
    for number in range(kills):
        running = subprocess.Popen(
            command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        with suppress(subprocess.TimeoutExpired):
            running.wait(moments.uniform(0, seconds / (kills + 1) * 2))
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        write(f"killed {number + 1} of {kills} times: {results(path).height} results")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def results(path: Path) -> pl.DataFrame:
    """What came of each variant, but for when and how long."""
    return list_results(Lake.open(path), "bench").drop("finished_at", "seconds", "computed", "taken")


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def run_once(path: Path, names: int, sessions: int) -> tuple[Lake, Runner, Took]:
    """A lake with its history and cycles, and what the cycles took."""
    settings = replace(
        Settings(),
        runtime=RuntimeParams(durable=False),
        source=SourceParams(simulated=SimulatedParams(names=names)),
    )
    lake = Lake.create(path)
    write_document(path, toml_document((key, value) for key, value in values_of(settings) if value is not None))
    runner = Runner(lake, settings)
    first, last = runner.source.coverage()
    runner.backfill(first, last)
    start = runner.calendar.next(last)
    with Took() as took:
        begun = perf_counter()
        for number, _ in enumerate(runner.replay(start, runner.calendar.offset(start, sessions - 1)), 1):
            if number % 25 == 0:
                write(f"{number} sessions in {perf_counter() - begun:.0f} s")
    return lake, runner, took


def disk(path: Path) -> int:
    """Bytes of all files, those with several names counted once."""
    return sum({(one.st_dev, one.st_ino): one.st_size for one in _stats(path)}.values())


def _stats(path: Path) -> Iterator[os.stat_result]:
    yield from (file.stat() for file in path.rglob("*") if file.is_file())


def write(line: str) -> None:
    """Print at once: the whole takes minutes."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
