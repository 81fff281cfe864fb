"""The accounting cases other systems got wrong, each as one short history."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from lake.tables.market import INSTRUMENTS
from pipeline.engine.stage import Stage
from pipeline.trading.books import holdings, ledger
from pipeline.trading.execution import execute
from pipeline.trading.params import Costs, TradingParams
from tests.frames import market
from tests.frames.trading import BOOKS, CALENDAR, DAYS, SETTLE, World, bar, delisting, dividend, free, members, split

FUND, DAY1, DAY2, DAY3, DAY4 = DAYS[:5]


def world(*bars: dict[str, object], params: TradingParams | None = None, settling: Sequence[Stage] = BOOKS) -> World:
    return World(*bars, params=params or free(), settling=settling)


def flat(ticker: str = "AAA", price: float = 100.0, days: int = 5) -> list[dict[str, object]]:
    return [bar(ticker, day, price) for day in DAYS[:days]]


def holding_100(*later: dict[str, object], params: TradingParams | None = None) -> World:
    """A book that bought 100 AAA at 100 on the first session after funding."""
    given = world(bar("AAA", FUND), bar("AAA", DAY1), *later, params=params)
    given.order(FUND, "AAA", "buy", 100)
    return given.settle_to(DAY1)


def test_the_first_session_pays_the_capital_in_and_nothing_else() -> None:
    given = world().settle_to(FUND)
    entries = given.rows("ledger_entries")
    assert entries.select("kind", "account", "amount").rows() == [
        ("fund", "cash", Decimal("1000000.00")),
        ("fund", "capital", Decimal("-1000000.00")),
    ]
    assert given.value(FUND)["nav"] == Decimal("1000000.00")


def test_a1_zero_trades_keep_the_nav_to_the_cent_whatever_prices_do() -> None:
    bars = [bar("AAA", day, 100.0 * (n + 1)) for n, day in enumerate(DAYS[:5])]
    given = World(*bars).settle_to(DAY4)
    assert given.rows("portfolio_value")["nav"].unique().to_list() == [Decimal("1000000.00")]
    assert given.rows("ledger_entries").height == 2


def test_a2_commission_is_paid_once_per_order() -> None:
    params = TradingParams(costs=Costs(half_spread=0.0, impact=0.0, commission_per_share=0.01))
    given = holding_100(*flat(days=5)[2:], params=params)
    given.order(DAY1, "AAA", "sell", 100)
    given.settle_to(DAY2)
    assert given.book.commission == 200
    assert given.value(DAY2)["nav"] == Decimal("999998.00")
    assert given.rows("ledger_entries").filter(pl.col("kind") == "commission").height == 4


def test_a3_total_is_cash_and_what_is_owed_and_positions() -> None:
    given = holding_100(bar("AAA", DAY2, 99.0))
    given.act(dividend("AAA", DAY2, 1.0, pay_date=DAY4))
    row = given.settle_to(DAY2).value(DAY2)
    assert row["nav"] == row["cash"] + row["receivable"] + row["positions_value"]
    assert (row["receivable"], row["positions_value"]) == (Decimal("100.00"), Decimal("9900.00"))


def test_a4_sale_proceeds_are_credited_whole() -> None:
    given = holding_100(bar("AAA", DAY2, 130.0))
    given.order(DAY1, "AAA", "sell", 100)
    row = given.settle_to(DAY2).value(DAY2)
    assert row["cash"] == row["nav"] == Decimal("1003000.00")
    assert row["realised"] == Decimal("3000.00")


def test_a5_commission_never_drives_cash_below_zero() -> None:
    params = TradingParams(capital=10_000.0, costs=Costs(half_spread=0.0, impact=0.0, min_commission=5.0))
    given = world(bar("AAA", FUND), bar("AAA", DAY1), params=params)
    given.order(FUND, "AAA", "buy", 100)
    given.settle_to(DAY1)
    trade = given.trade(f"{DAY1}:AAA:buy")
    assert (trade["status"], trade["shares"]) == ("partial", 99)
    assert "cash" in trade["reason"]
    assert given.book.cash == 1_000_000 - 990_000 - 500


def test_a6_a_stop_that_gapped_is_filled_at_the_open_not_at_the_stop() -> None:
    given = holding_100(bar("AAA", DAY2, 50.0))
    given.order(DAY1, "AAA", "sell", 100, intent="stop", stop=90.0)
    given.settle_to(DAY2)
    assert given.trade(f"{DAY2}:AAA:sell")["fill_price"] == Decimal("50.000000")


def test_a7_a_position_cannot_be_left_on_the_bar_it_was_entered() -> None:
    given = holding_100()
    trades = given.rows("executed_trades")
    assert trades["side"].to_list() == ["buy"]
    with pytest.raises(AssertionError, match="key twice"):
        given.order(FUND, "AAA", "sell", 100)  # one decision per ticker and close


def test_a9_entry_and_exit_use_as_traded_opens() -> None:
    given = holding_100(bar("AAA", DAY2, 50.0), bar("AAA", DAY3, 50.0))
    given.act(split("AAA", DAY2, 2, 1))
    given.order(DAY2, "AAA", "sell", 200)
    given.settle_to(DAY3)
    prices = given.rows("executed_trades").sort("session")["fill_price"].to_list()
    assert prices == [Decimal("100.000000"), Decimal("50.000000")]
    assert given.book.realised == 0


def test_a10_the_last_bar_is_in_the_equity() -> None:
    given = holding_100(bar("AAA", DAY2, 117.0)).settle_to(DAY2)
    assert given.value(DAY2)["nav"] == Decimal("1001700.00")


def test_a11_a_split_makes_no_profit() -> None:
    given = holding_100(bar("AAA", DAY2, 50.0))
    given.act(split("AAA", DAY2, 2, 1))
    row = given.settle_to(DAY2).value(DAY2)
    assert (row["nav"], row["realised"], row["unrealised"]) == (Decimal("1000000.00"), 0, 0)
    assert given.book.positions["AAA"].shares == 200


@pytest.mark.parametrize(("new", "old", "left"), [(1, 7, 14), (2, 1, 200), (3, 2, 150)])
def test_a12_a_sale_of_everything_on_a_split_day_leaves_no_short_and_no_share(new: int, old: int, left: int) -> None:
    """The book is long only: what A12 asks of shorts is asked of the sale that would make one."""
    given = holding_100(bar("AAA", DAY2, 100.0 * old / new))
    given.act(split("AAA", DAY2, new, old))
    given.order(DAY1, "AAA", "sell", 250)  # more than there is, on the shares of the day before
    given.settle_to(DAY2)
    trade = given.trade(f"{DAY2}:AAA:sell")
    assert (trade["shares"], trade["status"], given.book.positions) == (left, "partial", {})
    moved = given.rows("ledger_entries").filter(pl.col("account") == "positions").sort("session", "sequence")
    assert moved["shares"].cum_sum().min() == 0
    assert given.value(DAY2)["nav"] == Decimal("1000000.00")


def test_a13_a_fraction_is_paid_out_at_the_new_price_with_its_part_of_the_cost() -> None:
    given = holding_100(bar("AAA", DAY2, 700.0))
    given.act(split("AAA", DAY2, 1, 7))
    row = given.settle_to(DAY2).value(DAY2)
    assert given.book.positions["AAA"].shares == 14  # 100 / 7 = 14 and 2/7
    assert row["cash"] == Decimal("990000.00") + Decimal("200.00")  # 2/7 of 700
    assert given.book.positions["AAA"].cost == 1_000_000 - 20_000  # 2/7 of 100/7 shares is 2 % of the cost
    assert row["realised"] == 0
    assert row["nav"] == Decimal("1000000.00")


def test_a_reverse_split_that_leaves_no_whole_share_pays_everything_out() -> None:
    given = holding_100(bar("AAA", DAY2, 100_000.0))
    given.act(split("AAA", DAY2, 1, 1000))
    given.settle_to(DAY2)
    assert given.book.positions == {}
    assert given.book.cash == 100_000_000
    assert given.rows("portfolio_holdings").filter(pl.col("session") == DAY2).is_empty()


def test_a14_a_reverse_split_that_zeroes_an_order_leaves_it_unfilled_and_nothing_breaks() -> None:
    given = world(bar("AAA", FUND), bar("AAA", DAY1, 1000.0))
    given.act(split("AAA", DAY1, 1, 10))
    given.order(FUND, "AAA", "buy", 9)
    given.settle_to(DAY1)
    trade = given.trade(f"{DAY1}:AAA:buy")
    assert (trade["status"], trade["ordered"], trade["shares"]) == ("unfilled", 0, 0)
    assert "reverse split" in trade["reason"]


def test_a15_several_splits_on_one_day_apply_in_their_order_and_lose_nothing() -> None:
    given = holding_100(bar("AAA", DAY2, 100.0))
    given.act(split("AAA", DAY2, 1, 30, sequence=0), split("AAA", DAY2, 30, 1, sequence=1))
    row = given.settle_to(DAY2).value(DAY2)
    assert given.book.positions["AAA"].shares == 90  # 3 whole shares of 3 1/3 come back as 90
    assert row["cash"] == Decimal("991000.00")  # the third of a share was worth 10 old ones
    assert row["nav"] == Decimal("1000000.00")


def test_a16_a_dividend_counts_per_share_after_the_split_of_the_same_day() -> None:
    given = holding_100(bar("AAA", DAY2, 49.5))
    given.act(split("AAA", DAY2, 2, 1), dividend("AAA", DAY2, 0.5))
    row = given.settle_to(DAY2).value(DAY2)
    assert row["dividends"] == Decimal("100.00")
    assert row["nav"] == Decimal("1000000.00")


def test_a17_a_split_does_not_depend_on_when_the_book_began() -> None:
    early = holding_100(bar("AAA", DAY2, 50.0), bar("AAA", DAY3, 50.0))
    early.act(split("AAA", DAY2, 2, 1))
    late = world(bar("AAA", DAY2, 50.0), bar("AAA", DAY3, 50.0))
    late.act(split("AAA", DAY2, 2, 1))
    late.order(DAY2, "AAA", "buy", 200)
    assert early.settle_to(DAY3).value(DAY3)["nav"] == late.settle_to(DAY3).value(DAY3)["nav"]
    assert early.book.positions["AAA"].shares == late.book.positions["AAA"].shares == 200


def test_a18_a_held_name_that_leaves_the_universe_stays_in_the_nav() -> None:
    given = holding_100(bar("AAA", DAY2, 110.0))
    given.add(holdings.TICKER_UNIVERSE, members(DAY1, "AAA"))
    given.add(holdings.TICKER_UNIVERSE, members(DAY2, "AAA", member=False, reason="too small"))
    assert given.settle_to(DAY2).value(DAY2)["nav"] == Decimal("1001000.00")


def test_a19_an_order_on_the_split_day_is_restated_with_its_shares() -> None:
    given = holding_100(bar("AAA", DAY2, 50.0))
    given.act(split("AAA", DAY2, 2, 1))
    given.order(DAY1, "AAA", "sell", 100)
    given.settle_to(DAY2)
    trade = given.trade(f"{DAY2}:AAA:sell")
    assert (trade["ordered"], trade["shares"]) == (200, 200)
    assert given.book.positions == {}
    assert given.book.cash == 100_000_000


def test_a20_an_order_at_a_session_without_a_bar_expires_unfilled() -> None:
    given = world(bar("AAA", FUND), bar("AAA", DAY2))
    given.order(FUND, "AAA", "buy", 100)
    given.settle_to(DAY2)
    trades = given.rows("executed_trades")
    assert trades.select("session", "status", "shares").rows() == [(DAY1, "unfilled", 0)]
    assert "did not trade" in trades["reason"][0]
    assert given.book.positions == {}


def test_dividends_belong_to_holders_at_the_close_before_and_arrive_on_pay_day() -> None:
    given = world(*flat())
    given.act(dividend("AAA", DAY1, 1.0), dividend("AAA", DAY2, 0.24, pay_date=DAY4))
    given.order(FUND, "AAA", "buy", 100)  # bought on the first ex-date: too late for that one
    given.order(DAY1, "AAA", "sell", 100)  # sold on the second ex-date: still entitled
    given.settle_to(DAY3)
    assert (given.book.dividends, given.book.receivable, given.book.cash) == (2_400, 2_400, 100_000_000)
    given.settle_to(DAY4)
    assert (given.book.receivable, given.book.cash) == (0, 100_002_400)


def test_a_pay_date_that_is_no_session_pays_on_the_first_one_after() -> None:
    friday = DAY4
    given = holding_100(*flat(days=7)[2:])
    given.act(dividend("AAA", DAY2, 1.0, pay_date=date(2021, 3, 6)))
    given.settle_to(friday)
    assert given.book.receivable == 10_000
    given.settle_to(DAYS[5])
    assert (given.book.receivable, given.book.cash) == (0, 99_010_000)


def test_a_receivable_cannot_be_spent() -> None:
    given = world(*flat(), params=free(capital=10_000.0))
    given.act(dividend("AAA", DAY2, 10.0, pay_date=DAY4))
    given.order(FUND, "AAA", "buy", 100)
    given.order(DAY1, "AAA", "buy", 10)
    given.settle_to(DAY2)
    assert given.book.receivable == 100_000
    assert given.trade(f"{DAY2}:AAA:buy")["status"] == "unfilled"


def test_a_delisting_closes_the_position_at_its_final_value() -> None:
    given = holding_100()
    given.act(delisting("AAA", DAY2, 12.5))
    given.order(DAY1, "AAA", "sell", 100)
    row = given.settle_to(DAY2).value(DAY2)
    assert row["nav"] == row["cash"] == Decimal("991250.00")
    assert row["realised"] == Decimal("-8750.00")
    assert given.trade(f"{DAY2}:AAA:sell")["reason"].startswith("delisted")


def test_a_worthless_delisting_loses_exactly_the_cost() -> None:
    given = holding_100()
    given.act(delisting("AAA", DAY2, 0.0))
    assert given.settle_to(DAY2).value(DAY2)["nav"] == Decimal("990000.00")


def test_a_name_that_did_not_trade_keeps_its_last_close_restated_for_a_split() -> None:
    given = holding_100()
    given.act(split("AAA", DAY2, 4, 1))
    given.settle_to(DAY3)
    for session in (DAY2, DAY3):
        held = given.holding(session, "AAA")
        assert (held["shares"], held["close"], held["close_session"]) == (400, Decimal("25.000000"), DAY1)
        assert given.value(session)["nav"] == Decimal("1000000.00")


def test_a_renamed_position_keeps_shares_cost_and_age() -> None:
    given = holding_100(bar("BBB", DAY2, 105.0))
    given.act(
        {"ticker": "AAA", "ex_date": DAY2, "kind": "rename", "numerator": None, "denominator": None, "successor": "BBB"}
    )
    given.order(DAY1, "AAA", "sell", 40)
    given.settle_to(DAY2)
    position = given.book.positions["BBB"]
    assert (position.shares, position.cost, position.opened) == (60, 600_000, DAY1)
    assert given.trade(f"{DAY2}:BBB:sell")["shares"] == 40
    assert given.value(DAY2)["nav"] == Decimal("1000500.00")


def test_an_action_learned_late_is_applied_once_to_who_held_then() -> None:
    known = CALENDAR.close_at(DAY3)
    given = holding_100(bar("AAA", DAY2, 50.0), bar("AAA", DAY3, 50.0), bar("AAA", DAY4, 50.0))
    given.act(split("AAA", DAY2, 2, 1, available_at=known), dividend("AAA", DAY2, 0.5, available_at=known))
    given.settle_to(DAY2)
    assert given.book.positions["AAA"].shares == 100
    given.settle_to(DAY4)
    assert given.book.positions["AAA"].shares == 200
    assert given.book.dividends == 10_000  # 200 shares of the ex-date's basis


def test_selling_in_parts_removes_the_whole_cost_in_the_end() -> None:
    given = world(*[bar("AAA", day, 33.33) for day in DAYS[:5]])
    given.order(FUND, "AAA", "buy", 7)
    for day in (DAY1, DAY2):
        given.order(day, "AAA", "sell", 3)
    given.order(DAY3, "AAA", "sell", 1)
    given.settle_to(DAY4)
    assert given.book.positions == {}
    assert (given.book.realised, given.book.cash) == (0, 100_000_000)


def test_benchmark_and_equal_weight_start_at_the_capital_and_earn_total_returns() -> None:
    given = world(
        *[bar("AAA", day, price) for day, price in zip(DAYS[:3], (100.0, 110.0, 108.9), strict=True)],
        *[bar("BBB", day, price) for day, price in zip(DAYS[:3], (50.0, 45.0, 45.0), strict=True)],
        *[bar("IDX", day, price) for day, price in zip(DAYS[:3], (1000.0, 1010.0, 1010.0), strict=True)],
        settling=SETTLE,
    )
    given.act(dividend("AAA", DAY2, 1.1))
    given.add(INSTRUMENTS, pl.concat([market.instruments("AAA", "BBB"), market.instruments("IDX", role="benchmark")]))
    for day in DAYS[:3]:
        given.add(holdings.TICKER_UNIVERSE, members(day, "AAA", "BBB"))
    given.settle_to(DAY2)
    assert given.value(FUND)["equal_weight"] == given.value(FUND)["benchmark"] == 1_000_000.0
    assert given.value(DAY1)["equal_weight"] == pytest.approx(1_000_000 * (1 + (0.1 - 0.1) / 2))
    assert given.value(DAY2)["equal_weight"] == pytest.approx(1_000_000)  # the dividend makes up for the fall
    assert given.value(DAY2)["benchmark"] == pytest.approx(1_010_000)


def test_a_delisted_member_takes_equal_weight_down_with_it() -> None:
    given = world(bar("AAA", FUND), bar("AAA", DAY1), bar("BBB", FUND), settling=SETTLE)
    given.act(delisting("BBB", DAY1, 0.0))
    given.add(holdings.TICKER_UNIVERSE, members(FUND, "AAA", "BBB"))
    assert given.settle_to(DAY1).value(DAY1)["equal_weight"] == pytest.approx(500_000)


def test_settling_a_session_again_gives_the_same_rows() -> None:
    given = holding_100(bar("AAA", DAY2, 103.0))
    given.order(DAY1, "AAA", "sell", 30)
    given.settle_to(DAY2)
    for stage in (execute.STAGE, ledger.STAGE, holdings.STAGE):
        kept = given.rows(stage.writes.name).filter(pl.col("session") == DAY2)
        again = given.compute(stage, DAY2)
        assert again.sort(stage.writes.key).equals(kept.sort(stage.writes.key))
