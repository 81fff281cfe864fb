"""The rates by which foreign names are converted, looked up anew for the reconciliation."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

import polars as pl

Dated = list[tuple[date, Fraction]]
SCALE = 10**12


@dataclass(frozen=True)
class KnownRates:
    """Which names are foreign, and what their currencies were worth in the book's on each day."""

    currency_of: Mapping[str, str] = field(default_factory=dict)
    last: Mapping[str, Dated] = field(default_factory=dict)
    """Currency -> the rate of each day by its last revision, in order; where both directions were stated, as one unit
    of the currency in the book's."""
    stated: Mapping[str, frozenset[tuple[date, Fraction]]] = field(default_factory=dict)
    """Currency -> every rate that was ever stated, those corrected since included, with its day."""
    ever: Mapping[str, frozenset[Fraction]] = field(default_factory=dict)
    """The same without the days."""

    @classmethod
    def read(cls, instruments: pl.DataFrame, fx_rates: pl.DataFrame, book: str) -> KnownRates:
        """Read listings and every revision of the rates."""
        listed = instruments.select("ticker", "currency").rows() if book else []
        currency_of = {ticker: currency for ticker, currency in listed if currency != book}
        newest: dict[str, dict[date, tuple[bool, int, Fraction]]] = defaultdict(dict)
        stated: dict[str, set[tuple[date, Fraction]]] = defaultdict(set)
        wanted = set(currency_of.values())
        for base, quote, day, revision, rate in fx_rates.select(
            "base", "quote", "session", "revision", "rate"
        ).iter_rows():
            direct = quote == book
            currency = base if direct else quote
            if currency not in wanted or book not in (base, quote):
                continue
            worth = _to_a_trillionth(Fraction(rate) if direct else 1 / Fraction(rate))
            stated[currency].add((day, worth))
            found = (direct, revision, worth)
            newest[currency][day] = max(newest[currency].get(day, found), found)
        last = {one: [(day, days[day][2]) for day in sorted(days)] for one, days in newest.items()}
        ever = {one: frozenset(rate for _, rate in rates) for one, rates in stated.items()}
        return cls(currency_of, last, {one: frozenset(rates) for one, rates in stated.items()}, ever)

    def find(self, ticker: str | None, session: date) -> Fraction | None:
        """What the currency of a name is worth at a session: the last rate of a day before; None where there is none.

        1 for a name in the book's own currency.
        """
        currency = self.currency_of.get(ticker or "")
        if currency is None:
            return Fraction(1)
        days = self.last.get(currency, [])
        place = bisect_left(days, (session,))
        return days[place - 1][1] if place else None

    def was_stated(self, currency: str, rate: Decimal, day: date | None = None) -> bool:
        """Whether a source ever stated the rate, of that day or of any."""
        if day is None:
            return Fraction(rate) in self.ever.get(currency, frozenset())
        return (day, Fraction(rate)) in self.stated.get(currency, frozenset())


def _to_a_trillionth(rate: Fraction) -> Fraction:
    return Fraction(round(rate * SCALE), SCALE)
