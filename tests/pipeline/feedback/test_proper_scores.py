"""Scores of known forecasts come out as their formulas say, and honesty scores best."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import polars as pl
import pytest

from lake.tables.predictions import QUANTILE_COLUMNS, QUANTILES
from pipeline.feedback.metrics import steadiness
from pipeline.feedback.scoring.proper_scores import pinball_loss, ranked_probability_score, winkler_score

NORMAL = NormalDist()
OWN = [pl.col(name) for name in QUANTILE_COLUMNS]


def scored(outcomes: np.ndarray, centre: float = 0.0, width: float = 1.0) -> dict[str, float]:
    """Mean scores of the same normal forecast for all outcomes."""
    stated = {name: centre + width * NORMAL.inv_cdf(q) for name, q in zip(QUANTILE_COLUMNS, QUANTILES, strict=True)}
    frame = pl.DataFrame({"realised": outcomes}).with_columns(**{name: pl.lit(at) for name, at in stated.items()})
    told = frame.select(pinball=pinball_loss(OWN), crps=ranked_probability_score(OWN), winkler=winkler_score(OWN))
    return {name: float(told[name].to_numpy().mean()) for name in told.columns}


def test_winklers_score_is_the_width_and_twenty_times_the_miss() -> None:
    width = 2 * NORMAL.inv_cdf(0.95)
    assert scored(np.array([0.0]))["winkler"] == pytest.approx(width)
    assert scored(np.array([NORMAL.inv_cdf(0.95) + 0.5]))["winkler"] == pytest.approx(width + 10)
    assert scored(np.array([-NORMAL.inv_cdf(0.95) - 0.5]))["winkler"] == pytest.approx(width + 10)


def test_the_ranked_probability_score_of_a_normal_forecast_is_near_its_closed_form() -> None:
    """sigma (z (2 F(z) - 1) + 2 f(z) - 1 / sqrt(pi)) for an outcome z deviations out (Gneiting and Raftery, 2007)."""
    for z in (0.0, 0.5, 1.0, 2.0):
        exact = z * (2 * NORMAL.cdf(z) - 1) + 2 * NORMAL.pdf(z) - np.pi**-0.5
        assert scored(np.array([z]))["crps"] == pytest.approx(exact, rel=0.15)
    assert scored(np.random.default_rng(0).standard_normal(50_000))["crps"] == pytest.approx(np.pi**-0.5, rel=0.08)


@pytest.mark.parametrize(("centre", "width"), [(0.4, 1.0), (-0.4, 1.0), (0.0, 1.6), (0.0, 0.6)])
def test_whoever_says_something_else_than_the_truth_scores_worse(centre: float, width: float) -> None:
    outcomes = np.random.default_rng(0).standard_normal(20_000)
    honest, other = scored(outcomes), scored(outcomes, centre, width)
    assert all(other[name] > honest[name] for name in honest)


def test_steadiness_is_mean_over_deviation() -> None:
    series = np.array([0.1, 0.3, -0.1, 0.2])
    found = steadiness(np.array([series.mean(), 0.2]), np.array([(series**2).mean(), 0.04]))
    assert found[0] == pytest.approx(series.mean() / series.std())
    assert found[1] == 0.0
