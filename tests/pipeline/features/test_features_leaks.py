"""Nothing dated or learned after a session changes the session's features by one bit."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lake.tables.market import CORPORATE_ACTIONS
from pipeline.market.sessions import exchange_sessions
from tests.frames.features import CALENDAR, Market, action, as_of_session, bars, dividend, random_market, run, universe

TICKERS, SESSIONS, FIRST = 10, 330, 270
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def market() -> Market:
    return random_market(TICKERS, SESSIONS, seed=11)


@pytest.fixture(scope="module")
def clean(market: Market) -> pl.DataFrame:
    return run(market, market.sessions[-1], market.sessions[FIRST])


@pytest.mark.parametrize("poison", [0, 1, 2, *(pytest.param(n, marks=pytest.mark.slow) for n in range(3, 10))])
def test_poisoning_all_that_is_dated_or_learned_later_changes_nothing(
    market: Market, clean: pl.DataFrame, poison: int
) -> None:
    at = int(np.random.default_rng(poison).integers(FIRST, SESSIONS - 1))
    session, last = market.sessions[at], market.sessions[-1]
    poisoned = _poisoned(market, session, poison)
    told = run(poisoned, last, market.sessions[FIRST])
    until = pl.col("session") <= session
    assert told.filter(until).equals(clean.filter(until))
    assert clean.filter(until).height >= TICKERS
    assert not told.filter(~until).equals(clean.filter(~until)), "the poison does not bite"
    assert run(poisoned, session).equals(clean.filter(pl.col("session") == session))


@pytest.mark.parametrize("at", [FIRST, 290, 311, SESSIONS - 1])
def test_a_range_gives_the_same_bits_as_session_by_session(market: Market, clean: pl.DataFrame, at: int) -> None:
    session = market.sessions[at]
    alone = run(market.until(session).since(market.sessions[at - 260]), session)
    assert alone.height == TICKERS
    assert alone.equals(clean.filter(pl.col("session") == session))


@pytest.mark.filterwarnings("ignore:Series.values returning:DeprecationWarning")  # from exchange_calendars
def test_a_range_gives_the_same_bits_as_session_by_session_on_a_real_exchange() -> None:
    market = random_market(4, 330, calendar=exchange_sessions())
    whole = run(market, market.sessions[-1], market.sessions[300])
    for at in (300, 315, 329):
        session = market.sessions[at]
        alone = run(market.until(session).since(market.sessions[at - 280]), session)
        assert alone.height == 4
        assert alone.equals(whole.filter(pl.col("session") == session))


@pytest.mark.parametrize("lookback", [257, 265, 280])
def test_values_do_not_depend_on_where_the_frames_start(market: Market, clean: pl.DataFrame, lookback: int) -> None:
    last = market.sessions[-1]
    warm = run(market.since(market.sessions[-1 - lookback]), last)
    assert warm.equals(clean.filter(pl.col("session") == last))


def test_a_halt_where_the_yearly_window_begins_is_bridged_alike_in_a_range_and_alone() -> None:
    days = list(CALENDAR.days[:300])
    falling = np.linspace(200, 100, len(days))
    prices = bars("FALL", days, open=falling, high=falling, low=falling, close=falling)
    gone = pl.col("session").is_in(pl.Series(days[-253:-251]).implode())
    market = replace(
        random_market(3, 300),
        market_prices=prices.filter(~gone),
        corporate_actions=CORPORATE_ACTIONS.empty(),
        ticker_universe=universe(["FALL"], days),
    )
    alone = run(market, days[-1])
    assert alone["high_252"].item() == pytest.approx(np.log(falling[-1] / falling[-254]), rel=1e-6)
    assert run(market, days[-1], days[-30]).tail(1).equals(alone)


def test_a_restated_bar_counts_from_the_session_that_could_know_it(market: Market) -> None:
    days = market.sessions[-6:]
    late = CALENDAR.close_at(days[2]) + timedelta(minutes=10)
    restated = replace(market, market_prices=pl.concat([market.market_prices, _revised(market, days[0], late)]))
    told, untold = run(restated, days[-1], days[0]), run(market, days[-1], days[0])
    before = pl.col("session") < days[2]
    assert told.filter(before).equals(untold.filter(before))
    for day in days:
        assert told.filter(pl.col("session") == day).equals(run(restated.until(day), day))
        changed = not told.filter(pl.col("session") == day).equals(untold.filter(pl.col("session") == day))
        assert changed == (day >= days[2])


def test_a_split_announced_late_counts_from_the_session_that_could_know_it() -> None:
    market = replace(random_market(3, 140), corporate_actions=CORPORATE_ACTIONS.empty())
    days = market.sessions[-5:]
    late = action("T001", days[1], available_at=as_of_session(days[3]) - timedelta(minutes=1))
    told = run(replace(market, corporate_actions=late), days[-1], days[0])
    untold = run(market, days[-1], days[0])
    same = [told.filter(pl.col("session") == day).equals(untold.filter(pl.col("session") == day)) for day in days]
    assert same == [True, True, True, False, False]


def test_a_bar_that_nobody_could_know_in_time_gives_no_row_that_session() -> None:
    market = random_market(3, 140)
    days = market.sessions[-4:]
    tardy = (pl.col("ticker") == "T001") & (pl.col("session") == days[1])
    when = pl.when(tardy).then(pl.lit(CALENDAR.close_at(days[2]))).otherwise(pl.col("available_at"))
    market = replace(market, market_prices=market.market_prices.with_columns(available_at=when))
    rows = run(market, days[-1], days[0])
    assert rows.group_by("session").len().sort("session")["len"].to_list() == [3, 2, 3, 3]


def test_the_order_of_earlier_rows_in_other_tickers_changes_nothing(market: Market, clean: pl.DataFrame) -> None:
    """A ticker delisted long ago has a column in a long range and none in a single run: no bit may depend on it."""
    gone = market.market_prices.filter(
        (pl.col("ticker") == "T004") & (pl.col("session") < market.sessions[20])
    ).with_columns(ticker=pl.lit("GONE"))
    more = replace(market, market_prices=pl.concat([gone, market.market_prices]))
    assert run(more, market.sessions[-1], market.sessions[FIRST]).equals(clean)


PROGRAM = """
from hashlib import sha256
from tests.frames.features import FeatureParams, moment, random_market, run
from pipeline.features.windows import windows
market = random_market(40, 160, seed=5)
last = market.sessions[-1]
rows = run(market, last, market.sessions[130])
found = windows(rows, market.ticker_universe, market.corporate_actions, moment(last), FeatureParams())
print(sha256((rows.write_csv() + found.write_csv()).encode()).hexdigest())
"""


@pytest.mark.cold
def test_bits_are_the_same_in_every_process_and_with_any_number_of_threads() -> None:
    here = io.StringIO()
    with redirect_stdout(here):
        exec(PROGRAM, {})
    threads = "1" if pl.thread_pool_size() > 1 else "2"
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": threads},
    ).stdout
    assert len(there) == 65
    assert there == here.getvalue()


def _poisoned(market: Market, session: date, seed: int) -> Market:
    """The market with everything after the session's decision made absurd."""
    rng = np.random.default_rng(seed)
    late = as_of_session(session) + timedelta(minutes=1)
    after = [day for day in market.sessions if day > session]
    later = pl.col("session") > session
    prices = market.market_prices
    future = prices.filter(later)
    shuffled = future.with_columns(
        future.select("open", "high", "low", "close", "volume")[rng.permutation(future.height)].with_columns(
            pl.all() * 1_000
        )
    )
    news = market.news_sentiment
    echo = news.filter(~later).with_columns(
        article_id=pl.lit("f") + pl.col("article_id").str.slice(1), score=pl.lit(-1.0), available_at=pl.lit(late)
    )
    universe = market.ticker_universe.with_columns(
        member=pl.when(later).then(pl.lit(seed % 2 == 0)).otherwise(pl.col("member")),
        sector=pl.when(later).then(pl.lit("poison")).otherwise(pl.col("sector")),
    )
    return replace(
        market,
        market_prices=pl.concat([prices.filter(~later), shuffled, _revised(market, session, late)]),
        corporate_actions=pl.concat([market.corporate_actions, *_surprises(market, session, after, rng)]),
        ticker_universe=universe,
        news_sentiment=pl.concat([news.filter(~later), news.filter(later).with_columns(score=pl.lit(1.0)), echo]),
    )


def _surprises(market: Market, session: date, after: list[date], rng: np.random.Generator) -> list[pl.DataFrame]:
    """Splits and dividends after the session, and ones before it that were announced too late."""
    tickers = market.market_prices["ticker"].unique().sort().to_list()
    late = as_of_session(session) + timedelta(minutes=1)
    past = [day for day in market.sessions if day <= session][-100:]
    days = [after[int(at)] for at in rng.integers(0, len(after), len(tickers))]
    earlier = [past[int(at)] for at in rng.integers(0, len(past), len(tickers))]
    return [
        *(action(ticker, day, sequence=5, numerator=7) for ticker, day in zip(tickers, days, strict=True)),
        *(dividend(ticker, day, 9.0, sequence=6) for ticker, day in zip(tickers, days, strict=True)),
        *(
            action(ticker, day, sequence=7, numerator=3, available_at=late)
            for ticker, day in zip(tickers, earlier, strict=True)
        ),
    ]


def _revised(market: Market, session: date, when: object) -> pl.DataFrame:
    """A second revision of each bar of the session and the one before, ten times as high, known from `when`."""
    days = [market.calendar.previous(session), session]
    first = market.market_prices.filter(pl.col("session").is_in(pl.Series(days).implode()))
    prices = [pl.col(name) * 10 for name in ("open", "high", "low", "close")]
    return first.with_columns(
        *prices, revision=pl.lit(1, dtype=pl.Int32), available_at=pl.lit(when).cast(first.schema["available_at"])
    )
