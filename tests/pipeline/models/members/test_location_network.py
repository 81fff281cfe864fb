"""The networks of the location find what a line cannot see, from its rows alone, the same bits wherever they are asked.

What needs torch imports it itself: the tests are collected without it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.models.dataset import Examples, label_examples
from pipeline.models.params import LstmParams
from tests.frames.models import SMALL, market

SEED = (7, 0)
PARAMS = LstmParams(
    inputs=2, sessions=3, location_hidden=8, networks=2, location_epochs=8, batch=128, windows_per_epoch=4_000
)


@pytest.fixture(scope="module")
def built() -> Examples:
    """Windows whose outcome is a product of two inputs, which no line can see, and noise three times as large."""
    at = market(tickers=30, sessions=140, stirring=0.5)
    one = label_examples(
        at.feature_rows, at.market_prices, at.corporate_actions, at.ticker_universe, at.calendar, SMALL
    )
    random = np.random.default_rng(5)
    base = random.standard_normal(one.index.base.shape).astype(np.float32)
    drawn = replace(one, index=replace(one.index, base=base))
    last = drawn.last_rows(np.arange(len(one)))
    told = (last[:, [0]] * last[:, [3]]).astype(np.float64)
    return replace(drawn, relative=told + 3 * random.standard_normal(one.relative.shape))


def locate(arrays: dict[str, np.ndarray], windows: np.ndarray) -> np.ndarray:
    """What the networks add to a line that says nothing."""
    from pipeline.models.members import forward_pass

    inputs = windows.shape[2]
    line = {"mean": np.zeros(inputs), "std": np.ones(inputs), "coefficients": np.zeros((inputs, 2))}
    return forward_pass.locate(arrays, line, windows)


def split(built: Examples) -> tuple[np.ndarray, np.ndarray]:
    last = int(built.session[-1])
    return built.between(0, last - 30), built.between(last - 24, last)


def test_a_product_that_no_line_sees_is_found(built: Examples) -> None:
    from pipeline.models.members import location_network

    train, held = split(built)
    passes, arrays = location_network.choose(built, train, held, (0, 3), PARAMS, SEED)
    forecast = locate(arrays, built.windows(held))
    last = built.last_rows(held)
    assert min(passes) > 0
    assert np.corrcoef(forecast[:, 0], last[:, 0] * last[:, 3])[0, 1] > 0.6


def test_without_training_it_forecasts_nothing(built: Examples) -> None:
    from pipeline.models.members import location_arrays, location_network

    rows = built.between(0, 10_000)
    arrays = location_network.fit(built, rows, (0, 3), (0, 0), PARAMS, SEED)
    assert not locate(arrays, built.windows(rows[:5])).any()
    assert location_arrays.count_networks(arrays) == 2


def test_a_windows_location_is_the_same_to_the_bit_whatever_stands_beside_it(built: Examples) -> None:
    from pipeline.models.members import location_network

    rows = built.between(0, 10_000)
    arrays = location_network.fit(built, rows, (0, 3), (1, 1), PARAMS, SEED)
    windows = built.windows(rows[:300])
    together = locate(arrays, windows)
    alone = np.concatenate([locate(arrays, windows[at : at + 1]) for at in (0, 130, 299)])
    assert together[[0, 130, 299]].tobytes() == alone.tobytes()
    assert together.any()


def test_it_learns_from_its_rows_and_inputs_alone(built: Examples) -> None:
    from pipeline.models.members import location_network

    rows = built.between(0, int(built.session[0]) + 60)
    before = location_network.fit(built, rows, (0, 3), (1, 1), PARAMS, SEED)
    later = built.session[:, None] > built.session[0] + 60
    base = built.index.base.copy()
    base[:, [1, 2, 4]] = 1e6
    spoilt = replace(built, index=replace(built.index, base=base), relative=np.where(later, 99.0, built.relative))
    after = location_network.fit(spoilt, rows, (0, 3), (1, 1), PARAMS, SEED)
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)


def test_the_shapes_it_states_are_those_of_its_arrays(built: Examples) -> None:
    from pipeline.models.members import location_arrays, location_network

    arrays = location_network.fit(built, built.between(0, 10_000), (0, 3), (0, 0), PARAMS, SEED)
    stated = location_arrays.list_shapes(arrays, built.relative.shape[1])
    assert stated == {name: value.shape for name, value in arrays.items()}
    assert "0.head.weight" in location_arrays.list_shapes({}, 3), "what is missing altogether is named too"
