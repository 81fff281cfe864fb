"""How a ticker trades: its volatility and volume, from the sessions before an order or up to a decision."""

from __future__ import annotations

from datetime import date

import polars as pl

from pipeline.market.returns import daily_total_returns

LOOKBACK = 25
"""Sessions read so that a 20-session window is full in spite of missing bars."""


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
    for ticker, ex_date, ratio in _splits(corporate_actions):
        before = (pl.col("ticker") == ticker) & (pl.col("session") < ex_date)
        bars = bars.with_columns(factor=pl.when(before).then(pl.col("factor") * ratio).otherwise("factor"))
    return bars


def _splits(corporate_actions: pl.DataFrame) -> list[tuple[str, date, float]]:
    """Splits in a canonical order: products of floats depend on it."""
    splits = corporate_actions.filter(pl.col("kind") == "split").sort("ticker", "ex_date", "sequence")
    ratio = pl.col("numerator") / pl.col("denominator")
    return splits.select("ticker", "ex_date", ratio.alias("ratio")).rows()
