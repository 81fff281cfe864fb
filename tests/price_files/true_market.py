"""A made-up market on a real exchange's calendar, of which every bar, split and dividend is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import polars as pl

from pipeline.market.sessions import Sessions, exchange_sessions

FIRST = date(2021, 1, 4)
RATIOS = ((2, 1), (4, 1), (3, 2), (1, 10), (7, 1), (20, 1))
TICKERS = ("AAPL", "MSFT", "BRK.B", "F", "GOOGL")


@dataclass(frozen=True)
class TrueMarket:
    """What the files are written from and compared with."""

    calendar: Sessions
    bars: pl.DataFrame
    """ticker, session, open, high, low, close (Float64 in cents, as traded), volume (Int64); by ticker and session."""
    splits: pl.DataFrame
    """ticker, session (the ex-date), numerator, denominator."""
    dividends: pl.DataFrame
    """ticker, session (the ex-date), amount (Float64, at most four decimals)."""

    def adjusted(self, *, dividends: bool) -> pl.DataFrame:
        """The bars with `factor`: what adjusts each for all later splits, and dividends if asked; and `ratio`, for
        splits alone."""
        split = self.splits.select("ticker", "session", own_ratio=pl.col("denominator") / pl.col("numerator"))
        told = self.bars.join(split, on=["ticker", "session"], how="left")
        told = told.join(self.dividends, on=["ticker", "session"], how="left").sort("ticker", "session")
        before = pl.col("close").shift(1).over("ticker")
        own = pl.col("own_ratio").fill_null(1.0)
        cash = (1 - pl.col("amount") / before).fill_null(1.0) if dividends else pl.lit(1.0)
        later = (own * cash).shift(-1).over("ticker").fill_null(1.0)
        told = told.with_columns(step=later, split_step=own.shift(-1).over("ticker").fill_null(1.0))
        return told.with_columns(
            factor=pl.col("step").cum_prod(reverse=True).over("ticker"),
            ratio=pl.col("split_step").cum_prod(reverse=True).over("ticker"),
        ).drop("own_ratio", "step", "split_step")


@lru_cache(maxsize=4)
def true_market(exchange: str, tickers: int = 5, months: int = 36) -> TrueMarket:
    """A market of the exchange's sessions, with quarterly dividends and a split for most tickers."""
    calendar = exchange_sessions(exchange)
    days = calendar.between(FIRST, FIRST + timedelta(days=round(months * 30.4)))
    names = [*TICKERS, *(f"T{n:03d}" for n in range(1000))][:tickers]
    parts = [_ticker(name, days, number) for number, name in enumerate(names)]
    return TrueMarket(calendar, *(pl.concat(frames) for frames in zip(*parts, strict=True)))


def _ticker(name: str, days: list[date], seed: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(seed)
    count = len(days)
    split_at = int(rng.integers(count // 4, 3 * count // 4)) if seed % 4 != 3 else count
    new, old = RATIOS[seed % len(RATIOS)]
    ex = [n for n in range(40 + seed % 20, count, 63) if abs(n - split_at) > 3] if seed % 3 != 2 else []
    close, opens = np.empty(count), np.empty(count)
    last = 60.0 + 37 * (seed % 7)
    amounts = []
    for n in range(count):
        if n == split_at:
            last = last * old / new
        if n in ex:
            amount = round(last * float(rng.uniform(0.003, 0.012)), 2 + n % 3)
            amounts.append(amount)
            last -= amount
        opens[n] = round(last * float(np.exp(rng.normal(0, 0.004))), 2)
        last = close[n] = round(opens[n] * float(np.exp(rng.normal(0.0002, 0.012))), 2)
    high = np.round(np.maximum(opens, close) * (1 + rng.uniform(0, 0.01, count)), 2)
    low = np.round(np.minimum(opens, close) * (1 - rng.uniform(0, 0.01, count)), 2)
    volume = rng.integers(1_000, 3_000_000, count)
    bars = pl.DataFrame({"ticker": name, "session": days, "open": opens, "high": high, "low": low, "close": close})
    splits = [(name, days[split_at], new, old)] if split_at < count else []
    return (
        bars.with_columns(volume=pl.Series(volume, dtype=pl.Int64)),
        pl.DataFrame(splits, schema=["ticker", "session", "numerator", "denominator"], orient="row").cast(
            {"ticker": pl.String, "session": pl.Date, "numerator": pl.Int64, "denominator": pl.Int64}
        ),
        pl.DataFrame(
            {"ticker": [name] * len(ex), "session": [days[n] for n in ex], "amount": amounts},
            schema={"ticker": pl.String, "session": pl.Date, "amount": pl.Float64},
        ),
    )
