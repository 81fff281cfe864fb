"""A time of operation with random faults leaves the lake as a time without: the same published content."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.contract import Table
from lake.store import CommitResult, Lake
from lake.tables.control import RUNS
from pipeline.config.loading import load
from pipeline.config.toml_document import toml_document, write_document
from pipeline.control.daemon.clock import SimulatedClock
from pipeline.control.workers.job import Job
from pipeline.control.workers.task_actions import carry_out_job, make_runner
from pipeline.engine.runner import Runner
from pipeline.market.sessions import Sessions
from tests.new_lake import new_lake
from tests.pipeline.control.world import HOUR, MINUTE, Hand, Hands, PowerCutError, World

SETTINGS = {
    "runtime.durable": False,
    "source.simulated.names": 8,
    "source.simulated.history_sessions": 330,
    "models.folds": 2,
    "models.test_sessions": 30,
    "models.min_sessions": 100,
    "models.min_rows": 500,
    "models.lstm.hidden": 4,
    "models.lstm.epochs": 1,
}
SCHEDULE = """
[groups.lake]
in_order = true
[tasks.cycle]
run = "cycle"
trigger = "close+20m"
group = "lake"
retries = 6
back_off = "1m"
on_failure = "stop"
catch_up = "all"
window = "400d"
[tasks.retrain]
run = "train"
trigger = "weekly sat 08:00"
after = ["cycle"]
group = "lake"
retries = 6
window = "6d"
[tasks.upkeep]
run = "maintain"
trigger = "daily 06:00"
group = "lake"
retries = 6
"""
FATES = ("", "", "broke", "hang", "lost", "cut")
"""Done twice as often as it fails before it begins, hangs, loses its report, or dies at one of its commits."""
COMMITS = 60
"""More than any task makes: a worker that is to die at a later one than it makes comes to its end."""


class MortalLake(Lake):
    """A lake whose writer dies when it has made so many commits."""

    left: int | None = None

    def commit(self, table: Table, rows: pl.DataFrame, run_id: str, recipe: Mapping[str, Any]) -> CommitResult:
        if self.left is not None:
            if self.left == 0:
                raise PowerCutError
            self.left -= 1
        return super().commit(table, rows, run_id, recipe)


@dataclass
class RealHands(Hands):
    """Workers that do the real work when their simulated time is over.

    To save the start of a process each, one that ended well hands its runner and its lock on to the next; after a
    fault the next begins from what is on disk.
    """

    path: Path = Path()
    draw: random.Random | None = None
    reboots: int = 0

    def __post_init__(self) -> None:
        self._held = ExitStack()
        self._runner: Runner | None = None

    def work(self) -> None:
        for hand in self.hands.values():
            due = hand.began and not hand.gone and self._over(hand) and not hand.ending
            if due and hand.fate in ("", "lost", "cut"):
                self._do(hand)

    def reboot(self) -> None:
        super().reboot()
        self.reboots += 1
        self.leave()

    def leave(self) -> None:
        """The process ends and knows nothing any more."""
        self._held.__exit__(*sys.exc_info())
        self._held, self._runner = ExitStack(), None

    def _do(self, hand: Hand) -> None:
        runner = self._enter(hand.job)
        if hand.fate == "cut" and self.draw is not None:
            runner.lake.left = self.draw.randrange(COMMITS)  # type: ignore[attr-defined]
        try:
            carry_out_job(runner, hand.job)
        except PowerCutError:
            hand.gone = True
            self.leave()
            return
        runner.lake.left = None  # type: ignore[attr-defined]
        self.done.append((hand.job.task, hand.job.slot, self.clock.now()))
        if hand.fate == "lost":
            hand.gone = True
            self.leave()
        hand.fate = "reported"

    def _enter(self, order: Job) -> Runner:
        if self._runner is None:
            lake = MortalLake.open(self.path)
            lake.durable = False
            self._held.enter_context(lake.lock("a worker"))
            self._runner = make_runner(lake, order, {})
        return self._runner


def beginning(path: Path) -> tuple[datetime, Sessions]:
    """A small lake with history: an hour after the close it ends with, and its calendar."""
    lake = new_lake(path)
    write_document(path, toml_document(SETTINGS.items()))
    runner = Runner(lake, load(path, {}).settings)
    first, last = runner.source.coverage()
    runner.backfill(first, last)
    return runner.calendar.close_at(last) + HOUR, runner.calendar


def operate(path: Path, sessions: int, seed: int | None) -> pl.DataFrame:
    """Run the schedule for so many sessions; return what was published: stage, session and fingerprint."""
    start, calendar = beginning(path)
    last = calendar.offset(calendar.last_closed(start), sessions)
    calm, end = calendar.close_at(last), calendar.close_at(last) + 12 * HOUR
    clock, draw = SimulatedClock(start), random.Random(seed)

    def faulty() -> bool:
        return seed is not None and clock.now() < calm

    def fate(order: Job) -> str:
        return draw.choice(FATES) if faulty() and order.attempt < 3 else ""

    hands = RealHands(clock, 5 * MINUTE, fate, path=path, draw=draw)
    world = World(SCHEDULE, start, calendar, hands=hands)
    while clock.now() < end:
        world.run(min(timedelta(minutes=draw.randrange(30, 2_000)), end - clock.now()))
        if faulty() and draw.random() < 0.3:
            world.kill()
            hands.reboot()
            world.run(timedelta(minutes=draw.randrange(1, 300)))
            world.begin()
    hands.leave()
    assert world.result.idle
    sys.stdout.write(f"FAULTS_SEED={seed}: {sessions} sessions, {hands.reboots} deaths of the host, ")
    sys.stdout.write(f"attempts {dict(Counter(event.state for event in world.events))}\n")
    return published(Lake.open(path), last)


def published(lake: Lake, last: date) -> pl.DataFrame:
    """What stands published up to a session, but for the two stages that tell of the runs themselves."""
    done = (pl.col("status") == "done") & (pl.col("session") <= last)
    own = lake.read(RUNS, where=done).filter(~pl.col("stage").is_in(["report", "compact"]))
    return own.select("stage", "session", "fingerprint").sort(pl.all())


@pytest.mark.parametrize(
    "sessions",
    [pytest.param(8, marks=pytest.mark.slow), pytest.param(252, marks=pytest.mark.torture)],
)
def test_a_time_with_faults_publishes_what_a_time_without_does(tmp_path: Path, sessions: int) -> None:
    seed = int(os.environ.get("FAULTS_SEED", random.SystemRandom().randrange(10**6)))
    calm = operate(tmp_path / "calm", sessions, None)
    rough = operate(tmp_path / "rough", sessions, seed)
    assert calm.height > sessions * 20
    assert calm.equals(rough), f"FAULTS_SEED={seed}"
