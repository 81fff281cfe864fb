"""What one currency was worth in another before a day, as an exact fraction, by the rates that are known."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import polars as pl

from lake.tables.market import FX_RATES

Pair = tuple[str, str]
"""Base and quote."""


class DatedRate(NamedTuple):
    """The rate of a day."""

    session: date
    rate: Fraction
    """Units of the quote currency for one of the base."""


class PairRates(NamedTuple):
    """The rates of a pair, one for each of its days in order."""

    days: list[date]
    rates: list[Decimal]


@dataclass(frozen=True)
class ExchangeRates:
    """The rates of each pair in the order of their days."""

    by_pair: Mapping[Pair, PairRates]

    @classmethod
    def read(cls, fx_rates: pl.DataFrame) -> ExchangeRates:
        """Read rows of fx_rates; of several revisions of a day the last counts."""
        last = fx_rates.sort(FX_RATES.key).unique(FX_RATES.entity, keep="last", maintain_order=True)
        pairs = last.group_by("base", "quote", maintain_order=True).agg("session", "rate")
        return cls({(base, quote): PairRates(days, rates) for base, quote, days, rates in pairs.iter_rows()})

    def last_before(self, base: str, quote: str, day: date, max_age_days: int) -> DatedRate | None:
        """Return the last rate of a day before this one; None without one that is at most that many days old.

        Where only the inverse pair is known it is inverted, exactly; of the two the later day counts, and the pair
        itself where both are of one day. A currency is worth itself. No third currency is gone through.
        """
        if base == quote:
            return DatedRate(day, Fraction(1))
        stated, inverse = self._before(base, quote, day), self._before(quote, base, day)
        found = [stated] if stated else []
        if inverse and (stated is None or inverse.session > stated.session):
            found = [DatedRate(inverse.session, 1 / inverse.rate)]
        oldest = day - timedelta(days=max_age_days)
        return next((rate for rate in found if rate.session >= oldest), None)

    def first_day(self, base: str, quote: str) -> date | None:
        """Return the first day that has a rate of the pair or its inverse."""
        pairs = (self.by_pair.get(pair) for pair in ((base, quote), (quote, base)))
        return min((pair.days[0] for pair in pairs if pair and pair.days), default=None)

    def _before(self, base: str, quote: str, day: date) -> DatedRate | None:
        pair = self.by_pair.get((base, quote))
        number = bisect_left(pair.days, day) if pair else 0
        return DatedRate(pair.days[number - 1], Fraction(pair.rates[number - 1])) if pair and number else None
