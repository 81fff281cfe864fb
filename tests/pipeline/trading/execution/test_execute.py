"""Fills: at the next open, never better than the market would have given, with every cost apart."""

from decimal import Decimal
from math import sqrt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.tables.books import LEDGER_ENTRIES
from lake.tables.market import INSTRUMENTS
from lake.tables.trading import EXECUTED_TRADES
from pipeline.config import ConfigError
from pipeline.config.check_values import Given
from pipeline.config.resolving import resolve
from pipeline.trading.baselines import baseline_holdings
from pipeline.trading.books import ledger
from pipeline.trading.books.book import Book, LedgerEvent, Leg, build_entries
from pipeline.trading.books.money import half_even, to_cents, value_of
from pipeline.trading.execution import execute
from pipeline.trading.execution.costs import commission, price_fill, round_trip
from pipeline.trading.execution.volatility_and_volume import measure_conditions
from pipeline.trading.params import Costs, TradingParams
from tests.frames import market
from tests.frames.trading import BOOKS, CALENDAR, DAYS, World, bar, dividend, free, split

FUND, DAY1, DAY2 = DAYS[:3]


def bought(shares: int = 100, params: TradingParams | None = None, **values: object) -> tuple[World, dict[str, object]]:
    world = World(bar("AAA", FUND), bar("AAA", DAY1, **values), params=params)
    world.order(FUND, "AAA", "buy", shares)
    return world, world.settle_to(DAY1).trade(f"{DAY1}:AAA:buy")


def test_q2_a_fill_is_known_only_after_its_decision() -> None:
    world, trade = bought()
    plans = world.rows("trade_plans")
    assert trade["ts"] == CALENDAR.open_at(DAY1) > plans["decided_at"][0]
    assert trade["session"] > plans["session"][0]


def test_an_order_for_what_is_quoted_in_another_currency_is_not_filled_and_says_why() -> None:
    world, trade = bought(open=3_000.0, close=3_000.0, currency="JPY")
    assert (trade["status"], trade["shares"], trade["gross"]) == ("unfilled", 0, Decimal("0.00"))
    assert trade["reason"] == "AAA is quoted in JPY, which is not the currency of the book"
    assert world.value(DAY1)["nav"] == Decimal("1000000.00")


def test_q2_an_order_decided_after_the_open_is_not_filled_with_hindsight() -> None:
    world = World(bar("AAA", FUND), bar("AAA", DAY1))
    world.order(FUND, "AAA", "buy", 100, decided_at=CALENDAR.open_at(DAY1))
    trade = world.settle_to(DAY1).trade(f"{DAY1}:AAA:buy")
    assert trade["status"] == "unfilled"
    assert "after the open" in trade["reason"]


def test_q5_a_dearer_world_makes_every_fill_dearer_and_a_free_one_fills_at_the_open() -> None:
    paid = []
    for multiple in (0.0, 1.0, 2.0):
        _, trade = bought(1000, TradingParams(costs=Costs(multiple=multiple)))
        paid.append(to_cents(trade["gross"]) + to_cents(trade["commission"]))
        assert trade["open_price"] == Decimal("100.000000")
    assert paid[0] == 10_000_000 < paid[1] < paid[2]
    assert paid[2] - paid[0] == pytest.approx(2 * (paid[1] - paid[0]), abs=2)


def test_q5_an_order_takes_at_most_its_share_of_the_sessions_volume() -> None:
    _, trade = bought(1000, volume=10_000)
    assert (trade["status"], trade["ordered"], trade["shares"]) == ("partial", 1000, 250)
    assert "2.5 %" in trade["reason"]
    _, dry = bought(1000, volume=0)
    assert dry["status"] == "unfilled"


def test_costs_apart_add_up_to_the_difference_from_the_open() -> None:
    _, trade = bought(777)
    at_open = Decimal(777) * trade["open_price"]
    assert trade["gross"] - at_open == trade["spread_cost"] + trade["impact_cost"]
    assert trade["commission"] == Decimal("3.88")  # 777 x 0.005 = 3.885, half to even


def test_impact_follows_the_square_root_law() -> None:
    costs = Costs(half_spread=0.0)
    small = price_fill("buy", 100, 100_000_000, 1_000_000.0, 0.02, costs)
    large = price_fill("buy", 10_000, 100_000_000, 1_000_000.0, 0.02, costs)
    assert small.price / 100_000_000 - 1 == pytest.approx(0.02 * sqrt(1e-4), abs=1e-8)
    assert large.price / 100_000_000 - 1 == pytest.approx(0.02 * sqrt(1e-2), abs=1e-8)


@given(
    side=st.sampled_from(("buy", "sell")),
    shares=st.integers(1, 10**7),
    price=st.integers(100, 10**10),
    volume=st.none() | st.floats(1, 1e9),
    volatility=st.none() | st.floats(0, 0.5),
)
def test_no_fill_is_better_than_the_open_and_costs_are_exact(
    side: str, shares: int, price: int, volume: float | None, volatility: float | None
) -> None:
    fill = price_fill(side, shares, price, volume, volatility, Costs())
    assert fill.price >= price if side == "buy" else 0 < fill.price <= price
    assert min(fill.spread_cost, fill.impact_cost) >= 0
    difference = fill.gross - value_of(shares, price)
    assert fill.spread_cost + fill.impact_cost == (difference if side == "buy" else -difference)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_rounding_is_half_to_even(numerator: int, denominator: int) -> None:
    exact = (Decimal(numerator) / Decimal(denominator)).quantize(Decimal(1), rounding="ROUND_HALF_EVEN")
    assert half_even(numerator, denominator) == exact


def test_commission_has_a_minimum_and_is_nothing_for_nothing() -> None:
    assert commission(1, Costs()) == 100
    assert commission(1000, Costs()) == 500
    assert commission(0, Costs()) == 0


@pytest.mark.parametrize(
    ("schedule", "buy", "sell"),
    [
        ({"commission_rate": 0.0005}, 10_00 + 5_00, 10_00 + 5_00),  # 5 per share's part, 10 of the value of 20,000
        ({"commission_rate": 0.0005, "max_commission": 12.0}, 12_00, 12_00),
        ({"buy_tax": 0.005, "max_commission": 2.0}, 2_00 + 100_00, 2_00),  # a tax knows no maximum
        ({"sell_tax": 0.001, "multiple": 2.0}, 10_00, 10_00 + 40_00),
    ],
)
def test_a_schedule_by_value_has_a_maximum_and_taxes_come_on_top(
    schedule: dict[str, float], buy: int, sell: int
) -> None:
    costs = Costs(commission_per_share=0.005, **schedule)
    assert [commission(1_000, costs, 20_000_00, side) for side in ("buy", "sell")] == [buy, sell]
    assert commission(0, costs, 0) == 0


def test_a_tax_is_paid_by_the_fill_and_expected_by_the_plan() -> None:
    taxed = TradingParams(planning=1, costs=Costs(buy_tax=0.005))
    plain, dear = bought(1_000)[1], bought(1_000, taxed)[1]
    assert dear["gross"] == plain["gross"]
    assert float(dear["commission"] - plain["commission"]) == pytest.approx(0.005 * float(plain["gross"]), abs=0.01)
    expected = [round_trip(10_000.0, 100.0, 1e6, 0.02, one) for one in (Costs(), Costs(buy_tax=0.005, sell_tax=0.001))]
    assert expected[1] - expected[0] == pytest.approx(0.006, abs=1e-6)


def test_tariffs_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="no order meets both"):
        resolve(TradingParams, None, {}, {"costs.max_commission": Given(0.5, "--set")})


def test_a_negative_cost_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"costs\.impact"):
        resolve(TradingParams, None, {}, {"costs.impact": Given(-1.0, "--set")})


def test_sales_are_filled_before_buys_and_pay_for_them() -> None:
    bars = [bar(ticker, day) for ticker in ("AAA", "BBB") for day in (FUND, DAY1, DAY2)]
    world = World(*bars, params=free(capital=10_000.0))
    world.order(FUND, "AAA", "buy", 100)
    world.order(DAY1, "AAA", "sell", 100)
    world.order(DAY1, "BBB", "buy", 100)
    world.settle_to(DAY2)
    assert set(world.book.positions) == {"BBB"}
    assert world.book.cash == 0


def test_when_cash_is_short_the_best_edge_is_served_first() -> None:
    bars = [bar(ticker, day) for ticker in ("AAA", "BBB") for day in (FUND, DAY1)]
    world = World(*bars, params=free(capital=10_000.0))
    world.order(FUND, "AAA", "buy", 80, edge=0.01)
    world.order(FUND, "BBB", "buy", 80, edge=0.02)
    world.settle_to(DAY1)
    assert {ticker: held.shares for ticker, held in world.book.positions.items()} == {"AAA": 20, "BBB": 80}


def test_the_commission_of_one_order_is_not_there_for_the_next() -> None:
    bars = [bar(ticker, day) for ticker in ("AAA", "BBB") for day in (FUND, DAY1)]
    costs = Costs(half_spread=0.0, impact=0.0, min_commission=5.0)
    world = World(*bars, params=TradingParams(capital=10_005.0, costs=costs))
    world.order(FUND, "AAA", "buy", 50, edge=0.02)
    world.order(FUND, "BBB", "buy", 50, edge=0.01)
    world.settle_to(DAY1)
    assert {ticker: held.shares for ticker, held in world.book.positions.items()} == {"AAA": 50, "BBB": 49}


def test_an_order_is_for_one_open_only() -> None:
    world = World(bar("AAA", FUND), bar("AAA", DAY2))
    world.order(FUND, "AAA", "buy", 100)
    world.settle_to(DAY2)
    assert world.rows("executed_trades").height == 1


def test_a_sale_never_exceeds_what_is_held() -> None:
    world = World(*[bar("AAA", day) for day in DAYS[:3]], params=free())
    world.order(FUND, "AAA", "buy", 10)
    world.order(DAY1, "AAA", "sell", 50)
    world.settle_to(DAY2)
    trade = world.trade(f"{DAY2}:AAA:sell")
    assert (trade["ordered"], trade["shares"], trade["status"]) == (50, 10, "partial")


def test_volume_before_a_split_is_restated_to_the_shares_after_it() -> None:
    days = DAYS[:12]
    bars = [bar("AAA", day, 100.0, volume=1000) for day in days[:-1]] + [bar("AAA", days[-1], 50.0, volume=2000)]
    rows = measure_conditions(
        market.prices(*bars, calendar=CALENDAR),
        market.actions(split("AAA", days[-1], 2, 1), calendar=CALENDAR),
        days[-2],
        10,
        basis=days[-1],
    )
    assert rows.select("close", "median_volume").row(0) == (50.0, 2000.0)
    assert rows["volatility"][0] == 0.0


def test_conditions_of_a_ticker_do_not_change_with_other_tickers_or_later_bars() -> None:
    def bars(tickers: str, days: int) -> pl.DataFrame:
        rows = [bar(t, d, 100.0 + (7 * n + ord(t)) % 13) for t in tickers for n, d in enumerate(DAYS[:days])]
        return market.prices(*rows, calendar=CALENDAR)

    none = market.actions(calendar=CALENDAR)
    alone = measure_conditions(bars("A", 20), none, DAYS[19], 20, basis=DAYS[19])
    among = measure_conditions(bars("ABC", 30), none, DAYS[19], 20, basis=DAYS[19]).filter(pl.col("ticker") == "A")
    assert alone.equals(among)


def test_the_round_trip_planned_for_is_near_what_two_fills_cost() -> None:
    costs = Costs()
    shares, price = 1000, 50_000_000
    buy = price_fill("buy", shares, price, 1e6, 0.02, costs)
    sale = price_fill("sell", shares, price, 1e6, 0.02, costs)
    paid = (buy.gross + buy.commission - sale.gross + sale.commission) / value_of(shares, price)
    assert round_trip(50_000.0, 50.0, 1e6, 0.02, costs) == pytest.approx(paid, rel=1e-3)


def test_no_orders_no_rows() -> None:
    assert World().compute(execute.STAGE, FUND).equals(EXECUTED_TRADES.empty())


def test_holding_for_ever_earns_the_total_return_index_within_five_basis_points() -> None:
    days = DAYS[:18]
    price, bars = 100.0, []
    for number, day in enumerate(days):
        price *= 1 + 0.01 * ((number * 7919) % 5 - 2) / 2
        if number == 9:
            price /= 3
        bars.append(bar("AAA", day, round(price, 4)))
    world = World(*bars, params=free(), settling=(*BOOKS[:-1], baseline_holdings.STAGE, BOOKS[-1]))
    world.act(split("AAA", days[9], 3, 1), dividend("AAA", days[16], 0.3))
    world.add(INSTRUMENTS, market.instruments("AAA", role="benchmark"))
    shares = int(1_000_000 // bars[1]["open"])
    world.order(FUND, "AAA", "buy", shares)
    world.settle_to(days[-1])
    first, last = world.value(days[1]), world.value(days[-1])
    held = float(last["nav"]) / float(first["nav"])
    assert held == pytest.approx(last["benchmark"] / first["benchmark"], rel=0.0005)


def test_the_ledger_refuses_trades_that_execution_should_have_limited() -> None:
    world = World(bar("AAA", FUND), bar("AAA", DAY1), params=free())
    world.settle_to(FUND)
    world.order(FUND, "AAA", "buy", 100)
    trades = world.run(execute.STAGE, DAY1)

    def book(changed: pl.DataFrame) -> None:
        world.tables[EXECUTED_TRADES.name] = changed
        world.compute(ledger.STAGE, DAY1)

    with pytest.raises(ValueError, match="sells 100 shares of AAA, but 0 are held"):
        book(trades.with_columns(side=pl.lit("sell")))
    with pytest.raises(ValueError, match="cents of cash"):
        book(trades.with_columns(gross=pl.lit(Decimal("2000000.00")).cast(EXECUTED_TRADES.schema["gross"])))


def test_an_event_that_does_not_balance_is_refused() -> None:
    lame = LedgerEvent("e", "buy", CALENDAR.open_at(FUND), "e", (Leg("cash", -100), Leg("positions", 99, "AAA", 1)))
    with pytest.raises(ValueError, match="out of balance by -1 cents"):
        Book().post(lame, FUND)
    with pytest.raises(Exception, match="legs of an event sum to zero"):
        LEDGER_ENTRIES.check(build_entries([lame], FUND))


def test_two_orders_that_a_rename_makes_ones_of_the_same_ticker_are_two_trades() -> None:
    given = World(*[bar(name, day) for name in ("AAA", "NEW") for day in DAYS[:3]], params=free())
    given.act({"ticker": "AAA", "ex_date": DAYS[1], "kind": "rename", "successor": "NEW", "numerator": None,
               "denominator": None, "amount": None})  # fmt: skip
    given.order(DAYS[0], "AAA", "buy", 10)
    given.order(DAYS[0], "NEW", "buy", 20)
    given.settle_to(DAYS[1])
    trades = given.rows("executed_trades").sort("trade_id")
    assert trades.select("trade_id", "ticker", "shares").rows() == [
        (f"{DAYS[1]}:AAA:buy", "NEW", 10),
        (f"{DAYS[1]}:NEW:buy", "NEW", 20),
    ]
    assert given.book.positions["NEW"].shares == 30
