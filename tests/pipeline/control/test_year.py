"""A time of operation with random faults leaves the lake as a time without: the same published content."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.config.document import toml_document, write_document
from pipeline.config.loading import load
from pipeline.control.actions import perform
from pipeline.control.order import Order
from pipeline.runner import Runner
from pipeline.sessions import Sessions
from tests.pipeline.control.world import HOUR, MINUTE, Hands, World

SETTINGS = {
    "runtime.durable": False,
    "source.simulated.names": 14,
    "source.simulated.history_sessions": 330,
    "models.folds": 2,
    "models.test_sessions": 30,
    "models.least_sessions": 100,
    "models.least_rows": 500,
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
failover = "stop"
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


class RealHands(Hands):
    """Workers that do the real work when their simulated time is over; a lost report is one after the work."""

    lake: Lake

    def work(self) -> None:
        for hand in self.hands.values():
            if hand.began and not hand.gone and self._over(hand) and hand.fate in ("", "lost") and not hand.ending:
                perform(self.lake, hand.order, {})
                hand.gone = hand.fate == "lost"
                hand.fate = "reported"
                self.done.append((hand.order.task, hand.order.slot, self.clock.now()))


def beginning(path: Path) -> tuple[Lake, datetime, Sessions]:
    """A small lake with history, and the close it ends with."""
    lake = Lake.create(path)
    write_document(path, toml_document(SETTINGS.items()))
    runner = Runner(lake, load(path, {}).settings)
    first, last = runner.source.coverage()
    runner.load_history(first, last)
    return lake, runner.calendar.close_at(last) + HOUR, runner.calendar


def operate(path: Path, sessions: int, seed: int | None) -> pl.DataFrame:
    """Run the schedule for so many sessions; return what was published: stage, session and fingerprint."""
    lake, start, calendar = beginning(path)
    draw = random.Random(seed)

    def fate(order: Order) -> str:
        return draw.choice(["", "", "broke", "hang", "lost"]) if seed is not None and order.attempt < 3 else ""

    world = World(SCHEDULE, start, calendar, takes=5 * MINUTE)
    world.hands.__class__ = RealHands
    world.hands.lake = lake  # type: ignore[attr-defined]
    world.hands.fate = fate
    deaths = 0
    last = calendar.offset(calendar.last_closed(start), sessions)
    while world.clock.now() < calendar.close_at(last) + 12 * HOUR:
        world.run(timedelta(minutes=draw.randrange(30, 2_000)))
        if seed is not None and draw.random() < 0.3:
            world.kill()
            deaths += 1
            world.hands.reboot()
            world.run(timedelta(minutes=draw.randrange(1, 300)))
            world.begin()
    ends = Counter(event.state for event in world.events)
    sys.stdout.write(f"FAULTS_SEED={seed}: {sessions} sessions, {deaths} deaths of the daemon, attempts {dict(ends)}\n")
    runs = lake.read(RUNS, where=(pl.col("status") == "done") & (pl.col("session") <= last))
    own = runs.filter(~pl.col("stage").is_in(["report", "compact"]))  # these two tell of the runs themselves
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
