"""Which company a ticker was, and when: the spells that bars bear out, with what is in doubt."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from pipeline.market.securities.following import Securities
from pipeline.market.sessions import Sessions

BAR_COLUMNS = (*MARKET_PRICES.key, "session")


def read_companies(
    lake: Lake, calendar: Sessions, max_gap: int, ticker: str | None = None, as_of: datetime | None = None
) -> pl.DataFrame:
    """Return the spells of every company that ever had a ticker, or of all that shared or changed theirs.

    Args:
        lake: the lake.
        calendar: counts the sessions of gaps.
        max_gap: sessions without a bar after which another company is taken to trade.
        ticker: the one asked about; None for all of which there is more to say than that they were one company's.
        as_of: what was public then; None for now.

    Returns:
        company, ticker, since and until (Date; null: from the start, to this day; until is the first day no longer),
        first_bar and last_bar (Date, null without), doubt (null: none); by company and since.
    """
    told = pl.col("kind").is_in(["rename", "delisting"])
    actions = lake.read(CORPORATE_ACTIONS, where=told, as_of=as_of)
    bars = lake.read(MARKET_PRICES, where=pl.col("interval") == "1d", columns=BAR_COLUMNS, as_of=as_of)
    bars = bars.select("ticker", "session").unique()
    companies = Securities.trace(actions, bars, calendar, max_gap)
    spells = pl.concat([companies.spells, _single(bars, companies.spells, ticker)])
    traded = companies.name_companies(bars.with_columns(called="ticker"), "session")
    seen = traded.group_by(security_id="ticker", ticker="called").agg(
        first_bar=pl.col("session").min(), last_bar=pl.col("session").max()
    )
    rows = spells.join(seen, on=["security_id", "ticker"], how="left").rename({"security_id": "company"})
    rows = rows.filter(pl.col("last_bar").is_not_null().any().over("company"))
    if ticker is not None:
        mine = rows.filter(ticker=ticker)["company"].unique()
        rows = rows.filter(pl.col("company").is_in(mine.implode()))
    order = ("company", "ticker", "since", "until", "first_bar", "last_bar", "doubt")
    return rows.select(*order).sort("company", pl.col("since").fill_null(date.min))


def _single(bars: pl.DataFrame, spells: pl.DataFrame, ticker: str | None) -> pl.DataFrame:
    """The one spell of a ticker that was one company's all along; none if it has others or no bar."""
    only = ticker is not None and ticker not in spells["ticker"] and ticker in bars["ticker"]
    rows = [(ticker, ticker, None, None, None)] if only else []
    return pl.DataFrame(rows, schema=spells.schema, orient="row")
