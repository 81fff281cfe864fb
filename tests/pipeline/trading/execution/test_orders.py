"""Orders: every intent becomes one, and its kind alone decides at what price the session fills it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS
from pipeline.trading.books.book import Book, Position
from pipeline.trading.execution.costs import price_fill
from pipeline.trading.execution.fills import Auction, OrderResult, fill_orders
from pipeline.trading.execution.orders import (
    MARKET_ON_CLOSE,
    MARKET_ON_OPEN,
    Bar,
    Limit,
    Order,
    Phase,
    Quote,
    Stop,
    make_order_type,
)
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
    phase = Phase.OPEN

    def quote(self, order: Order, bar: Bar) -> Quote:  # noqa: ARG002
        if bar.open_price > 99_000_000:
            return Quote(None, "the open of 100.00 is above the limit of 99.00")
        return Quote(bar.open_price)


def fill(order: Order, bar: Bar = BAR) -> OrderResult:
    book = Book(cash=10_000_000)
    auction = Auction(CALENDAR.open_at(DAYS[1]), CALENDAR.close_at(DAYS[0]))
    return next(fill_orders([order], {"AAA": bar}, book, auction, Costs()))


def test_every_kind_that_a_plan_can_ask_for_is_one_and_none_asked_is_the_open() -> None:
    kinds = str(TRADE_PLANS.columns["order_type"].pattern).split("|")
    assert [make_order_type(kind, 99_000_000).name for kind in kinds] == kinds
    assert make_order_type(None, None) is MARKET_ON_OPEN
    assert {*kinds, Stop.name} == set(str(EXECUTED_TRADES.columns["order_type"].pattern).split("|"))


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


DAY = replace(BAR, low=95_000_000, high=104_000_000, close=102_000_000)
"""Opens at 100, falls to 95, rises to 104 and closes at 102."""


def fill_all(*orders: Order, bar: Bar = DAY, held: int = 0, cash: int = 10_000_000) -> list[OrderResult]:
    book = Book(cash=cash, positions={"AAA": Position(held, 1_000_000, DAYS[0])} if held else {})
    auction = Auction(CALENDAR.open_at(DAYS[1]), CALENDAR.close_at(DAYS[0]))
    return list(fill_orders(list(orders), {"AAA": bar}, book, auction, Costs()))


@pytest.mark.parametrize(
    ("side", "limit", "price"),
    [
        ("buy", 99, 99),  # traded beyond it: at its price, without half-spread and impact
        ("buy", 95, None),  # touched alone: others stood before it in the queue
        ("buy", 94, None),
        ("sell", 103, 103),
        ("sell", 104, None),
        ("sell", 105, None),
        ("buy", 0, None),
    ],
)
def test_a_limit_order_is_filled_where_the_session_trades_beyond_its_price(
    side: str, limit: int, price: int | None
) -> None:
    order = replace(ORDER, side=side, kind=Limit(limit * 1_000_000))
    result = fill_all(order, held=100)[0]
    assert result.fill.price == (price or 0) * 1_000_000
    assert (result.fill.spread_cost, result.fill.impact_cost) == (0, 0)
    assert bool(result.reason) == (price is None)
    if limit == 0:
        assert result.reason == "its limit of 0.00 is no price"


def test_a_limit_that_the_open_betters_pays_its_costs_and_never_more_than_the_limit() -> None:
    market = fill_all(ORDER)[0].fill
    assert fill_all(replace(ORDER, kind=Limit(101_000_000)))[0].fill == market
    bound = fill_all(replace(ORDER, kind=Limit(100_010_000)))[0].fill
    assert bound.price == 100_010_000 < market.price
    assert bound.spread_cost + bound.impact_cost == 100


@pytest.mark.parametrize(
    ("stop", "opened", "price"),
    [(97, 100, 97), (95, 100, 95), (94, 100, None), (97, 96, 96)],
    ids=["within", "touched", "not reached", "gapped through"],
)
def test_a_stop_sells_at_its_price_or_at_the_open_that_is_lower_already(
    stop: int, opened: int, price: int | None
) -> None:
    order = replace(ORDER, side="sell", kind=Stop(stop * 1_000_000))
    result = fill_all(order, bar=replace(DAY, open_price=opened * 1_000_000), held=100)[0]
    if price is None:
        assert "stayed above 94.00" in result.reason
        return
    assert result.price == price * 1_000_000
    assert result.fill.price < result.price, "a stop becomes a market order, which pays half-spread and impact"


def test_an_order_for_the_close_pays_the_close() -> None:
    result = fill_all(replace(ORDER, kind=MARKET_ON_CLOSE))[0]
    assert result.fill == price_fill("buy", 100, DAY.close, DAY.median_volume, DAY.volatility, Costs())


def test_stops_count_before_other_orders_within_the_session_and_the_close_comes_last() -> None:
    target = replace(ORDER, side="sell", plan_id="target", kind=Limit(103_000_000))
    at_close = replace(ORDER, side="sell", plan_id="close", kind=MARKET_ON_CLOSE)
    stop = replace(ORDER, side="sell", plan_id="stop", kind=Stop(97_000_000))
    results = fill_all(at_close, target, stop, held=100)
    told = [(result.order.plan_id, result.fill.shares) for result in results]
    assert told == [("stop", 100), ("target", 0), ("close", 0)]
    assert results[2].reason == "only 0 shares are held"
    before = [result.order.plan_id for result in fill_all(at_close, target, held=100)]
    assert before == ["target", "close"]


@pytest.mark.parametrize(("withheld", "volume", "left"), [("vetoed", 1_000_000, 100), ("", 1_000, 75)])
def test_a_stop_covers_what_a_sale_at_the_open_did_not_sell(withheld: str, volume: int, left: int) -> None:
    sale = replace(ORDER, side="sell", withheld=withheld)
    stop = replace(ORDER, side="sell", shares=0, kind=Stop(97_000_000))
    results = fill_all(sale, stop, bar=replace(DAY, volume=volume), held=100)
    assert results[1].order.shares == left


def test_proceeds_of_the_close_do_not_pay_for_the_open() -> None:
    sale = replace(ORDER, ticker="BBB", side="sell", plan_id="sale", kind=MARKET_ON_CLOSE)
    book = Book(cash=0, positions={"BBB": Position(100, 1_000_000, DAYS[0])})
    auction = Auction(CALENDAR.open_at(DAYS[1]), CALENDAR.close_at(DAYS[0]))
    results = list(fill_orders([sale, ORDER], {"AAA": DAY, "BBB": DAY}, book, auction, Costs()))
    assert [(result.order.ticker, result.status) for result in results] == [("AAA", "unfilled"), ("BBB", "filled")]


def test_orders_of_a_session_share_the_volume_that_may_be_taken() -> None:
    thin = replace(DAY, volume=4_000)  # of which 100 may be taken
    sale = replace(ORDER, side="sell", shares=70)
    stop = replace(ORDER, side="sell", kind=Stop(97_000_000))
    assert [result.fill.shares for result in fill_all(sale, stop, bar=thin, held=170)] == [70, 30]
