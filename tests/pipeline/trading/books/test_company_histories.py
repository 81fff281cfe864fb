"""Whatever tickers do, told in time or late, a book is worth its companies' shares at its companies' prices."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.frames.trading import CALENDAR, DAYS, World, assert_reconciled, bar, delisting, free

SESSIONS = 9
LAST = DAYS[SESSIONS - 1]
FIRST = ("AA", "BB", "CC")


@dataclass
class Market:
    """Companies with a price each that never moves, under tickers that change hands."""

    ticker: dict[int, str] = field(default_factory=lambda: dict(enumerate(FIRST)))
    """Company -> its ticker now; who has ended is not there."""
    shares: dict[int, int] = field(default_factory=dict)
    opened: dict[int, date] = field(default_factory=dict)
    bars: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
    orders: list[tuple[date, str, int]] = field(default_factory=list)
    lost: Decimal = Decimal(0)
    """What the ends of companies cost their holder."""
    companies: int = len(FIRST)

    def price(self, company: int) -> float:
        return 10.0 + 7 * company

    def trade(self, session: date, halted: int | None) -> None:
        """A bar of each company under its ticker of the day, but of the one that is halted."""
        for company, ticker in self.ticker.items():
            if company != halted:
                self.bars.append(bar(ticker, session, self.price(company)))

    def buy(self, session: date, company: int, count: int) -> None:
        """An order for the next open."""
        self.orders.append((session, self.ticker[company], count))
        self.shares[company] = self.shares.get(company, 0) + count
        self.opened[company] = CALENDAR.next(session)

    def rename(self, company: int, to: str, day: date, told: Any) -> None:
        row = {"ticker": self.ticker[company], "ex_date": day, "kind": "rename", "successor": to}
        self.actions.append(row | {"numerator": None, "denominator": None, "amount": None} | told)

    def pass_on(self, giving: int, taking: int, to: str, day: date, told: Any) -> None:
        """A company takes another ticker, and another one takes its own, on one day."""
        left = self.ticker[giving]
        self.rename(giving, to, day, told)
        self.rename(taking, left, day, told)
        self.ticker[giving], self.ticker[taking] = to, left

    def swap(self, ring: list[int], day: date, told: Any) -> None:
        """Companies take each other's tickers on one day."""
        left = [self.ticker[company] for company in ring]
        for company, to in zip(ring, [*left[1:], left[0]], strict=True):
            self.rename(company, to, day, told)
        for company, to in zip(ring, [*left[1:], left[0]], strict=True):
            self.ticker[company] = to

    def end(self, company: int, day: date, told: Any) -> None:
        """A company ends at half of its price; another one may list under its ticker two sessions later."""
        self.actions.append(delisting(self.ticker.pop(company), day, self.price(company) / 2) | told)
        self.lost += Decimal(str(self.price(company) / 2)) * self.shares.pop(company, 0)


@st.composite
def markets(draw: st.DrawFn) -> Market:
    """A few sessions in which companies are renamed, take each other's tickers, end, and follow under used ones."""
    made, fresh, freed = Market(), iter(("DD", "EE", "FF", "GG", "HH", "II", "JJ")), []
    for number, day in enumerate(DAYS[:SESSIONS]):
        here = sorted(made.ticker)
        kinds = ("nothing", "rename", "pass on", "swap", "end", "list") if 2 <= number < SESSIONS - 3 else ("nothing",)
        kind = draw(st.sampled_from(kinds))
        late = draw(st.integers(0, 2)) if number else 0
        told = {"available_at": CALENDAR.close_at(DAYS[number + late]) - timedelta(hours=1)} if late else {}
        if kind == "rename":
            chosen = draw(st.sampled_from(here))
            to = next(fresh)
            made.rename(chosen, to, day, told)
            made.ticker[chosen] = to
        elif kind == "pass on" and len(here) > 1:
            giving, taking = draw(st.permutations(here))[:2]
            made.pass_on(giving, taking, next(fresh), day, told)
        elif kind == "swap" and len(here) > 1:
            made.swap(draw(st.permutations(here))[: draw(st.sampled_from((2, 2, 3)))], day, told)
        elif kind == "end" and len(here) > 1:
            chosen = draw(st.sampled_from(here))
            freed.append((number + 2, made.ticker[chosen]))
            made.end(chosen, day, {})
        elif kind == "list" and freed and freed[0][0] <= number and freed[0][1] not in made.ticker.values():
            made.ticker[made.companies] = freed.pop(0)[1]
            made.companies += 1
        made.trade(day, draw(st.sampled_from((None, None, *here))) if 2 <= number < SESSIONS - 1 else None)
        if number == 0:
            for company in here:
                made.buy(day, company, draw(st.integers(1, 50)))
        newest = max(made.ticker)
        if newest >= len(FIRST) and newest not in made.shares and number == SESSIONS - 2:
            made.buy(day, newest, 5)
    return made


def check(made: Market) -> None:
    """Run the book over a market, and hold it against what an owner of shares in companies has."""
    ran = World(*made.bars, params=free())
    ran.act(*[row | {"sequence": number} for number, row in enumerate(made.actions)])
    for session, ticker, count in made.orders:
        ran.order(session, ticker, "buy", count)
    ran.settle_to(LAST)
    held = {ticker: position.shares for ticker, position in ran.book.positions.items()}
    assert held == {made.ticker[company]: count for company, count in made.shares.items()}
    opened = {ticker: position.opened for ticker, position in ran.book.positions.items()}
    assert opened == {made.ticker[company]: made.opened[company] for company in made.shares}
    assert ran.value(LAST)["nav"] == Decimal(1_000_000) - made.lost
    assert_reconciled(ran)


@given(markets())
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_book_is_worth_its_companies_shares_once_all_is_told(made: Market) -> None:
    check(made)


@pytest.mark.slow
@given(markets())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_many_books_are_worth_their_companies_shares_once_all_is_told(made: Market) -> None:
    check(made)
