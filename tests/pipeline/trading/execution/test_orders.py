"""Orders: every intent becomes one, and its kind alone decides at what price the session fills it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lake.tables.trading import TRADE_PLANS
from pipeline.trading.books.book import Book, Position
from pipeline.trading.execution.costs import price_fill
from pipeline.trading.execution.fills import Auction, OrderResult, fill_orders
from pipeline.trading.execution.orders import MARKET_ON_OPEN, ORDER_TYPES, Bar, Order, Quote
from pipeline.trading.params import Costs
from tests.frames.trading import CALENDAR, DAYS

BAR = Bar(100_000_000, 1_000_000, 1e6, 0.02)
ORDER = Order(
    plan_id="p", ticker="AAA", side="buy", shares=100, edge=0.0, decided_at=CALENDAR.close_at(DAYS[0]),
    kind=MARKET_ON_OPEN, withheld="",
)  # fmt: skip


class LimitOnOpen:
    """Bought at the open, but only up to 99."""

    name = "limit-on-open"

    def quote(self, order: Order, bar: Bar) -> Quote:  # noqa: ARG002
        if bar.open_price > 99_000_000:
            return Quote(None, "the open of 100.00 is above the limit of 99.00")
        return Quote(bar.open_price)


def fill(order: Order, bar: Bar = BAR) -> OrderResult:
    book = Book(cash=10_000_000)
    auction = Auction(CALENDAR.open_at(DAYS[1]), CALENDAR.close_at(DAYS[0]))
    return next(fill_orders([order], {"AAA": bar}, book, auction, Costs()))


def test_every_intent_that_can_be_taken_has_its_kind_of_order() -> None:
    intents = str(TRADE_PLANS.columns["intent"].pattern).split("|")
    assert {*ORDER_TYPES, "keep"} == set(intents)


def test_a_market_order_is_filled_at_the_open_and_pays_its_costs() -> None:
    assert fill(ORDER).fill == price_fill("buy", 100, BAR.open_price, BAR.median_volume, BAR.volatility, Costs())


@pytest.mark.parametrize(("open_price", "status"), [(100_000_000, "unfilled"), (98_000_000, "filled")])
def test_the_kind_of_an_order_decides_whether_and_at_what_price_it_is_filled(open_price: int, status: str) -> None:
    result = fill(replace(ORDER, kind=LimitOnOpen()), replace(BAR, open_price=open_price))
    assert result.status == status
    assert result.reason == ("" if status == "filled" else "the open of 100.00 is above the limit of 99.00")
    assert result.fill.shares == (100 if status == "filled" else 0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"withheld": "vetoed"}, "vetoed"), ({"decided_at": CALENDAR.open_at(DAYS[1])}, "after the open")],
)
def test_an_order_that_does_not_go_never_asks_for_a_price(change: dict[str, Any], reason: str) -> None:
    assert reason in fill(replace(ORDER, **change)).reason


def test_only_where_the_open_is_the_close_before_is_an_order_decided_at_the_open_in_time() -> None:
    opening = CALENDAR.open_at(DAYS[1])
    at_open = replace(ORDER, decided_at=opening)
    never_paused, paused = Auction(opening, opening), Auction(opening, CALENDAR.close_at(DAYS[0]))
    found = [
        next(fill_orders([at_open], {"AAA": BAR}, Book(cash=10_000_000), one, Costs()))
        for one in (never_paused, paused)
    ]
    assert [result.status for result in found] == ["filled", "unfilled"]
    assert "after the open" in found[1].reason


def test_two_sales_that_became_one_tickers_share_what_is_held() -> None:
    held = Book(positions={"AAA": Position(150, 1_000_000, DAYS[0])})
    auction = Auction(CALENDAR.open_at(DAYS[1]), CALENDAR.close_at(DAYS[0]))
    sales = [replace(ORDER, plan_id=name, side="sell") for name in ("old", "new")]
    found = list(fill_orders(sales, {"AAA": BAR}, held, auction, Costs()))
    assert [result.fill.shares for result in found] == [100, 50]
    assert found[1].reason == "only 50 shares are held"
