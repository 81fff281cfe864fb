"""What the reconciliation puts down: amounts, claims, and what each event does to an account."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import NamedTuple


class Posting(NamedTuple):
    """What an event does to one account, at the session at which it would be posted."""

    reference: str
    session: date
    account: str
    ticker: str | None
    cents: int
    """Debits are positive."""
    shares: int
    due: date | None
    currency: str | None = None
    """What a foreign name is quoted in."""
    quoted: int = 0
    """Hundredths of that currency."""


class Claim(NamedTuple):
    """A dividend earned and not yet paid; of a short position one that is owed, below 0."""

    due: date
    reference: str
    ticker: str
    cents: int


class Sum(NamedTuple):
    """An amount in the book's cents, and in hundredths of what its name is quoted in."""

    cents: int
    quoted: int

    def part(self, share: Fraction) -> Sum:
        return Sum(round(self.cents * share), round(self.quoted * share))

    def less(self, other: Sum) -> Sum:
        return Sum(self.cents - other.cents, self.quoted - other.quoted)


NOTHING = Sum(0, 0)
