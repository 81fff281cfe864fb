"""Walk-forward training: what each fold sees, and what is made of the result."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from lake.tables.predictions import QUANTILES
from pipeline.models.dataset import Examples, label_examples
from pipeline.models.params import RidgeParams
from pipeline.models.training import TrainingResult, run_training
from tests.frames.models import CALENDAR, SMALL, Market, market, trained


def examples(at: Market) -> Examples:
    return label_examples(
        at.feature_rows, at.market_prices, at.corporate_actions, at.ticker_universe, at.calendar, SMALL
    )


def run(at: Market) -> tuple[Examples, TrainingResult]:
    built = examples(at)
    result = run_training(built, QUANTILES, SMALL, 7)
    assert result is not None
    return built, result


@pytest.fixture(scope="module")
def world() -> Market:
    return market(tickers=8, sessions=150, signal=0.3)


@pytest.fixture(scope="module")
def fitted(world: Market) -> tuple[Examples, TrainingResult]:
    return run(world)


@pytest.mark.parametrize("workers", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_folds_fitted_side_by_side_give_the_bits_of_folds_fitted_one_by_one(world: Market, workers: int) -> None:
    built = examples(world)
    alone, beside = (run_training(built, QUANTILES, SMALL, 7, count) for count in (1, workers))
    assert alone is not None and beside is not None
    assert any(tested.choices["lstm"]["epochs"] for tested in alone.tested), "a network learnt"
    assert [t.choices for t in beside.tested] == [t.choices for t in alone.tested]
    for one, other in zip(alone.tested, beside.tested, strict=True):
        assert all(one.forecasts[name].tobytes() == other.forecasts[name].tobytes() for name in one.forecasts)
    for member, fitted in alone.members.items():
        assert fitted.choices == beside.members[member].choices
        for name, values in fitted.arrays.items():
            assert values.tobytes() == beside.members[member].arrays[name].tobytes(), (member, name)
    assert beside.shares.width.tobytes() == alone.shares.width.tobytes()
    assert beside.shares.location is not None and alone.shares.location is not None
    assert beside.shares.location.tobytes() == alone.shares.location.tobytes()


def test_training_side_by_side_leaves_the_process_its_own_settings(world: Market) -> None:
    import torch

    before = torch.get_num_threads(), torch.get_deterministic_debug_mode(), torch.random.get_rng_state()
    run_training(examples(world), QUANTILES, SMALL, 7, 3)
    assert (torch.get_num_threads(), torch.get_deterministic_debug_mode()) == before[:2]
    assert torch.equal(torch.random.get_rng_state(), before[2])


def test_a_fold_that_fails_ends_the_training_with_its_own_error(world: Market) -> None:
    with pytest.raises(ValueError, match="pivot"):
        run_training(examples(world), QUANTILES, replace(SMALL, ridge=RidgeParams(penalties=(-1e9,))), 7, 2)


def test_the_label_of_every_training_row_ends_before_its_test_block_by_more_than_the_embargo(
    fitted: tuple[Examples, TrainingResult],
) -> None:
    built, result = fitted
    assert len(result.tested) == 2
    for tested in result.tested:
        label_ends = built.session[tested.train] + max(SMALL.horizons)
        assert label_ends.max() < built.session[tested.test].min() - SMALL.embargo
    assert not set(result.tested[0].test) & set(result.tested[1].test)


def test_features_of_a_test_row_change_nothing_but_its_own_forecast(
    world: Market, fitted: tuple[Examples, TrainingResult]
) -> None:
    built, result = fitted
    day = CALENDAR.days[int(built.session[-1])]
    hit = (pl.col("session") == day) & (pl.col("ticker") == "T000")
    rows = world.feature_rows.with_columns(
        pl.when(hit).then(pl.col(name) * 1_000).otherwise(name).alias(name) for name in ("return_1", "return_5")
    )
    _, spoilt = run(replace(world, feature_rows=rows))
    before, after = result.tested[-1], spoilt.tested[-1]
    own = (built.session[before.test] == built.session[-1]) & (built.ticker[before.test] == "T000").to_numpy()
    assert before.choices == after.choices
    for member in before.forecasts:
        assert np.array_equal(before.forecasts[member][~own], after.forecasts[member][~own])
    assert not np.array_equal(before.forecasts["ridge"][own], after.forecasts["ridge"][own])


def test_outcomes_after_a_fold_was_trained_change_neither_its_models_nor_its_weights(
    world: Market, fitted: tuple[Examples, TrainingResult]
) -> None:
    built, result = fitted
    first = CALENDAR.days[int(built.session[result.tested[0].test[0]])]
    later = pl.col("session") > first
    prices = world.market_prices.with_columns(
        close=pl.when(later).then(pl.col("close") * (1 + pl.col("ts").dt.day() / 50)).otherwise("close")
    )
    _, poisoned = run(replace(world, market_prices=prices))
    before, after = result.tested[0], poisoned.tested[0]
    assert before.choices == after.choices
    assert all(np.array_equal(before.forecasts[name], after.forecasts[name]) for name in before.forecasts)
    assert np.array_equal(result.fold_shares[0].width, poisoned.fold_shares[0].width)
    assert not np.array_equal(result.tested[1].forecasts["naive"], poisoned.tested[1].forecasts["naive"])


def test_a_fold_is_judged_with_weights_from_earlier_folds_alone(
    world: Market, fitted: tuple[Examples, TrainingResult]
) -> None:
    built, result = fitted
    last = CALENDAR.days[int(built.session[result.tested[-1].test[0]])]
    prices = world.market_prices.with_columns(
        close=pl.when(pl.col("session") > last).then(pl.col("close") * (pl.col("ts").dt.day() + 1)).otherwise("close")
    )
    _, poisoned = run(replace(world, market_prices=prices))
    assert np.array_equal(result.fold_shares[1].width, poisoned.fold_shares[1].width)
    first = result.fold_shares[0].width
    assert (first == 1 / len(first)).all(), "with nothing to go by, every member counts alike"


def test_prices_that_stand_still_teach_nothing_and_that_is_said(
    fitted: tuple[Examples, TrainingResult], caplog: pytest.LogCaptureFixture
) -> None:
    still = np.zeros_like(fitted[0].outcome)
    built = replace(fitted[0], outcome=still, clipped=still, relative=still)
    assert run_training(built, QUANTILES, SMALL, 7) is None
    assert "all 1" in caplog.text and "outcomes over 1 sessions are the same" in caplog.text


def test_a_planted_signal_is_found_out_of_sample() -> None:
    rows = trained(market(tickers=30, sessions=180, signal=0.3))
    found = json.loads(rows["metrics"][0])["ensemble"]["figures"]["1"]
    assert found["ic"] > 0.1 and found["ic"] > 3 * found["ic_error"]
    assert found["skill"] > 2 * found["skill_error"] > 0
    assert rows.filter(pl.col("member") == "naive")["ensemble_weights"][0][0] < 0.5


def test_noise_shows_no_skill_and_mostly_the_naive_forecast_is_kept() -> None:
    worlds = [trained(market(tickers=20, sessions=180, seed=seed)) for seed in range(1, 4)]
    for rows in worlds:
        for found in json.loads(rows["metrics"][0])["ensemble"]["figures"].values():
            assert abs(found["skill"]) <= 2 * found["skill_error"]
    naive = [rows.filter(pl.col("member") == "naive")["ensemble_weights"][0].to_list() for rows in worlds]
    assert np.mean(naive) > 0.7
