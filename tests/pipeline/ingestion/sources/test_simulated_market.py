"""The simulated market is repeatable, plausible, and forecastable exactly as far as it says."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

import numpy as np
import polars as pl
import pytest

from lake.tables.market import RAW_PRICES
from lake.tables.news import RAW_NEWS
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.simulated.instruments import draw_instruments
from pipeline.ingestion.sources.simulated.params import FaultRates, SimulatedParams, Strengths
from pipeline.ingestion.sources.simulated.returns import BURN_IN, simulate
from pipeline.ingestion.sources.simulated.source import BENCHMARK, SimulatedSource
from pipeline.market.returns import daily_total_returns, forward_total_returns
from tests.pipeline.ingestion.sources.markets import calendar, full_market, lines, market

HORIZONS = (1, 5, 20)


def fingerprint(source: SimulatedSource) -> str:
    """A hash of everything the source says about its history."""
    first, last = source.coverage()
    said = [
        *source.prices(first, last, history=True)["payload_id"],
        *source.news(first, last, history=True)["payload_id"],
        *source.prices(last, last, history=False)["payload_id"],
        source.best_forecast(last).write_csv(),
    ]
    return hashlib.sha256("".join(said).encode()).hexdigest()


@lru_cache(maxsize=8)
def actions(source: SimulatedSource) -> pl.DataFrame:
    """Delivered actions, typed."""
    first, last = source.coverage()
    told = pl.DataFrame(lines(source.prices(first, last, history=True), "actions"), infer_schema_length=None)
    return told.with_columns(
        pl.col("ex_date", "pay_date").cast(pl.String).str.to_date("%Y-%m-%d"),
        pl.col("numerator", "denominator").cast(pl.Int64),
        pl.col("amount").cast(pl.Float64),
        pl.col("available_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%:z"),
    )


@lru_cache(maxsize=8)
def outcomes(source: SimulatedSource, every: int = 4) -> pl.DataFrame:
    """Forecasts of one session in so many, beside what came, from as-traded bars and actions alone."""
    first, last = source.coverage()
    stocks = source.true_bars(first, last).filter(pl.col("ticker") != BENCHMARK)
    told = actions(source)
    daily = daily_total_returns(stocks, told)
    came = forward_total_returns(daily, HORIZONS, source.calendar, told.filter(pl.col("kind") == "delisting"))
    days = source.calendar.between(first, last)[70:-21:every]
    forecasts = pl.concat(source.best_forecast(day, HORIZONS) for day in days)
    return forecasts.join(came, on=["session", "ticker", "horizon"])


def daily_ic(joined: pl.DataFrame) -> pl.DataFrame:
    """Rank correlation across tickers of forecast and outcome, per horizon and session."""
    return joined.group_by("horizon", "session").agg(ic=pl.corr("expected_return", "forward_return", method="spearman"))


def test_two_markets_with_equal_parameters_say_the_same_in_any_order_of_questions() -> None:
    one, other = market(), market()
    last = other.coverage()[1]
    other.best_forecast(last)
    other.news(last, last, history=False)
    assert fingerprint(one) == fingerprint(other)


def test_another_seed_is_another_market() -> None:
    assert fingerprint(market(seed=7)) != fingerprint(market(seed=8))


def test_a_longer_simulation_never_changes_what_was_said_about_earlier_sessions() -> None:
    rates = FaultRates()
    short, long = market(faults=rates), market(faults=rates, history_sessions=300)
    days = calendar().between(*short.coverage())
    long.best_forecast(calendar().offset(days[-1], 500))
    for day in (days[130], days[133], days[170], days[-1]):
        fresh = market(faults=rates)
        assert fresh.prices(days[0], day, history=True).equals(long.prices(days[0], day, history=True))
        assert fresh.news(days[0], day, history=True).equals(long.news(days[0], day, history=True))
        assert fresh.prices(day, day, history=False).equals(long.prices(day, day, history=False))
        assert fresh.best_forecast(day).equals(long.best_forecast(day))
    assert short.faults(days[0], days[-1]).equals(long.faults(days[0], days[-1]))


@pytest.mark.cold
@pytest.mark.parametrize("threads", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_another_process_with_other_threads_and_hashes_says_the_same(threads: str) -> None:
    code = (
        "from tests.pipeline.ingestion.sources.test_simulated_market import fingerprint\n"
        "from tests.pipeline.ingestion.sources.markets import market\n"
        "print(fingerprint(market(history_sessions=120)))"
    )
    environment = {**os.environ, "POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": threads}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == fingerprint(market(history_sessions=120))


def test_what_it_delivers_meets_the_contracts_of_the_raw_tables() -> None:
    source = full_market()
    first, last = source.coverage()
    for raw in (source.prices(first, last, history=True), source.prices(last, last, history=False)):
        RAW_PRICES.check(raw)
        assert set(raw["kind"]) <= {"bars", "actions", "listings"}
        assert raw.filter(pl.col("kind") == "bars")["ticker"].is_unique().all()
    RAW_NEWS.check(source.news(first, last, history=True))
    assert len(calendar().between(first, last)) == SimulatedParams().history_sessions


def test_the_best_forecast_has_the_skill_a_learner_is_measured_against() -> None:
    ic = daily_ic(outcomes(full_market())).group_by("horizon").agg(pl.col("ic").mean())
    level = dict(ic.iter_rows())
    assert 0.07 < level[1] < 0.14
    assert 0.12 < level[5] < 0.24
    assert 0.10 < level[20] < 0.35


def test_the_best_forecast_is_right_on_average() -> None:
    for horizon in (1, 5):
        assert_right_on_average(outcomes(full_market()), horizon)


def assert_right_on_average(joined: pl.DataFrame, horizon: int) -> None:
    """Slope of outcome on forecast within each session is 1, within three standard errors taken over sessions."""
    centred = joined.filter(pl.col("horizon") == horizon).select(
        "session",
        x=pl.col("expected_return") - pl.col("expected_return").mean().over("session"),
        y=pl.col("forward_return") - pl.col("forward_return").mean().over("session"),
    )
    sums = centred.group_by("session").agg(xy=(pl.col("x") * pl.col("y")).sum(), xx=(pl.col("x") ** 2).sum())
    slope = float(sums["xy"].sum()) / float(sums["xx"].sum())
    errors = (sums["xy"] - slope * sums["xx"]).to_numpy()
    overlap = max(1, horizon // 2 + 1)
    se = float(np.sqrt((errors**2).sum() * overlap)) / float(sums["xx"].sum())
    assert abs(slope - 1) < 3 * se, (horizon, slope, se)


NONLINEAR = {"interaction": 0.3, "threshold": 0.4, "switching": 0.4}


@pytest.mark.parametrize(
    "part", ["switching", *(pytest.param(one, marks=pytest.mark.slow) for one in ("interaction", "threshold"))]
)
def test_what_no_line_sees_can_be_forecast_and_is_right_on_average(part: str) -> None:
    alone = {name: NONLINEAR[name] if name == part else 0.0 for name in vars(Strengths())}
    source = market(names=64, history_sessions=600, strengths=Strengths(**alone))
    joined = outcomes(source, every=2)
    scores = daily_ic(joined.filter(pl.col("horizon") == 1))["ic"].drop_nulls().to_numpy()
    assert scores.mean() > 3 * scores.std() / np.sqrt(len(scores))
    for horizon in (1, 5):
        assert_right_on_average(joined, horizon)


def test_last_weeks_return_alone_does_not_tell_what_no_line_sees() -> None:
    """Over all of a long market's drift, its correlation with each of the two returns it is made of is near 0."""
    source = market(names=64, history_sessions=3_000, strengths=Strengths(momentum=0, reversal=0, news=0, **NONLINEAR))
    path = simulate(source.instruments, source.params, 3_000)
    surprise, since = path.surprise / source.instruments.volatility, range(BURN_IN, BURN_IN + 3_000)
    week, months = (
        np.array([surprise[row - back : row - until].sum(axis=0) for row in since]).ravel()
        for back, until in ((5, 0), (60, 5))
    )
    hidden = path.drift - path.drift.mean(axis=1, keepdims=True)
    for told in (week, months):
        assert abs(np.corrcoef(told, hidden.ravel())[0, 1]) < 0.1
    assert abs(np.corrcoef(week * months, hidden.ravel())[0, 1]) > 0.5


def test_without_signal_nothing_is_left_to_forecast() -> None:
    source = full_market(signal=0.0)
    joined = outcomes(source)
    scores = daily_ic(joined.filter(pl.col("horizon") == 1))["ic"].drop_nulls().to_numpy()
    assert abs(scores.mean()) < 3.5 * scores.std() / np.sqrt(len(scores))
    spread = joined.filter(pl.col("horizon") == 1)["expected_return"]
    assert float(spread.max()) < 0.001  # what is left is the constant drift, times beta
    assert float(spread.min()) > 0.0


@pytest.mark.parametrize("part", ["momentum", "reversal", "news"])
def test_each_planted_part_can_be_forecast_by_itself(part: str) -> None:
    alone = {name: 0.0 for name in ("momentum", "reversal", "news", "regime") if name != part}
    source = market(names=64, history_sessions=600, strengths=replace(Strengths(), **alone))
    scores = daily_ic(outcomes(source).filter(pl.col("horizon") == 1))["ic"].drop_nulls().to_numpy()
    assert scores.mean() > 3 * scores.std() / np.sqrt(len(scores))


def test_most_of_the_forecast_can_still_be_earned_after_the_next_open() -> None:
    source = full_market()
    first, last = source.coverage()
    stocks = source.true_bars(first, last).filter(pl.col("ticker") != BENCHMARK).sort("ticker", "session")
    gaps = stocks.select(
        "ticker",
        "session",
        previous=pl.col("session").shift(1).over("ticker"),
        gap=pl.col("open") / pl.col("close").shift(1).over("ticker") - 1,
    ).filter(pl.col("gap").abs() < 0.2)
    forecasts = outcomes(source).filter(pl.col("horizon") == 1)
    joined = forecasts.join(gaps, left_on=["ticker", "session"], right_on=["ticker", "previous"])
    demeaned = joined.select(
        x=pl.col("expected_return") - pl.col("expected_return").mean().over("session"),
        gap=pl.col("gap") - pl.col("gap").mean().over("session"),
        day=pl.col("forward_return") - pl.col("forward_return").mean().over("session"),
    )
    before_open = float((demeaned["x"] * demeaned["gap"]).sum())
    whole = float((demeaned["x"] * demeaned["day"]).sum())
    assert before_open < 0.35 * whole


@pytest.mark.parametrize("seed", [7, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (8, 9))])
def test_prices_are_plausible(seed: int) -> None:
    source = full_market(seed=seed)
    first, last = source.coverage()
    bars = source.true_bars(first, last)
    assert bars.filter(
        (pl.col("low") <= 0)
        | (pl.col("low") > pl.min_horizontal("open", "close"))
        | (pl.col("high") < pl.max_horizontal("open", "close"))
    ).is_empty()
    told = actions(source)
    gone = told.filter(pl.col("kind") == "delisting")["ticker"].to_list()
    daily = daily_total_returns(bars, told).filter(~pl.col("ticker").is_in(gone))
    yearly = daily.group_by("ticker").agg(v=pl.col("total_return").std() * np.sqrt(252))
    assert 0.07 < yearly.filter(pl.col("ticker") == BENCHMARK)["v"].item() < 0.30
    stocks = yearly.filter(pl.col("ticker") != BENCHMARK)["v"]
    assert float(stocks.min()) > 0.14
    assert float(stocks.max()) < 0.62
    dollars = bars.select(pl.col("close") * pl.col("volume"))["close"]
    assert float(dollars.min()) > 2e6
    assert float(dollars.max()) < 5.1e8


def test_volatility_clusters_and_tails_are_fat() -> None:
    source = full_market()
    bars = source.true_bars(*source.coverage()).filter(pl.col("ticker") == BENCHMARK)
    returns = bars["close"].pct_change().drop_nulls().to_numpy()
    squares = np.abs(returns) - np.abs(returns).mean()
    assert (squares[1:] * squares[:-1]).mean() / squares.var() > 0.08
    assert ((returns - returns.mean()) ** 4).mean() / returns.var() ** 2 > 3.5


def test_names_are_listed_and_delisted_on_the_way() -> None:
    source = full_market()
    first, last = source.coverage()
    listings = lines(source.prices(first, last, history=True), "listings")
    assert sum(row["listed_on"] > first.isoformat() for row in listings) >= 3
    assert [row["ticker"] for row in listings if row["role"] == "benchmark"] == [BENCHMARK]
    bars = source.true_bars(first, last)
    for row in listings:
        assert bars.filter(pl.col("ticker") == row["ticker"])["session"].min().isoformat() == row["listed_on"]
    gone = actions(source).filter(pl.col("kind") == "delisting")
    assert gone.height >= 4
    losses = []
    for ticker, ex_date, amount in gone.select("ticker", "ex_date", "amount").iter_rows():
        closes = bars.filter(pl.col("ticker") == ticker).sort("session")
        assert closes["session"].max() == source.calendar.previous(ex_date)
        losses.append(amount / closes["close"][-30])
    assert min(losses) < 0.12  # bankrupt: next to nothing of the price six weeks before
    assert max(losses) > 1.1  # bought at a premium


def test_no_seed_puts_a_word_on_the_screen_that_nobody_wants_there() -> None:
    unwanted = re.compile("SEX|FUX|SUX|DIX|KOX|KUNQ|KUNX|NAZI|KLUX|HIV|LEZ|PERV|VULV|GAZA|TURZ|^VIX$|^DAX$|^SOX$", re.I)
    many = [draw_instruments(SimulatedParams(names=1_000, seed=seed)) for seed in range(12)]
    shown = {word for names in many for word in (*names.tickers, *names.companies)}
    assert len(shown) > 2_000, "twelve markets of a thousand names show almost every ticker there is"
    assert sorted(word for word in shown if unwanted.search(word)) == []


def test_the_largest_market_still_finds_a_ticker_for_every_name() -> None:
    names = draw_instruments(SimulatedParams(names=2_000))
    assert len(set(names.tickers)) == names.size == 2_000
    assert BENCHMARK not in names.tickers


def test_splits_and_dividends_explain_the_price_they_move() -> None:
    source = full_market()
    told = actions(source)
    assert told.filter(pl.col("kind") == "split").height >= 5
    assert told.filter(pl.col("kind") == "dividend").height >= 300
    daily = daily_total_returns(source.true_bars(*source.coverage()), told)
    assert float(daily.filter(pl.col("ratio") != 1.0)["total_return"].abs().max()) < 0.25
    dividends = told.filter(pl.col("kind") == "dividend")
    assert dividends.filter(pl.col("pay_date") < pl.col("ex_date")).is_empty()
    assert told.filter(pl.col("available_at").dt.date() >= pl.col("ex_date")).is_empty()


def test_a_low_price_leads_to_a_reverse_split() -> None:
    source = market(names=64, history_sessions=700, seed=2)
    told = actions(source).filter((pl.col("numerator") < pl.col("denominator")).fill_null(False))
    assert told.height >= 1
    bars = source.true_bars(*source.coverage())
    for ticker, ex_date in told.select("ticker", "ex_date").iter_rows():
        before = bars.filter((pl.col("ticker") == ticker) & (pl.col("session") < ex_date)).sort("session")
        assert before["close"][-9] < 5.0


def test_the_total_return_of_the_tape_is_the_return_that_was_drawn() -> None:
    source = market(names=64, history_sessions=700)
    first, last = source.coverage()
    daily = daily_total_returns(source.true_bars(first, last), actions(source)).drop_nulls("total_return")
    drawn = pl.DataFrame(source._until(699).path.total[:700], schema=list(source.instruments.tickers)).with_columns(
        session=pl.Series(source.calendar.between(first, last))
    )
    joined = daily.join(
        drawn.unpivot(index="session", variable_name="ticker", value_name="drawn"), on=["session", "ticker"]
    )
    # two roundings to the tick: of this close, and of the one before on this session's share basis
    tick = pl.when(pl.col("close") < 1).then(0.0001).otherwise(0.01)
    allowed = 1.2 * tick / pl.col("close") * (1 + pl.col("ratio"))
    assert joined.height > 40_000
    assert joined.filter((pl.col("total_return") - pl.col("drawn")).abs() > allowed).is_empty()


def test_half_days_trade_half_as_much() -> None:
    plain = calendar()
    closes = tuple(at - timedelta(hours=3) if n % 40 == 0 else at for n, at in enumerate(plain.closes))
    source = SimulatedSource(SimulatedParams(names=24, history_sessions=400), replace(plain, closes=closes))
    first, last = source.coverage()
    short = [day for day in plain.between(first, last) if plain.position(day) % 40 == 0]
    half = pl.col("session").is_in(short)
    volume = dict(source.true_bars(first, last).group_by(half).agg(pl.col("volume").median()).iter_rows())
    assert volume[True] < 0.7 * volume[False]


def test_a_session_before_the_market_opened_is_refused_in_words() -> None:
    source = market()
    before = calendar().previous(source.coverage()[0])
    with pytest.raises(SourceError, match="opens on 2018-01-02"):
        source.prices(before, before, history=False)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"first_session": "soon"}, "first_session is 'soon'"),
        ({"first_session": "1901-01-01"}, "first_session is '1901-01-01'"),
        ({"first_session": "2901-01-01"}, "first_session is '2901-01-01'"),
    ],
)
def test_parameters_that_cannot_work_are_refused_in_words(changes: dict[str, object], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        market(**changes)
