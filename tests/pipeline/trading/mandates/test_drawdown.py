"""How far a book is under its best: by its own value, or beside its benchmark."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.trading.mandates.drawdown import LOOKBACK, Drawdown, find_level, measure_drawdown, read_drawdown
from pipeline.trading.mandates.mandate import Mandate
from pipeline.trading.philosophy.params import Philosophy

LISTED = pl.DataFrame(
    {"ticker": ["AAA", "DAX", "SPY"], "role": ["stock", "benchmark", "benchmark"], "currency": ["USD", "EUR", "USD"]}
)


@given(st.lists(st.floats(-0.5, 1.0), min_size=1, max_size=30))
def test_a_book_that_falls_with_its_benchmark_is_not_behind_it(returns: list[float]) -> None:
    levels, level = [], 1_000.0
    for one in returns:
        level *= 1 + one
        levels.append(level)
    assert measure_drawdown(0.5, returns, levels).size == pytest.approx(0.0, abs=1e-12)


def test_what_bets_lost_is_seen_in_a_market_that_rises() -> None:
    found = measure_drawdown(0.0, [0.0, 0.10, 0.05, 0.05], [100.0, 100.0, 110.0, 120.0])
    assert found == Drawdown(pytest.approx(1 - 1.05 * 1.05 / 1.2), beside_benchmark=True)


@pytest.mark.parametrize("levels", [[], [100.0, None], [100.0, 0.0]], ids=["none", "not now", "worth nothing"])
def test_without_a_benchmark_on_record_the_books_own_drawdown_counts(levels: list[float | None]) -> None:
    assert measure_drawdown(0.3, [0.0, -0.3], levels) == Drawdown(0.3)


def test_a_benchmark_counts_from_where_it_is_on_record() -> None:
    returns, levels = [0.0, 0.9, -0.1, 0.0], [100.0, None, 50.0, 50.0]
    assert measure_drawdown(0.3, returns, levels) == Drawdown(0.0, beside_benchmark=True)
    assert measure_drawdown(0.3, returns[-2:], levels) == Drawdown(0.0, beside_benchmark=True)


def test_a_best_of_more_than_a_year_ago_is_forgotten() -> None:
    count = LOOKBACK + 1
    lost = pl.DataFrame({"session": range(count), "session_return": [0.0, -0.2] + [0.0] * (count - 2)})
    lost = lost.with_columns(drawdown=pl.lit(0.2), equal_weight=pl.lit(1.0))
    assert read_drawdown(lost.reverse(), "equal_weight") == Drawdown(pytest.approx(0.2), beside_benchmark=True)
    later = pl.concat([lost, lost.tail(1).with_columns(pl.col("session") + 1)])
    assert read_drawdown(later, "equal_weight") == Drawdown(0.0, beside_benchmark=True)
    assert read_drawdown(later, None) == Drawdown(0.2)


@pytest.mark.parametrize(
    ("mandate", "level"),
    [
        (Mandate(), "equal_weight"),
        (Mandate(benchmark="SPY"), "benchmark"),
        (Mandate(benchmark="DAX"), None),
        (Mandate(benchmark="AAA"), None),
        (Mandate(mode="absolute"), None),
    ],
    ids=["equal weight", "the one on record", "another", "a stock", "absolute"],
)
def test_the_level_is_that_of_the_mandates_benchmark(mandate: Mandate, level: str | None) -> None:
    assert find_level(mandate, Philosophy(), LISTED, "USD") == level
    assert find_level(mandate, Philosophy(drawdown_of="value"), LISTED, "USD") is None
