"""A portfolio of fractional shares: it follows corporate actions, and trades at closes where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import fsum
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.trading.books.actions import ORDER

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
NEGLIGIBLE = 1e-9
"""Fraction of a position: a difference of rounding, which nobody trades."""


class HolderEvent(NamedTuple):
    """A corporate action as far as it changes what a holder has."""

    ticker: str
    ex_date: date
    kind: str
    sequence: int
    numerator: int | None
    denominator: int | None
    amount: float | None
    successor: str | None
    nature: str | None
    cash: float | None


def select_events(corporate_actions: pl.DataFrame, after: date, upto: date) -> list[HolderEvent]:
    """Return the actions with `after` < ex-date <= `upto`, in the order they take effect."""
    due = corporate_actions.filter(pl.col("ex_date").is_between(after, upto, closed="right"))
    events = [HolderEvent(*row) for row in due.select(*HolderEvent._fields).iter_rows()]
    return sorted(events, key=lambda one: (one.ex_date, ORDER[one.kind], one.ticker, one.sequence))


@dataclass
class HeldPortfolio:
    """Shares and the last close known of each of some names, and cash; one place in each array for each name."""

    places: dict[str, int]
    """Name -> its place."""
    shares: Floats
    marks: Floats
    """Currency per share: the last close, on the share basis of today; NaN where none is known."""
    marked: list[date | None]
    """The session of that close."""
    cash: float

    @classmethod
    def start(cls, names: list[str], cash: float) -> HeldPortfolio:
        """All of it in cash."""
        places = {name: place for place, name in enumerate(names)}
        return cls(places, np.zeros(len(names)), np.full(len(names), np.nan), [None] * len(names), cash)

    @property
    def values(self) -> Floats:
        """What each position is worth at its last close; 0 where nothing is held."""
        worth: Floats = np.where(self.shares > 0, self.shares * self.marks, 0.0)
        return worth

    @property
    def value(self) -> float:
        """All of it, cash included."""
        return fsum([*self.values.tolist(), self.cash])

    def follow(self, event: HolderEvent) -> None:
        """Give the holder what a corporate action gives him. A name without a bar is worth what is left of it."""
        place = self.places.get(event.ticker)
        if place is None or not self.shares[place] > 0:
            return
        if event.kind == "split" and event.numerator and event.denominator:
            self.shares[place] *= event.numerator / event.denominator
            self.marks[place] *= event.denominator / event.numerator
        elif event.kind == "dividend" and event.amount is not None:
            self.cash += float(self.shares[place]) * event.amount
            self.marks[place] = max(float(self.marks[place]) - event.amount, 0.0)
        elif event.kind == "delisting":
            self._end(place, event)
        elif event.kind == "rename" and event.successor in self.places:
            self._move(place, event.successor, float(self.marks[place]), 1.0)

    def swap(self, renames: list[HolderEvent]) -> None:
        """Companies that take each other's tickers on one day: all leave with what they have, then all arrive."""
        known = [one for one in renames if {one.ticker, one.successor} <= self.places.keys()]
        left = [(self.places[one.ticker], self.places[one.successor]) for one in known if one.successor]
        shares, marks, marked = self.shares.copy(), self.marks.copy(), list(self.marked)
        self.shares[[place for place, _ in left]] = 0.0
        for place, to in left:
            self.shares[to], self.marks[to], self.marked[to] = shares[place], marks[place], marked[place]

    def _end(self, place: int, event: HolderEvent) -> None:
        """A delisting pays the final value per share; a merger may give shares of the successor for a part of it."""
        amount, cash = event.amount or 0.0, event.cash or 0.0
        if event.nature == "merger" and event.successor in self.places and event.numerator and event.denominator:
            ratio = event.numerator / event.denominator
            self.cash += float(self.shares[place]) * cash
            self._move(place, event.successor, max(amount - cash, 0.0) / ratio, ratio)
            return
        self.cash += float(self.shares[place]) * amount
        self.shares[place] = 0.0

    def _move(self, place: int, successor: str, mark: float, ratio: float) -> None:
        """Exchange a position for shares of another name, worth `mark` each unless that name has a close already."""
        to = self.places[successor]
        if not self.shares[to] > 0:
            self.marks[to], self.marked[to] = mark, self.marked[place]
        self.shares[to] += self.shares[place] * ratio
        self.shares[place] = 0.0

    def write_off(self, place: int, fraction: float) -> None:
        """Turn a position into that fraction of what it is worth at its last close."""
        self.cash += float(self.values[place]) * fraction
        self.shares[place] = 0.0

    def mark(self, closes: Floats, session: date) -> None:
        """Take in a session's closes; NaN where a name has none."""
        for place in np.flatnonzero(np.isfinite(closes)).tolist():
            self.marks[place], self.marked[place] = closes[place], session

    def rebalance(self, wanted: Flags, tradeable: Flags) -> Floats:
        """Hold the same value of each wanted name, as far as there is a price to trade at.

        What cannot be sold stays and ties up its value; what cannot be bought gets none.

        Args:
            wanted: the names to hold; where there is none at all, everything stays as it is.
            tradeable: the names that traded at this close.

        Returns:
            The value bought (positive) or sold (negative) of each name.
        """
        before = self.values
        if not wanted.any():
            return np.zeros_like(before)
        buys = wanted & tradeable
        free = fsum([*before[tradeable].tolist(), self.cash])
        targets = np.where(buys, free / max(int(buys.sum()), 1), 0.0)
        traded = np.where(tradeable, targets - before, 0.0)
        traded[np.abs(traded) <= NEGLIGIBLE * targets] = 0.0
        moved = np.flatnonzero(traded)
        self.shares[moved] = targets[moved] / self.marks[moved]
        self.cash = free - fsum(self.values[tradeable].tolist())
        return traded
