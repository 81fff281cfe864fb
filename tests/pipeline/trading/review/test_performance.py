"""Statistics of a track record, held against worked examples and known limits."""

from decimal import Decimal
from math import sqrt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.trading.review.performance import (
    activity,
    compare,
    deflated_sharpe,
    max_drawdown,
    measure,
    probabilistic_sharpe,
    sharpe,
    sharpe_difference_interval,
    sortino,
    stationary_indices,
)
from tests.frames.trading import DAYS, SETTLE, World, bar


def walk(size: int, mean: float = 0.0005, seed: int = 1) -> list[float]:
    return np.random.default_rng(seed).normal(mean, 0.01, size).tolist()


def test_a_worked_example() -> None:
    row = measure([0.10, -0.20, 0.05, 0.0], sessions_per_year=4)
    assert row.total_return == pytest.approx(1.1 * 0.8 * 1.05 - 1)
    assert row.cagr == pytest.approx(1.1 * 0.8 * 1.05 - 1)  # four sessions are a year here
    assert row.max_drawdown == pytest.approx(0.20)
    assert row.calmar == pytest.approx(row.cagr / 0.20)
    assert row.hit_rate == pytest.approx(2 / 3)
    assert row.sharpe == pytest.approx(-0.0125 / np.std([0.1, -0.2, 0.05, 0.0], ddof=1) * 2)
    assert row.sortino == pytest.approx(-0.0125 / sqrt(0.04 / 4) * 2)


def test_a_record_that_does_not_vary_has_no_sharpe_ratio() -> None:
    assert sharpe([0.0] * 30, 252) is None
    assert sharpe([0.1] * 30, 252) is None  # though the float deviation of equal numbers need not be 0
    assert sortino([0.01, 0.02], 252) is None
    assert measure([], 252).sharpe is None


def test_what_is_no_return_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 returns are no returns, the first is nan at 1"):
        measure([0.1, float("nan")], 252)
    with pytest.raises(ValueError, match="no returns"):
        max_drawdown([-1.5])


@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=60))
def test_a_drawdown_lies_between_nothing_and_everything_and_a_rise_has_none(returns: list[float]) -> None:
    assert 0 <= max_drawdown(returns) <= 1
    assert max_drawdown([abs(r) for r in returns]) == pytest.approx(0.0, abs=1e-12)


def test_resampling_keeps_blocks_of_the_stated_mean_length_and_is_repeatable() -> None:
    draws = stationary_indices(500, 200, 8, seed=3)
    assert ((draws >= 0) & (draws < 500)).all()
    continued = (draws[:, 1:] - draws[:, :-1]) % 500 == 1
    assert 1 / (1 - continued.mean()) == pytest.approx(8, rel=0.1)
    assert (draws == stationary_indices(500, 200, 8, seed=3)).all()


def test_the_interval_of_a_sharpe_difference_contains_zero_for_a_record_against_its_like() -> None:
    low, high = sharpe_difference_interval(walk(750, seed=1), walk(750, seed=2), 252, seed=1)
    assert low is not None and high is not None
    assert low < 0 < high
    low, high = sharpe_difference_interval(walk(750, 0.004), walk(750, -0.004, seed=2), 252, seed=1)
    assert low is not None and low > 0


def test_a_record_against_itself_differs_in_nothing() -> None:
    row = compare(walk(100), walk(100), 252, seed=1, resamples=200)
    assert (row.excess_return, row.tracking_error, row.information_ratio) == (0.0, 0.0, None)
    assert (row.low, row.high) == (0.0, 0.0)
    assert row.beta == pytest.approx(1.0)
    with pytest.raises(ValueError, match="100 and 99 sessions"):
        compare(walk(100), walk(99), 252, seed=1)


def test_the_more_was_tried_the_less_a_record_is_worth() -> None:
    record = walk(500, 0.001)
    chances = [deflated_sharpe(record, trials) for trials in (1, 10, 1000)]
    assert chances[0] == probabilistic_sharpe(record, 0.0)
    assert 1 > chances[0] > chances[1] > chances[2] > 0  # type: ignore[operator]


def test_the_best_of_many_worthless_records_is_not_taken_for_skill() -> None:
    records = [walk(250, 0.0, seed) for seed in range(200)]
    best = max(records, key=lambda r: sharpe(r, 252) or 0.0)
    assert probabilistic_sharpe(best, 0.0) > 0.98  # type: ignore[operator]
    assert deflated_sharpe(best, 200) < 0.9  # type: ignore[operator]


def test_the_figures_of_trading_come_from_the_tables() -> None:
    world = World(*[bar("AAA", day, 100.0 + 20 * n) for n, day in enumerate(DAYS[:4])], settling=SETTLE)
    world.order(DAYS[0], "AAA", "buy", 100)
    world.order(DAYS[1], "AAA", "sell", 100)
    world.settle_to(DAYS[3])
    row = activity(
        world.rows("executed_trades"),
        world.rows("trade_reflections"),
        world.rows("portfolio_value"),
        sessions_per_year=4,
    )
    value = world.value(DAYS[3])
    assert (row.trades, row.unfilled, row.closed, row.hit_rate, row.profit_factor) == (2, 0, 1, 1.0, None)
    assert Decimal(str(row.commission)) == value["commission"]
    assert row.turnover == pytest.approx(float(world.rows("executed_trades")["gross"].sum()) / 1e6, rel=1e-3)
    assert row.cost_of_nav == pytest.approx((row.commission + row.spread + row.impact) / 1e6, rel=1e-3)
    none = activity(
        world.rows("executed_trades").clear(), world.rows("trade_reflections").clear(), pl.DataFrame({"nav": []}), 252
    )
    assert (none.turnover, none.hit_rate) == (None, None)
