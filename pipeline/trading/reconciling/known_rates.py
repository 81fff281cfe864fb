"""The rates by which foreign names are converted, looked up anew for the reconciliation."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import polars as pl

SCALE = 10**12


class RateStatement(NamedTuple):
    """What was said of a currency on a day; of one day's statements the greatest counts."""

    direct: bool
    """Of the currency in the book's, rather than the other way round."""
    revision: int
    rate: Decimal

    @property
    def worth(self) -> Fraction:
        """One unit of the currency in the book's, to a trillionth."""
        exact = Fraction(self.rate) if self.direct else 1 / Fraction(self.rate)
        return Fraction(round(exact * SCALE), SCALE)


@dataclass(frozen=True)
class KnownRates:
    """Which names are foreign, and what was ever said of their currencies, by day."""

    currency_of: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, Mapping[date, list[RateStatement]]] = field(default_factory=dict)
    days: Mapping[str, list[date]] = field(default_factory=dict)
    """The days of each currency in order."""

    @classmethod
    def read(cls, instruments: pl.DataFrame, fx_rates: pl.DataFrame, book: str) -> KnownRates:
        """Read listings and every revision of the rates."""
        listed = instruments.select("ticker", "currency").rows() if book else []
        currency_of = {ticker: currency for ticker, currency in listed if currency != book}
        said: dict[str, dict[date, list[RateStatement]]] = {one: defaultdict(list) for one in currency_of.values()}
        columns = ("base", "quote", "session", "revision", "rate")
        for base, quote, day, revision, rate in fx_rates.select(columns).iter_rows() if said else ():
            if quote == book and base in said:
                said[base][day].append(RateStatement(True, revision, rate))
            elif base == book and quote in said:
                said[quote][day].append(RateStatement(False, revision, rate))
        return cls(currency_of, said, {one: sorted(days) for one, days in said.items()})

    def find(self, ticker: str | None, session: date) -> Fraction | None:
        """What the currency of a name is worth at a session: the last rate of a day before; None where there is none.

        1 for a name in the book's own currency.
        """
        currency = self.currency_of.get(ticker or "")
        if currency is None:
            return Fraction(1)
        return next((max(said).worth for _, said in self._before(currency, session)), None)

    def was_stated(self, currency: str, rate: Decimal, session: date, day: date | None = None) -> bool:
        """Whether a source ever stated the rate, of the given day or of any before the session."""
        wanted = Fraction(rate)
        return any(
            one.worth == wanted for when, said in self._before(currency, session) if day in (None, when) for one in said
        )

    def _before(self, currency: str, session: date) -> Iterator[tuple[date, list[RateStatement]]]:
        """What was said of the days before a session, the last day first."""
        days = self.days.get(currency, [])
        for place in range(bisect_left(days, session) - 1, -1, -1):
            yield days[place], self.said[currency][days[place]]
