"""How a ticker trades: its volatility and volume, from the sessions before an order or up to a decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.returns import daily_total_returns
from pipeline.market.securities.following import Securities
from pipeline.market.sessions import Sessions
from pipeline.trading.params import TradingParams

LOOKBACK = 25
"""Sessions read so that a 20-session window is full in spite of missing bars."""


def measure_before_open(
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    tickers: Sequence[str],
    session: date,
    calendar: Sessions,
    params: TradingParams,
) -> pl.DataFrame:
    """Return `measure_conditions` of some names at a session's open, which knows no bar but those before it.

    Args:
        market_prices: daily bars of the last `LOOKBACK` sessions and the session's.
        corporate_actions: of the same sessions.
        tickers: as the names are called at the session.
        session: the one that opens.
        calendar: the sessions.
        params: the window, and what a ticker's history is.
    """
    bars, actions = market_prices.filter(pl.col("ticker").is_in(tickers)), corporate_actions
    if params.securities == 2:
        companies = Securities.trace(corporate_actions, market_prices)
        bars = companies.follow_to(market_prices, "session", session).filter(pl.col("ticker").is_in(tickers))
        actions = companies.follow_actions_to(corporate_actions, session)
    if params.stops == 2:
        actions = restate_in_gaps(actions, bars)
    own = actions.filter(pl.col("ticker").is_in(tickers))
    return measure_conditions(bars, own, calendar.previous(session), params.sizing.window, basis=session)


def measure_conditions(
    market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, upto: date, window: int, *, basis: date
) -> pl.DataFrame:
    """Return each ticker's last close, volatility and median volume over its last `window` bars up to a session.

    Volumes are restated to the share basis of `basis` (a split between a bar and that day multiplies its shares), so
    that a volume from before a split can be compared with an order after it. Each window is a ticker's own: bars of
    other tickers, later bars and the frame's order change nothing.

    Args:
        market_prices: daily bars (ticker, session, close, volume).
        corporate_actions: splits and dividends with an ex-date up to `basis`.
        upto: last session that may be used.
        window: bars.
        basis: the session whose share basis close and volume are wanted on; not before `upto`.

    Returns:
        ticker, last_session (Date), close (Float64, on the basis), volatility (Float64, fraction per session, null
        below half a window), median_volume (Float64, shares, null below half a window), sorted by ticker.
    """
    bars = market_prices.filter(pl.col("session") <= upto)
    returns = daily_total_returns(bars, corporate_actions.filter(pl.col("ex_date") <= upto))
    volumes = bars.select("ticker", "session", "volume")
    recent = returns.join(volumes, on=["ticker", "session"], how="left", maintain_order="left").filter(
        pl.int_range(pl.len(), 0, -1).over("ticker") <= window
    )
    recent = _add_factor(recent, corporate_actions.filter(pl.col("ex_date") <= basis))
    enough = pl.len().over("ticker") >= max(window // 2, 2)
    return (
        recent.with_columns(
            volatility=pl.when(enough).then(pl.col("total_return").std().over("ticker")),
            median_volume=pl.when(enough).then((pl.col("volume") * pl.col("factor")).median().over("ticker")),
            close=pl.col("close") / pl.col("factor"),
            last_session=pl.col("session"),
        )
        .unique("ticker", keep="last", maintain_order=True)
        .select("ticker", "last_session", "close", "volatility", "median_volume")
    )


def _add_factor(bars: pl.DataFrame, corporate_actions: pl.DataFrame) -> pl.DataFrame:
    """Add `factor`: today's shares for one share of the bar's session."""
    bars = bars.with_columns(factor=pl.lit(1.0))
    for ticker, ex_date, ratio in list_splits(corporate_actions):
        before = (pl.col("ticker") == ticker) & (pl.col("session") < ex_date)
        bars = bars.with_columns(factor=pl.when(before).then(pl.col("factor") * ratio).otherwise("factor"))
    return bars


def list_splits(corporate_actions: pl.DataFrame) -> list[tuple[str, date, float]]:
    """Return ticker, ex-date and new shares for each old one, in a canonical order: products of floats depend on it."""
    splits = corporate_actions.filter(pl.col("kind") == "split").sort("ticker", "ex_date", "sequence")
    ratio = pl.col("numerator") / pl.col("denominator")
    return splits.select("ticker", "ex_date", ratio.alias("ratio")).rows()
