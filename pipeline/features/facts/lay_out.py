"""Lays out the facts that a run's expressions use as matrices of sessions by tickers; nothing that none uses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import polars as pl

from pipeline.engine.stage import Moment
from pipeline.features.as_of import Epoch
from pipeline.features.engine.cross_sections import Members
from pipeline.features.engine.expressions import Expression
from pipeline.features.engine.price_basis import TradedPrices, lay_out_prices
from pipeline.features.facts.declarations import NEWS_FACTS, OF_BARS, OF_NEWS, list_facts
from pipeline.features.facts.five_minute_bars import known_in_time, lay_out_bars
from pipeline.features.panel import Floats, Panel
from pipeline.market.securities.following import Securities
from pipeline.market.sessions import Sessions


def lay_out_facts(
    expressions: Collection[Expression],
    epoch: Epoch,
    panel: Panel,
    calendar: Sessions,
    intraday_prices: pl.DataFrame,
) -> TradedPrices:
    """Prices and volumes as traded, and every other fact that the expressions use, as matrices like the panel's.

    Args:
        expressions: what is to be computed.
        epoch: facts of one state of knowledge, companies in the place of tickers.
        panel: of the same epoch.
        calendar: the exchange's sessions.
        intraday_prices: bars within sessions as they were known then, companies in the place of tickers.
    """
    used = list_facts(expressions)
    prices = lay_out_prices(epoch, panel, calendar)
    further: dict[str, Floats] = {}
    if used & OF_NEWS:
        further |= lay_out_news(panel)
    if used & OF_BARS:
        further |= lay_out_bars(intraday_prices, panel, calendar)
    return replace(prices, facts={**prices.facts, **further}, members=Members(panel.member, panel.sector))


def lay_out_news(panel: Panel) -> dict[str, Floats]:
    """News of each session; unknown where a ticker has no history, for nobody could have acted on it."""
    history = panel.bar | ~np.isnan(panel.growth)
    return {fact.name: np.where(history, getattr(panel, fact.name), np.nan) for fact in NEWS_FACTS}


def choose_bars(intraday_prices: pl.DataFrame, moment: Moment, companies: Securities) -> pl.DataFrame:
    """Bars within sessions as they were known when each session's decision was made, by company."""
    lag = moment.as_of - moment.calendar.close_at(moment.session)
    return companies.name_companies(known_in_time(intraday_prices, moment.calendar, lag), "session")
