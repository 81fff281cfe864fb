"""The plugin of docs/plugins.md in a running operation: its column, its rule's verdict, its member's forecast."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from lake.publication import find_unpublished
from lake.runs import last_cycle
from lake.store import Lake
from lake.tables.control import RUNS
from lake.tables.features import FEATURE_ROWS
from lake.tables.models import MODEL_REGISTRY
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import TRADE_PLANS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.config.settings import PluginParams
from pipeline.control.operator.decisions import promote
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Cycle, Runner
from pipeline.engine.session_order import find_stage
from pipeline.plugins.plugins import PluginError
from tests.copies import copy_lake
from tests.operation.conftest import Operation

EXAMPLE = Path("docs/examples/alpha_plugin.py").absolute()


class Extended:
    """The small operation going on with the example: one cycle, a training, and another cycle."""

    def __init__(self, operation: Operation, path: Path) -> None:
        copy_lake(operation.lake.path, path)
        self.plugin = path / "alpha_plugin.py"
        shutil.copy(EXAMPLE, self.plugin)
        self.lake = Lake.open(path)
        self.settings = replace(operation.settings, plugins=PluginParams(files=("alpha_plugin.py",)))
        runner = self.runner()
        self.champion = operation.lake.read(MODEL_REGISTRY)["model_id"][-1]
        last = operation.sessions[-1]
        self.first: Cycle = runner.cycle(runner.calendar.next(last))
        runner.train(self.first.session)
        self.challenger = self.lake.read(MODEL_REGISTRY)["model_id"][-1]
        promote(runner, self.challenger, "to see it forecast", "cli")
        self.second: Cycle = runner.cycle(runner.calendar.next(self.first.session))

    def runner(self, *files: str) -> Runner:
        settings = replace(self.settings, plugins=PluginParams(files=files)) if files else self.settings
        return Runner(self.lake, settings)


@pytest.fixture(scope="module")
def extended(operation: Operation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Extended]:
    yield Extended(operation, tmp_path_factory.mktemp("extended") / "lake")


def test_history_gets_the_features_column_without_a_migration(extended: Extended, operation: Operation) -> None:
    rows = extended.lake.read(FEATURE_ROWS)
    old, new = (rows.filter((pl.col("feature_set") == operation.features.name) == before) for before in (True, False))
    assert old["squeeze_10"].null_count() == old.height > 0
    assert new["session"].min() == old["session"].min()
    assert new["squeeze_10"].count() > 0.9 * new.height
    assert new.filter(pl.col("complete"))["calm_10"].null_count() == 0
    shared = [*FEATURE_ROWS.columns, "return_20", "rank_return_5", "run_id"][1:-1]
    both = old.select(shared).join(new.select(shared), on=["session", "ticker"], suffix=" new")
    assert both.height == old.height
    assert both["return_20"].eq_missing(both["return_20 new"]).all()


def test_the_champion_goes_on_when_a_feature_is_added(extended: Extended) -> None:
    made = extended.lake.read(PREDICTIONS, since=extended.first.session, until=extended.first.session)
    assert made.height > 0
    assert set(made["model_id"]) == {extended.champion}


def test_a_model_trained_since_uses_the_feature_and_is_compared_with_the_champion_of_before(
    extended: Extended, operation: Operation
) -> None:
    registry = extended.lake.read(MODEL_REGISTRY, since=extended.first.session)
    assert all("squeeze_10" in features for features in registry["features"])
    assert set(registry["feature_set"]) == {
        name for name in extended.lake.read(FEATURE_ROWS)["feature_set"] if name != operation.features.name
    }
    assert "other features" not in "".join(registry["metrics"])


def test_every_run_is_recorded_with_the_plugin_where_it_used_one_and_comes_out_the_same(extended: Extended) -> None:
    runner = extended.runner()
    with_it = {run.recipe.stage for run in extended.second.runs if run.recipe.plugins}
    assert with_it == {
        "retrain_candidates", "features", "windows", "promote", "priorities", "predict", "explanations",
        "feature_drift", "plan",
    }  # fmt: skip
    for run in (*extended.first.runs, *extended.second.runs):
        verdict = reproduce(runner, run)
        assert (verdict.identical, verdict.changed_since) == (True, ()), verdict


def test_runs_of_before_come_out_the_same_with_the_plugin(extended: Extended, operation: Operation) -> None:
    runner = extended.runner()
    for run in operation.cycles[-1].runs:
        if run.recipe.stage in {"features", "windows", "priorities", "predict", "plan"}:
            assert reproduce(runner, run).identical


def test_a_run_whose_plugin_is_gone_says_so(extended: Extended) -> None:
    (features,) = (run for run in extended.second.runs if run.recipe.stage == "features")
    verdict = reproduce(Runner(extended.lake, replace(extended.settings, plugins=PluginParams())), features)
    assert not verdict.identical
    assert "used 2 features that nothing declares any more, the first is 'calm_10'" in verdict.difference
    assert verdict.changed_since == ("plugin alpha_plugin.py (no longer among plugins.files)",)


def test_a_plugin_that_does_not_load_stops_the_cycle_before_it_begins_and_no_other_work(extended: Extended) -> None:
    (extended.lake.path / "broken.py").write_text("\n1 / 0\n", encoding="utf-8")
    runner = extended.runner("broken.py")
    before = extended.lake.published_versions()
    session = runner.calendar.next(extended.second.session)
    with pytest.raises(PluginError, match=r"broken\.py, line 2: ZeroDivisionError"):
        runner.cycle(session)
    after = extended.lake.published_versions()
    assert {name for name in after if after[name] != before[name]} == {"runs"}
    (failed,) = extended.lake.read(RUNS, where=pl.col("status") == "failed").rows(named=True)
    assert "broken.py, line 2: ZeroDivisionError" in failed["error"]
    run = runner.run_stage(find_stage("instruments"), extended.second.session)
    assert run.status == "done"
    (features,) = (run for run in extended.first.runs if run.recipe.stage == "instruments")
    assert reproduce(runner, features).identical


def test_a_plugin_that_does_not_load_keeps_an_interrupted_cycle_waiting_and_recover_repairs_the_rest(
    operation: Operation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if done == 8:  # some tables are written
            raise KeyboardInterrupt

    copy_lake(operation.lake.path, tmp_path / "lake")
    runner = Runner(Lake.open(tmp_path / "lake"), operation.settings, operation.runner.source)
    session = runner.calendar.next(operation.sessions[-1])
    with pytest.raises(KeyboardInterrupt):
        runner.cycle(session, stop)
    left = find_unpublished(runner.lake)
    (tmp_path / "lake" / "broken.py").write_text("\n1 / 0\n", encoding="utf-8")
    (tmp_path / "lake" / "nextgen.toml").write_text('[plugins]\nfiles = ["broken.py"]\n', encoding="utf-8")
    (tmp_path / "lake" / "tables" / "market_prices" / "part-0.parquet#1").write_bytes(b"half")

    assert outcome(["recover", "--lake", str(tmp_path / "lake")]) == exit_codes.DEGRADED
    told = " ".join(capsys.readouterr().err.split())
    assert "part-0.parquet#1: an unfinished file was removed" in told and "1 repair; 0 interrupted runs" in told
    assert f"cycle-{session:%Y%m%d} was interrupted and waits for a plugin" in told
    assert "broken.py, line 2: ZeroDivisionError" in told and "Traceback" not in told

    mended = Runner(Lake.open(tmp_path / "lake"), operation.settings, operation.runner.source)
    assert [run.run_id for run in find_unpublished(mended.lake)] == [run.run_id for run in left] != []
    mended.recover()
    assert last_cycle(mended.lake) == session


def test_the_rules_verdict_stands_in_the_plans(extended: Extended) -> None:
    plans = extended.lake.read(TRADE_PLANS, since=extended.second.session)
    assert plans.height > 0
    for verdicts in plans["verdicts"]:
        assert "calm_names" in {one["rule"] for one in verdicts}


def test_the_members_forecast_stands_in_the_ensemble(extended: Extended) -> None:
    decides = pl.col("role") == "champion"
    made = extended.lake.read(PREDICTIONS, since=extended.second.session, where=decides)
    assert made.height > 0
    for members in made["members"]:
        assert "reversal" in {one["member"] for one in members}
