"""The rates by which foreign names are converted, looked up anew for the reconciliation."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
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


class Redenomination(NamedTuple):
    """A listing goes from one currency to another; None stands for the book's own."""

    told: date
    booked: date | None
    """The first day from that one on that has a rate of both before it."""
    old: str | None
    new: str | None


def _read_history(told: str, last: str) -> list[tuple[date, str, str]]:
    """Day, old and new currency of each change."""
    steps = [step.partition(":")[::2] for step in told.split(";")]
    names = [name for name, _ in steps] + [last]
    return [(date.fromisoformat(day), name, names[number + 1]) for number, (name, day) in enumerate(steps)]


def _date_changes(
    history: list[tuple[date, str, str]], days: Mapping[str, list[date]], book: str
) -> list[Redenomination]:
    found = []
    for told, *pair in history:
        firsts = [days[one][0] if days.get(one) else None for one in pair if one != book]
        known = [first + timedelta(days=1) for first in firsts if first is not None]
        booked = max(told, *known) if known else told
        old, new = (None if one == book else one for one in pair)
        found.append(Redenomination(told, None if None in firsts else booked, old, new))
    return found


@dataclass(frozen=True)
class KnownRates:
    """Which names are foreign, and what was ever said of their currencies, by day."""

    currency_of: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, Mapping[date, list[RateStatement]]] = field(default_factory=dict)
    days: Mapping[str, list[date]] = field(default_factory=dict)
    """The days of each currency in order."""
    changed: Mapping[str, list[Redenomination]] = field(default_factory=dict)
    """The names whose listing changed its currency, and how."""

    @classmethod
    def read(cls, instruments: pl.DataFrame, fx_rates: pl.DataFrame, book: str) -> KnownRates:
        """Read listings and every revision of the rates."""
        listed = instruments.select("ticker", "currency", "earlier_currencies").rows() if book else []
        currency_of = {ticker: currency for ticker, currency, _ in listed if currency != book}
        histories = {ticker: _read_history(told, currency) for ticker, currency, told in listed if told}
        foreign = {
            *currency_of.values(),
            *(name for history in histories.values() for _, *pair in history for name in pair),
        } - {book}
        said: dict[str, dict[date, list[RateStatement]]] = {one: defaultdict(list) for one in foreign}
        columns = ("base", "quote", "session", "revision", "rate")
        for base, quote, day, revision, rate in fx_rates.select(columns).iter_rows() if said else ():
            if quote == book and base in said:
                said[base][day].append(RateStatement(True, revision, rate))
            elif base == book and quote in said:
                said[quote][day].append(RateStatement(False, revision, rate))
        days = {one: sorted(days) for one, days in said.items()}
        changed = {ticker: _date_changes(history, days, book) for ticker, history in histories.items()}
        return cls(currency_of, said, days, changed)

    def currency_at(self, ticker: str | None, session: date) -> str | None:
        """What a name is quoted in at a session; None for the book's own currency."""
        before = [one.old for one in self.changed.get(ticker or "", []) if session < one.told]
        return before[0] if before else self.currency_of.get(ticker or "")

    def worth(self, currency: str | None, session: date) -> Fraction | None:
        """What a currency is worth at a session; 1 for the book's own, None where no rate is known."""
        if currency is None:
            return Fraction(1)
        return next((max(said).worth for _, said in self._before(currency, session)), None)

    def requote(self, ticker: str, when: date, upto: date) -> Fraction:
        """What a price of a day is to be multiplied by where the name is quoted in another currency later."""
        factor = Fraction(1)
        for one in self.changed.get(ticker, []):
            if when < one.told <= upto and one.booked is not None:
                factor *= (self.worth(one.old, one.booked) or 1) / (self.worth(one.new, one.booked) or Fraction(1))
        return factor

    def find(self, ticker: str | None, session: date) -> Fraction | None:
        """What the currency of a name is worth at a session: the last rate of a day before; None where there is none.

        1 for a name in the book's own currency.
        """
        return self.worth(self.currency_at(ticker, session), session)

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
