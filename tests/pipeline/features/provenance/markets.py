"""A market in which everything happens that decides what a value is made of, and others with one fact changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.features.as_of import Facts
from pipeline.features.catalogue import NAMED_SETS, choose
from pipeline.features.engine.expressions import Expression, deviation, fact, lag
from pipeline.features.facts.lay_out import lay_out_facts
from pipeline.features.feature import Feature
from pipeline.features.feature_set import extend, feature_set
from pipeline.features.features import EpochPanel, features, lay_out
from pipeline.features.panel import DEPTH, MARGIN, Flags, Floats
from pipeline.features.params import FeatureParams
from pipeline.features.provenance import uses
from pipeline.features.provenance.ground import Ground, survey
from pipeline.features.provenance.values import Values
from pipeline.features.trailing_window import View, ln
from tests.frames.features import Market, moment, random_market

CLOSE = fact("close")


def squeeze(view: View) -> Floats:
    return ln(view.high(10).max(axis=0) / view.low(10).min(axis=0))


DECLARED = Feature("squeeze", "test", "log", "h/l", 9, squeeze, uses=(uses.grown("high low", 10),))
EXPRESSED = Feature.express(
    "calm", "test", "ratio", deviation(CLOSE / lag(CLOSE, 1), 10) / deviation(CLOSE, 20) * CLOSE
)
UNDECLARED = Feature("told_nothing", "test", "log", "h/l", 9, squeeze)
"""Three features as a plugin declares them."""
SETS = [name for name in NAMED_SETS if name != "intraday_bars"]
EXTENSIONS = extend((*choose(SETS), DECLARED, EXPRESSED, UNDECLARED))
FEATURES = feature_set(EXTENSIONS).features
NAMES = feature_set(EXTENSIONS).names


def eventful_market(tickers: int = 9, sessions: int = 300, seed: int = 3) -> Market:
    """T001 is young, T002 and T003 halt for three and ten sessions, T004 is never a member, T005 late, T006 alone."""
    market = random_market(tickers, sessions, seed=seed)
    days, ticker, session = market.sessions, pl.col("ticker"), pl.col("session")
    young = (ticker == "T001") & (session < days[sessions * 2 // 3])
    short = (ticker == "T002") & session.is_in(days[sessions - 80 : sessions - 77])
    long = (ticker == "T003") & session.is_in(days[sessions // 2 : sessions // 2 + 10])
    outside = (ticker == "T004") | ((ticker == "T005") & (session < days[sessions - 70]))
    sector = pl.when(ticker == "T006").then(pl.lit("alone")).otherwise("sector")
    return replace(
        market,
        market_prices=market.market_prices.filter(~(young | short | long)),
        ticker_universe=market.ticker_universe.with_columns(member=~outside, sector=sector),
    )


@dataclass(frozen=True)
class Laid:
    """A market with its feature values, [features, rows, tickers] float32, and what they are made of."""

    market: Market

    @cached_property
    def layout(self) -> EpochPanel:
        days = self.market.sessions
        facts = Facts(self.market.market_prices, self.market.corporate_actions, self.market.news_sentiment)
        asked = replace(moment(days[-1], days[0]), extensions=EXTENSIONS)
        (layout,) = lay_out(facts, self.market.ticker_universe, self.market.instruments, asked, FeatureParams())
        return layout

    @cached_property
    def ground(self) -> Ground:
        return survey(self.layout.panel, self.layout.epoch.facts.corporate_actions, self.market.calendar)

    @cached_property
    def known(self) -> npt.NDArray[np.float32]:
        days = self.market.sessions
        return self.compute(self.market, days[0], days[-1])

    @cached_property
    def values(self) -> Values:
        known = {name: ~np.isnan(self.known[number]) for number, name in enumerate(NAMES)}
        wanted = [one.kernel for one in FEATURES if isinstance(one.kernel, Expression)]
        empty = self.market.intraday_prices
        prices = lay_out_facts(wanted, self.layout.epoch, self.layout.panel, self.market.calendar, empty)
        return Values(self.ground, FEATURES, known, prices)

    def row(self, session: date) -> int:
        return self.layout.panel.row(session, self.market.calendar)

    def compute(self, market: Market, first: date, last: date) -> npt.NDArray[np.float32]:
        """The values of the sessions between, NaN elsewhere."""
        asked = replace(moment(last, first), extensions=EXTENSIONS)
        tables = (
            market.market_prices, market.corporate_actions, market.ticker_universe, market.instruments,
            market.news_sentiment, market.intraday_prices, market.feature_rows,
        )  # fmt: skip
        rows = features(*tables, asked, FeatureParams())
        at = [self.row(day) for day in rows["session"]]
        columns = [self.ground.tickers.index(name) for name in rows["ticker"]]
        found = np.full((len(NAMES), *self.ground.bar.shape), np.nan, dtype=np.float32)
        found[:, at, columns] = rows.select(NAMES).to_numpy().T
        return found

    def find_moved(self, changed: Market, session: date) -> Flags:
        """[features, rows, tickers] the values that are others if the market is so, computed anew from a session on."""
        days = self.market.sessions
        last = days[min(days.index(session) + DEPTH + MARGIN, len(days) - 1)]
        found = self.compute(changed, session, last)
        moved: Flags = ~((found == self.known) | (np.isnan(found) & np.isnan(self.known)))
        moved[:, : self.row(session)] = False
        moved[:, self.row(last) + 1 :] = False
        return moved


def change_bar(market: Market, bar: dict[str, Any], column: str) -> Iterator[Market]:
    """The market with other values in a bar: far off, near, and just beside its neighbours', so that orders turn."""
    prices = market.market_prices
    own = prices.filter(pl.col("ticker") == bar["ticker"])
    at = own["session"].to_list().index(bar["session"])
    near = [own[column][other] for other in (at - 1, at + 1) if 0 <= other < own.height]
    factors = (1e3, 1e-3, 3.0, 1 / 3, 1.01, 0.99)
    values = [bar[column] * factor for factor in factors]
    values += [sum(near) / 2, *(one * factor for one in near for factor in (1.0001, 0.9999))]
    here = (pl.col("ticker") == bar["ticker"]) & (pl.col("session") == bar["session"])
    for value in values:
        told = pl.when(here).then(pl.lit(value)).otherwise(pl.col(column)).cast(prices.schema[column])
        yield replace(market, market_prices=prices.with_columns(told.alias(column)))


def change_article(market: Market, article: dict[str, Any], column: str) -> Iterator[Market]:
    """The market with another score or strength, or without the article where its being there is asked about."""
    news = market.news_sentiment
    here = (pl.col("article_id") == article["article_id"]) & (pl.col("ticker") == article["ticker"])
    if column == "article_id":
        yield replace(market, news_sentiment=news.filter(~here))
        return
    for value in (0.77, -0.55) if column == "score" else (0.93, 0.21):
        told = pl.when(here & pl.col(column).is_not_null()).then(pl.lit(value)).otherwise(pl.col(column))
        yield replace(market, news_sentiment=news.with_columns(told.alias(column)))


def change_action(market: Market, action: dict[str, Any]) -> Iterator[Market]:
    """The market with an action of other terms."""
    actions, column = market.corporate_actions, "numerator" if action["kind"] == "split" else "amount"
    here = pl.all_horizontal(pl.col(name) == action[name] for name in ("ticker", "ex_date", "kind"))
    for factor in (3, 7):
        told = pl.when(here).then(pl.col(column) * factor).otherwise(pl.col(column)).cast(actions.schema[column])
        yield replace(market, corporate_actions=actions.with_columns(told.alias(column)))


def change_member(market: Market, row: dict[str, Any]) -> Iterator[Market]:
    """The market in which a member of a session is none."""
    here = (pl.col("ticker") == row["ticker"]) & (pl.col("session") == row["session"])
    universe = market.ticker_universe
    yield replace(market, ticker_universe=universe.with_columns(member=pl.col("member") & ~here))
