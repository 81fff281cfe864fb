"""What an input is worth on held-out sessions: what was planted something, noise nothing, and it is on record."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lake.tables.predictions import QUANTILES
from pipeline.models.dataset import Examples, label_examples
from pipeline.models.explaining.importance import summarise
from pipeline.models.members.lstm import LSTM
from pipeline.models.training import TrainingResult, run_training
from tests.frames.models import SMALL, market, trained


@pytest.fixture(scope="module")
def built() -> Examples:
    at = market(tickers=12, sessions=180, signal=0.4)
    return label_examples(
        at.feature_rows, at.market_prices, at.corporate_actions, at.ticker_universe, at.calendar, SMALL
    )


@pytest.fixture(scope="module")
def result(built: Examples) -> TrainingResult:
    found = run_training(built, QUANTILES, SMALL, 7)
    assert found is not None
    return found


def test_what_was_planted_is_worth_most_and_noise_nothing(result: TrainingResult) -> None:
    found = summarise([one.rises for one in result.tested], SMALL.horizons)["ridge"]
    assert set(found) == set(SMALL.features)
    planted, error = found["return_1"]["rise"][0], found["return_1"]["error"][0]
    assert planted > 0.1
    assert planted > 3 * error
    others = [found[name]["rise"][0] for name in SMALL.features if name != "return_1"]
    assert max(map(abs, others)) < planted / 5


def test_only_held_out_sessions_are_asked(result: TrainingResult, built: Examples) -> None:
    for one in result.tested:
        sessions = len(np.unique(built.session[one.test]))
        assert {len(rise) for own in one.rises.values() for rise in own.values()} == {sessions}


def test_networks_are_asked_about_their_own_inputs(result: TrainingResult) -> None:
    for one in result.tested:
        assert set(one.rises) == {"ridge", "lstm"}
        assert len(one.rises["lstm"]) == SMALL.lstm.inputs


def test_locations_are_the_medians_of_the_forecast(result: TrainingResult, built: Examples) -> None:
    windows = built.windows(built.between(0, 10_000)[:50])
    arrays = result.members["lstm"].arrays
    assert LSTM.locate(arrays, windows) == pytest.approx(LSTM.quantiles(arrays, windows)[:, :, 3], abs=1e-12)


def test_measuring_changes_no_weight_and_can_be_left_out() -> None:
    at = market(tickers=8, sessions=150, signal=0.4)
    with_it, without = trained(at), trained(at, replace(SMALL, importance=1))
    assert with_it["weights_sha256"].equals(without["weights_sha256"])
    assert "importance" in json.loads(with_it["metrics"][0])
    assert "importance" not in json.loads(without["metrics"][0])
    assert "importance" not in json.loads(without["config"][0])["params"], "as earlier runs recorded it"
