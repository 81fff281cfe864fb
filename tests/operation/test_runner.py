"""The loop runs, publishes whole cycles, does nothing twice, and can be done again to the bit."""

import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from logging.handlers import BufferingHandler
from pathlib import Path

import polars as pl
import pytest

from lake.errors import LakeError
from lake.publication import find_unpublished
from lake.runs import Run, last_cycle
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.books import LEDGER_ENTRIES, PORTFOLIO_VALUE
from lake.tables.control import RUNS
from pipeline.engine.failures import CycleOrderError
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Cycle, Runner
from pipeline.engine.stages import CYCLE, IMPORT_ONLY, MERGE, SNAPSHOT, STAGES, TARGETED, TRAINING
from tests.copies import copy_lake
from tests.operation.conftest import SESSIONS, Operation


def test_every_stage_of_the_loop_ran_in_every_cycle(operation: Operation) -> None:
    optional = {stage.name for stage in (*TRAINING, *TARGETED, *IMPORT_ONLY, *SNAPSHOT, *MERGE)} | {
        stage.name for stage in CYCLE if stage.catches_up
    }
    for cycle in operation.cycles:
        ran = {run.recipe.stage for run in cycle.runs}
        assert {stage.name for stage in STAGES} - ran <= optional


def test_every_table_that_the_loop_fills_has_rows(operation: Operation) -> None:
    rows = {name: operation.lake.rows(table) for name, table in TABLES.items()}
    asked_for = {name for name, table in TABLES.items() if not table.published_by_run}
    asked_for |= {stage.writes.name for stage in IMPORT_ONLY}  # come from an older system
    asked_for |= {stage.writes.name for stage in TARGETED if stage not in TRAINING}  # come by `train --target`
    asked_for |= {stage.writes.name for stage in SNAPSHOT}  # come between the cycles
    asked_for |= {"constituents", "fx_rates"}  # come from files of the operator's, which this operation has none of
    asked_for.add("decision_scores")  # nobody approved or vetoed anything here
    asked_for.add("trust_levels")  # nothing but tickers is on trial by default
    asked_for.add("financing")  # nothing is sold short, and cash earns nothing
    rare = {"position_ends", "price_restatements", "trade_reflections", "learning_insights", "bias_flags"}
    rare |= {"shadow_scores", "slice_lessons"}
    assert not [name for name, count in rows.items() if not count and name not in asked_for | rare]


def test_the_ledger_balances_to_the_cent_and_explains_every_cent_of_value(operation: Operation) -> None:
    entries = operation.lake.read(LEDGER_ENTRIES)
    assert entries["amount"].sum() == 0
    unbalanced = entries.group_by("event_id").agg(pl.col("amount").sum()).filter(pl.col("amount") != 0)
    assert unbalanced.is_empty()
    value = operation.lake.read(PORTFOLIO_VALUE)
    assert value.height == SESSIONS
    assert value["unexplained"].abs().max() == 0


def test_a_cycle_run_again_adds_nothing(operation: Operation) -> None:
    before = {name: operation.lake.newest(table) for name, table in TABLES.items()}
    again = operation.runner.cycle(operation.sessions[-1])
    assert again.already_done
    assert {name: operation.lake.newest(table) for name, table in TABLES.items()} == before


def test_cycles_neither_skip_a_session_nor_go_back(operation: Operation) -> None:
    calendar = operation.runner.calendar
    ahead = calendar.offset(operation.sessions[-1], 2)
    with pytest.raises(CycleOrderError, match=r"the next is .*nextgen replay --from"):
        operation.runner.cycle(ahead)
    with pytest.raises(CycleOrderError, match=r"is before the first cycle of this lake.*the next is"):
        operation.runner.cycle(calendar.offset(operation.sessions[0], -1))


def test_what_is_due_of_a_span_is_what_a_replay_would_run_and_is_refused_as_it_would_be(operation: Operation) -> None:
    sessions, calendar, list_due = operation.sessions, operation.runner.calendar, operation.runner.list_due
    following = calendar.next(sessions[-1])
    assert list_due(sessions[0], sessions[-1]) == []
    assert list_due(sessions[-1], following) == [following]
    with pytest.raises(CycleOrderError, match=r"the next is .*nextgen replay --from"):
        list_due(calendar.next(following), calendar.next(following))
    with pytest.raises(CycleOrderError, match="is before the first cycle of this lake"):
        list_due(calendar.offset(sessions[0], -1), sessions[-1])


def assert_identical_again(operation: Operation, runs: pl.DataFrame) -> None:
    """Each of the runs gives the same rows in a process that has not seen it."""
    runner = Runner(Lake.open(operation.lake.path), operation.settings)
    verdicts = [reproduce(runner, Run.from_row(row)) for row in runs.iter_rows(named=True)]
    assert [f"{v.run_id}: {v.difference}" for v in verdicts if not v.identical] == []


def test_the_last_run_of_every_stage_comes_out_identical_again(operation: Operation) -> None:
    runs = operation.lake.read(RUNS).sort("session", "run_id").unique("stage", keep="last", maintain_order=True)
    assert runs.height >= len(CYCLE) - 1 and set(runs["stage"]) > {stage.name for stage in TRAINING}
    assert_identical_again(operation, runs)


@pytest.mark.slow
def test_every_run_comes_out_identical_again(operation: Operation) -> None:
    runs = operation.lake.read(RUNS)
    assert runs.height > SESSIONS * 25
    assert_identical_again(operation, runs)


@pytest.mark.cold
@pytest.mark.slow
@pytest.mark.parametrize("threads", ["1", "4"])
def test_a_stage_run_in_another_process_with_another_thread_count_gives_the_same_rows(
    operation: Operation, threads: str
) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom lake.store import Lake\nfrom lake.runs import Run\n"
        "from lake.tables.control import RUNS\nfrom pipeline.engine.runner import Runner\n"
        "from pipeline.engine.reproduction import reproduce\nfrom tests.operation.conftest import small_settings\n"
        "lake = Lake.open(Path(sys.argv[1])); runner = Runner(lake, small_settings())\n"
        "rows = lake.read(RUNS).filter(cycle_id=sys.argv[2])\n"
        "verdicts = [reproduce(runner, Run.from_row(row)) for row in rows.iter_rows(named=True)]\n"
        "bad = [verdict.run_id for verdict in verdicts if not verdict.identical]\n"
        "sys.exit(f'differ: {bad}' if bad or rows.is_empty() else 0)"
    )
    cycle = f"cycle-{operation.sessions[0]:%Y%m%d}"
    result = subprocess.run(
        [sys.executable, "-c", program, str(operation.lake.path), cycle],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent.parent,
        env={"POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": threads, "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_decisions_are_made_before_the_fills_they_lead_to(operation: Operation) -> None:
    plans = operation.lake.read(TABLES["trade_plans"]).select("plan_id", "decided_at")
    fills = operation.lake.read(TABLES["executed_trades"]).join(plans, on="plan_id")
    assert fills.height > 0
    assert (fills["ts"] > fills["decided_at"]).all()


def test_nothing_read_was_public_after_the_decision(operation: Operation) -> None:
    for table in (TABLES["market_prices"], TABLES["news_articles"], TABLES["news_sentiment"]):
        rows = operation.lake.read(table)
        last = operation.runner.decision_time(operation.sessions[-1])
        assert rows.filter(pl.col("available_at") > last + timedelta(days=5)).is_empty()


class ProcessDiedError(BaseException):
    """Stands for a process that is gone between two stages."""


@dataclass(frozen=True)
class Further:
    """A copy of the operation, one session on, and what that session's cycle logged."""

    lake: Lake
    cycle: Cycle
    logged: Sequence[logging.LogRecord]


@pytest.fixture(scope="module")
def one_further(operation: Operation, tmp_path_factory: pytest.TempPathFactory) -> Further:
    runner = _copy(operation, tmp_path_factory.mktemp("whole") / "lake")
    kept = BufferingHandler(1_000)
    log = logging.getLogger("pipeline.engine.executor")
    level = log.level
    log.addHandler(kept)
    log.setLevel(logging.INFO)
    try:
        cycle = runner.cycle(runner.calendar.next(operation.sessions[-1]))
    finally:
        log.setLevel(level)
        log.removeHandler(kept)
    return Further(runner.lake, cycle, kept.buffer)


def test_each_run_is_logged_by_its_name(one_further: Further) -> None:
    cycle_id = f"cycle-{one_further.cycle.session:%Y%m%d}"
    logged = [record.run_id for record in one_further.logged if record.cycle_id == cycle_id]  # type: ignore[attr-defined]
    assert logged == [run.run_id for run in one_further.cycle.runs if run.recipe.stage != "report"]


@pytest.mark.parametrize(
    "stages_done", [6, *(pytest.param(n, marks=pytest.mark.slow) for n in (len(CYCLE) // 2, len(CYCLE) - 1))]
)
def test_a_cycle_cut_off_in_the_middle_is_finished_first_and_ends_the_same(
    operation: Operation, one_further: Further, tmp_path: Path, stages_done: int
) -> None:
    def die(what: str, done: int, total: int) -> None:
        if done == stages_done:
            raise ProcessDiedError

    session = operation.runner.calendar.next(operation.sessions[-1])
    broken = _copy(operation, tmp_path / "broken")
    with pytest.raises(ProcessDiedError):
        broken.cycle(session, die)
    fresh = Runner(Lake.open(broken.lake.path), operation.settings, operation.runner.source)
    assert find_unpublished(fresh.lake)
    assert last_cycle(fresh.lake) == operation.sessions[-1]
    finished = fresh.cycle(session)
    assert not find_unpublished(fresh.lake)
    assert _fingerprints(fresh.lake, session) == _fingerprints(one_further.lake, session)
    assert not finished.already_done, "it was done just now, though as what had been left behind"
    assert len(finished.runs) == len(one_further.cycle.runs)
    assert fresh.cycle(session).already_done


def _copy(operation: Operation, path: Path) -> Runner:
    copy_lake(operation.lake.path, path)
    return Runner(Lake.open(path), operation.settings, operation.runner.source)


def _fingerprints(lake: Lake, session: object) -> dict[str, str]:
    runs = lake.read(RUNS).filter((pl.col("session") == session) & (pl.col("status") == "done"))
    return {stage: mark for stage, mark in runs.select("stage", "fingerprint").iter_rows() if stage != "report"}


def test_a_run_that_failed_cannot_be_reproduced(operation: Operation) -> None:
    done = Run.from_row(operation.lake.read(RUNS).row(0, named=True))
    failed = Run(recipe=done.recipe, status="failed", files={}, started_at=done.started_at)
    with pytest.raises(LakeError, match="only runs that are done"):
        reproduce(operation.runner, failed)
