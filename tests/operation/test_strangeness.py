"""How strange the inputs of forecasts are, and whether they drifted: told by a running operation, and reproduced."""

from __future__ import annotations

import polars as pl
import pytest

from lake.tables.control import SYSTEM_HEALTH
from lake.tables.feedback import FEATURE_DRIFT
from lake.tables.models import MODEL_REGISTRY
from lake.tables.predictions import PREDICTIONS
from pipeline.engine.reproduction import reproduce
from pipeline.models.profile.registry_columns import find_profile
from tests.operation.conftest import Operation


def test_every_forecast_of_a_model_says_how_strange_its_inputs_are_and_what_makes_them_so(operation: Operation) -> None:
    made = operation.lake.read(PREDICTIONS)
    told, silent = made.filter(pl.col("role") == "champion"), made.filter(pl.col("role") != "champion")
    assert told.height > 0
    assert told["strangeness"].null_count() == told["distance"].null_count() == 0
    assert silent["strangeness"].null_count() == silent.height
    features = set(operation.lake.read(MODEL_REGISTRY)["features"][-1])
    for row in told.select("strange_features").iter_rows():
        assert len(row[0]) == 3
        sizes = [abs(one["deviation"]) for one in row[0]]
        assert sizes == sorted(sizes, reverse=True)
        assert {one["feature"] for one in row[0]} <= features
    each = told.group_by("session", "ticker").agg(pl.col("distance").n_unique())
    assert each["distance"].unique().to_list() == [1], "it is the same at every horizon"


def test_the_forecasts_of_a_model_are_about_as_strange_as_what_it_was_trained_on(operation: Operation) -> None:
    made = operation.lake.read(PREDICTIONS).filter(pl.col("role") == "champion")
    assert 0.1 < made["strangeness"].median() < 0.9  # type: ignore[operator]


def test_each_member_of_a_model_keeps_the_same_profile_of_the_training_rows(operation: Operation) -> None:
    registry = operation.lake.read(MODEL_REGISTRY)
    model_id = registry["model_id"][-1]
    kept = registry.filter(pl.col("model_id") == model_id)["profile"].to_list()
    assert len(kept) > 1 and all(one == kept[0] for one in kept)
    profile = find_profile(registry, model_id)
    assert profile is not None and profile.features == tuple(registry["features"][-1])


def test_the_drift_of_every_input_is_measured_each_session_and_health_tells_of_it(operation: Operation) -> None:
    drift = operation.lake.read(FEATURE_DRIFT)
    champion = operation.lake.read(PREDICTIONS).filter(pl.col("role") == "champion")
    assert set(drift["session"]) == set(champion["session"])
    assert set(drift.filter(pl.col("session") == operation.sessions[-1])["feature"]) == set(
        operation.lake.read(MODEL_REGISTRY)["features"][-1]
    )
    health = operation.lake.read(SYSTEM_HEALTH).filter(pl.col("session") == operation.sessions[-1])
    checks = {(service, check) for service, check in health.select("service", "check").iter_rows()}
    assert ("predictions", "strangeness") in checks
    assert (("features", "drift") in checks) == (drift["verdict"] != "too few").any()


@pytest.mark.parametrize("stage", ["predict", "feature_drift"])
def test_what_is_told_comes_out_the_same(operation: Operation, stage: str) -> None:
    (run,) = (run for run in operation.cycles[-1].runs if run.recipe.stage == stage)
    assert reproduce(operation.runner, run).identical
