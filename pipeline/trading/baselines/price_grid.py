"""What the names that a baseline holds or may come to hold cost, and when they could be traded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from pipeline.trading.baselines.held_portfolio import Flags, Floats


@dataclass(frozen=True)
class PriceGrid:
    """What could be traded when: a row for each session in reach, a column for each name that matters."""

    days: list[date]
    names: list[str]
    opens: Floats
    """Currency per share, of the book; NaN where there is no bar."""
    closes: Floats
    """The same."""
    traded: Flags
    """Whether anything was traded in the session: a bar without volume is a price, and nobody to trade with."""
    members: Flags
    """Whether the name is one to hold after the session."""


def lay_out(
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    members: pl.DataFrame,
    names: Collection[str],
    days: list[date],
    *,
    always: bool = False,
) -> PriceGrid:
    """Lay out the bars of some sessions.

    Args:
        market_prices: ticker, session, open, close and volume, in the book's currency.
        corporate_actions: what names became; successors are laid out beside those they follow.
        members: session and ticker of what is to be held.
        names: what is held or may come to be, beside the members.
        days: the sessions, in order.
        always: whether a bar without volume can be traded too.
    """
    ordered = sorted(_add_successors({*names, *members["ticker"]}, corporate_actions))
    bars = market_prices.filter(pl.col("ticker").is_in(ordered), pl.col("session").is_in(days))
    shape = (len(days), len(ordered))
    opens, closes = np.full(shape, np.nan), np.full(shape, np.nan)
    traded, chosen = np.zeros(shape, bool), np.zeros(shape, bool)
    at = _place(bars, days, ordered)
    sold = bars.select((pl.col("volume") > 0) | (pl.col("volume_rounding") > 0).fill_null(False)).to_series()
    opens[at], closes[at] = bars["open"].to_numpy(), bars["close"].to_numpy()
    traded[at], chosen[_place(members, days, ordered)] = sold.to_numpy() | always, True
    return PriceGrid(days, ordered, opens, closes, traded, chosen)


def _add_successors(names: set[str], corporate_actions: pl.DataFrame) -> set[str]:
    passed_on = corporate_actions.filter(pl.col("successor").is_not_null()).select("ticker", "successor").rows()
    while new := {successor for ticker, successor in passed_on if ticker in names} - names:
        names |= new
    return names


def _place(rows: pl.DataFrame, days: list[date], names: list[str]) -> tuple[list[int], list[int]]:
    row_of = {day: number for number, day in enumerate(days)}
    column_of = {name: number for number, name in enumerate(names)}
    return [row_of[day] for day in rows["session"]], [column_of[name] for name in rows["ticker"]]
