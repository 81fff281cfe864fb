from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.tables.market import FX_RATES, INSTRUMENTS, MARKET_PRICES, TICKER_UNIVERSE
from pipeline.trading.baselines import baseline_holdings
from pipeline.trading.books import value
from pipeline.trading.params import TradingParams
from tests.frames import market
from tests.frames.trading import BOOKS, DAYS, World, bar, delisting, dividend, free, members, split

CAPITAL = 1_000_000.0
STAGES = (*BOOKS[:-1], baseline_holdings.STAGE, value.STAGE)


def world(
    closes: Mapping[str, Mapping[int, float]],
    universe: Mapping[int, tuple[str, ...]] | None = None,
    sessions: int = 8,
    params: TradingParams | None = None,
    benchmark: str = "",
) -> World:
    """Closes by session number; every name is a member at every session unless the universe says otherwise."""
    rows = [bar(name, DAYS[at], close) for name, path in closes.items() for at, close in path.items()]
    made = World(*rows, params=params or free(), settling=STAGES)
    names = [name for name in closes if name != benchmark]
    made.add(INSTRUMENTS, market.instruments(*names))
    if benchmark:
        made.add(INSTRUMENTS, market.instruments(benchmark, role="benchmark"))
    for at in range(sessions):
        listed = (universe or {}).get(at, tuple(names))
        if listed:
            made.add(TICKER_UNIVERSE, members(DAYS[at], *listed))
    return made


def flat(close: float, *skipped: int, sessions: int = 8) -> dict[int, float]:
    """One price at every session but some."""
    return {at: close for at in range(sessions) if at not in skipped}


def worth(made: World, at: int, name: str = "equal_weight") -> float:
    """A baseline's value after a session."""
    return float(made.settle_to(DAYS[at]).value(DAYS[at])[name])


def test_a_halted_name_is_kept_until_it_trades_and_sold_at_what_it_then_fetches() -> None:
    out = dict.fromkeys(range(3, 8), ("AAA", "BBB"))
    made = world({"AAA": flat(50.0), "BBB": flat(20.0), "HLT": flat(10.0, 2, 3, 4, 5) | {6: 2.5, 7: 2.5}}, out)
    assert worth(made, 5) == pytest.approx(CAPITAL)
    assert worth(made, 7) == pytest.approx(CAPITAL * (2 / 3 + 1 / 12))
    last = made.rows("baseline_holdings").filter(pl.col("session") == DAYS[6], pl.col("asset") == "HLT")
    assert (last["shares"][0], round(last["traded"][0], 2)) == (0.0, -83_333.33)


def test_a_foreign_name_is_held_at_what_its_closes_and_dividends_are_in_the_books_currency() -> None:
    made = world({"AAA": flat(50.0), "EUR": flat(20.0)})
    abroad = pl.col("ticker") == "EUR"
    quoted = pl.when(abroad).then(pl.lit("EUR")).otherwise(pl.lit("USD")).alias("currency")
    for table in ("market_prices", "instruments"):
        made.tables[table] = made.rows(table).with_columns(quoted)
    told = ({"session": DAYS[at], "rate": Decimal(rate)} for at, rate in enumerate(("1", "1", "1.5", "1.5", "1.5")))
    made.add(FX_RATES, market.rates(*told, calendar=made.calendar))
    made.act(dividend("EUR", DAYS[5], 2.0))
    assert worth(made, 2) == pytest.approx(CAPITAL)
    assert worth(made, 3) == pytest.approx(CAPITAL * 1.25)
    made.tables["market_prices"] = made.rows("market_prices").with_columns(
        close=pl.when(abroad & (pl.col("session") >= DAYS[5])).then(18.0).otherwise("close")
    )
    assert worth(made, 5) == pytest.approx(CAPITAL * 1.25)


def test_a_benchmark_in_another_currency_is_compared_with_where_it_can_be_converted() -> None:
    def abroad(*rates: str) -> World:
        made = world({"AAA": flat(50.0), "DAX": flat(20.0)}, benchmark="DAX")
        foreign = pl.when(pl.col("ticker") == "DAX").then(pl.lit("EUR")).otherwise(pl.lit("USD")).alias("currency")
        made.tables["instruments"] = made.rows("instruments").with_columns(foreign)
        told = ({"session": DAYS[0] - timedelta(days=1 - at), "rate": Decimal(rate)} for at, rate in enumerate(rates))
        made.add(FX_RATES, market.rates(*told, calendar=made.calendar))
        return made.settle_to(DAYS[2])

    assert abroad("1.0", "1.2").value(DAYS[2])["benchmark"] == pytest.approx(CAPITAL * 1.2)
    made = world({"AAA": flat(50.0), "DAX": flat(20.0)}, benchmark="DAX")
    made.tables["instruments"] = made.rows("instruments").with_columns(currency=pl.lit("EUR"))
    assert made.settle_to(DAYS[1]).value(DAYS[1])["benchmark"] is None


@pytest.mark.parametrize(
    ("ended", "final", "lost"),
    [
        pytest.param(2, 0.0, 1 / 4, marks=pytest.mark.slow),
        pytest.param(3, 13.0, -0.3 / 4, marks=pytest.mark.slow),
        (6, 4.0, 0.6 / 4),
    ],
)
def test_a_name_that_is_delisted_ends_at_its_final_value_long_after_it_left_the_universe(
    ended: int, final: float, lost: float
) -> None:
    names = {name: flat(30.0) for name in ("AAA", "BBB", "CCC")}
    made = world(names | {"END": {0: 10.0, 1: 10.0}}, dict.fromkeys(range(2, 8), ("AAA", "BBB", "CCC")))
    made.act(delisting("END", DAYS[ended], final))
    assert worth(made, 7) == pytest.approx(CAPITAL * (1 - lost))


ENDS = {"write_off_after": 2, "write_off_value": 0.2}


@pytest.mark.parametrize(("heard", "left"), [({}, 0.2), ({6: 4.0}, 0.4)])
def test_what_is_silent_for_too_long_is_written_off_as_in_the_book_unless_it_is_heard_of_again(
    heard: dict[int, float], left: float
) -> None:
    later = dict.fromkeys(range(2, 8), ("AAA",))
    made = world({"AAA": flat(30.0), "END": {0: 10.0, 1: 10.0} | heard}, later, params=free(**ENDS))
    assert [worth(made, at) for at in (3, 4, 7)] == pytest.approx([CAPITAL, CAPITAL * 0.6, CAPITAL * (1 + left) / 2])


def test_a_delisting_learned_after_the_write_off_counts_in_the_baseline_too() -> None:
    made = world(
        {"AAA": flat(30.0), "END": {0: 10.0, 1: 10.0}}, dict.fromkeys(range(2, 8), ("AAA",)), params=free(**ENDS)
    )
    made.act(delisting("END", DAYS[5], 7.0) | {"available_at": made.calendar.open_at(DAYS[6])})
    assert [worth(made, at) for at in (5, 7)] == pytest.approx([CAPITAL * 0.6, CAPITAL * 0.85])


def test_a_delisting_on_a_day_without_session_ends_the_name_at_the_next_session() -> None:
    friday = next(at for at in range(8) if DAYS[at].weekday() == 4)
    made = world({"AAA": flat(30.0), "END": flat(10.0, *range(friday + 1, 8))})
    made.act(delisting("END", DAYS[friday] + timedelta(days=1), 0.0))
    assert worth(made, friday) == pytest.approx(CAPITAL)
    assert worth(made, friday + 1) == pytest.approx(CAPITAL / 2)


def test_a_dividend_and_a_split_inside_a_halt_change_nothing_that_a_holder_has() -> None:
    made = world({"AAA": flat(30.0), "HLT": flat(100.0, 2, 3, 4, 5) | {6: 24.0, 7: 24.0}})
    made.act(dividend("HLT", DAYS[3], 4.0), split("HLT", DAYS[4], 4, 1))
    assert [worth(made, at) for at in range(8)] == pytest.approx([CAPITAL] * 8)


def test_a_renamed_holding_goes_on_under_its_new_name_whether_or_not_that_is_a_member() -> None:
    later = dict.fromkeys(range(3, 8), ("AAA",))
    made = world({"AAA": flat(30.0), "OLD": {0: 10.0, 1: 10.0}, "NEW": {5: 12.0, 6: 12.0}}, {0: ("AAA", "OLD")} | later)
    made.act({"ticker": "OLD", "ex_date": DAYS[3], "kind": "rename", "numerator": None, "denominator": None} | NEW)
    assert worth(made, 4) == pytest.approx(CAPITAL)
    assert worth(made, 6) == pytest.approx(CAPITAL * 1.1)


NEW = {"successor": "NEW"}


def test_a_merger_pays_its_cash_and_goes_on_in_shares_of_the_successor() -> None:
    made = world({"AAA": flat(30.0), "OLD": {0: 52.0, 1: 52.0}, "NEW": {4: 110.0, 5: 110.0}}, {0: ("AAA", "OLD")})
    paid = {"nature": "merger", "cash": 2.0, "numerator": 1, "denominator": 2}
    made.act(delisting("OLD", DAYS[2], 52.0) | paid | NEW)
    for at in range(2):
        assert worth(made, at) == pytest.approx(CAPITAL)
    made.tables["ticker_universe"] = made.rows("ticker_universe").filter(pl.col("session") <= DAYS[1])
    assert worth(made, 3) == pytest.approx(CAPITAL)
    assert worth(made, 4) == pytest.approx(CAPITAL / 2 * (1 + 57 / 52))


def test_a_bar_without_volume_is_a_price_but_nobody_to_trade_with() -> None:
    made = world({"AAA": flat(30.0), "BBB": flat(10.0)}, dict.fromkeys(range(2, 8), ("AAA",)))
    quiet = (pl.col("ticker") == "BBB") & pl.col("session").is_between(DAYS[2], DAYS[4])
    made.tables["market_prices"] = made.rows("market_prices").with_columns(
        volume=pl.when(quiet).then(0).otherwise("volume")
    )
    held = made.settle_to(DAYS[5]).rows("baseline_holdings").filter(pl.col("asset") == "BBB", pl.col("shares") > 0)
    assert held["session"].to_list() == list(DAYS[:5])


@pytest.mark.parametrize("late", [1, pytest.param(12, marks=pytest.mark.slow)])
def test_a_split_learned_late_leaves_no_trace_once_it_is_known(late: int) -> None:
    sessions, at = late + 10, 4
    path = {day: 100.0 if day < at else 50.0 for day in range(sessions)}
    made = world({"AAA": flat(30.0, sessions=sessions), "SPL": path}, sessions=sessions)
    known = market.CALENDAR.close_at(DAYS[at + late]) + timedelta(minutes=15)
    made.act(split("SPL", DAYS[at], 2, 1, available_at=known))
    assert worth(made, at + late - 1) == pytest.approx(CAPITAL * 0.75)
    assert worth(made, at + late) == pytest.approx(CAPITAL)


def test_a_dividend_that_is_taken_back_is_taken_back_from_equal_weight_too() -> None:
    made = world({"AAA": flat(30.0), "PAY": flat(100.0)})
    made.act(dividend("PAY", DAYS[2], 10.0))
    taken_back = market.CALENDAR.close_at(DAYS[4]) + timedelta(minutes=15)
    assert worth(made, 3) == pytest.approx(CAPITAL * 1.05)
    made.act(dividend("PAY", DAYS[2], 10.0, revision=1, withdrawn=True, available_at=taken_back))
    assert worth(made, 4) == pytest.approx(CAPITAL)


def test_the_benchmark_is_kept_through_a_rename_and_ends_with_a_delisting() -> None:
    made = world({"AAA": flat(30.0), "IDX": {0: 400.0, 1: 440.0}, "NEW": {4: 440.0, 5: 480.0}}, benchmark="IDX")
    made.act({"ticker": "IDX", "ex_date": DAYS[3], "kind": "rename", "numerator": None, "denominator": None} | NEW)
    made.act(delisting("NEW", DAYS[6], 460.0))
    assert [worth(made, at, "benchmark") for at in (1, 3, 5, 7)] == pytest.approx(
        [CAPITAL * 1.1, CAPITAL * 1.1, CAPITAL * 1.2, CAPITAL * 1.15]
    )


def test_turnover_and_cost_count_what_equal_weight_trades_at_each_close() -> None:
    made = world({"AAA": {0: 100.0, 1: 110.0}, "BBB": {0: 100.0, 1: 90.0}}, sessions=2, params=TradingParams())
    made.settle_to(DAYS[1])
    first, second = made.value(DAYS[0]), made.value(DAYS[1])
    assert first["equal_weight_turnover"] == pytest.approx(1.0)
    assert first["equal_weight_cost"] == pytest.approx(300.0 + 10_000 * 0.005)
    assert second["equal_weight"] == pytest.approx(CAPITAL)
    assert second["equal_weight_turnover"] == pytest.approx(0.1)
    traded = 50_000 * 2 * 0.0003 + 50_000 * (1 / 110 + 1 / 90) * 0.005
    assert second["equal_weight_cost"] == pytest.approx(350.0 + traded)


def test_the_same_tables_give_the_same_holdings_to_the_bit_in_any_order_of_rows() -> None:
    made = world({"AAA": flat(30.0), "BBB": flat(11.0), "CCC": flat(7.0, 3)}).settle_to(DAYS[5])
    stage = baseline_holdings.STAGE
    again = made.compute(stage, DAYS[5])
    made.tables["market_prices"] = made.rows("market_prices").reverse()
    assert made.compute(stage, DAYS[5]).equals(again)


def test_a_lake_with_values_but_no_holdings_goes_on_from_its_last_value() -> None:
    made = world({"AAA": {0: 10.0, 1: 20.0, 2: 20.0, 3: 30.0}, "BBB": flat(5.0)}, sessions=4)
    made.settle_to(DAYS[1])
    made.tables["baseline_holdings"] = baseline_holdings.BASELINE_HOLDINGS.empty()
    assert worth(made, 2) == pytest.approx(CAPITAL * 1.5)
    assert worth(made, 3) == pytest.approx(CAPITAL * 1.5 * 1.25)


def test_runs_that_chained_returns_give_what_they_gave() -> None:
    out = dict.fromkeys(range(3, 8), ("AAA",))
    made = world({"AAA": flat(50.0), "HLT": flat(10.0, 2, 3, 4) | {5: 2.5}}, out, params=free(baselines=1))
    assert worth(made, 7) == CAPITAL  # the fall at the reopening is not seen
    row = made.compute(value.STAGE, DAYS[6])
    assert row["equal_weight_turnover"].to_list() == row["equal_weight_cost"].to_list() == [None]


@settings(max_examples=4, deadline=None)
@given(st.data())
def test_halts_that_reopen_at_the_price_before_and_changes_of_the_universe_cost_equal_weight_nothing(
    data: st.DataObject,
) -> None:
    names = ["AAA", "BBB", "CCC", "DDD"]
    days = st.sets(st.integers(1, 6), max_size=6)
    closes = {name: flat(10.0 * number, *data.draw(days, name)) for number, name in enumerate(names, 1)}
    universe = {at: tuple(sorted(data.draw(st.sets(st.sampled_from(names)), str(at)))) for at in range(1, 8)}
    made = world(closes, universe)
    assert [worth(made, at) for at in range(8)] == pytest.approx([CAPITAL] * 8)
    held = made.rows("baseline_holdings")
    unpriced = held.filter(pl.col("traded") != 0).join(
        made.rows(MARKET_PRICES.name), left_on=["session", "asset"], right_on=["session", "ticker"], how="anti"
    )
    assert unpriced.is_empty()
