"""Variants of a past beside running it again from the start: `python -m benchmarks.experiments [--variants N]`.

A market of some names is simulated and run once, session by session. Then an experiment of as many variants (costs,
risk, turnover) is run beside it: wall time and disk against those of the one run, and whether an unchanged variant is
equal to it. Its last line is one of figures.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from lake.store import Lake
from pipeline.config.resolving import values_of
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.config.toml_document import toml_document, write_document
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.research.experiments import run_experiment
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
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder) / "lake", asked)


def measure(path: Path, asked: argparse.Namespace) -> None:
    """One run of the sessions, an unchanged variant, and the experiment."""
    lake, runner, one = run_once(path, asked.names, asked.sessions)
    size = disk(path)
    write(f"{asked.sessions} sessions x {asked.names} names run in {one:.0f} s, {size / 1e6:.0f} MB")
    begun = perf_counter()
    same = ask_what_if(lake, runner.settings, runner.calendar, {})
    unchanged = perf_counter() - begun
    write(f"unchanged what-if: {same.verdict} in {unchanged:.1f} s")
    spreads = ", ".join(f"{0.0003 + 0.00005 * number:.5f}" for number in range(1, asked.variants + 1))
    spec = read_spec(SPEC.format(first=same.first, last=same.last, spreads=spreads))
    begun, most = perf_counter(), size
    for done, result in enumerate(run_experiment(lake, spec, runner.calendar, asked.workers), 1):
        most = max(most, disk(path))
        took = perf_counter() - begun
        write(f"{done:3} of {asked.variants}: {result['variant']} {result['verdict']}, {took:.0f} s so far")
    took = perf_counter() - begun
    print(
        f"experiments: variants={asked.variants} sessions={asked.sessions} one_s={one:.0f} all_s={took:.0f}"
        f" wall={took / one:.2f} disk={disk(path) / size:.3f} most_disk={most / size:.3f}"
        f" unchanged={same.verdict} unchanged_s={unchanged:.1f}"
    )


def run_once(path: Path, names: int, sessions: int) -> tuple[Lake, Runner, float]:
    """A lake with its history and cycles, and the seconds that the cycles took."""
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
    begun = perf_counter()
    for number, _ in enumerate(runner.replay(start, runner.calendar.offset(start, sessions - 1)), 1):
        if number % 25 == 0:
            write(f"{number} sessions in {perf_counter() - begun:.0f} s")
    return lake, runner, perf_counter() - begun


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
