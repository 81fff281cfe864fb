"""A run is recorded with its rows, published with its cycle, and found again after a crash."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lake.errors import LakeError
from lake.publication import find_unpublished, publish, record_failure
from lake.runs import (
    Run,
    backfill_span,
    cycle_sessions,
    decision_lag,
    failed_attempts,
    find_done_runs,
    find_run,
    has_imported,
    is_published,
    last_cycle,
    last_decision,
    last_session,
    runs_to_frame,
    summarize_work,
)
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS, WorkKind
from lake.tables.market import MARKET_PRICES
from tests.frames.bars import bar_rows
from tests.frames.control import recipe, run


def test_a_run_survives_the_way_through_its_row() -> None:
    one = run(files={"part-0": "ab"}, seconds=1.5)
    assert Run.from_row(runs_to_frame([one]).row(0, named=True)) == one


def test_the_same_recipe_is_the_same_run_and_any_change_is_another() -> None:
    assert recipe().run_id == recipe().run_id
    others = {recipe(seed=2).run_id, recipe(inputs={"market_prices": 4}).run_id, recipe(attempt=1).run_id}
    assert len(others | {recipe().run_id}) == 4
    assert recipe().run_id.startswith("universe-20210301-")


def _write(lake: Lake, one: Run) -> Run:
    written = lake.commit(MARKET_PRICES, bar_rows({}), one.run_id, {"run": one.row()})
    return run(recipe=one.recipe, output_version=written.version)


def test_publication_makes_the_version_visible_and_records_the_files(lake: Lake) -> None:
    with lake.lock("test"):
        one = _write(lake, run(recipe=recipe(output_table="market_prices", stage="prices")))
        assert lake.version(MARKET_PRICES) == 0
        published = publish(lake, [one], "cycle-20210301/0")
    assert lake.version(MARKET_PRICES) == 1
    assert [len(digest) for digest in published[0].files.values()] == [64, 64]
    assert find_unpublished(lake) == []


def test_publishing_twice_publishes_once(lake: Lake) -> None:
    with lake.lock("test"):
        one = _write(lake, run(recipe=recipe(output_table="market_prices")))
        publish(lake, [one], "cycle-20210301/0")
        publish(lake, [one], "cycle-20210301/0")
    assert lake.rows(RUNS) == 1


def test_what_an_interrupted_cycle_left_is_found_with_its_recipe(lake: Lake) -> None:
    one = run(recipe=recipe(output_table="market_prices", stage="prices"))
    with lake.lock("test"):
        _write(lake, one)
    left = find_unpublished(Lake.open(lake.path))
    assert [(r.recipe, r.output_version) for r in left] == [(one.recipe, 1)]


def test_a_commit_that_no_run_of_ours_made_is_named(lake: Lake) -> None:
    with lake.lock("test"):
        lake.commit(MARKET_PRICES, bar_rows({}), "stranger", {})
    with pytest.raises(LakeError, match=r"market_prices was changed by another program: WRITE at .*, version 1;"):
        find_unpublished(lake)


def test_a_run_is_found_by_the_start_of_its_id(lake: Lake) -> None:
    early = run(recipe=recipe(), written=0)
    late = run(recipe=recipe(stage="plan"), written=0)
    with lake.lock("test"):
        publish(lake, [early, late], "cycle-20210301/0", durable=False)
    assert find_run(lake, "plan") == late
    with pytest.raises(LakeError, match="nextgen runs"):
        find_run(lake, "nothing")


def test_instants_keep_their_microseconds_in_a_row() -> None:
    moment = datetime(2021, 3, 1, 21, 20, 0, 123456, tzinfo=UTC) + timedelta(0)
    assert runs_to_frame([run(recipe=recipe(as_of=moment))])["as_of"][0] == moment


def test_a_folder_is_a_lake_only_when_it_is_complete(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    (lake.path / "lake.json").unlink()
    with pytest.raises(LakeError, match="neither empty nor a lake"):
        Lake.create(lake.path)


# ---- questions about past runs


def worked(kind: WorkKind, day: int, *, since: int | None = None, status: str = "done", stage: str = "plan") -> Run:
    session, first = date(2021, 3, day), date(2021, 3, since or day)
    one = recipe(work=kind, cycle_id=f"{kind} {day}", session=session, since=first, stage=stage, as_of=moment(day))
    return run(recipe=one, written=0, output_version=0, status=status, started_at=moment(day))


def moment(day: int) -> datetime:
    return datetime(2021, 3, day, 21, 20, tzinfo=UTC)


@pytest.fixture
def worked_lake(lake: Lake) -> Lake:
    """Two backfills, two cycles, an import, a training after them, and a cycle and a training that failed."""
    with lake.lock("test"):
        done = [
            worked(WorkKind.BACKFILL, 2, since=1),
            worked(WorkKind.BACKFILL, 4, since=3),
            worked(WorkKind.CYCLE, 5),
            worked(WorkKind.CYCLE, 8),
            worked(WorkKind.IMPORT, 9, stage="land_prices"),
            worked(WorkKind.TRAINING, 10),
        ]
        publish(lake, done, "all", durable=False)
        for kind in (WorkKind.CYCLE, WorkKind.TRAINING):
            record_failure(lake, replace(worked(kind, 9, status="failed"), error="it rained"))
    return lake


def test_the_last_session_is_told_by_the_kind_of_work_and_by_what_was_done(worked_lake: Lake) -> None:
    assert last_cycle(worked_lake) == last_session(worked_lake) == date(2021, 3, 8)
    assert last_decision(worked_lake) == moment(8)
    assert backfill_span(worked_lake) == (date(2021, 3, 1), date(2021, 3, 4))
    assert cycle_sessions(worked_lake.read(RUNS)) == [date(2021, 3, 5), date(2021, 3, 8)]


def test_a_cycle_lags_behind_its_decision_by_when_it_was_run(lake: Lake) -> None:
    replayed = replace(worked(WorkKind.CYCLE, 5), started_at=moment(5) + timedelta(days=900))
    with lake.lock("test"):
        publish(lake, [worked(WorkKind.CYCLE, 4), replayed], "all", durable=False)
    assert decision_lag(lake) == timedelta(days=900)


def test_a_new_lake_has_no_last_session(lake: Lake) -> None:
    assert decision_lag(lake) is None
    assert (last_cycle(lake), last_session(lake), last_decision(lake), backfill_span(lake)) == (None,) * 4


def test_published_is_what_was_done_and_attempts_are_what_failed(worked_lake: Lake) -> None:
    assert is_published(worked_lake, "cycle 8") and not is_published(worked_lake, "cycle 9")
    assert (failed_attempts(worked_lake, "cycle 8"), failed_attempts(worked_lake, "cycle 9")) == (0, 1)
    assert [one.recipe.cycle_id for one in find_done_runs(worked_lake, "training 10")] == ["training 10"]
    assert len(find_done_runs(worked_lake)) == 6


def test_an_import_counts_where_it_wrote(worked_lake: Lake) -> None:
    assert has_imported(worked_lake, [TABLES["ticker_universe"]])
    assert not has_imported(worked_lake, [MARKET_PRICES])


def test_a_summary_tells_how_each_piece_of_work_ended_the_newest_first(worked_lake: Lake) -> None:
    rows = summarize_work(worked_lake.read(RUNS)).select("cycle_id", "work", "status", "error").rows()
    assert rows[:3] == [
        ("training 10", "training", "done", ""),
        ("training 9", "training", "failed", "it rained"),
        ("import 9", "import", "done", ""),
    ]
    assert ("cycle 9", "cycle", "failed", "it rained") in rows
    assert len(rows) == 8


def test_a_stage_that_a_later_attempt_did_is_no_failure_of_its_work(worked_lake: Lake) -> None:
    later = replace(worked(WorkKind.CYCLE, 9), started_at=moment(11))
    with worked_lake.lock("test"):
        publish(worked_lake, [later], "again", durable=False)
    (row,) = summarize_work(worked_lake.read(RUNS)).filter(cycle_id="cycle 9").to_dicts()
    assert (row["status"], row["failed"], row["stages"]) == ("done", 0, 1)
