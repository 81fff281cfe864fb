"""What the currencies of foreign names are worth in the book's: one rate for each session, exact to a trillionth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

import polars as pl

from lake.contract import RATE
from lake.tables.market import FX_RATES, INSTRUMENTS
from pipeline.market.exchange_rates import DatedRate, ExchangeRates
from pipeline.trading.books.money import half_even
from pipeline.trading.currencies.listing_changes import CurrencyChange, read_changes

LISTING_COLUMNS = (*INSTRUMENTS.key, "currency", "earlier_currencies")
RATE_COLUMNS = (*FX_RATES.key, "rate")
"""What is read of listings and rates."""
TRILLION: int = 10**RATE.scale
ONE_DAY = timedelta(days=1)
ANY_AGE = 100_000
"""Days: a rate however old, for what is held already."""


class Local(NamedTuple):
    """The side of a booking that is in a currency other than the book's."""

    amount: int
    """Hundredths of that currency."""
    currency: str
    rate: Fraction | None
    """What one unit of it was worth in the book's currency; None where a booking is taken back."""


class Exchange(NamedTuple):
    """How amounts of a name become the book's money at a session."""

    currency: str | None = None
    """None for the book's own."""
    rate: Fraction = Fraction(1)
    session: date | None = None
    """The day of the rate."""

    def to_book(self, amount: int) -> int:
        """Hundredths of the currency as cents of the book's, half to even."""
        return amount if self.currency is None else half_even(amount * self.rate.numerator, self.rate.denominator)

    def local(self, amount: int) -> Local | None:
        """What is to be noted beside a converted amount; None for the book's own currency."""
        return None if self.currency is None else Local(amount, self.currency, self.rate)


OWN = Exchange()
"""Of the names in the book's own currency."""


@dataclass(frozen=True)
class SessionRates:
    """The names quoted in another currency than the book's, and what that is worth at each session.

    The rate of a session is the last one of a day before it: known at the open, and the same at the close.
    """

    currencies: Mapping[str, str] = field(default_factory=dict)
    """Ticker -> its currency now; those in the book's are left out."""
    book: str = ""
    rates: ExchangeRates = field(default_factory=lambda: ExchangeRates({}))
    max_age_days: int = 0
    """How old a rate may be for a trade."""
    keeps_rates: bool = False
    """Whether any rates are known, be it of other currencies."""
    changes: Mapping[str, Sequence[CurrencyChange]] = field(default_factory=dict)
    """Of the tickers whose listing changed its currency."""
    _found: dict[tuple[str, date], DatedRate | None] = field(default_factory=dict, compare=False)

    @classmethod
    def read(cls, instruments: pl.DataFrame, fx_rates: pl.DataFrame, book: str, max_age_days: int) -> SessionRates:
        """Read the listings and the rates that are known; a run that recorded no currency has nothing foreign."""
        if not book or instruments.is_empty():
            return cls()
        foreign = instruments.filter(pl.col("currency") != book).select("ticker", "currency")
        changes = read_changes(instruments)
        if foreign.is_empty() and not changes:
            return cls()
        before = {change.before for of_ticker in changes.values() for change in of_ticker}
        ours, theirs = pl.lit(book), sorted({*foreign["currency"], *before} - {book})
        pair = [
            pl.col(one).is_in(theirs) & (pl.col(other) == ours) for one, other in (("base", "quote"), ("quote", "base"))
        ]
        kept = fx_rates.filter(pl.any_horizontal(pair))
        known = ExchangeRates.read(kept)
        return cls(dict(foreign.iter_rows()), book, known, max_age_days, fx_rates.height > 0, changes)

    def for_trade(self, ticker: str, session: date) -> Exchange | None:
        """How a fill is converted; None where no rate is known that is new enough."""
        found = self.at(ticker, session)
        if found is None or found.session is None or (session - found.session).days <= self.max_age_days:
            return found
        return None

    def at(self, ticker: str, session: date) -> Exchange | None:
        """How what is held is converted: at the last rate, however old; None where none is known at all."""
        return self.of_currency(self.currency_at(ticker, session), session)

    def currency_at(self, ticker: str, session: date) -> str | None:
        """What a name is quoted in at a session; None for the book's own currency."""
        for change in self.changes.get(ticker, ()):
            if session < change.since:
                return None if change.before == self.book else change.before
        return self.currencies.get(ticker)

    def of_currency(self, currency: str | None, session: date) -> Exchange | None:
        """How a currency is converted at a session; None where no rate of it is known."""
        if currency is None or currency == self.book:
            return OWN
        key = currency, session
        if key not in self._found:
            self._found[key] = self.rates.last_before(currency, self.book, session, ANY_AGE)
        dated = self._found[key]
        return None if dated is None else Exchange(currency, round_rate(dated.rate), dated.session)

    def cross(self, ticker: str, other: str, session: date) -> Fraction:
        """What one unit of a name's currency is in the other's; 1 where they are the same or no rate is known."""
        if self.currency_at(ticker, session) == self.currency_at(other, session):
            return Fraction(1)
        one, two = self.at(ticker, session), self.at(other, session)
        return Fraction(1) if one is None or two is None else one.rate / two.rate

    def find_day_of_change(self, change: CurrencyChange) -> date | None:
        """When what is held can be brought into the new currency: once both have a rate; None where that is not yet."""
        both = {change.before, change.after} - {self.book}
        first = [self.rates.first_day(currency, self.book) for currency in sorted(both)]
        return None if None in first else max([change.since, *(day + ONE_DAY for day in first if day)])

    def carry_over(self, ticker: str, when: date, upto: date) -> Fraction:
        """What a price of a day is multiplied by to be in what the name is quoted in on a later one."""
        factor = Fraction(1)
        for change in self.changes.get(ticker, ()):
            day = self.find_day_of_change(change) if when < change.since <= upto else None
            if day and (one := self.of_currency(change.before, day)) and (two := self.of_currency(change.after, day)):
                factor *= one.rate / two.rate
        return factor

    def explain(self, currency: str) -> str:
        """What is missing where there is no rate for a trade; empty where no rates are kept at all."""
        if not self.keeps_rates:
            return ""
        return f"no rate of {currency} in {self.book} is known that is at most {self.max_age_days} days old"


NO_FOREIGN = SessionRates()
"""Everything is in the book's currency."""


def round_rate(rate: Fraction) -> Fraction:
    """The rate as tables keep it, to a trillionth: what is booked follows from what is shown."""
    return Fraction(round(rate * TRILLION), TRILLION)
