"""Limit, stop and closing orders from plan to books: what a plan asks for is what the session is asked."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lake.tables.control import TRADING_SWITCHES
from lake.tables.intraday import INTRADAY_PRICES
from pipeline.trading.execution.execute import STAGE
from pipeline.trading.params import Orders
from pipeline.trading.planning.candidates import Candidate
from pipeline.trading.planning.order_terms import state_terms
from tests.frames.trading import CALENDAR, DAYS, SETTLE, World, assert_reconciled, bar, dividend, free, split
from tests.nextgen_tui.lakes import rows
from tests.pipeline.trading.planning import test_book_plan as built

FUND, DAY1, DAY2, DAY3, DAY4 = DAYS[:5]


def held(*days: dict[str, Any]) -> World:
    """100 shares bought at 100 on the second session; then the given days."""
    given = World(bar("AAA", FUND), bar("AAA", DAY1), *days, params=free(), settling=SETTLE)
    given.order(FUND, "AAA", "buy", 100)
    return given.settle_to(DAY1)


def keep(given: World, session: date, stop: float, **values: Any) -> None:
    """A plan that trades nothing and leaves a stop in the market."""
    row = {"intent": "keep", "taken": False, "resting_stop": stop} | values
    given.order(session, "AAA", "hold", 0, **row)


def falling(session: date, **values: Any) -> dict[str, Any]:
    """Opens at 100, falls to 90 and closes at 92."""
    return bar("AAA", session, 92.0, open=100.0, low=90.0, high=101.0) | values


def test_a_stop_sells_within_the_session_and_is_reflected_on_as_one() -> None:
    given = held(falling(DAY2))
    keep(given, DAY1, 95.0)
    given.settle(DAY2)
    trade = given.trade(f"{DAY2}:AAA:sell:stop")
    assert (trade["order_type"], trade["open_price"], trade["gross"]) == ("stop", Decimal(95), Decimal("9500.00"))
    assert trade["ts"] == CALENDAR.close_at(DAY2)
    assert given.rows("trade_reflections")["intent"].item() == "stop"
    assert not given.book.positions
    assert_reconciled(given)


def test_a_stop_that_is_not_reached_is_no_event_and_one_that_is_gapped_through_sells_at_the_open() -> None:
    given = held(falling(DAY2), bar("AAA", DAY3, 80.0))
    keep(given, DAY1, 89.0)
    given.settle(DAY2)
    assert given.rows("executed_trades").height == 1
    keep(given, DAY2, 89.0)
    given.settle(DAY3)
    assert given.trade(f"{DAY3}:AAA:sell:stop")["open_price"] == Decimal(80)


@pytest.mark.parametrize(
    ("action", "low", "sold"),
    [
        (split("AAA", DAY2, 2, 1), 48.0, False),  # a stop of 95 is one of 47.50
        (split("AAA", DAY2, 2, 1), 47.0, True),
        (dividend("AAA", DAY2, 3.0), 93.0, False),  # and one of 92
        (dividend("AAA", DAY2, 3.0), 91.5, True),
    ],
)
def test_a_stop_follows_what_happens_to_its_shares(action: dict[str, Any], low: float, sold: bool) -> None:
    opened = 50.0 if "numerator" in action else 97.0
    given = held(bar("AAA", DAY2, opened, low=low, high=opened))
    given.act(action)
    keep(given, DAY1, 95.0)
    given.settle(DAY2)
    assert (f"{DAY2}:AAA:sell:stop" in set(given.rows("executed_trades")["trade_id"])) is sold
    assert_reconciled(given)


def test_a_planned_sale_at_the_open_leaves_the_stop_what_is_left() -> None:
    given = held(falling(DAY2))
    given.order(DAY1, "AAA", "sell", 40, intent="reduce", resting_stop=95.0)
    given.settle(DAY2)
    assert given.trade(f"{DAY2}:AAA:sell")["shares"] == 40
    stopped = given.trade(f"{DAY2}:AAA:sell:stop")
    assert (stopped["ordered"], stopped["shares"], stopped["status"]) == (60, 60, "filled")
    assert_reconciled(given)


@pytest.mark.parametrize(("sessions", "filled"), [(0, DAY2), (1, DAY3), (2, DAY4)])
def test_proceeds_pay_for_buys_once_they_are_settled(sessions: int, filled: date) -> None:
    bars = [bar(name, day) for name in ("AAA", "BBB") for day in DAYS[:5]]
    params = free(capital=10_000.0, orders=Orders(settlement_sessions=sessions))
    given = World(*bars, params=params, settling=SETTLE)
    given.order(FUND, "AAA", "buy", 100)
    given.order(DAY1, "AAA", "sell", 100)
    for day in (DAY1, DAY2, DAY3):
        given.order(day, "BBB", "buy", 60)
    given.settle_to(DAY4)
    first = given.rows("executed_trades").filter(ticker="BBB", status="filled")["session"].min()
    assert first == filled
    assert given.rows("portfolio_value")["cash"].min() >= 0
    assert_reconciled(given)


def test_a_book_of_a_cash_account_plans_no_buy_from_what_it_sells() -> None:
    given = built.hold(built.world(orders=Orders(settlement_sessions=1)))
    built.predict(given, {name: 2 * point for name, point in built.RISING.items()}, built.NEXT)
    rows = built.planned(given, built.NEXT).values()
    sides = {side: sum(row["shares"] * row["close"] for row in rows if row["side"] == side) for side in ("buy", "sell")}
    assert sides["buy"] <= float(given.book.cash) / 100 < sides["sell"]


def test_a8_a_session_that_reached_stop_and_target_is_taken_to_have_stopped_first() -> None:
    given = held(bar("AAA", DAY2, 105.0, open=100.0, low=90.0, high=110.0))
    given.order(DAY1, "AAA", "sell", 100, intent="exit", order_type="limit", limit_price=104.0, resting_stop=95.0)
    given.settle(DAY2)
    assert given.trade(f"{DAY2}:AAA:sell:stop")["open_price"] == Decimal(95)
    target = given.trade(f"{DAY2}:AAA:sell")
    assert (target["status"], target["reason"]) == ("unfilled", "only 0 shares are held")
    assert_reconciled(given)


def walk(session: date, *lows_and_highs: tuple[float, float], ticker: str = "AAA", **values: Any) -> pl.DataFrame:
    """Bars of an hour, each from its first number to its second."""
    opened = CALENDAR.open_at(session)
    ends = [opened + timedelta(hours=1 + number) for number in range(len(lows_and_highs))]
    first, last = ([pair[at] for pair in lows_and_highs] for at in (0, 1))
    columns = {
        "ticker": ticker, "interval": "1h", "session": session, "ts": ends, "revision": 0, "open": first,
        "high": [max(pair) for pair in lows_and_highs], "low": [min(pair) for pair in lows_and_highs], "close": last,
        "volume": 1_000, "currency": "USD", "source": "test", "available_at": ends, "payload_id": "0" * 64, "line": 0,
        "volume_rounding": None,
    }  # fmt: skip
    return pl.DataFrame(columns | values, schema=INTRADAY_PRICES.schema)


@pytest.mark.parametrize(
    ("path", "sold"),
    [
        (((100, 105), (105, 90)), ("AAA:sell", 104, 1)),  # the target came first
        (((100, 90), (90, 105)), ("AAA:sell:stop", 95, 1)),
        (((100, 97), (92, 90), (90, 105)), ("AAA:sell:stop", 92, 2)),  # nothing traded between 97 and 92
        (((100, 101), (107, 110), (110, 90)), ("AAA:sell", 107, 2)),
    ],
    ids=["target first", "stop first", "gapped through the stop", "gapped beyond the target"],
)
def test_a8_where_bars_within_the_session_tell_what_came_first_is_filled_when_and_where_it_came(
    path: tuple[tuple[float, float], ...], sold: tuple[str, float, int]
) -> None:
    given = held(bar("AAA", DAY2, path[-1][1], open=100.0, low=90.0, high=110.0))
    given.add(INTRADAY_PRICES, walk(DAY2, *path))
    given.order(DAY1, "AAA", "sell", 100, intent="exit", order_type="limit", limit_price=104.0, resting_stop=95.0)
    given.settle(DAY2)
    name, price, hours = sold
    trade = given.trade(f"{DAY2}:{name}")
    assert (trade["status"], trade["open_price"]) == ("filled", Decimal(price))
    assert trade["ts"] == CALENDAR.open_at(DAY2) + timedelta(hours=hours)
    others = given.rows("executed_trades").filter(session=DAY2).filter(pl.col("trade_id") != f"{DAY2}:{name}")
    assert others["shares"].sum() == 0
    assert_reconciled(given)


def test_what_bars_within_a_session_say_beyond_its_daily_bar_is_not_traded_at() -> None:
    given = held(falling(DAY2))
    given.add(INTRADAY_PRICES, walk(DAY2, (100, 98), (70, 70), (92, 92)))
    keep(given, DAY1, 95.0)
    given.settle(DAY2)
    assert given.trade(f"{DAY2}:AAA:sell:stop")["open_price"] == Decimal(90)


def test_bars_that_came_later_tell_nothing_and_the_shortest_of_those_there_tell_most() -> None:
    late = CALENDAR.close_at(DAY2) + timedelta(hours=5)
    for known, price in ((late, 95), (None, 93)):
        given = held(falling(DAY2))
        hourly, quick = walk(DAY2, (100, 91)), walk(DAY2, (100, 98), (93, 91), interval="5m")
        given.add(INTRADAY_PRICES, hourly)
        given.add(INTRADAY_PRICES, quick if known is None else quick.with_columns(available_at=pl.lit(known)))
        keep(given, DAY1, 95.0)
        given.settle(DAY2)
        assert given.trade(f"{DAY2}:AAA:sell:stop")["open_price"] == Decimal(price)


def test_a_stop_late_in_the_session_takes_its_share_of_what_trades_from_then_on() -> None:
    given = held(falling(DAY2) | {"volume": 2_000})
    given.add(INTRADAY_PRICES, walk(DAY2, (100, 98), (98, 97), (97, 96), (96, 91)))
    keep(given, DAY1, 95.0)
    given.settle(DAY2)
    trade = given.trade(f"{DAY2}:AAA:sell:stop")
    assert (trade["ordered"], trade["shares"], trade["status"]) == (100, 12, "partial")
    assert trade["reason"] == "only 2.5 % of the volume of 500 shares since then may be taken"
    assert_reconciled(given)


def test_a7_what_a_session_bought_is_not_stopped_out_of_within_it() -> None:
    given = World(bar("AAA", FUND), falling(DAY1), params=free(), settling=SETTLE)
    given.order(FUND, "AAA", "buy", 100, resting_stop=95.0)
    given.settle_to(DAY1)
    assert given.rows("executed_trades")["side"].to_list() == ["buy"]
    assert given.book.positions["AAA"].shares == 100


def test_a_stop_is_withheld_where_the_operator_killed_trading_and_says_so() -> None:
    given = held(falling(DAY2))
    keep(given, DAY1, 95.0)
    moment = CALENDAR.close_at(DAY1) + timedelta(hours=1)
    kill = {"switch_id": "s", "switch": "kill", "decided_at": moment, "recorded_at": moment, "session": DAY2}
    given.add(TRADING_SWITCHES, rows(TRADING_SWITCHES, kill | {"origin": "cli", "reason": "enough", "lifts": []}))
    given.settle(DAY2)
    trade = given.trade(f"{DAY2}:AAA:sell:stop")
    assert trade["status"] == "unfilled"
    assert "enough" in trade["reason"]


def test_a_limit_that_is_not_reached_expires_with_its_session() -> None:
    given = World(bar("AAA", FUND), bar("AAA", DAY1), bar("AAA", DAY2, 90.0), params=free(), settling=SETTLE)
    given.order(FUND, "AAA", "buy", 100, order_type="limit", limit_price=98.5)
    given.settle_to(DAY2)
    assert given.rows("executed_trades").select("status", "order_type").rows() == [("unfilled", "limit")]
    assert "did not get beyond its limit of 98.50" in given.trade(f"{DAY1}:AAA:buy")["reason"]


def test_a_limit_of_a_split_name_is_on_the_new_basis() -> None:
    given = World(bar("AAA", FUND), bar("AAA", DAY1, 50.0), params=free(), settling=SETTLE)
    given.act(split("AAA", DAY1, 2, 1))
    given.order(FUND, "AAA", "buy", 100, order_type="limit", limit_price=101.0)
    trade = given.settle_to(DAY1).trade(f"{DAY1}:AAA:buy")
    assert (trade["shares"], trade["fill_price"]) == (200, Decimal(50))


def test_a_built_book_states_the_kinds_that_the_settings_ask_for() -> None:
    buying = built.planned(built.world(orders=Orders(buys="limit")))
    assert {row["order_type"] for row in buying.values() if row["taken"]} == {"limit"}
    assert all(0 < row["limit_price"] < row["close"] for row in buying.values() if row["taken"])
    given = built.hold(built.world(orders=Orders(sales="market-on-close", stops="resting")))
    built.predict(given, {name: 2 * point for name, point in built.RISING.items()}, built.NEXT)
    planned = built.planned(given, built.NEXT)
    sold = [row for row in planned.values() if row["side"] == "sell" and row["taken"]]
    assert sold
    assert {row["order_type"] for row in sold} == {"market-on-close"}
    assert all(row["resting_stop"] == row["stop"] for row in planned.values())


def candidate(**values: Any) -> Candidate:
    usual = {
        "ticker": "AAA",
        "sector": "tech",
        "side": "buy",
        "intent": "enter",
        "shares": 10,
        "close": 100.0,
        "stale": 0,
    }
    known = {"member": True, "exclusion": "member", "volatility": 0.02, "median_volume": 1e6, "cost": 0.001}
    return Candidate(**(usual | known | {"forecast": None, "holding": None, "since_sale": None} | values))


def test_what_a_stop_sells_goes_to_the_open_and_a_limit_never_falls_below_nothing() -> None:
    one = candidate()
    asked = Orders(buys="limit", sales="limit", limit_sigmas=20)
    assert state_terms(one, "sell", "stop", True, asked)["order_type"] == "market-on-open"
    wild = candidate(volatility=0.5)
    assert state_terms(wild, "buy", "enter", True, asked)["limit_price"] == 0.0
    assert state_terms(one, "hold", "keep", False, asked) == {
        "order_type": None, "limit_price": None, "resting_stop": None,
    }  # fmt: skip


def test_the_stage_reads_stops_of_names_that_are_kept() -> None:
    read = next(read for read in STAGE.reads if read.table.name == "trade_plans")
    assert "resting_stop" in str(read.where)
