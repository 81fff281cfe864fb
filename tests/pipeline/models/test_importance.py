"""What an input is worth on held-out sessions: what was planted something, noise nothing, and it is on record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lake.tables.predictions import QUANTILES
from pipeline.models.dataset import Examples, label_examples
from pipeline.models.explaining.importance import summarise
from pipeline.models.members import MEMBERS
from pipeline.models.members.lstm import LSTM
from pipeline.models.members.member import Arrays, Choices, FitTask, Fitted, Floats, Sizes
from pipeline.models.training import TrainingResult, run_training
from tests.frames.models import SMALL, market, trained


class Product:
    """A plugin's member that knows what was planted, and nothing else."""

    name = "product"
    simple = False

    def fit(self, _task: FitTask) -> Fitted:
        return Fitted({"scale": np.array([0.3])})

    def quantiles(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> Floats:
        middle = arrays["scale"][0] * windows[:, -1, :1].astype(np.float64)
        fan = np.linspace(-1.5, 1.5, len(QUANTILES))
        return np.repeat(middle, len(SMALL.horizons), axis=1)[:, :, None] + fan

    def shapes(self, _arrays: Arrays, _sizes: Sizes) -> Mapping[str, tuple[int, ...]]:
        return {"scale": (1,)}

    def settings(self, _choices: Choices) -> Mapping[str, Any]:
        return {}


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


class Broken(Product):
    """A plugin's member of 6 quantiles, or of values that are no numbers."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def quantiles(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> Floats:
        told = super().quantiles(arrays, windows)
        return np.full_like(told, np.nan) if self.fault == "nan" else told[:, 0]


@pytest.mark.parametrize(("fault", "words"), [("nan", "are no finite numbers"), ("shape", "it has to be")])
def test_a_plugins_member_that_returns_nonsense_is_refused_in_words(built: Examples, fault: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"the member 'product'.*{words}"):
        run_training(built, QUANTILES, SMALL, 7, members=(*MEMBERS, Broken(fault)))


def test_a_plugins_member_is_asked_about_every_input(built: Examples) -> None:
    found = run_training(built, QUANTILES, SMALL, 7, members=(*MEMBERS, Product()))
    assert found is not None
    rises = summarise([one.rises for one in found.tested], SMALL.horizons)["product"]
    assert set(rises) == set(SMALL.features)
    assert rises["return_5"]["rise"] == [0.0, 0.0], "it does not look at it"
    assert rises["return_1"]["rise"][0] > 0
