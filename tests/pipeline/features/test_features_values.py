"""What each feature's value is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from math import isnan, nan
from typing import Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.tables.market import CORPORATE_ACTIONS
from lake.tables.news import NEWS_SENTIMENT
from pipeline.features.catalogue import BUILT_IN, choose
from pipeline.features.feature_set import F1, current_set, extend
from pipeline.features.params import FeatureParams
from pipeline.market.sessions import Sessions, exchange_sessions
from tests.frames.features import (
    CALENDAR,
    Market,
    action,
    article,
    bars,
    dividend,
    listings,
    random_market,
    run,
    universe,
)
from tests.pipeline.features.reference import reference

NAMES = [feature.name for feature in BUILT_IN]
MOVES = choose(["residual_moves"])
OF_CURRENCY = {"dollar_volume_20", "dollar_volume_z_60", "amihud_20", "rank_dollar_volume_20"}


@pytest.mark.parametrize(("seed", "at"), [(1, 299), (2, 262), (3, 200), (4, 121), (5, 64), (6, 3), (7, 0)])
def test_every_feature_equals_its_plain_definition(seed: int, at: int) -> None:
    market = _with_gaps(random_market(7, 300, seed=seed), seed)
    session = market.sessions[at]
    rows = run(market.until(session), session, extensions=extend(MOVES))
    expected = reference(market, session)
    assert rows["ticker"].to_list() == list(expected)
    for row in rows.iter_rows(named=True):
        for name in (*NAMES, *(feature.name for feature in MOVES)):
            _same(row[name], expected[row["ticker"]][name], f"{row['ticker']} {session} {name}")


def test_complete_says_that_every_feature_of_the_first_set_has_a_value() -> None:
    market = random_market(4, 140)
    rows = run(market, market.sessions[-1], market.sessions[100])
    whole = pl.all_horizontal(pl.col(name).is_not_null() for name in F1)
    assert rows.select((pl.col("complete") == whole).all()).item()
    assert set(rows["complete"]) == {True, False}


def test_a_ticker_is_complete_from_its_121st_bar() -> None:
    market = random_market(4, 125)
    rows = run(market, market.sessions[-1], market.sessions[0]).filter(pl.col("complete"))
    assert rows["session"].min() == market.sessions[120]


def test_what_needs_more_history_than_there_is_is_null_and_never_zero() -> None:
    market = random_market(4, 15)
    rows = run(market, market.sessions[-1])
    assert rows["return_20"].null_count() == rows["volatility_20"].null_count() == rows["high_252"].null_count() == 4
    assert rows["return_10"].null_count() == rows["rsi_14"].null_count() == 0


def test_the_first_session_ever_gives_rows_without_returns() -> None:
    market = random_market(3, 5)
    rows = run(market.until(market.sessions[0]), market.sessions[0])
    assert rows.height == 3
    assert rows["return_1"].null_count() == 3
    assert rows["intraday_1"].null_count() == 0


def test_a_session_without_bars_gives_no_rows() -> None:
    market = random_market(2, 5)
    assert run(market, CALENDAR.days[6]).is_empty()


def test_no_bars_at_all_give_no_rows() -> None:
    market = random_market(2, 5)
    assert run(replace(market, market_prices=market.market_prices.clear()), CALENDAR.days[4]).is_empty()


def test_a_split_changes_no_feature() -> None:
    market = replace(random_market(5, 290), corporate_actions=CORPORATE_ACTIONS.empty())
    day, last = market.sessions[270], market.sessions[-1]
    after = (pl.col("ticker") == "T002") & (pl.col("session") >= day)
    prices = [
        pl.when(after).then(pl.col(name) / 2).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    ]
    volume = pl.when(after).then(pl.col("volume") * 2).otherwise(pl.col("volume")).alias("volume")
    split = replace(
        market,
        market_prices=market.market_prices.with_columns(*prices, volume),
        corporate_actions=action("T002", day),
    )
    _alike(run(market, last, day), run(split, last, day), NAMES)


def test_a_dividend_changes_no_feature_but_those_of_the_money_traded() -> None:
    market = replace(random_market(5, 290), corporate_actions=CORPORATE_ACTIONS.empty())
    day, last, amount = market.sessions[270], market.sessions[-1], 2.0
    close = market.market_prices.filter((pl.col("ticker") == "T002") & (pl.col("session") == day))["close"].item()
    after = (pl.col("ticker") == "T002") & (pl.col("session") >= day)
    prices = [
        pl.when(after).then(pl.col(name) * (1 - amount / close)).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    ]
    paid = replace(
        market,
        market_prices=market.market_prices.with_columns(*prices),
        corporate_actions=dividend("T002", day, amount),
    )
    _alike(run(market, last, day), run(paid, last, day), [name for name in NAMES if name not in OF_CURRENCY])


@cache
def _in_one_unit() -> tuple[Market, pl.DataFrame]:
    """A market without splits and dividends, and its features at the last session."""
    market = replace(random_market(3, 130), corporate_actions=CORPORATE_ACTIONS.empty())
    return market, run(market, market.sessions[-1])


@settings(max_examples=15, deadline=None)
@given(factor=st.floats(0.01, 1_000))
def test_the_unit_of_the_price_changes_no_feature_but_those_of_the_money_traded(factor: float) -> None:
    market, plain = _in_one_unit()
    prices = [pl.col(name) * factor for name in ("open", "high", "low", "close")]
    scaled = replace(market, market_prices=market.market_prices.with_columns(prices))
    _alike(plain, run(scaled, market.sessions[-1]), [name for name in NAMES if name not in OF_CURRENCY])


def test_a_ticker_without_a_bar_gets_no_row() -> None:
    market = random_market(3, 130)
    last = market.sessions[-1]
    halted = _without(market, "T001", [last])
    assert run(halted, last)["ticker"].to_list() == ["T000", "T002"]


def test_the_last_close_stands_for_a_short_halt() -> None:
    market = replace(random_market(3, 130), corporate_actions=CORPORATE_ACTIONS.empty())
    days = market.sessions
    halted = run(_without(market, "T001", days[-4:-1]), days[-1]).row(1, named=True)
    whole = run(market, days[-1]).row(1, named=True)
    assert halted["return_5"] == pytest.approx(whole["return_5"], rel=1e-5)
    closes = market.market_prices.filter(pl.col("ticker") == "T001")["close"].to_list()
    assert halted["return_1"] == pytest.approx(np.log(closes[-1] / closes[-5]), rel=1e-5)


def test_after_a_long_halt_history_starts_anew() -> None:
    market = random_market(3, 150)
    days = market.sessions
    row = run(_without(market, "T001", days[-16:-10]), days[-1]).row(1, named=True)
    assert row["return_5"] is not None
    assert row["return_10"] is None
    assert not row["complete"]


def test_volume_averages_need_bars_for_four_fifths_of_the_window() -> None:
    market = random_market(3, 150)
    days = market.sessions
    four, five = (_without(market, "T001", days[-1 - 2 * n : -1 : 2]) for n in (4, 5))
    assert run(four, days[-1]).row(1, named=True)["dollar_volume_20"] is not None
    assert run(five, days[-1]).row(1, named=True)["dollar_volume_20"] is None


def test_a_price_that_never_moves_leans_to_neither_side() -> None:
    days = list(CALENDAR.days[:130])
    flat = bars("FLAT", days, open=10.0, high=10.0, low=10.0, close=10.0, volume=0)
    market = random_market(3, 130)
    market = replace(
        market,
        market_prices=pl.concat([market.market_prices, flat]),
        ticker_universe=pl.concat([market.ticker_universe, universe(["FLAT"], days)]),
    )
    row = run(market, days[-1]).row(0, named=True)
    neutral = ["rsi_14", "stochastic_14", "williams_28", "cci_20", "bollinger_20", "directional_14", "adx_14"]
    assert {row[name] for name in [*neutral, "close_location_1", "money_flow_14"]} == {0.0}
    assert row["correlation_60"] is None
    assert row["relative_volume_20"] is None


def test_benchmarks_and_unlisted_tickers_get_no_row() -> None:
    market = random_market(4, 130)
    last = market.sessions[-1]
    market = replace(
        market,
        instruments=pl.concat([listings(["T001", "T002", "T003"]), listings(["T000"], role="benchmark")]),
        ticker_universe=market.ticker_universe.filter(pl.col("ticker") != "T003"),
    )
    assert run(market, last)["ticker"].to_list() == ["T001", "T002"]


def test_a_ticker_that_is_no_member_is_placed_among_members_and_moves_nobody() -> None:
    market = random_market(5, 130)
    last = market.sessions[-1]
    outsider = pl.when(pl.col("ticker") == "T004").then(False).otherwise(pl.col("member")).alias("member")
    market = replace(market, ticker_universe=market.ticker_universe.with_columns(outsider))
    alone = replace(market, market_prices=market.market_prices.filter(pl.col("ticker") != "T004"))
    rows = run(market, last)
    assert rows.head(4).equals(run(alone, last))
    returns = rows["return_20"].to_list()
    below = sum(other < returns[4] for other in returns[:4])
    assert rows["rank_return_20"][4] == pytest.approx((2 * below - 4) / 4)


def test_ranks_run_from_worst_to_best_in_equal_steps() -> None:
    market = random_market(5, 130)
    rows = run(market, market.sessions[-1]).sort("return_20")
    assert rows["rank_return_20"].to_list() == [-1.0, -0.5, 0.0, 0.5, 1.0]


def test_a_single_member_has_no_rank() -> None:
    market = random_market(1, 130)
    assert run(market, market.sessions[-1])["rank_return_20"].to_list() == [None]


def test_no_news_is_neutral_and_an_unknown_score_only_counts_as_an_article() -> None:
    market = random_market(2, 130)
    last = market.sessions[-1]
    silent = run(replace(market, news_sentiment=NEWS_SENTIMENT.empty()), last).row(0, named=True)
    unknown = run(replace(market, news_sentiment=article(1, "T000", last, None)), last).row(0, named=True)
    for name in ("sentiment_1", "sentiment_3", "sentiment_5", "sentiment_10", "sentiment_surprise"):
        assert silent[name] == unknown[name] == 0.0
    assert silent["news_count_1"] == 0.0
    assert unknown["news_count_1"] == pytest.approx(np.log(2))


def test_two_scorers_of_one_article_share_its_weight() -> None:
    market = random_market(2, 130)
    last = market.sessions[-1]
    one = article(1, "T000", last, 0.5)
    two = pl.concat([article(1, "T000", last, 0.2), article(1, "T000", last, 0.8, scorer="gpt")])
    rows = [run(replace(market, news_sentiment=news), last) for news in (one, two)]
    assert rows[0]["sentiment_1"][0] == pytest.approx(0.25)
    assert rows[1]["sentiment_1"][0] == pytest.approx(0.25)
    assert rows[0]["news_count_1"][0] == rows[1]["news_count_1"][0]


def test_a_short_session_is_a_half_day() -> None:
    days = CALENDAR.days[:130]
    closes = list(CALENDAR.closes[:130])
    closes[128] -= timedelta(hours=3)
    calendar = Sessions("HALF", days, CALENDAR.opens[:130], tuple(closes))
    market = random_market(2, 130, calendar=calendar)
    rows = run(market, days[129], days[127])
    assert rows.filter(pl.col("ticker") == "T000")["half_day"].to_list() == [0.0, 1.0, 0.0]


def test_a_bar_on_a_day_without_trading_is_refused_by_name() -> None:
    market = random_market(1, 10)
    sunday = market.market_prices.head(1).with_columns(session=pl.lit(date(2020, 1, 5)))
    market = replace(market, market_prices=pl.concat([market.market_prices, sunday]))
    with pytest.raises(ValueError, match="1 rows lie on days XNYS did not trade, the first on 2020-01-05"):
        run(market, market.sessions[-1])


def test_rows_carry_the_current_feature_set() -> None:
    market = random_market(2, 5)
    assert set(run(market, market.sessions[-1])["feature_set"]) == {current_set().name}


def _with_gaps(market: Market, seed: int) -> Market:
    """Drop single bars here and there, a long halt for one ticker; one is no member, two speak on one article."""
    rng = np.random.default_rng(seed)
    kept = rng.random(market.market_prices.height) > 0.02
    halt = (pl.col("ticker") == "T003") & pl.col("session").is_between(market.sessions[150], market.sessions[158])
    prices = market.market_prices.filter(pl.Series(kept) & ~halt)
    outsider = (pl.col("member") & (pl.col("ticker") != "T005")).alias("member")
    again = market.news_sentiment.head(20).with_columns(scorer=pl.lit("gpt"), score=pl.lit(0.1))
    return replace(
        market,
        market_prices=prices,
        ticker_universe=market.ticker_universe.with_columns(outsider),
        news_sentiment=pl.concat([market.news_sentiment, again]),
    )


def _without(market: Market, ticker: str, days: list[date]) -> Market:
    gone = (pl.col("ticker") == ticker) & pl.col("session").is_in(pl.Series(days).implode())
    return replace(market, market_prices=market.market_prices.filter(~gone))


def _same(actual: float | None, expected: float, what: str) -> None:
    if isnan(expected):
        assert actual is None, f"{what}: {actual} where nothing can be known"
    else:
        found = nan if actual is None else actual
        assert found == pytest.approx(expected, rel=2e-5, abs=2e-6), f"{what}: {actual} instead of {expected}"


def _alike(one: pl.DataFrame, two: pl.DataFrame, names: list[str]) -> None:
    assert one.height == two.height > 0
    for name in names:
        np.testing.assert_allclose(one[name].to_numpy(), two[name].to_numpy(), rtol=1e-5, atol=1e-6, err_msg=name)
        assert one[name].null_count() == two[name].null_count()


@pytest.mark.parametrize(("calendar", "sessions"), [(2, 3), (1, 1)])
def test_a_closure_that_nobody_had_scheduled_is_not_foreseen_but_by_runs_of_before(
    calendar: Literal[1, 2], sessions: int
) -> None:
    whole, friday = exchange_sessions("XNYS"), date(2012, 10, 26)
    low, high = whole.position(date(2012, 10, 1)), whole.position(date(2012, 11, 30))
    autumn = replace(whole, days=whole.days[low:high], opens=whole.opens[low:high], closes=whole.closes[low:high])
    market = random_market(2, autumn.position(friday) + 1, calendar=autumn)
    rows = run(market, friday, params=FeatureParams(calendar=calendar))
    assert rows["month_till"].to_list() == [sessions, sessions]
