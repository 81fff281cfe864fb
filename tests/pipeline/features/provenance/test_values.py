"""What a value is made of is what moves it: one fact is changed, everything computed anew, and the two compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

from pipeline.features.feature_set import F1
from pipeline.features.panel import Flags
from pipeline.features.provenance.parts import BAR_COLUMNS, NEWS_COLUMNS
from pipeline.features.provenance.values import PlacedFact
from tests.frames.features import Market
from tests.pipeline.features.provenance.markets import (
    FEATURES,
    NAMES,
    Laid,
    change_action,
    change_article,
    change_bar,
    change_member,
    eventful_market,
)

BOUNDED = {"rank_volatility_20", "rank_dollar_volume_20", "rank_relative_volume_20"}
"""Ranks by what a single bar can move so far and no further: it may be too little to pass another ticker."""
WITHOUT_BAR = {"money_flow_14", "on_balance_slope_20", *(name for name in NAMES if "_qtl" in name)}
"""Where a ticker was halted, moves into a session without a bar weigh nothing, and a quantile among closes that stand
for several sessions stays where it is."""
HALTED = {"T002", "T003"}
_WORDS = ("greater(", "where(", "maximum(", "minimum(", "highest", "cross_rank(", ", weight ")
TELESCOPED = {"peers_lead_5", "peers_lead_20"}
"""Sums of log returns, in which what rises at one session falls at the next."""
DECIDED = {
    one.name
    for one in FEATURES
    if one.name not in F1 and "alpha158" not in one.name and any(word in one.formula for word in _WORDS)
}
"""Features in which orders among tickers or bounded quantities decide, or a weight that may be the only one."""
WIDE = {"told_nothing"}
"""A kernel that declares nothing may be made of all it could see."""


@pytest.fixture(scope="module")
def small() -> Laid:
    return Laid(eventful_market(7, 150))


def find_listed(laid: Laid, fact: PlacedFact) -> Flags:
    return np.stack(list(laid.values.find_all(NAMES, [fact]).values()))


def find_all_moved(laid: Laid, changed: Iterator[Market], fact: PlacedFact, listed: Flags) -> Flags:
    """What any of the changes moves, none of which may move what is not listed."""
    moved = np.zeros(listed.shape, dtype=bool)
    session = laid.market.calendar.days[laid.layout.panel.first + fact.row]
    for market in changed:
        moved |= laid.find_moved(market, session)
        beyond = Counter(NAMES[place] for place in np.argwhere(moved & ~listed)[:, 0])
        assert not beyond, f"{fact} moves what is not made of it: {beyond}"
    return moved


def draw(laid: Laid, seed: int) -> tuple[PlacedFact, Iterator[Market]]:
    """A fact by chance, four times in five of a bar, and changes of it."""
    random = np.random.default_rng(seed)
    market = laid.market
    kind = str(random.choice(["bar", "article", "action", "member"], p=[0.8, 0.1, 0.05, 0.05]))
    table = {
        "bar": market.market_prices,
        "article": market.news_sentiment,
        "action": market.corporate_actions.filter(pl.col("ticker").is_in(laid.ground.tickers)),
        "member": market.ticker_universe.filter("member"),
    }[kind]
    row = table.row(int(random.integers(table.height)), named=True)
    ticker = laid.ground.tickers.index(row["ticker"])
    if kind == "bar":
        column = str(random.choice(BAR_COLUMNS))
        return PlacedFact("bar", (column,), laid.row(row["session"]), ticker), change_bar(market, row, column)
    if kind == "article":
        choice = NEWS_COLUMNS if row["score"] is not None else NEWS_COLUMNS[2:]
        column = str(random.choice(choice))
        told = choice if column == "article_id" else (column,)
        return PlacedFact("article", told, laid.row(row["session"]), ticker), change_article(market, row, column)
    if kind == "member":
        return PlacedFact("member", ("member",), laid.row(row["session"]), ticker), change_member(market, row)
    at = laid.ground.actions.filter(
        pl.col("ticker") == row["ticker"], pl.col("ex_date") == row["ex_date"], pl.col("kind") == row["kind"]
    )
    return PlacedFact("action", (row["kind"],), at["row"][0], ticker), change_action(market, row)


def refuse_difference(laid: Laid, seed: int) -> None:
    fact, changed = draw(laid, seed)
    listed = find_listed(laid, fact)
    moved = find_all_moved(laid, changed, fact, listed)
    if fact.kind in ("bar", "article"):
        idle = Counter(NAMES[place] for place in np.argwhere(listed & ~moved)[:, 0])
        exempt = (
            BOUNDED
            | WIDE
            | DECIDED
            | TELESCOPED
            | (WITHOUT_BAR if laid.ground.tickers[fact.ticker] in HALTED else set())
        )
        assert not idle.keys() - exempt, f"{fact} is listed for what nothing moves: {idle}"


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_what_is_listed_of_a_fact_is_what_changes_of_it_move(small: Laid, seed: int) -> None:
    refuse_difference(small, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 300))
def test_what_is_listed_of_200_facts_is_what_changes_of_them_move(seed: int, large: Laid) -> None:
    refuse_difference(large, seed)


@pytest.fixture(scope="module")
def large() -> Laid:
    return Laid(eventful_market())


def test_both_directions_agree(small: Laid) -> None:
    """A fact that a value is traced to lists the value, and no other fact of the session does."""
    values, last = small.values, len(small.ground.bar) - 2
    for name in (
        "return_20",
        "beta_60",
        "rank_return_5",
        "sector_return_5",
        "relative_volume_20",
        "alpha158_cord_10",
        "pure_return_5",
    ):
        place = int(np.flatnonzero(values.known[name][last])[0])
        origins = values.trace([name], last, place)
        for column, marks in origins.bars.items():
            rows, tickers = np.nonzero(small.ground.bar)
            chosen = np.random.default_rng(1).choice(len(rows), 150, replace=False)
            chosen = np.union1d(chosen, np.flatnonzero(marks[rows, tickers])[:20])
            for row, ticker in zip(rows[chosen].tolist(), tickers[chosen].tolist(), strict=True):
                listed = values.find(name, [PlacedFact("bar", (column,), row, ticker)])[last, place]
                assert listed == marks[row, ticker], (name, column, row, ticker)


def test_a_value_that_is_not_known_is_made_of_nothing(small: Laid) -> None:
    unknown = np.argwhere(~small.values.known["return_60"] & small.ground.bar)
    row, ticker = unknown[-1].tolist()
    origins = small.values.trace(["return_60"], row, ticker)
    assert not any(marks.any() for marks in (*origins.bars.values(), *origins.actions.values(), origins.members))
