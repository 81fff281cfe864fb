"""The named families in the features stage: right, blind to the future, and computed only where they are chosen."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import get_args

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from pipeline.config.settings import FeatureSetName
from pipeline.features.catalogue import BUILT_IN, NAMED_SETS, choose
from pipeline.features.engine.cross_sections import Members
from pipeline.features.engine.expressions import Expression
from pipeline.features.facts.five_minute_bars import BAR_COLUMNS, summarise
from pipeline.features.feature_set import extend, hash_feature
from pipeline.features.features import STAGE, features
from pipeline.features.params import FeatureParams
from pipeline.plugins.extensions import NONE, Extensions
from tests.frames.features import CALENDAR, Market, as_of_session, moment, random_market
from tests.frames.intraday import short_bars
from tests.pipeline.features.engine import reference
from tests.pipeline.features.test_features_leaks import _poisoned

SETS = [name for name in NAMED_SETS if name != "alpha158"]
NAMES = [feature.name for name in SETS for feature in NAMED_SETS[name]]
SESSIONS, TICKERS = 215, 9
ROOT = Path(__file__).parents[3]


@cache
def families() -> Extensions:
    return extend(choose(SETS))


@cache
def market() -> Market:
    """Nine tickers with splits, dividends and news, two of them without bars within sessions."""
    made = random_market(TICKERS, SESSIONS, seed=4)
    tickers = made.market_prices["ticker"].unique().sort().to_list()
    days = made.sessions[-48:]
    return replace(made, intraday_prices=pl.concat([short_bars(one, day) for one in tickers[2:] for day in days]))


def run(given: Market, session: date, since: date | None = None, extensions: Extensions | None = None) -> pl.DataFrame:
    asked = replace(moment(session, since), extensions=extensions or families())
    keys = {"market_prices": MARKET_PRICES, "corporate_actions": CORPORATE_ACTIONS, "intraday_prices": INTRADAY_PRICES}
    tables = {read.table.name: getattr(given, read.table.name) for read in STAGE.reads}
    ordered = {name: frame.sort(keys[name].key) if name in keys else frame for name, frame in tables.items()}
    return features(**ordered, moment=asked, params=FeatureParams())


@cache
def whole() -> pl.DataFrame:
    return run(market(), market().sessions[-1], market().sessions[-25])


def test_the_settings_name_every_set_there_is() -> None:
    assert get_args(FeatureSetName) == tuple(NAMED_SETS)


def test_every_feature_says_where_its_formula_is_from() -> None:
    assert [one.name for name in SETS for one in NAMED_SETS[name] if not one.source] == []
    assert len({hash_feature(one) for name in SETS for one in NAMED_SETS[name]}) == len(NAMES)


def test_a_range_gives_the_bits_of_its_sessions_one_by_one() -> None:
    days = market().sessions
    for at in (-25, -13, -1):
        alone = run(market().until(days[at]), days[at])
        assert_frame_equal(whole().filter(pl.col("session") == days[at]), alone, check_exact=True)
    known = whole().filter(pl.col("ticker") > "T001").select(NAMES)
    assert [name for name in NAMES if known[name].null_count()] == []


def test_the_values_do_not_depend_on_where_the_frames_start() -> None:
    days = market().sessions
    short = run(market().since(days[-1 - 195]), days[-1])
    assert_frame_equal(
        short.select(NAMES), whole().filter(pl.col("session") == days[-1]).select(NAMES), check_exact=True
    )


@pytest.mark.parametrize("poison", range(3))
def test_poisoning_all_that_is_dated_or_learned_later_changes_nothing(poison: int) -> None:
    days = market().sessions
    session = days[-20 + 7 * poison]
    poisoned = _poison_bars(_poisoned(market(), session, poison), session)
    told = run(poisoned, days[-1], days[-25])
    until = pl.col("session") <= session
    assert_frame_equal(told.filter(until), whole().filter(until), check_exact=True)
    later = [name for name in NAMES if told.filter(~until)[name].equals(whole().filter(~until)[name])]
    assert later == [], "the poison does not bite"


def _poison_bars(given: Market, session: date) -> Market:
    bars, late = given.intraday_prices, as_of_session(session) + timedelta(minutes=1)
    today = bars.filter(pl.col("session") == session).with_columns(
        pl.col("open", "high", "low", "close") * 3, revision=pl.lit(1, pl.Int32), available_at=pl.lit(late)
    )
    wild = (pl.col("ts").dt.minute() * 1.0 + 1) / 10
    later = bars.filter(pl.col("session") > session).with_columns(
        pl.col("open", "high", "low", "close") * wild, volume=pl.col("volume") * pl.col("ts").dt.minute()
    )
    return replace(given, intraday_prices=pl.concat([bars.filter(pl.col("session") <= session), today, later]))


def test_without_bars_within_sessions_their_features_are_null_and_the_others_as_they_were() -> None:
    days = market().sessions
    without = run(replace(market(), intraday_prices=INTRADAY_PRICES.empty()), days[-1])
    of_bars = [feature.name for feature in NAMED_SETS["intraday_bars"]]
    assert without.select(of_bars).null_count().sum_horizontal().item() == len(of_bars) * TICKERS
    last = whole().filter(pl.col("session") == days[-1])
    assert_frame_equal(without.drop(of_bars), last.drop(of_bars), check_exact=True)
    assert last.filter(pl.col("ticker") < "T002").select(of_bars).null_count().sum_horizontal().item() == 2 * len(
        of_bars
    )


def test_the_features_of_the_first_set_are_as_they_are_without_families() -> None:
    days = market().sessions
    names = ["session", "ticker", "complete", *(feature.name for feature in BUILT_IN)]
    alone = run(market(), days[-1], days[-25], extend())
    assert_frame_equal(alone.select(names), whole().select(names), check_exact=True)


def test_nothing_more_is_read_where_no_family_is_chosen() -> None:
    reads = {read.table.name: read for read in STAGE.reads}
    plain, chosen = (replace(moment(CALENDAR.days[300]), extensions=one) for one in (NONE, families()))
    for name, reach in (("ticker_universe", 178), ("news_sentiment", 59), ("intraday_prices", 19)):
        further = reads[name].further
        assert further is not None
        assert further({}, plain) == ()
        assert further({}, chosen) == ((CALENDAR.days[300 - reach], CALENDAR.days[300]),), name
    assert not reads["intraday_prices"].is_wanted(NONE)
    assert reads["intraday_prices"].is_wanted(families())
    assert not reads["intraday_prices"].is_wanted(extend(choose(["pure_momentum", "news_residuals"])))


def test_every_value_is_what_its_formula_gives_of_the_bars_news_and_members() -> None:
    """Nothing happens to shares here, so that traded prices are in one basis: what the reference takes."""
    given = replace(market(), corporate_actions=CORPORATE_ACTIONS.empty())
    days, tickers = given.sessions, given.market_prices["ticker"].unique().sort().to_list()
    facts, members = _facts(given, days, tickers)
    expressed = {
        one.name: one.kernel for name in SETS for one in NAMED_SETS[name] if isinstance(one.kernel, Expression)
    }
    kernels = list(expressed.values())
    wanted = reference.evaluate_all(kernels, facts, members, first=SESSIONS - 1)
    found = run(given, days[-1])
    for name, values in zip(expressed, wanted, strict=True):
        told = found[name].fill_null(float("nan")).to_numpy()
        assert np.allclose(told, values[-1], rtol=2e-6, atol=1e-7, equal_nan=True), name


def _facts(given: Market, days: list[date], tickers: list[str]) -> tuple[dict[str, np.ndarray], Members]:
    """Each fact session by session and ticker by ticker, from dictionaries."""
    bars = {(row["session"], row["ticker"]): row for row in given.market_prices.iter_rows(named=True)}
    short = summarise(given.intraday_prices.select(BAR_COLUMNS), CALENDAR)
    summaries = {(row["session"], row["ticker"]): row for row in short.iter_rows(named=True)}
    universe = {(row["session"], row["ticker"]): row for row in given.ticker_universe.iter_rows(named=True)}
    news: dict = {}
    for row in given.news_sentiment.iter_rows(named=True):
        news.setdefault((row["session"], row["ticker"]), []).append(row)
    scored = {at: [row for row in rows if row["score"] is not None] for at, rows in news.items()}
    tell = {
        **{name: lambda at, name=name: bars[at][name] for name in ("open", "high", "low", "close", "volume")},
        "articles": lambda at: len({row["article_id"] for row in news.get(at, ())}),
        "news_weight": lambda at: sum(row["strength"] for row in scored.get(at, ())),
        "news_signal": lambda at: sum(row["strength"] * row["score"] for row in scored.get(at, ())),
        **{name: lambda at, name=name: summaries.get(at, {}).get(name) for name in short.columns[2:]},
    }
    facts = {
        name: np.array([[of((day, one)) for one in tickers] for day in days], dtype=np.float64)
        for name, of in tell.items()
    }
    sectors = sorted({row["sector"] for row in universe.values()})
    sector = np.array([[sectors.index(universe[day, one]["sector"]) for one in tickers] for day in days])
    return facts, Members(np.array([[universe[day, one]["member"] for one in tickers] for day in days]), sector)


def test_a_family_is_one_part_of_the_name_and_leaves_the_others_as_they_are() -> None:
    one, both = extend(choose(["day_parts"])), extend(choose(["day_parts", "sector_leads"]))
    assert len(set(one.definitions.values())) == 1 and len(set(both.definitions.values())) == 2
    assert dict(one.definitions).items() <= dict(both.definitions).items()
    assert all(isinstance(feature.kernel, Expression) for feature in both.features)


PROGRAM = """
from dataclasses import replace
from hashlib import sha256
from tests.pipeline.features.test_families import market, run
print(sha256(run(market(), market().sessions[-1], market().sessions[-9]).write_csv().encode()).hexdigest())
"""


@pytest.mark.cold
def test_bits_are_the_same_in_every_process_and_with_any_number_of_threads() -> None:
    here = run(market(), market().sessions[-1], market().sessions[-9]).write_csv()
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": "1" if pl.thread_pool_size() > 1 else "2"},
    ).stdout.strip()
    assert there == sha256(here.encode()).hexdigest()
