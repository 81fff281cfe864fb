"""Whenever trading is paused or killed, no order is filled that was not decided before, and cycles go on."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lake.runs import find_done_runs, last_cycle
from lake.store import Lake
from lake.tables.market import MARKET_PRICES
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS
from pipeline.control.operator.decisions import DecisionError
from pipeline.control.operator.trading_switches import Switch, read_standing, switch_trading
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Runner
from pipeline.engine.stages import CYCLE
from tests.copies import copy_lake
from tests.operation.conftest import Operation, operate, small_settings

EXECUTE = [stage.name for stage in CYCLE].index("execute")


@dataclass
class Stop:
    """A pause or kill as the test saw it."""

    kind: Switch
    published: date
    """The last session whose plan was published."""
    filled: date
    """The last session whose open a cycle had filled."""
    lifted: date | None = None
    """The last session whose plan was published when it was lifted."""

    def forbids(self, planned: date, opened: date) -> bool:
        """Whether an order that was not decided before, or of a kill not filled before, may not be filled."""
        held = self.lifted is None or planned <= self.lifted
        return held and (planned > self.published or (self.kind == "kill" and opened > self.filled))


@dataclass
class Consoles:
    """Two operators at consoles of their own, who say something at random moments."""

    runners: tuple[Runner, Runner]
    chance: random.Random
    moments: int = 0
    stops: list[Stop] = field(default_factory=list)
    filled: date = date.min

    def say(self) -> None:
        """One of them pauses, kills or resumes."""
        self.moments += 1
        runner = self.chance.choice(self.runners)
        standing = read_standing(runner.lake)
        kind: Switch = self.chance.choice(("resume", "resume", "kill") if standing else ("pause", "kill", "resume"))
        published = last_cycle(runner.lake)
        assert published is not None
        try:
            done = switch_trading(runner, kind, "a test", "console")
        except DecisionError:
            assert kind == "resume" and not standing
            return
        if kind == "resume":
            for stop in self.stops:
                stop.lifted = published if stop.lifted is None else stop.lifted
        elif not done.already:
            self.stops.append(Stop(kind, published, max(published, self.filled)))

    def run_cycle(self, session: date, within: list[int]) -> None:
        """Run a cycle, with something said just before its stages of these numbers."""

        def progress(_what: str, number: int, _count: int) -> None:
            if number > EXECUTE:
                self.filled = session
            for _ in range(within.count(number)):
                self.say()

        self.runners[0].cycle(session, progress)


def stop_at_random(operation: Operation, moments: int, seed: int) -> tuple[Consoles, list[date]]:
    """Run cycles until so much was said: before, within and after a cycle, or with sessions to catch up on."""
    chance = random.Random(seed)
    others = Runner(Lake.open(operation.lake.path), operation.settings)
    consoles = Consoles((operation.runner, others), chance)
    sessions: list[date] = []
    while consoles.moments < moments:
        for _ in range(chance.choice((0, 1, 2))):
            consoles.say()
        for _ in range(chance.choice((1, 1, 1, 3))):  # three where the daemon was down
            published = last_cycle(operation.lake)
            assert published is not None
            sessions.append(operation.runner.calendar.next(published))
            consoles.run_cycle(sessions[-1], [chance.randrange(len(CYCLE)) for _ in range(chance.choice((0, 2, 4)))])
    return consoles, sessions


def judge(operation: Operation, consoles: Consoles, sessions: list[date]) -> int:
    """Hold it that nothing was filled that was forbidden, and that data and forecasts lack no session; the fills."""
    lake = operation.lake
    filled = lake.read(EXECUTED_TRADES, since=sessions[0]).filter(pl.col("shares") > 0)
    for plan_id, opened in filled.select("plan_id", "session").iter_rows():
        planned = date.fromisoformat(plan_id.split(":")[0])
        assert not [stop for stop in consoles.stops if stop.forbids(planned, opened)], plan_id
    for table in (MARKET_PRICES, PREDICTIONS, TRADE_PLANS):
        assert set(sessions) <= set(lake.read(table, since=sessions[0])["session"])
    return filled.height


def copied(operation: Operation, path: Path) -> Operation:
    """The operation in a lake of its own."""
    copy_lake(operation.lake.path, path)
    runner = Runner(Lake.open(path), operation.settings)
    return Operation(runner.lake, operation.settings, runner, operation.history, operation.cycles)


def test_what_is_said_before_within_and_after_a_cycle_is_obeyed_and_reproduced(
    operation: Operation, tmp_path: Path
) -> None:
    own = copied(operation, tmp_path / "lake")
    consoles, sessions = stop_at_random(own, 4, seed=3)
    judge(own, consoles, sessions)
    runs = [
        run
        for run in find_done_runs(own.lake, f"cycle-{sessions[-1]:%Y%m%d}")
        if run.recipe.stage in ("plan", "execute")
    ]
    assert runs and all(reproduce(own.runner, run).identical for run in runs)


@pytest.mark.slow
def test_over_five_hundred_moments_nothing_is_filled_that_was_not_decided_before(tmp_path: Path) -> None:
    own = operate(tmp_path / "lake", small_settings(), 3)
    consoles, sessions = stop_at_random(own, 500, seed=1)
    assert judge(own, consoles, sessions) > 0, "something has to be filled between the stops"
    assert {stop.kind for stop in consoles.stops} == {"pause", "kill"}
    assert own.runner.calendar.distance(sessions[0], sessions[-1]) + 1 == len(sessions)
