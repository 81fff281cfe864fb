"""What the book would be worth at the last snapshot of a session in progress: unofficial until its cycle has run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import polars as pl

from pipeline.text_format import counted
from pipeline.trading.books.money import half_even, to_cents, to_micros, value_of

REFIGURED = ("split", "rename", "delisting")
"""Kinds of action from whose day on shares held before are others: a position with one stays at its close."""


@dataclass(frozen=True)
class SnapshotMark:
    """The positions of the last close at the newest bars of the session after it."""

    at: datetime
    """The end of the newest bar."""
    value: Decimal
    """The book's value with them."""
    change: Decimal
    """That less the value at the close."""
    marked: int
    held: int
    left: tuple[str, ...]
    """Tickers that stay at their last close: without a bar of the session, with an action from whose day on shares are
    others, or foreign without a rate."""

    @property
    def sentence(self) -> str:
        """The mark in words."""
        return (
            f"Unofficial until the close: {self.value:,.2f} at the snapshot of {self.at:%Y-%m-%d %H:%M} UTC, "
            f"{self.change:+,.2f}."
        )

    @property
    def scope(self) -> str:
        """What is in it and what is not, in words."""
        left = f"; at their last close stay {', '.join(self.left[:3])}" if self.left else ""
        more = f" and {len(self.left) - 3} more" if len(self.left) > 3 else ""
        return (
            f"{self.marked} of {counted(self.held, 'position')} marked{left}{more}. "
            "What was ordered for this session's open is not in it yet."
        )


def mark_at_snapshot(
    nav: Decimal, holdings: pl.DataFrame, bars: pl.DataFrame, actions: pl.DataFrame
) -> SnapshotMark | None:
    """Value the positions of the last close at the newest bars since; None where there is none of any of them.

    Shares, and the rates of foreign names, are those of the close; amounts are exact, rounded as the books do.

    Args:
        nav: the book's value at the close.
        holdings: rows of `portfolio_holdings` of that session.
        bars: rows of `intraday_prices` of later sessions.
        actions: rows of `corporate_actions` with ticker and kind that became effective since.
    """
    refigured = actions.filter(pl.col("kind").is_in(REFIGURED))["ticker"].unique().to_list()
    newest = bars.sort("ts", "interval").unique("ticker", keep="last").filter(~pl.col("ticker").is_in(refigured))
    valued = holdings.filter(pl.col("currency").is_null() | pl.col("rate").is_not_null())
    marked = valued.join(newest.select("ticker", "ts", bar_close="close"), on="ticker").sort("ticker")
    if marked.is_empty():
        return None
    change = sum(_value(row) - to_cents(row["market_value"]) for row in marked.iter_rows(named=True))
    at = marked["ts"].max()
    assert isinstance(at, datetime)
    amount = Decimal(change).scaleb(-2)
    left = holdings.join(marked, on="ticker", how="anti").sort("ticker")["ticker"]
    return SnapshotMark(at, nav + amount, amount, marked.height, holdings.height, tuple(left))


def _value(row: dict[str, object]) -> int:
    """Cents of the book's currency: in the name's own to the hundredth, then converted once."""
    shares, close, rate = row["shares"], row["bar_close"], row["rate"]
    assert isinstance(shares, int) and isinstance(close, float)
    quoted = value_of(shares, to_micros(close))
    if row["currency"] is None:
        return quoted
    assert isinstance(rate, Decimal)
    worth = quoted * Fraction(rate)
    return half_even(worth.numerator, worth.denominator)
