"""The facts by which the figures of both systems are followed by company: renames, ends and who came under a ticker."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import polars as pl

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES

BAR = (*MARKET_PRICES.key, "session", "close")


def read_actions(lake: Lake, tickers: Iterable[str], last: date | None = None) -> pl.DataFrame:
    """Return the actions of some tickers, of all that they became, and of all that became them.

    Args:
        lake: to look in.
        tickers: as either system has them.
        last: the last ex-date; None for all that are known.
    """
    known = lake.read(CORPORATE_ACTIONS, until=last, every_revision=False)
    return known.filter(pl.col("ticker").is_in(sorted(list_names(tickers, known))))


def read_bars(lake: Lake, tickers: Iterable[str], first: date | None = None, last: date | None = None) -> pl.DataFrame:
    """Return the daily bars of some tickers."""
    mine = (pl.col("interval") == "1d") & pl.col("ticker").is_in(sorted(set(tickers)))
    return lake.read(MARKET_PRICES, since=first, until=last, where=mine, columns=BAR, every_revision=False)


def list_names(tickers: Iterable[str], corporate_actions: pl.DataFrame) -> set[str]:
    """Return the tickers with all that they became or that became them."""
    names = set(tickers)
    pairs = corporate_actions.filter(pl.col("successor").is_not_null()).select("ticker", "successor").rows()
    while new := {one for pair in pairs if not names.isdisjoint(pair) for one in pair} - names:
        names |= new
    return names
