"""Says how far a book is under where it stood best: beside its benchmark, or by its own value."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, takewhile
from operator import mul
from typing import NamedTuple

import polars as pl

from lake.tables.books import PORTFOLIO_VALUE
from pipeline.engine.stage import Read
from pipeline.trading.mandates.mandate import EQUAL_WEIGHT, Mandate
from pipeline.trading.philosophy.params import Philosophy

LOOKBACK = 250
"""Sessions in which a book's best counts: a year, after which what it once was is no measure of its bets now."""
LEVELS = Read(
    PORTFOLIO_VALUE,
    lookback=LOOKBACK,
    columns=(
        *PORTFOLIO_VALUE.key,
        "nav", "cash", "positions_value", "drawdown", "session_return", "equal_weight", "benchmark",
    ),
)  # fmt: skip


class Drawdown(NamedTuple):
    """A fall from a best."""

    size: float
    """Fraction, 0 or more."""
    beside_benchmark: bool = False
    """Whether both, then and now, are seen from the benchmark."""


def find_level(mandate: Mandate, philosophy: Philosophy, instruments: pl.DataFrame, currency: str) -> str | None:
    """Return the column of `portfolio_value` beside which the book's drawdown is measured; None for its own value's.

    The benchmark on record is the first that is quoted in the book's currency, as baselines choose it.
    """
    if not mandate.relative or philosophy.drawdown_of == "value":
        return None
    if mandate.benchmark == EQUAL_WEIGHT:
        return EQUAL_WEIGHT
    listed = instruments.filter(pl.col("role") == "benchmark").sort(pl.col("currency") != currency, "ticker")
    return "benchmark" if listed["ticker"].head(1).to_list() == [mandate.benchmark] else None


def read_drawdown(portfolio_value: pl.DataFrame, level: str | None) -> Drawdown:
    """Return the drawdown that counts after the last of these sessions, beside the column `level` if there is one."""
    rows = portfolio_value.sort("session").tail(LOOKBACK + 1)
    levels = rows[level].to_list() if level else []
    return measure_drawdown(rows["drawdown"][-1], rows["session_return"].to_list(), levels)


def measure_drawdown(own: float, returns: Sequence[float], levels: Sequence[float | None]) -> Drawdown:
    """Return the drawdown that counts after the last session.

    Args:
        own: fall of the book's value from its peak, a fraction.
        returns: of the book in each of the last sessions, the oldest first; restatements are none.
        levels: what the benchmark was worth after each of them, None where that is not on record; may be empty.
    """
    known = [level for level in takewhile(bool, reversed(levels)) if level][::-1]
    if not known:
        return Drawdown(own)
    gained = returns[len(returns) - len(known) + 1 :]
    book = accumulate((1 + one for one in gained), mul, initial=1.0)
    beside = [worth * known[0] / level for worth, level in zip(book, known, strict=True)]
    return Drawdown(1 - beside[-1] / max(beside), beside_benchmark=True)
