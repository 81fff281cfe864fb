"""The recurrent member: starts naive, learns only from its rows, never crosses, same bits everywhere.

What needs torch imports it itself: the tests are collected without it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.tables.predictions import QUANTILES
from pipeline.models.dataset import Examples, label_examples
from pipeline.models.members import lstm, ridge
from pipeline.models.members.member import Choices
from pipeline.models.members.naive import centred_quantiles
from tests.frames.models import SMALL, Market, market

FULL: Choices = {"epochs": 2, "location_trust": (1.0, 1.0), "spread_trust": (1.0, 1.0)}


def examples(at: Market) -> Examples:
    return label_examples(
        at.feature_rows, at.market_prices, at.corporate_actions, at.ticker_universe, at.calendar, SMALL
    )


@pytest.fixture(scope="module")
def built() -> Examples:
    return examples(market(tickers=8, sessions=100, stirring=0.5))


def fit(built: Examples, rows: np.ndarray, choices: Choices = FULL) -> dict[str, np.ndarray]:
    from pipeline.models.members import lstm_network

    return lstm_network.fit(built, rows, QUANTILES, SMALL.lstm, (7, 0), choices)


def test_without_training_it_is_the_naive_forecast(built: Examples) -> None:
    from pipeline.models.members import lstm_network

    rows = built.between(0, 10_000)
    untrained = fit(built, rows, {**FULL, "epochs": 0})
    forecast = lstm_network.forecast(untrained, built.windows(rows[:5]))
    naive = centred_quantiles(built.clipped[rows], QUANTILES)
    assert forecast == pytest.approx(np.broadcast_to(naive, forecast.shape), abs=1e-5)


def test_without_trust_it_stays_the_naive_forecast(built: Examples) -> None:
    from pipeline.models.members import lstm_network

    rows = built.between(0, 10_000)
    doubted = fit(built, rows, {**FULL, "location_trust": (0.0, 0.0), "spread_trust": (0.0, 0.0)})
    forecast = lstm_network.forecast(doubted, built.windows(rows[:5]))
    naive = centred_quantiles(built.clipped[rows], QUANTILES).astype(np.float32)
    assert np.array_equal(forecast, np.broadcast_to(naive, forecast.shape))


def test_it_learns_from_its_rows_and_the_scaler_too(built: Examples) -> None:
    rows = built.between(0, built.session[0] + 50)
    before = fit(built, rows)
    base = built.index.base.copy()
    ends = built.index.starts[built.number] + SMALL.window - 1
    base[ends[built.session > built.session[0] + 50]] *= 1_000
    later = built.session[:, None] > built.session[0] + 50
    clipped, relative = (np.where(later, 8.0, values) for values in (built.clipped, built.relative))
    spoilt = replace(built, index=replace(built.index, base=base), clipped=clipped, relative=relative)
    after = fit(spoilt, rows)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    used = built.last_rows(rows).astype(np.float64)
    assert before["mean"] == pytest.approx(used.mean(axis=0), rel=1e-6)
    moved = fit(spoilt, built.between(0, 10_000))
    assert not np.array_equal(moved["mean"], before["mean"])


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), size=st.floats(0.01, 1e4))
def test_quantiles_never_cross_whatever_the_weights_and_inputs(built: Examples, seed: int, size: float) -> None:
    from pipeline.models.members import lstm_network

    random = np.random.default_rng(seed)
    weights = fit(built, built.between(0, 10_000), {**FULL, "epochs": 0})
    wild = {
        name: value if name.endswith("trust") or name in ("std", "naive") else
        (value + random.standard_normal(value.shape) * min(size, 50)).astype(np.float32)
        for name, value in weights.items()
    }  # fmt: skip
    windows = (random.standard_normal((20, SMALL.window, 5)) * size).astype(np.float32)
    forecast = lstm_network.forecast(wild, windows)
    assert np.isfinite(forecast).all() and (np.diff(forecast, axis=2) >= 0).all()


def test_the_process_keeps_its_own_settings(built: Examples) -> None:
    import torch

    before = (torch.get_num_threads(), torch.get_deterministic_debug_mode(), torch.get_rng_state())
    fit(built, built.between(0, 10_000))
    assert torch.get_num_threads() == before[0] and torch.get_deterministic_debug_mode() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])


def test_a_planted_change_of_volatility_is_found_and_trusted(built: Examples) -> None:
    from pipeline.models.members import lstm_network

    last = int(built.session[-1])
    params = replace(SMALL.lstm, epochs=8, learning_rate=0.01)
    train, held = built.between(0, last - 30), built.between(last - 24, last)
    choices, weights = lstm_network.choose(built, train, held, QUANTILES, params, (7, 0))
    forecast = lstm_network.forecast(weights, built.windows(held))
    width = forecast[:, 0, -1] - forecast[:, 0, 0]
    mood = built.last_rows(held)[:, 2]
    assert choices["epochs"] > 0 and choices["spread_trust"][0] > 0
    assert np.corrcoef(width, mood)[0, 1] > 0.7


def test_beside_a_line_it_forecasts_the_line_and_its_own_remainder(built: Examples) -> None:
    from pipeline.models.members import lstm_network

    rows = built.between(0, 10_000)
    strength = ridge.Strength((0.1, 0.1), (1.0, 0.5))
    line = ridge.fit_line(built.last_rows(rows), built.relative, built.clipped, strength, QUANTILES)
    network = fit(lstm.subtract_line(built, line), rows)
    windows = built.windows(rows[:40])
    alone = lstm_network.forecast(network, windows)
    together = lstm.LSTM.quantiles(lstm.merge_arrays(line, network), windows)
    assert np.array_equal(together, ridge.forecast_location(line, windows[:, -1])[:, :, None] + alone)


def test_thinning_takes_whole_sessions_and_over_the_passes_all_of_them(built: Examples) -> None:
    rows = built.between(0, 10_000)
    parts = [built.thin(rows, len(rows) // 4, epoch) for epoch in range(4)]
    assert sorted(np.concatenate(parts)) == rows.tolist()
    assert all(set(built.session[a]).isdisjoint(built.session[b]) for a, b in pairwise(parts))


def test_the_optimiser_is_adam_with_decoupled_weight_decay() -> None:
    import torch

    from pipeline.models.members.optimiser import AdamW

    start = torch.tensor([[1.0, -2.0, 3.0]])
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    mine, reference = AdamW([ours], 0.1, 0.05), torch.optim.AdamW([theirs], lr=0.1, weight_decay=0.05)
    for step in range(20):
        for value, optimiser in ((ours, mine), (theirs, reference)):
            value.grad = None
            (value * torch.tensor([1.0, step, -0.3])).square().sum().backward()
            optimiser.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_the_last_fit_takes_what_the_folds_found_of_the_network() -> None:
    folds = [
        {"epochs": 0, "location_trust": (0.0,), "spread_trust": (0.0,)},
        {"epochs": 4, "location_trust": (1.0,), "spread_trust": (0.5,)},
        {"epochs": 2, "location_trust": (0.5,), "spread_trust": (1.0,)},
    ]
    assert lstm.settle(folds) == {"epochs": 4, "location_trust": (0.5,), "spread_trust": (0.5,)}
    assert lstm.settle(folds[:1])["epochs"] == 0


def test_exact_arithmetic_holds_until_the_last_thread_leaves_it() -> None:
    import torch

    from pipeline.models.members import lstm_network

    own = torch.get_deterministic_debug_mode()
    with ThreadPoolExecutor(1) as pool, lstm_network.exact_arithmetic():
        pool.submit(_enter_and_leave).result()
        assert (torch.get_num_threads(), torch.get_deterministic_debug_mode()) == (1, 2)
    assert torch.get_deterministic_debug_mode() == own


def _enter_and_leave() -> None:
    import torch

    from pipeline.models.members import lstm_network

    with lstm_network.exact_arithmetic():
        assert torch.get_num_threads() == 1
