"""Features that are expressions: computed for a whole range at once, across splits, dividends, halts and late facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.features.catalogue import NAMED_SETS, choose
from pipeline.features.engine.expressions import correlation, fact, lag, log, mean
from pipeline.features.feature import Feature
from pipeline.features.feature_set import extend
from pipeline.features.features import features
from pipeline.features.params import FeatureParams
from pipeline.features.try_feature import try_feature
from pipeline.plugins.extensions import Extensions
from tests.frames.features import CALENDAR, Market, action, bars, dividend, listings, moment, random_market, universe
from tests.pipeline.features.engine import reference

DAYS = CALENDAR.days[:90]
NAMES = [feature.name for feature in NAMED_SETS["alpha158"]]
CLOSE, VOLUME = fact("close"), fact("volume")


@cache
def alpha158() -> Extensions:
    return extend(choose(["alpha158"]))


def declare(**expressions: object) -> Extensions:
    return extend([Feature.express(name, "test", "share", one) for name, one in expressions.items()])  # type: ignore[arg-type]


def run(market: Market, session: date, since: date | None = None, extensions: Extensions | None = None) -> pl.DataFrame:
    tables = (
        market.market_prices, market.corporate_actions, market.ticker_universe, market.instruments,
        market.news_sentiment, market.intraday_prices, market.feature_rows,
    )  # fmt: skip
    asked = replace(moment(session, since), extensions=extensions or alpha158())
    return features(*tables, asked, FeatureParams())


def market_of(prices: pl.DataFrame, *actions: pl.DataFrame) -> Market:
    empty = random_market(2, 20)
    tickers = prices["ticker"].unique().sort().to_list()
    return replace(
        empty,
        market_prices=prices.sort("ticker", "interval", "ts", "revision"),
        corporate_actions=pl.concat([empty.corporate_actions.clear(), *actions]),
        ticker_universe=universe(tickers, prices["session"].unique().sort().to_list()),
        instruments=listings(tickers),
        news_sentiment=empty.news_sentiment.clear(),
    )


def walk_of(days: list[date], ticker: str = "AAA") -> pl.DataFrame:
    random = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.02, len(days))))
    return bars(
        ticker, days, open=close * 0.999, high=close * 1.01, low=close * 0.99, close=close,
        volume=random.integers(10_000, 90_000, len(days)),
    )  # fmt: skip


def test_a_range_gives_the_bits_of_its_sessions_one_by_one() -> None:
    market = random_market(6, 90)
    whole = run(market, DAYS[89], DAYS[70])
    each = pl.concat([run(market, day) for day in DAYS[70:90]])
    assert_frame_equal(whole, each, check_exact=True)
    assert whole.select(NAMES).null_count().sum_horizontal().item() == 0


def test_the_values_are_those_of_the_definitions_where_nothing_happens() -> None:
    prices = walk_of(list(DAYS))
    found = run(market_of(prices), DAYS[89]).select(NAMES).row(0)
    known = {name: prices[name].to_numpy().astype(float)[-61:, None] for name in ("open", "high", "low", "close")}
    known |= {"volume": prices["volume"].to_numpy().astype(float)[-61:, None]}
    known["vwap"] = (known["high"] + known["low"] + known["close"]) / 3
    wanted = [reference.evaluate(one.kernel, known)[-1, 0] for one in NAMED_SETS["alpha158"]]  # type: ignore[arg-type]
    assert found == pytest.approx(wanted, rel=1e-6, abs=1e-7)


def test_splits_and_dividends_in_a_window_change_no_factor() -> None:
    plain = walk_of(list(DAYS))
    split, paid = DAYS[50], DAYS[70]
    before = pl.col("session") < split
    # What went ex fell by a 50th, so that prices before are a 49th more and the dividend is what lacks.
    unpaid = pl.when(pl.col("session") < paid).then(50 / 49).otherwise(1.0)
    scale = pl.when(before).then(4.0).otherwise(1.0) * unpaid
    acted = plain.with_columns(
        (pl.col("open", "high", "low", "close") * scale),
        volume=pl.when(before).then(pl.col("volume") // 4).otherwise(pl.col("volume")),
    )
    at = plain.filter(pl.col("session") == paid)["close"].item()
    actions = action("AAA", split, numerator=4, denominator=1), dividend("AAA", paid, at / 49)
    whole = plain.with_columns(volume=pl.when(before).then(pl.col("volume") // 4 * 4).otherwise(pl.col("volume")))
    found, wanted = (
        run(one, DAYS[89], DAYS[60]).select(NAMES) for one in (market_of(acted, *actions), market_of(whole))
    )
    assert_frame_equal(found, wanted, rel_tol=1e-5, abs_tol=1e-6)


def test_a_window_behind_an_action_holds_the_traded_prices_exactly() -> None:
    market = market_of(walk_of(list(DAYS)), dividend("AAA", DAYS[80], 3.0))
    found = run(market, DAYS[89], extensions=declare(mean_5=mean(CLOSE, 5)))["mean_5"]
    without = run(market_of(walk_of(list(DAYS))), DAYS[89], extensions=declare(mean_5=mean(CLOSE, 5)))["mean_5"]
    assert found.equals(without)


def test_a_short_halt_is_a_price_that_stands_and_no_volume_and_a_long_one_starts_history_anew() -> None:
    asked = declare(stood=CLOSE / lag(CLOSE, 2), traded=mean(VOLUME, 2) / VOLUME)
    days = list(DAYS)
    short = run(market_of(bars("AAA", [*days[:60], *days[62:64]])), days[62], extensions=asked)
    assert short.select("stood", "traded").row(0) == (1.0, 0.5)
    long = run(market_of(bars("AAA", [*days[:60], *days[70:72]])), days[71], extensions=asked)
    assert long.select("stood", "traded").row(0) == (None, 1.0)


def test_fractions_of_a_volume_count() -> None:
    days = list(DAYS[:3])
    coins = bars("AAA", days, volume=[0, 1, 2]).with_columns(volume_rounding=pl.Series([0.4, 0.2, None]))
    found = run(market_of(coins), days[2], days[1], declare(traded=VOLUME / lag(VOLUME, 1)))["traded"]
    assert found.to_list() == pytest.approx([3.0, 2 / 1.2])


def test_a_restated_bar_counts_from_the_session_that_could_know_it() -> None:
    days = list(DAYS[:70])
    told = CALENDAR.close_at(days[66]) + timedelta(minutes=5)
    again = bars("AAA", [days[60]], close=110.0, high=111.0, revision=1, available_at=told)
    market = market_of(pl.concat([walk_of(days), again]))
    found = run(market, days[69], days[64], declare(mean_20=mean(CLOSE, 20)))
    each = pl.concat([run(market.until(day), day, extensions=declare(mean_20=mean(CLOSE, 20))) for day in days[64:70]])
    assert_frame_equal(found, each, check_exact=True)


def test_expressions_and_kernels_stand_in_the_order_in_which_they_are_declared() -> None:
    one, two = (
        Feature.express("one", "test", "share", CLOSE / CLOSE),
        Feature.express("two", "test", "share", 2 * CLOSE / CLOSE),
    )
    between = Feature("between", "test", "share", "3", 0, lambda view: np.full(view.has_row.shape, 3.0))
    rows = run(market_of(bars("AAA", list(DAYS[:5]))), DAYS[4], extensions=extend([two, between, one]))
    assert rows.columns[-3:] == ["two", "between", "one"]
    assert rows.select("two", "between", "one").row(0) == (2.0, 3.0, 1.0)


def test_a_named_set_adds_one_part_to_the_name_and_its_features_stay_as_they_are() -> None:
    parts = set(alpha158().definitions.values())
    assert len(parts) == 1
    other = extend([*choose(["alpha158"]), Feature.express("own", "test", "share", log(CLOSE / lag(CLOSE, 1)))])
    assert other.definitions["own"] not in parts
    assert {name: other.definitions[name] for name in NAMES} == dict(alpha158().definitions)


def test_a_formula_is_what_is_computed_and_says_how_far_it_looks_back() -> None:
    told = Feature.express("told", "test", "share", correlation(CLOSE / lag(CLOSE, 1), log(VOLUME + 1), 20))
    assert told.formula == "correlation(close / lag(close, 1), log(volume + 1), 20)"
    assert told.warm_up == 20


def test_an_expression_of_a_fact_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="'bad' uses the fact 'clsoe'; there are open, high"):
        try_feature(Feature.express("bad", "test", "share", mean(fact("clsoe"), 5)), CALENDAR)
    with pytest.raises(TypeError, match="'same' uses no fact"):
        try_feature(Feature.express("same", "test", "share", log(CLOSE * 0).inputs[0].inputs[1]), CALENDAR)
    with pytest.raises(ValueError, match=r"mean\(close\): window is 0; choose 1 to 252 sessions"):
        mean(CLOSE, 0)
