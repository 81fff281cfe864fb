"""Forecasts carry how far their inputs lie from the training rows, and which of them do."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from lake.tables.predictions import PREDICTIONS
from pipeline.models.profile.training_rows import describe_rows
from pipeline.prediction.strangeness import COLUMNS, NAMED, add_strangeness
from tests.frames.features import feature_rows

DAY = date(2021, 3, 1)
TICKERS = ["AAA", "BBB"]
NAMES = ("return_1", "rsi_14", "beta_60", "sentiment_1")
PROFILE = describe_rows(
    list(np.random.default_rng(0).normal(size=(4, 2_000))), np.repeat(np.arange(100), 20), dict.fromkeys(NAMES, 0)
)


def windows() -> pl.DataFrame:
    rows = feature_rows(TICKERS, [DAY])
    return pl.DataFrame({"ticker": TICKERS, "session": [DAY] * 2, "feature_set": rows["feature_set"]})


def told(**values: list[float]) -> pl.DataFrame:
    rows = feature_rows(TICKERS, [DAY]).with_columns(pl.lit(0.0, pl.Float32).alias(name) for name in NAMES)
    return rows.with_columns(pl.Series(name, value, dtype=pl.Float32) for name, value in values.items())


def test_the_features_that_lie_furthest_are_named_with_value_and_deviation() -> None:
    found = add_strangeness(windows(), told(rsi_14=[0.0, -4.0], beta_60=[0.0, 6.0]), PROFILE)
    assert found["strangeness"][0] < 0.01 and found["strangeness"][1] == 1.0
    furthest = found["strange_features"][1].to_list()
    assert [one["feature"] for one in furthest[:2]] == ["beta_60", "rsi_14"]
    assert furthest[0]["value"] == 6.0 and 5 < furthest[0]["deviation"] < 7
    assert furthest[1]["deviation"] < 0
    assert len(furthest) == NAMED


def test_the_distance_is_the_root_mean_square_of_all_deviations() -> None:
    found = add_strangeness(windows(), told(return_1=[3.0, 0.0]), PROFILE)
    deviations = PROFILE.deviations(np.array([[3.0, 0.0, 0.0, 0.0]]))[0]
    assert np.isclose(found["distance"][0], np.sqrt((deviations**2).mean()), rtol=1e-9)


def test_of_a_model_without_a_profile_nothing_is_said() -> None:
    found = add_strangeness(windows(), told(), None)
    assert found.select(COLUMNS).null_count().row(0) == (2, 2, 2)
    assert all(found.schema[name] == PREDICTIONS.schema[name] for name in COLUMNS)
