"""What cannot be computed is refused in words that name the feature, or is null; it is never infinite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from pipeline.features.catalogue import NAMED_SETS
from pipeline.features.engine.expressions import Expression, cross_rank, fact, lag, log, mean, root
from pipeline.features.feature import Feature
from pipeline.features.feature_set import extend
from pipeline.features.features import features
from pipeline.features.params import FeatureParams
from pipeline.features.trailing_window import View
from pipeline.features.try_feature import try_feature
from tests.frames.features import CALENDAR, Market, moment, random_market, run

CLOSE = fact("close")


def kernel(compute: Callable[[View], object]) -> Feature:
    return Feature("mine", "test", "ratio", "mine", 5, compute)  # type: ignore[arg-type]


def express(expression: Expression) -> Feature:
    return Feature.express("mine", "test", "ratio", expression)


def compute(market: Market, *declared: Feature) -> pl.DataFrame:
    last = market.sessions[-1]
    tables = (
        market.market_prices, market.corporate_actions, market.ticker_universe, market.instruments,
        market.news_sentiment, market.intraday_prices, market.feature_rows,
    )  # fmt: skip
    return features(*tables, replace(moment(last), extensions=extend(declared)), FeatureParams())


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (kernel(lambda view: view.close(2)[0] / (1 // 0)), "fails on made-up sessions: ZeroDivisionError"),
        (kernel(lambda view: view.close(2)[0] / np.zeros(len(view.has_row))), "has no value on made-up sessions"),
        (kernel(lambda view: np.full(len(view.has_row), np.nan)), "has no value on made-up sessions"),
        (kernel(lambda view: np.full(len(view.has_row), np.inf)), "has no value on made-up sessions"),
        (kernel(lambda view: view.panel.log_growth[view.panel.row(view.session, view.calendar) + 1]), "looks ahead"),
        (express(CLOSE / (CLOSE - CLOSE)), "has no value on made-up sessions"),
        (express(CLOSE / 0), "has no value on made-up sessions"),
        (express(root(0 - CLOSE)), "has no value on made-up sessions"),
        (express(cross_rank(log(CLOSE - CLOSE))), "has no value on made-up sessions"),
        (express(mean(fact("earnings"), 5)), "uses the fact 'earnings'"),
    ],
)
def test_a_feature_that_cannot_be_computed_is_refused_by_name_when_it_loads(feature: Feature, words: str) -> None:
    with pytest.raises(TypeError, match=f"feature 'mine' {words}"):
        try_feature(feature, CALENDAR)


def test_no_expression_can_look_ahead() -> None:
    with pytest.raises(ValueError, match=r"lag\(close\): window is -1; choose 1 to 252 sessions"):
        lag(CLOSE, -1)


def test_every_expression_of_the_program_has_a_value() -> None:
    for declared in NAMED_SETS.values():
        for feature in declared[::7]:
            try_feature(feature, CALENDAR)


def test_a_value_that_is_no_number_is_null_and_the_others_stay() -> None:
    market = random_market(4, 40)
    halves = Feature(
        "halves", "test", "ratio", "one over 0 for some", 0, lambda view: 1.0 / (np.arange(len(view.has_row)) % 2)
    )
    sides = Feature.express("sides", "test", "ratio", CLOSE / (CLOSE - lag(CLOSE, 1) * 0 - CLOSE))
    rows = compute(market, halves, sides)
    assert rows["halves"].to_list() == [None, 1.0, None, 1.0] and rows["sides"].null_count() == 4
    assert rows.drop("halves", "sides").equals(compute(market).with_columns(feature_set=rows["feature_set"]))


def test_an_infinite_price_makes_unknown_what_it_is_in_and_nothing_else() -> None:
    market = random_market(3, 200)
    day = market.sessions[-30]
    here = (pl.col("ticker") == "T001") & (pl.col("session") == day)
    high = pl.when(here).then(float("inf")).otherwise("high").alias("high")
    spoilt = run(replace(market, market_prices=market.market_prices.with_columns(high)), market.sessions[-1])
    clean = run(market, market.sessions[-1])
    others = pl.col("ticker") != "T001"
    assert spoilt.filter(others).equals(clean.filter(others))
    values = spoilt.select(pl.selectors.float()).to_numpy()
    assert not np.isinf(values).any()
    assert spoilt.filter(~others)["low_20"].item() == clean.filter(~others)["low_20"].item()


def test_one_ticker_alone_has_its_own_features_and_no_rank() -> None:
    rows = run(random_market(1, 300), random_market(1, 300).sessions[-1])
    assert rows.height == 1 and rows["rank_return_5"].null_count() == 1 and not rows["complete"].item()
    assert rows.select("return_1", "volatility_60", "beta_60", "high_252").null_count().sum_horizontal().item() == 0
    assert rows["sector_return_5"].item() == 0.0


@pytest.mark.parametrize("sessions", [6, 21, 61])
def test_with_fewer_sessions_than_its_warm_up_a_feature_is_null(sessions: int) -> None:
    market = random_market(3, sessions)
    rows = run(market, market.sessions[-1])
    for back in (1, 2, 3, 5, 10, 20, 60, 120):
        assert (rows[f"return_{back}"].null_count() == 3) == (back >= sessions), back
    assert rows["complete"].sum() == 0
