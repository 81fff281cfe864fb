"""How positions were marked before books followed facts that change (settlement 1): kept for runs of then alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import polars as pl

from pipeline.trading.books.actions import Action, split_ratio
from pipeline.trading.books.book import Book
from pipeline.trading.books.marks import Mark
from pipeline.trading.books.money import MICROS_PER_CENT, half_even, to_micros


def mark_once(
    tickers: list[str],
    book: Book,
    market_prices: pl.DataFrame,
    portfolio_holdings: pl.DataFrame,
    actions: list[Action],
    session: date,
) -> dict[str, Mark]:
    """Return each ticker's last close: from its bars, else as carried before, else what its shares cost."""
    bars = market_prices.filter(pl.col("ticker").is_in(tickers)).select("ticker", "session", "close")
    carried = portfolio_holdings.select("ticker", "close_session", "close", basis="session")
    known: dict[str, Mark] = {}
    for ticker, when, close, basis in carried.iter_rows():
        known[ticker] = (when, _restate(to_micros(close), ticker, basis, actions))
    for action in actions:  # a renamed name goes on from its old name's close until it has a bar of its own
        if action.kind == "rename" and action.successor and action.ticker in known:
            known.setdefault(action.successor, known[action.ticker])
    for ticker, when, close in bars.sort("ticker", "session").unique("ticker", keep="last").iter_rows():
        if ticker not in known or known[ticker][0] <= when:
            known[ticker] = (when, _restate(to_micros(close), ticker, when, actions))
    for ticker in tickers:
        position = book.positions[ticker]
        known.setdefault(ticker, (session, half_even(position.cost * MICROS_PER_CENT, position.shares)))
    return known


def _restate(close: int, ticker: str, basis: date, actions: Iterable[Action]) -> int:
    new, old = split_ratio(actions, ticker, basis)
    return half_even(close * old, new)
