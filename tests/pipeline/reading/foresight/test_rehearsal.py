"""What work would do is told by what the last pieces of its kind did, and nothing is done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lake.publication import publish
from lake.runs import Run
from lake.store import Lake
from lake.tables.control import RUNS, WorkKind
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.engine import work
from pipeline.engine.session_order import find_stage
from pipeline.reading.foresight.rehearsal import expect, rehearse
from tests.frames.control import recipe, run
from tests.new_lake import new_lake

DAY = date(2021, 3, 1)


def add(lake: Lake, number: int, stage: str, rows: int, seconds: float) -> Run:
    cycle = f"cycle-{number}"
    done = run(
        recipe=recipe(stage=stage, cycle_id=cycle, session=DAY, since=DAY, output_table="instruments"),
        rows=rows,
        written=rows // 2,
        seconds=seconds,
        output_version=None,
    )
    with lake.lock("test"):
        publish(lake, [done], f"{cycle}/{stage}", durable=False)
    return done


@pytest.fixture
def ran(tmp_path: Path) -> Lake:
    """Two cycles: both landed prices, one of them trained."""
    lake = new_lake(tmp_path / "lake")
    for number, (stage, rows, seconds) in enumerate((("land_prices", 10, 1.0), ("land_prices", 30, 3.0))):
        add(lake, number, stage, rows, seconds)
    add(lake, 1, "train", 4, 8.0)
    return lake


def test_each_stage_is_expected_to_do_what_it_did_on_the_average(ran: Lake) -> None:
    told = rehearse(ran, work.cycle(DAY), pieces=5)
    stages = {one.stage: one for one in told.stages}
    assert [one.stage for one in told.stages] == [stage.name for stage in work.cycle(DAY).stages]
    land, train, plan = (stages[name] for name in ("land_prices", "train", "plan"))
    assert (land.rows, land.seconds, land.requests) == (10.0, 2.0, 20.0)
    assert (train.rows, train.seconds, train.requests) == (1.0, 4.0, None), "one cycle in two trains"
    assert (plan.rows, plan.writes) == (0.0, "trade_plans")
    assert set(plan.reads) == {read.table.name for read in find_stage("plan").reads}
    assert (told.based_on, told.rows, told.seconds, told.requests, told.dollars) == (2, 55.0, 30.0, 100.0, 0.0)


def test_a_stage_by_itself_takes_what_it_takes_in_a_cycle(ran: Lake) -> None:
    told = rehearse(ran, work.single_stage(find_stage("train"), DAY))
    assert (told.kind, told.based_on, told.seconds) == (WorkKind.SINGLE_STAGE, 1, 8.0)


def test_in_a_lake_in_which_nothing_ran_nothing_is_known(tmp_path: Path) -> None:
    told = rehearse(new_lake(tmp_path / "lake"), work.cycle(DAY))
    assert (told.based_on, told.rows, told.seconds) == (0, None, None)


def test_what_a_run_was_expected_to_do_is_the_mean_of_those_before_it(ran: Lake) -> None:
    runs = {(one.recipe.stage, one.recipe.cycle_id): one for one in map(Run.from_row, ran.read(RUNS).to_dicts())}
    later = replace(runs["land_prices", "cycle-1"], started_at=datetime.now(UTC) + timedelta(hours=1))
    assert expect(ran, later) == (10.0, 2.0)
    assert expect(ran, replace(later, started_at=datetime(2000, 1, 1, tzinfo=UTC))) is None
    assert expect(ran, replace(later, recipe=replace(later.recipe, stage="of_old"))) is None


@pytest.mark.parametrize(
    "command",
    [
        ("cycle", "--session", "2021-03-01"),
        ("replay", "--sessions", "2", "--from", "2021-03-01"),
        ("run", "train", "--session", "2021-03-01"),
        ("train", "--session", "2021-03-01"),
        ("compact", "--all"),
        ("pause",),
        ("kill", "--close-positions"),
        ("resume",),
        ("veto", "2021-03-01:AAA"),
        ("approve", "2021-03-01:AAA"),
        ("rollback",),
        ("promote", "m-1"),
    ],
    ids=lambda one: one[0],
)
def test_a_dry_run_changes_nothing(ran: Lake, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    before = {str(one): one.stat().st_mtime_ns for one in sorted((ran.path / "tables").rglob("*"))}
    assert outcome([*command, "--dry-run", "--lake", str(ran.path)]) == exit_codes.DONE
    assert "Nothing was done." in capsys.readouterr().out
    assert {str(one): one.stat().st_mtime_ns for one in sorted((ran.path / "tables").rglob("*"))} == before
    assert Lake.open(ran.path).read(RUNS).height == 3


@pytest.mark.parametrize("command", ["pause", "kill", "veto"])
def test_what_needs_a_reason_is_not_done_without_one(
    ran: Lake, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = ("2021-03-01:AAA",) if command == "veto" else ()
    assert outcome([command, *plan, "--lake", str(ran.path)]) == exit_codes.USAGE
    assert "Missing option '--reason'." in capsys.readouterr().err
