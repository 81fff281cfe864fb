"""What the reconciliation reads of prices, and whose: exact numbers by ticker and day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from fractions import Fraction

import polars as pl

from pipeline.trading.reconciling.exact_numbers import read_exactly


def find_concerned(names: set[str], corporate_actions: pl.DataFrame) -> set[str]:
    """Names, what they became or gave shares of, and who came under one of them: the rest is the newcomer's."""
    pairs = corporate_actions.filter(pl.col("successor").is_not_null()).select("ticker", "successor").rows()
    while new := {one for pair in pairs if not names.isdisjoint(pair) for one in pair} - names:
        names |= new
    return names


def read_bars(
    market_prices: pl.DataFrame, names: Iterable[str]
) -> tuple[dict[tuple[str, date], Fraction], dict[str, list[tuple[date, Fraction]]]]:
    """The opens by ticker and day, and the closes of each ticker in their order."""
    bars = market_prices.filter(pl.col("ticker").is_in(sorted(names))).sort("ticker", "session")
    opens: dict[tuple[str, date], Fraction] = {}
    closes: dict[str, list[tuple[date, Fraction]]] = defaultdict(list)
    for ticker, day, opening, close in bars.select("ticker", "session", "open", "close").iter_rows():
        opens[ticker, day] = read_exactly(opening)
        closes[ticker].append((day, read_exactly(close)))
    return opens, closes
