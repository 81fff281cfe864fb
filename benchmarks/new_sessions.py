"""What the features of one more session cost after histories of several lengths: `python -m benchmarks.new_sessions`.

A simulated market is loaded and the features of all its history are computed; then sessions come one by one, each in
one commit of its own. Told is the processor time of the `features` stage with its reading, writing and publication.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median
from time import process_time

from lake.store import Lake
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.engine.stages import INGEST
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams

HISTORIES = (250, 1_000, 3_400)
NEW = 12
"""Sessions that come after the history; the first two are left out, because they import and compile."""


def measure(path: Path, tickers: int, sessions: int) -> tuple[float, float]:
    """Processor seconds of the whole history, and the median of a new session."""
    simulated = SimulatedParams(names=tickers, history_sessions=sessions, first_session="2010-01-04")
    settings = Settings(runtime=RuntimeParams(durable=False), source=SourceParams(simulated=simulated))
    runner = Runner(Lake.create(path), settings)
    first, last = runner.source.coverage()
    runner.backfill(first, last)
    runner.run_stage(find_stage("universe"), last, first)
    start = process_time()
    runner.run_stage(find_stage("features"), last, first)
    whole = process_time() - start
    taken = []
    for number in range(1, NEW + 1):
        session = runner.calendar.offset(last, number)
        for stage in INGEST:
            runner.run_stage(stage, session)
        start = process_time()
        runner.run_stage(find_stage("features"), session)
        taken.append(process_time() - start)
    return whole, median(taken[2:])


def main() -> None:
    """Print a line for each history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=300)
    asked = parser.parse_args()
    for sessions in HISTORIES:
        with tempfile.TemporaryDirectory(prefix="nextgen-") as folder:
            whole, one = measure(Path(folder) / "lake", asked.tickers, sessions)
            told = f"{one:.3f} s of processor time for a new session, {whole:.1f} s for the history"
            print(f"{asked.tickers} tickers, {sessions:,} sessions before: {told}")


if __name__ == "__main__":
    main()
