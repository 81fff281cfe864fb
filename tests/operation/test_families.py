"""Every named set of features switched on by one line: cycles, a training and its forecasts go on, and reproduce."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from lake.tables.models import MODEL_REGISTRY
from lake.tables.predictions import PREDICTIONS
from nextgen_tui.commands.snapshot import list_moments
from pipeline.config.settings import PluginParams
from pipeline.control.operator.decisions import promote
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Cycle, Runner
from pipeline.features.catalogue import NAMED_SETS
from tests.copies import copy_lake
from tests.new_lake import new_lake
from tests.operation.conftest import Operation, small_settings

FAMILIES = tuple(name for name in NAMED_SETS if name != "alpha158")
NAMES = [feature.name for name in FAMILIES for feature in NAMED_SETS[name]]
OF_BARS = {feature.name for feature in NAMED_SETS["intraday_bars"]}


class Widened:
    """The small operation going on with all families, by one cycle."""

    def __init__(self, operation: Operation, path: Path) -> None:
        copy_lake(operation.lake.path, path)
        self.lake = Lake.open(path)
        settings = replace(operation.settings, plugins=PluginParams(feature_sets=FAMILIES))
        models = replace(settings.models, min_sessions=60, min_train_sessions=30, min_rows=200)
        self.runner = Runner(self.lake, replace(settings, models=models))
        self.cycle: Cycle = self.runner.cycle(self.runner.calendar.next(operation.sessions[-1]))


@pytest.fixture(scope="module")
def widened(operation: Operation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Widened]:
    yield Widened(operation, tmp_path_factory.mktemp("widened") / "lake")


def test_every_feature_has_values_but_those_of_bars_that_nobody_takes(widened: Widened) -> None:
    rows = widened.lake.read(FEATURE_ROWS, since=widened.cycle.session).filter("complete")
    assert rows.height > 10
    assert {name for name in NAMES if rows[name].null_count()} == OF_BARS
    assert {name for name in NAMES if rows[name].null_count() == rows.height} == OF_BARS


def test_every_run_that_sees_them_comes_out_the_same(widened: Widened) -> None:
    for run in widened.cycle.runs:
        if run.recipe.stage in {"features", "windows", "predict", "plan"}:
            assert reproduce(widened.runner, run).identical, run.recipe.stage


@pytest.mark.slow
def test_a_model_learns_from_them_and_forecasts(widened: Widened, tmp_path: Path) -> None:
    copy_lake(widened.lake.path, tmp_path / "lake")
    lake = Lake.open(tmp_path / "lake")
    runner = Runner(lake, widened.runner.settings)
    runner.train(widened.cycle.session)
    (features,) = {tuple(one) for one in lake.read(MODEL_REGISTRY, since=widened.cycle.session)["features"]}
    # Half of this short history lies before the 180th session of a market.
    assert set(NAMES) - set(features) == OF_BARS | {"pure_momentum_120_20"}
    challenger = lake.read(MODEL_REGISTRY)["model_id"][-1]
    promote(runner, challenger, "to see it forecast", "cli")
    cycle = runner.cycle(runner.calendar.next(widened.cycle.session))
    made = lake.read(PREDICTIONS, since=cycle.session, where=pl.col("role") != "shadow")
    assert made.height > 0 and set(made["model_id"]) == {challenger}
    assert all(reproduce(runner, run).identical for run in cycle.runs)


@pytest.mark.slow
def test_bars_that_snapshots_took_become_features_of_their_session(tmp_path: Path) -> None:
    plain = small_settings()
    simulated = replace(plain.source.simulated, intervals=("1d", "5m"))
    sets = PluginParams(feature_sets=("intraday_bars",))
    lake = new_lake(tmp_path / "lake")
    runner = Runner(lake, replace(plain, source=replace(plain.source, simulated=simulated), plugins=sets))
    first, last = runner.source.coverage()
    runner.backfill(first, last)
    days = [runner.calendar.offset(last, ahead) for ahead in (1, 2)]
    (_, cycle) = runner.replay(*days, snapshots=list_moments(runner.calendar, *days, "1h"))
    rows = lake.read(FEATURE_ROWS, since=days[-1])
    today = [feature.name for feature in NAMED_SETS["intraday_bars"] if feature.warm_up == 0]
    assert rows.height > 10
    assert rows.select(today).null_count().sum_horizontal().item() == 0
    (run,) = (run for run in cycle.runs if run.recipe.stage == "features")
    assert reproduce(runner, run).identical


def test_bars_within_sessions_are_read_only_where_a_feature_uses_them(widened: Widened, operation: Operation) -> None:
    def pinned(cycle: Cycle) -> bool:
        (run,) = (run for run in cycle.runs if run.recipe.stage == "features")
        return "intraday_prices" in run.recipe.inputs

    assert pinned(widened.cycle) and not pinned(operation.cycles[-1])


def test_the_set_of_before_is_as_it_was(widened: Widened, operation: Operation) -> None:
    rows = widened.lake.read(FEATURE_ROWS)
    base, wide = (rows.filter((pl.col("feature_set") == operation.features.name) == before) for before in (True, False))
    shared = ["session", "ticker", "return_20", "beta_60", "rank_return_5", "sentiment_10", "sector_return_20"]
    both = base.select(shared).join(wide.select(shared), on=["session", "ticker"], suffix=" new")
    assert both.height == base.height > 0
    assert all(both[name].eq_missing(both[f"{name} new"]).all() for name in shared[2:])
