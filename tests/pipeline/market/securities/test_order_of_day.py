"""On one day a company leaves its ticker before another one comes under it."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from pipeline.market.securities.order_of_day import order_by_company

DAY, NEXT = date(2021, 3, 4), date(2021, 3, 5)


class Event(NamedTuple):
    ticker: str
    kind: str
    successor: str | None = None
    ex_date: date = DAY


def order(*events: Event, held: str = "") -> list[str]:
    return [f"{one.ticker} {one.kind}" for one in order_by_company(events, held.split())]


def test_tickers_are_passed_on_from_the_last_company_of_a_row_to_the_first() -> None:
    events = Event("A", "rename", "B"), Event("B", "rename", "C"), Event("C", "delisting")
    assert order(*events, held="A B C") == ["C delisting", "B rename", "A rename"]


def test_what_else_happens_to_a_ticker_concerns_who_came_under_it() -> None:
    events = Event("T", "split"), Event("T", "dividend"), Event("T", "delisting"), Event("S", "rename", "T")
    assert order(*events, held="S T") == ["T delisting", "S rename", "T split", "T dividend"]
    assert order(Event("NEW", "split"), Event("OLD", "rename", "NEW"), held="OLD") == ["OLD rename", "NEW split"]
    assert order(Event("ACQ", "split"), Event("TGT", "rename", "ACQ"), held="ACQ TGT") == ["ACQ split", "TGT rename"]


def test_days_come_before_companies_and_without_a_rename_nothing_moves() -> None:
    assert order(Event("A", "split", ex_date=NEXT), Event("Z", "dividend")) == ["Z dividend", "A split"]
    events = Event("B", "split"), Event("A", "delisting"), Event("A", "split")
    assert order(*events, held="A B") == ["B split", "A delisting", "A split"]
