"""A ticker's past and what came of it: closes and total returns around a session."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from lake.tables.predictions import QUANTILE_COLUMNS
from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.returns import daily_total_returns
from pipeline.market.securities.following import Securities

DAYS_BEFORE = 120
"""Calendar days of closes before the forecasts: about 82 sessions."""
DAYS_AFTER = 45
"""Calendar days after them in which an outcome is looked for: beyond the longest horizon."""
PATH = 60
"""Sessions drawn before a forecast."""
SPARK = 16
"""Closes in a sparkline."""
AROUND = 30
"""Sessions shown before an action, and as many after it."""


def read_paths(lake: Lake, tickers: Sequence[str], session: date) -> pl.DataFrame:
    """Closes and total returns around a session; what came after it is read from now, whatever is looked at.

    A path is that of the company which has the ticker at the session, under any name it had or gets.

    Returns:
        ticker (that of the session), session, close, total_return; sorted by ticker and session.
    """
    since, until = session - timedelta(days=DAYS_BEFORE), session + timedelta(days=DAYS_AFTER)
    told = pl.col("kind").is_in(["rename", "delisting"])
    companies = Securities.trace(lake.read(CORPORATE_ACTIONS, since=since, until=until, where=told))
    asked = pl.DataFrame({"ticker": list(tickers)}, schema={"ticker": pl.String})
    owners = companies.name_companies(asked.with_columns(at=pl.lit(session, dtype=pl.Date)), "at")["ticker"]
    names = companies.spells.filter(pl.col("security_id").is_in(owners.implode()))["ticker"]
    wanted = pl.col("ticker").is_in([*tickers, *names])
    daily = wanted & (pl.col("interval") == "1d")
    prices = lake.read(MARKET_PRICES, since=since, until=until, where=daily, every_revision=False)
    actions = lake.read(CORPORATE_ACTIONS, since=since, until=until, where=wanted, every_revision=False)
    if prices.is_empty():
        return empty_paths()
    bars = companies.name_companies(prices, "session")
    returns = daily_total_returns(bars, restate_in_gaps(companies.name_actions(actions), bars))
    ticker_of = pl.DataFrame({"ticker": owners, "asked": asked["ticker"]}).unique(maintain_order=True)
    paths = returns.join(ticker_of, on="ticker", how="inner").with_columns(ticker="asked")
    return paths.select("ticker", "session", "close", "total_return").sort("ticker", "session")


def empty_paths() -> pl.DataFrame:
    """Paths of nothing."""
    return pl.DataFrame(
        schema={"ticker": pl.String, "session": pl.Date, "close": pl.Float64, "total_return": pl.Float64}
    )


def levels(paths: pl.DataFrame, ticker: str, origin: date) -> tuple[list[float], list[float], list[date]]:
    """The ticker's total-return path through the close at the origin: up to it, after it, and the sessions of both.

    Splits and dividends leave no step in it.
    """
    rows = paths.filter(pl.col("ticker") == ticker)
    before = rows.filter(pl.col("session") <= origin).tail(PATH)
    after = rows.filter(pl.col("session") > origin)
    if before.is_empty():
        return [], [], []
    past = [float(before["close"][-1])]
    for change in reversed(before["total_return"].to_list()[1:]):
        past.append(past[-1] / (1 + (change or 0.0)))
    later: list[float] = []
    for change in after["total_return"]:
        later.append((later or [past[0]])[-1] * (1 + (change or 0.0)))
    return past[::-1], later, [*before["session"].to_list(), *after["session"].to_list()]


def forecast_levels(predictions: pl.DataFrame) -> dict[str, tuple[float, ...]]:
    """Quantile -> the prices that a ticker's forecasts mean, from the close they start at, by horizon.

    Args:
        predictions: a ticker's rows of one session, by horizon; at least one.
    """
    start = float(predictions["reference_close"][0])
    return {name: (start, *(start * (1 + value) for value in predictions[name])) for name in QUANTILE_COLUMNS}


def recent_closes(paths: pl.DataFrame, session: date | None) -> pl.DataFrame:
    """The last closes up to the session of each ticker, as a list: `closes`."""
    known = paths.filter(pl.col("session") <= session) if session else paths
    return known.group_by("ticker", maintain_order=True).agg(pl.col("close").tail(SPARK).alias("closes"))


def add_closes(holdings: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Adds `closes`, the last closes of each holding, and `gain`, its unrealised gain over cost."""
    closes = (
        bars.sort("ticker", "session")
        .group_by("ticker", maintain_order=True)
        .agg(pl.col("close").tail(SPARK).alias("closes"))
    )
    gain = pl.col("unrealised").cast(pl.Float64) / pl.col("cost").cast(pl.Float64)
    return holdings.drop("closes", strict=False).join(closes, on="ticker", how="left").with_columns(gain=gain)


def follow_closes(market_prices: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """Return `daily_total_returns` of the bars by the actions that stand.

    Args:
        market_prices: daily bars: ticker, session, close.
        changes: a result of `read_changes`; what was withdrawn explains nothing.
    """
    return daily_total_returns(market_prices, changes.filter(pl.col("state") != "withdrawn"))


def closes_around(daily: pl.DataFrame, ticker: str, ex_date: date, sessions: int = AROUND) -> pl.DataFrame:
    """Return session, close and adjusted (Float64, in the listing's currency), sorted by session.

    adjusted is the total-return index that meets the close of the first bar on or after the ex-date, or of the last bar
    where there is none: what an action explains is a step of the close that adjusted does not make.

    Args:
        daily: a result of `follow_closes`.
        ticker: whose closes.
        ex_date: of the action.
        sessions: bars before it and after it, at most.
    """
    mine = daily.filter(pl.col("ticker") == ticker).sort("session")
    at = min(int((mine["session"] < ex_date).sum()), mine.height - 1)
    if at < 0:
        return pl.DataFrame(schema={"session": pl.Date, "close": pl.Float64, "adjusted": pl.Float64})
    index = (1 + pl.col("total_return").fill_null(0.0)).cum_prod()
    level = pl.col("close").get(at) / index.get(at)
    first = max(at - sessions, 0)
    return mine.select("session", "close", adjusted=index * level).slice(first, at + sessions + 1 - first)
