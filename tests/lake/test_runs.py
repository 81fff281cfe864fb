"""A run is recorded with its rows, published with its cycle, and found again after a crash."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake.errors import LakeError
from lake.runs import Run, find_run, find_unpublished, publish, runs_to_frame
from lake.store import Lake
from lake.tables.control import RUNS
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
    with pytest.raises(LakeError, match=r"market_prices has a version 1 .* no run of ours"):
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
