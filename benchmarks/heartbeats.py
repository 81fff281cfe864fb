"""The daemon's own commits, day by day, and a cycle's metadata: `python -m benchmarks.heartbeats [--days 10]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import polars as pl

from lake.contract import Table
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import SERVICE_HEARTBEATS, TASK_ATTEMPTS
from pipeline.config.settings import Settings
from pipeline.control.daemon.heartbeat import BATCH, HeartbeatWriter
from pipeline.control.daemon.orchestrator import StepResult
from pipeline.control.schedule.journal import Event, load_journal
from pipeline.control.workers.process_identity import count_open_descriptors, count_resident_bytes
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams

DAY = timedelta(days=1)
EVERY = timedelta(minutes=7.5)
"""Between two attempts on record: a busy schedule, of which each attempt is begun and ended."""
UPKEEP = timedelta(hours=11)
"""When the schedule that comes with the program keeps the lake in shape, UTC."""
KEEP = """
import sys
from pathlib import Path
from lake.upkeep.compaction import compact_tables
from lake.upkeep.vacuum import vacuum
from lake.upkeep.checkpoints import write_checkpoints
from lake.store import Lake
lake = Lake.open(Path(sys.argv[1]))
with lake.lock("upkeep"):
    compact_tables(lake)
    vacuum(lake)
    write_checkpoints(lake, {})
"""
"""What a worker does then of the upkeep."""
READ = """
import sys
from datetime import datetime
from pathlib import Path
from benchmarks.heartbeats import timed
from lake.store import Lake
for line in sys.stdin:
    print(timed(Lake.open(Path(sys.argv[1])), datetime.fromisoformat(line.strip())), flush=True)
"""
"""Reads by a lake opened anew each time, as commands do, which are processes of their own."""
WARM = 12
"""Commits after which everything has been imported and opened once."""


@dataclass
class Seen:
    """What was measured after each commit."""

    memory: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    fresh: list[float] = field(default_factory=list)
    """Seconds of a read by a process that opens the lake anew, as a command does."""


def main() -> None:
    """Measure both, and print the sum of a day's metadata."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=3, help="days of beats and attempts")
    parser.add_argument("--names", type=int, default=500, help="tickers of the cycle; 0 leaves it out")
    parser.add_argument("--history", type=int, default=260, help="sessions loaded before it")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        own = report(beats(Path(folder) / "day", asked.days), Lake.open(Path(folder) / "day"), asked.days)
        if asked.names:
            cycle = cycle_metadata(Path(folder) / "cycles", asked.names, asked.history)
            sys.stdout.write(
                f"a cycle of {asked.names} tickers: {cycle / 1e6:.2f} MB of logs and runs; "
                f"a day in all: {(own + cycle) / 1e6:.2f} MB\n"
            )


def beats(path: Path, days: int) -> Seen:
    """Commit what a daemon commits in so many days, and read after each commit as a console does."""
    lake, reader, seen = Lake.create(path), Lake.open(path), Seen()
    (path / "control").mkdir()
    now = begin = datetime(2024, 1, 2, tzinfo=UTC)
    heart, journal = HeartbeatWriter(lake, now), load_journal(lake, now)
    with anew(path) as read_anew:
        while now < begin + days * DAY:
            now += BATCH
            heart.write(StepResult(now), "running", "ok", "0 running, 0 waiting")
            for due in range(1, BATCH // EVERY + 1):
                at = now - BATCH + due * EVERY
                journal.append([attempt(at, "started")])
                journal.append([attempt(at, "done")])
            if (now - begin) % DAY == UPKEEP:
                subprocess.run([sys.executable, "-c", KEEP, str(path)], check=True)
            seen.reads.append(timed(reader, now))
            seen.fresh.append(read_anew(now))
            seen.memory.append(count_resident_bytes())
            seen.descriptors.append(count_open_descriptors())
    return seen


@contextmanager
def anew(path: Path) -> Iterator[Callable[[datetime], float]]:
    """A process that reads, and tells the seconds it took."""
    words = [sys.executable, "-c", READ, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def read(now: datetime) -> float:
            assert process.stdin and process.stdout
            process.stdin.write(f"{now.isoformat()}\n")
            process.stdin.flush()
            return float(process.stdout.readline())

        yield read


def attempt(now: datetime, state: str) -> Event:
    """One event of an attempt."""
    slot = f"{now:%Y-%m-%dT%H:%M}"
    return Event(task="watch", slot=slot, attempt=0, state=state, due_at=now, at=now)  # type: ignore[arg-type]


def timed(lake: Lake, now: datetime) -> float:
    """Seconds to read the last beats and attempts."""
    begin = time.perf_counter()
    lake.read(SERVICE_HEARTBEATS, since=now - timedelta(minutes=1))
    lake.read(TASK_ATTEMPTS, since=now - EVERY, where=pl.col("task") == "watch")
    return time.perf_counter() - begin


def report(seen: Seen, lake: Lake, days: int) -> int:
    """Print the figures; returns the bytes of the tables a day."""
    write, commits = sys.stdout.write, len(seen.memory)
    write(f"{commits} beats and {lake.rows(TASK_ATTEMPTS)} events of attempts in {days} days\n")
    write(f"descriptors {min(seen.descriptors[WARM:])} to {max(seen.descriptors[WARM:])}\n")
    write(f"{'':18}{'memory':>9} {'reader that stays':>18} {'lake opened anew':>17}\n")
    a_day = commits // days
    spans = {"the first hours": slice(WARM, WARM + 16)}
    spans |= {f"day {day + 1}": slice(day * a_day + WARM * (not day), (day + 1) * a_day) for day in range(days)}
    for name, span in spans.items():
        memory, stays, fresh = (median(figures[span]) for figures in (seen.memory, seen.reads, seen.fresh))
        write(f"{name:<18}{memory / 1e6:>6.0f} MB {stays * 1e3:>15.1f} ms {fresh * 1e3:>14.1f} ms\n")
    sizes = {table.name: tree(Path(lake.uri(table))) for table in (SERVICE_HEARTBEATS, TASK_ATTEMPTS)}
    write("".join(f"{name}: {size / days / 1e6:.2f} MB a day\n" for name, size in sizes.items()))
    return sum(sizes.values()) // days


def cycle_metadata(path: Path, names: int, history: int) -> int:
    """Bytes of logs and of the tables of control that one cycle adds, the second after a history load."""
    market = SimulatedParams(names=names, history_sessions=history)
    settings = replace(Settings(), source=SourceParams(simulated=market))
    runner = Runner(Lake.create(path), settings)
    first, last = runner.source.coverage()
    runner.backfill(first, last)
    begin = runner.calendar.next(last)
    runner.cycle(begin)
    before = metadata(runner.lake)
    runner.cycle(runner.calendar.next(begin))
    return metadata(runner.lake) - before


def metadata(lake: Lake) -> int:
    """Bytes of every table's log and of the tables that tell of runs."""
    return sum(tree(folder(lake, table)) for table in TABLES.values())


def folder(lake: Lake, table: Table) -> Path:
    """Where a table's metadata lie: all of a table of control, the log of any other."""
    uri = Path(lake.uri(table))
    return uri if table.domain == "control" else uri / "_delta_log"


def tree(root: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
