"""What the night cost or brought, worked out again from what was charged on and at which rate."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import NamedTuple

import polars as pl

from pipeline.market.sessions import Sessions
from pipeline.trading.shorts.params import EVERY_OTHER, Shorts, read_locate


class Charge(NamedTuple):
    """A night's interest, or the fee for a name that is borrowed."""

    session: date
    kind: str
    item: str
    base: int
    """Cents, as `amount`."""
    rate: float
    days: int
    amount: int

    @property
    def reference(self) -> str:
        """How the ledger names it."""
        return f"{self.session}:{self.kind}:{self.item}"


def read_charges(financing: pl.DataFrame, session: date) -> list[Charge]:
    """The charges up to a session."""
    cents = financing.filter(pl.col("session") <= session).with_columns(
        pl.col("base", "amount").to_physical().cast(pl.Int64)
    )
    return [Charge(*row) for row in cents.select(Charge._fields).iter_rows()]


def find_wrong(
    charges: list[Charge], portfolio_holdings: pl.DataFrame, calendar: Sessions
) -> Iterator[tuple[str, str]]:
    """Charges that do not follow from base, rate and days, or from what was stated: the name, and what is off.

    Args:
        charges: to be looked at.
        portfolio_holdings: those of the sessions before them, as far as they are at hand.
        calendar: the sessions.
    """
    stated = _read_values(portfolio_holdings)
    days_known = {day for day, _ in stated}
    for one in charges:
        before = calendar.previous(one.session)
        exact = Fraction(one.base) * Fraction(round(Fraction(repr(one.rate)) * 1_000_000), 1_000_000) * one.days / 365
        if one.days != (one.session - before).days or round(exact) != one.amount:
            yield one.reference, f"{one.amount} cents are not {one.rate:g} a year of {one.base} for {one.days} days"
        elif one.kind == "borrow" and before in days_known and stated.get((before, one.item), 0) * 100 != one.base:
            yield one.reference, f"it is reckoned on {one.base} cents, which is not what {one.item} was worth before"


def find_missing(
    charges: list[Charge], portfolio_holdings: pl.DataFrame, session: date, calendar: Sessions, shorts: Shorts
) -> Iterator[tuple[str, str]]:
    """What was short at the close before and is not charged for at the lender's rate: the name, and what is off.

    Args:
        charges: of the session.
        portfolio_holdings: those of the session before among them.
        session: the one.
        calendar: the sessions.
        shorts: the lenders' offers.
    """
    before, offers = calendar.previous(session), dict(map(read_locate, shorts.borrow))
    dearest = max((offer.rate for offer in offers.values()), default=0.0)
    charged = {one.item: one.rate for one in charges if one.kind == "borrow"}
    held = portfolio_holdings.filter(pl.col("session") == before, pl.col("shares") < 0).sort("ticker")
    for ticker, worth in held.select("ticker", "market_value").iter_rows():
        offer = offers.get(ticker) or offers.get(EVERY_OTHER)
        rate = dearest if offer is None else offer.rate
        fee = Fraction(worth) * 100 * Fraction(repr(float(rate))) * (session - before).days / 365
        if charged.get(ticker, 0.0 if not round(fee) else None) not in (rate, 0.0):
            yield f"{session}:borrow:{ticker}", f"borrowing it is not charged at {rate:g} a year"


def _read_values(portfolio_holdings: pl.DataFrame) -> dict[tuple[date, str], Fraction]:
    rows = portfolio_holdings.select("session", "ticker", "market_value").iter_rows()
    return {(day, ticker): Fraction(value) for day, ticker, value in rows}
