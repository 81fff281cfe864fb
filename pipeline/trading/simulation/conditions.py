"""How each name traded before each of many sessions, to the bit as execution measures it session by session."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.returns import daily_total_returns
from pipeline.market.securities.following import Securities
from pipeline.market.sessions import Sessions
from pipeline.trading.execution.volatility_and_volume import LOOKBACK, list_splits, measure_before_open
from pipeline.trading.params import TradingParams

BLOCK = 250
"""Sessions measured at a time, for memory: each bar counts in the windows of `LOOKBACK` sessions."""


def measure_all(
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    sessions: Sequence[date],
    calendar: Sessions,
    params: TradingParams,
) -> pl.DataFrame:
    """Return session, ticker, median_volume and volatility as known at the open of each session.

    Where a ticker was not always one company's, or a dividend went ex in a gap, each session is measured by itself.

    Args:
        market_prices: daily bars up to the last session, and of `LOOKBACK` sessions before the first where there are.
        corporate_actions: with an ex-date up to the last session.
        sessions: in a row.
        calendar: the sessions there are.
        params: the window, and what a ticker's history is.
    """
    bars = market_prices.select("ticker", "session", "close", "volume").sort("ticker", "session")
    followed = params.securities == 2 and not Securities.trace(corporate_actions, market_prices).spells.is_empty()
    restated = params.stops == 2 and not restate_in_gaps(corporate_actions, bars).equals(corporate_actions)
    if followed or restated:
        return pl.concat([_measure(bars, corporate_actions, session, calendar, params) for session in sessions])
    windows = TradingWindows(bars, corporate_actions, calendar, params.sizing.window)
    told = ("session", "ticker", "median_volume", "volatility")
    blocks = (sessions[at : at + BLOCK] for at in range(0, len(sessions), BLOCK))
    return pl.concat([windows.measure(block).select(told) for block in blocks])


def _measure(
    bars: pl.DataFrame, corporate_actions: pl.DataFrame, session: date, calendar: Sessions, params: TradingParams
) -> pl.DataFrame:
    """One session by itself."""
    first = calendar.offset(session, -LOOKBACK)
    recent = bars.filter(pl.col("session").is_between(first, session))
    actions = corporate_actions.filter(pl.col("ex_date").is_between(first, session))
    tickers = recent["ticker"].unique().sort().to_list()
    found = measure_before_open(recent, actions, tickers, session, calendar, params)
    return found.select(pl.lit(session).alias("session"), "ticker", "median_volume", "volatility")


class TradingWindows:
    """Every bar with the sessions whose windows it is in.

    No ticker may have been another company's before, and no dividend gone ex in a gap: then windows are no plain spans.
    """

    def __init__(self, bars: pl.DataFrame, corporate_actions: pl.DataFrame, calendar: Sessions, window: int) -> None:
        self.window, self.calendar = window, calendar
        self.splits = [
            (ticker, calendar.at_or_after(day), ratio) for ticker, day, ratio in list_splits(corporate_actions)
        ]
        returns = daily_total_returns(bars, corporate_actions)
        places = calendar.frame(bars["session"].min(), bars["session"].max())  # type: ignore[arg-type]
        placed = returns.select("ticker", "session", "total_return").with_columns(bars["volume"], bars["close"])
        placed = placed.join(places.select("session", "position"), on="session", how="left", maintain_order="left")
        self.bars = placed.with_columns(before=pl.col("position").shift(1).over("ticker"))

    def measure(self, sessions: Sequence[date], *, at_close: bool = False) -> pl.DataFrame:
        """Measure some sessions in a row, each before its open, or with its own bars at its close.

        Returns:
            session, ticker, median_volume, volatility; last_session and close, on the session's share basis.
        """
        pairs, enough = self._pair(sessions, 0 if at_close else 1), pl.len() >= max(self.window // 2, 2)
        known = pl.when(pl.col("before") >= pl.col("asked") - LOOKBACK).then("total_return")
        factor = self._restate()
        measured = pairs.with_columns(
            pl.col("volume") * factor,
            pl.col("close") / factor,
            total_return=known,
            group=pl.struct("ticker", "asked").rle_id(),
        )
        # Groups that lie one after the other, as they do in one session's measurement: other sums have other last bits.
        found = measured.set_sorted("group").group_by("group", maintain_order=True).agg(
            pl.col("asked", "ticker").first(),
            median_volume=pl.when(enough).then(pl.col("volume").median()),
            volatility=pl.when(enough).then(pl.col("total_return").std()),
            last_session=pl.col("session").last(),
            close=pl.col("close").last(),
        )  # fmt: skip
        days = pl.Series("session", self.calendar.days).gather(found["asked"])
        told = ("ticker", "median_volume", "volatility", "last_session", "close")
        return found.select(days, *told).sort("session", "ticker")

    def _pair(self, sessions: Sequence[date], ahead: int) -> pl.DataFrame:
        """Each session that is asked for with the last bars of each ticker at least `ahead` sessions before it."""
        first, last = self.calendar.position(sessions[0]), self.calendar.position(sessions[-1])
        near = self.bars.filter(pl.col("position").is_between(first - LOOKBACK, last - ahead))
        counts = near.with_columns(asked=pl.int_ranges(pl.col("position") + ahead, pl.col("position") + LOOKBACK + 1))
        pairs = counts.explode("asked").filter(pl.col("asked").is_between(first, last))
        latest = pl.int_range(pl.len(), 0, -1).over("ticker", "asked") <= self.window
        return pairs.sort("ticker", "asked", "position").filter(latest)

    def _restate(self) -> pl.Expr:
        """What a bar's volume is multiplied by to be on the session's share basis."""
        factor = pl.lit(1.0)
        for ticker, session, ratio in self.splits:
            place = self.calendar.position(session)
            between = (pl.col("position") < place) & (place <= pl.col("asked"))
            factor = pl.when((pl.col("ticker") == ticker) & between).then(factor * ratio).otherwise(factor)
        return factor
