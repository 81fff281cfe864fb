"""Work that ends outside its stages leaves a failed run, which the command line and the console show."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lake.errors import DamageError
from lake.runs import last_cycle, summarize_work
from lake.store import Lake
from lake.tables.control import RUNS
from lake.tables.market import MARKET_PRICES
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from nextgen_tui.console.lake_view import read_runs
from nextgen_tui.console.pages.runs import cycle_rows
from pipeline.control.workers.job import Job
from pipeline.control.workers.task_actions import carry_out_job
from pipeline.engine import work
from pipeline.engine.failures import CycleOrderError, StageFailedError
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.engine.work import Work

LAST, NEXT = date(2019, 9, 17), date(2019, 9, 18)


def damage(lake: Lake, whole: Path | None = None) -> Path:
    """Cut short the last file of bars that was published, and keep it whole elsewhere; give its path."""
    file = Path(lake.uri(MARKET_PRICES)) / next(one for one in lake.history(MARKET_PRICES) if one["files"])["files"][0]
    if whole is not None:
        shutil.copy(file, whole)
    file.write_bytes(file.read_bytes()[:-100])
    return file


def failures(lake: Lake) -> list[dict[str, object]]:
    return Lake.open(lake.path).read(RUNS, where=pl.col("status") == "failed").to_dicts()


@pytest.mark.parametrize(
    ("wanted", "call"),
    [
        (work.cycle(NEXT), lambda runner: runner.cycle(NEXT)),
        (work.cycle(NEXT), lambda runner: list(runner.replay(NEXT, date(2019, 9, 20)))),
        (work.training(LAST), lambda runner: runner.train(LAST)),
        (work.backfill(LAST, LAST), lambda runner: runner.backfill(LAST, LAST)),
        (
            work.single_stage(find_stage("features"), LAST),
            lambda runner: runner.run_stage(find_stage("features"), LAST),
        ),
    ],
    ids=["cycle", "replay", "training", "backfill", "single stage"],
)
def test_over_a_damaged_file_any_work_leaves_a_failed_run(runner: Runner, wanted: Work, call: object) -> None:
    damage(runner.lake)
    with pytest.raises(DamageError, match="market_prices"):
        call(runner)  # type: ignore[operator]
    (failed,) = failures(runner.lake)
    assert (failed["work"], failed["cycle_id"], failed["session"]) == (wanted.kind, wanted.cycle_id, wanted.session)
    assert failed["stage"] == wanted.stages[0].name
    assert str(failed["error"]).startswith("DamageError: ") and "market_prices" in str(failed["error"])


def test_the_failure_of_a_cycle_by_hand_is_listed_and_ends_with_74(
    runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(runner.lake)
    lake = str(runner.lake.path)
    assert outcome(["cycle", "--lake", lake]) == exit_codes.DAMAGE
    capsys.readouterr()
    assert outcome(["runs", "--failed", "--json", "--lake", lake]) == exit_codes.DONE
    (failed,) = json.loads(capsys.readouterr().out)
    assert (failed["work"], failed["session"], failed["status"]) == ("cycle", str(NEXT), "failed")
    shown = cycle_rows(read_runs(Lake.open(runner.lake.path))).row(0, named=True)
    assert (shown["cycle_id"], shown["status"]) == (failed["cycle_id"], "failed")


def test_each_try_is_a_failed_run_of_its_own_until_the_file_is_restored(runner: Runner) -> None:
    file = runner.lake.path / "whole"
    damaged = damage(runner.lake, file)
    for _ in range(2):
        with pytest.raises(DamageError):
            runner.cycle(NEXT)
    assert sorted(one["attempt"] for one in failures(runner.lake)) == [0, 1]
    assert last_cycle(runner.lake) == LAST, "a cycle that failed counts as done"
    file.replace(damaged)
    done = runner.cycle(NEXT)
    assert {run.recipe.attempt for run in done.runs if run.recipe.work == "cycle"} == {2}
    last = summarize_work(runner.lake.read(RUNS)).filter(work="cycle").row(0, named=True)
    assert (last["session"], last["status"], last["error"]) == (NEXT, "done", "")


def test_a_failure_that_cannot_be_recorded_is_still_the_error_that_is_raised(
    runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    log = Path(runner.lake.uri(RUNS)) / "_delta_log"
    last = sorted(log.glob("*.json"))[-1]
    last.write_bytes(last.read_bytes()[:-10])
    with pytest.raises(DamageError, match="runs"):
        runner.cycle(NEXT)
    assert "could not be recorded" in caplog.text


def test_work_out_of_order_has_not_begun_and_leaves_nothing(runner: Runner) -> None:
    with pytest.raises(CycleOrderError):
        runner.cycle(runner.calendar.next(NEXT))
    assert failures(runner.lake) == []


def test_a_source_that_cannot_be_opened_fails_the_first_stage(runner: Runner, tmp_path: Path) -> None:
    from dataclasses import replace

    source = replace(
        runner.settings.source, name="files", files=replace(runner.settings.source.files, prices=("gone",))
    )
    broken = Runner(runner.lake, replace(runner.settings, source=source))
    with pytest.raises(StageFailedError, match="land_prices"):
        broken.cycle(NEXT)
    (failed,) = failures(runner.lake)
    assert (failed["work"], failed["stage"]) == ("cycle", "land_prices")
    row = summarize_work(runner.lake.read(RUNS)).row(0, named=True)
    assert (row["work"], row["session"], row["status"]) == ("cycle", NEXT, "failed")


@pytest.mark.parametrize(
    ("run", "wanted"),
    [
        ("cycle", work.cycle(NEXT)),
        ("train", work.training(LAST)),
        ("plan", work.single_stage(find_stage("plan"), LAST)),
    ],
)
def test_a_task_of_the_daemon_that_cannot_begin_leaves_a_failed_run_beside_its_attempt(
    runner: Runner, run: str, wanted: Work
) -> None:
    damage(runner.lake)
    due, minute = datetime(2019, 9, 18, 21, tzinfo=UTC), timedelta(minutes=1)
    job = Job(task=run, slot="1", attempt=0, run=(run,), session=None, due_at=due, timeout=minute, grace=minute)
    with pytest.raises(DamageError):
        carry_out_job(runner, job)
    (failed,) = failures(runner.lake)
    assert (failed["work"], failed["cycle_id"]) == (wanted.kind, wanted.cycle_id)
