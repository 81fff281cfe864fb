"""The sales worth remembering: those that gained most and lost most, in the words of their reviews."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl


@dataclass(frozen=True)
class ClosedTrade:
    """A closed trade and what was learned from it."""

    trade_id: str
    ticker: str
    session: date
    held_sessions: int
    profit: Decimal
    realised: float
    expected: float | None
    verdict: str
    lesson: str


def best_and_worst(
    trade_reflections: pl.DataFrame, count: int = 2
) -> tuple[tuple[ClosedTrade, ...], tuple[ClosedTrade, ...]]:
    """The sales that gained most and those that lost most; a loss is never among the best, nor a gain the worst."""
    ordered = trade_reflections.sort("profit", "trade_id", descending=[True, False])
    gains = ordered.filter(pl.col("profit") > 0).head(count)
    losses = ordered.filter(pl.col("profit") < 0).tail(count).reverse()
    return tuple(map(_trade, gains.to_dicts())), tuple(map(_trade, losses.to_dicts()))


def _trade(row: dict[str, object]) -> ClosedTrade:
    names = {"realised": "realised_return", "expected": "expected_return"}
    return ClosedTrade(**{field: row[names.get(field, field)] for field in ClosedTrade.__dataclass_fields__})  # type: ignore[arg-type]


def count_verdicts(trade_reflections: pl.DataFrame) -> tuple[tuple[str, int, Decimal], ...]:
    """What explains the sales: verdict, sales, and the sum of their profits; the most frequent first."""
    counts = (
        trade_reflections.group_by("verdict")
        .agg(pl.len(), pl.col("profit").sum())  # exact decimals: the order of the rows does not matter
        .sort(["len", "verdict"], descending=[True, False])
    )
    return tuple((str(verdict), int(count), Decimal(profit)) for verdict, count, profit in counts.iter_rows())
