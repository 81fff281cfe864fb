"""An older system's figures are held against the lake's: every row is counted, and the first is named."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.contract import Table
from lake.errors import NoSuchError
from lake.store import Lake
from lake.tables.books import PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.imports import IMPORTED_PREDICTIONS, IMPORTED_TRADES, RAW_IMPORTS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, RAW_PRICES
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import EXECUTED_TRADES
from pipeline.comparison.compare import Comparison, Tolerances, compare
from pipeline.comparison.figure import Figure
from tests.copies import copy_lake
from tests.frames.market import actions, bar, landing, prices
from tests.frames.sessions import weekday_sessions
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import MOMENT, forecast, land, publish, rows

CALENDAR = weekday_sessions(date(2020, 1, 1), date(2020, 12, 31))
DAYS = CALENDAR.between(date(2020, 3, 2), date(2020, 3, 13))
OLD = "import-old"
AT = datetime(2020, 4, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_lake(tmp_path_factory.mktemp("empty") / "lake").path


@pytest.fixture
def lake(empty: Path, tmp_path: Path) -> Lake:
    return Lake.open(copy_lake(empty, tmp_path / "lake"))


def compared(lake: Lake, *, relative: float = 1e-4, forecast: float | None = None, **options: Any) -> Comparison:
    return compare(lake, CALENDAR, Tolerances(relative=relative, forecast=forecast), **options)


def only(found: Comparison, name: str) -> Figure:
    return next(figure for figure in found.figures if figure.name.startswith(name))


def old_bars(lake: Lake, closes: dict[tuple[str, date], object]) -> None:
    lines = [
        bar(ticker=ticker, session=day, open=close, high=close, low=close, close=close)
        for (ticker, day), close in closes.items()
    ]
    request = {"since": DAYS[0].isoformat(), "until": DAYS[-1].isoformat()}
    raw = landing(lines, source=OLD, session=DAYS[-1], fetched_at=AT, request=request, calendar=CALENDAR, history=True)
    land(lake, RAW_PRICES, raw)


def our_bars(lake: Lake, closes: dict[tuple[str, date], float], source: str = "own") -> None:
    given = [
        {"ticker": ticker, "session": day, "close": close, "source": source} for (ticker, day), close in closes.items()
    ]
    publish(lake, MARKET_PRICES, prices(*given, calendar=CALENDAR), name=f"prices-{source}")


def spoken_of(lake: Lake) -> None:
    """A landing of the older system, as every import leaves one."""
    request = f'{{"since": "{DAYS[0]}", "until": "{DAYS[-1]}"}}'
    row = {"source": OLD, "session": DAYS[-1], "request": request, "payload_id": "0" * 64, "kind": "trades"}
    land(lake, RAW_IMPORTS, rows(RAW_IMPORTS, {**row, "format": "ndjson"}))


def published(lake: Lake, table: Table, given: Iterable[dict[str, Any]]) -> None:
    publish(lake, table, rows(table, *given), name=table.name)


def test_every_close_is_in_one_count_and_the_first_that_differs_is_named(lake: Lake) -> None:
    a, b, c, d, e = DAYS[:5]
    there = {("AAA", a): 10.0, ("AAA", b): 10.0, ("AAA", c): 10.0, ("AAA", e): 10.0, ("BBB", a): 5.0}
    here = {("AAA", a): 10.0005, ("AAA", b): 10.5, ("AAA", d): 10.0, ("AAA", e): 10.0, ("CCC", a): 1.0}
    old_bars(lake, there)
    our_bars(lake, here)
    figure = only(compared(lake), "closes")
    assert (figure.matched, figure.differs, figure.missing_here, figure.missing_there) == (2, 1, 2, 1)
    assert figure.first == f"AAA {b}: 10.0 there, 10.5 here"
    assert not figure.within
    assert only(compared(lake, relative=0.1), "closes").differs == 0


def test_tickers_and_times_that_the_older_system_never_knew_are_not_missing_there(lake: Lake) -> None:
    old_bars(lake, {("AAA", DAYS[1]): 10.0, ("AAA", DAYS[2]): 10.0})
    our_bars(lake, {(ticker, day): 10.0 for ticker in ("AAA", "ZZZ") for day in DAYS})
    figure = only(compared(lake), "closes")
    assert (figure.matched, figure.missing_there) == (2, 0)
    assert figure.within


def test_what_the_lake_has_from_the_import_itself_is_no_agreement(lake: Lake) -> None:
    old_bars(lake, {("AAA", day): 10.0 for day in DAYS[:3]})
    our_bars(lake, {("AAA", day): 10.0 for day in DAYS[:2]}, source=OLD)
    our_bars(lake, {("AAA", DAYS[2]): 10.0})
    figure = only(compared(lake), "closes")
    assert (figure.taken_over, figure.matched) == (2, 1)


def test_what_the_older_system_said_last_is_compared_and_unsound_closes_are_not(lake: Lake) -> None:
    old_bars(lake, {("AAA", DAYS[0]): 10.0, ("AAA", DAYS[1]): "NaN", ("AAA", DAYS[2]): 7.0})
    again = landing(
        [bar(session=DAYS[0], open=11, high=11, low=11, close=11)],
        source=OLD,
        session=DAYS[-1],
        fetched_at=AT + timedelta(days=1),
        calendar=CALENDAR,
        request={"since": DAYS[0].isoformat()},
    )
    land(lake, RAW_PRICES, again, "again")
    our_bars(lake, {("AAA", DAYS[0]): 11.0, ("AAA", DAYS[2]): 7.0})
    figure = only(compared(lake), "closes")
    assert (figure.matched, figure.differs, figure.missing_here) == (2, 0, 0)


def old_forecasts(lake: Lake, points: dict[tuple[str, date], float], horizon: int = 1) -> None:
    spoken_of(lake)
    given = [
        {
            "source": OLD,
            "session": day,
            "ticker": ticker,
            "horizon": horizon,
            "model": "m",
            "point": point,
            "payload_id": "0" * 64,
        }
        for (ticker, day), point in points.items()
    ]
    published(lake, IMPORTED_PREDICTIONS, given)


def our_forecasts(lake: Lake, points: dict[tuple[str, date], float], role: str = "champion") -> None:
    made = [
        forecast(
            ticker,
            1,
            point=point,
            session=day,
            target_session=CALENDAR.next(day),
            role=role,
            model_id=role,
            made_at=CALENDAR.close_at(day),
            prediction_id=f"{n:016x}",
        )
        for n, ((ticker, day), point) in enumerate(points.items())
    ]
    published(lake, PREDICTIONS, made)


def test_forecasts_are_compared_in_rank_in_size_and_by_what_happened(lake: Lake) -> None:
    names = [f"T{n}" for n in range(6)]
    day, after = DAYS[0], DAYS[1]
    our_bars(lake, {(name, day): 100.0 for name in names} | {(name, after): 100.0 + n for n, name in enumerate(names)})
    old_forecasts(lake, {(name, day): 0.01 * n for n, name in enumerate(names)})  # right to the point
    our_forecasts(lake, {(name, day): 0.02 - 0.01 * n for n, name in enumerate(names)})  # the wrong way round
    figure = only(compared(lake), "forecasts 1 ahead")
    numbers = figure.numbers
    assert numbers["rank_correlation"] == pytest.approx(-1)
    assert numbers["mean_difference"] == pytest.approx(sum(0.02 * n - 0.02 for n in range(6)) / 6)
    assert numbers["scored"] == 6
    assert numbers["error_there"] == pytest.approx(0)
    assert numbers["error_here"] == pytest.approx(sum(abs(0.02 - 0.02 * n) for n in range(6)) / 6)
    assert numbers["correlation_there"] == pytest.approx(1)
    assert numbers["correlation_here"] == pytest.approx(-1)


def test_two_forecasters_may_differ_unless_a_tolerance_is_given(lake: Lake) -> None:
    old_forecasts(lake, {("AAA", DAYS[0]): 0.01, ("AAA", DAYS[1]): 0.01, ("AAA", DAYS[2]): 0.01})
    our_forecasts(lake, {("AAA", DAYS[0]): 0.011, ("AAA", DAYS[1]): 0.05})
    told = only(compared(lake), "forecasts")
    assert (told.matched, told.differs, told.missing_here) == (2, 0, 1)
    assert told.within and told.numbers["error_there"] is None  # nothing has happened yet
    judged = only(compared(lake, forecast=0.01), "forecasts")
    assert (judged.matched, judged.differs, judged.missing_here) == (1, 1, 1)
    assert judged.first == f"AAA {DAYS[1]}: 0.01 there, 0.05 here"
    assert not judged.within


def old_trades(lake: Lake, *fills: tuple[date, str, str, int, str] | tuple[date, str, str, int, str, str]) -> None:
    spoken_of(lake)
    given = [
        {
            "source": OLD,
            "trade_id": str(n),
            "session": day,
            "ticker": ticker,
            "side": side,
            "shares": Decimal(shares),
            "price": Decimal(price),
            "fees": None,
            "profit": Decimal(profit[0]) if profit else None,
            "payload_id": "0" * 64,
        }
        for n, (day, ticker, side, shares, price, *profit) in enumerate(fills)
    ]
    published(lake, IMPORTED_TRADES, given)


def our_book(
    lake: Lake, fills: Iterable[tuple[date, str, str, int, str]], held: dict[str, int], realised: dict[date, str]
) -> None:
    done = [
        {
            "trade_id": f"{day}:{ticker}:{side}",
            "session": day,
            "ticker": ticker,
            "side": side,
            "status": "filled",
            "ordered": shares,
            "shares": shares,
            "fill_price": Decimal(price),
            "open_price": Decimal(price),
        }
        for day, ticker, side, shares, price in fills
    ]
    published(lake, EXECUTED_TRADES, done)
    last = max(realised)
    published(lake, PORTFOLIO_HOLDINGS, [{"session": last, "ticker": t, "shares": n} for t, n in held.items()])
    published(lake, PORTFOLIO_VALUE, [{"session": day, "realised": Decimal(gain)} for day, gain in realised.items()])


def test_fills_positions_and_profit_agree_where_both_did_the_same(lake: Lake) -> None:
    a, b = DAYS[0], DAYS[4]
    old_trades(lake, (a, "AAA", "buy", 6, "10"), (a, "AAA", "buy", 4, "15"), (b, "AAA", "sell", 4, "14"))
    our_book(lake, [(a, "AAA", "buy", 10, "12"), (b, "AAA", "sell", 4, "14")], {"AAA": 6}, {a: "0", b: "8"})
    found = compared(lake)
    assert [(one.name.split(" ")[0], one.matched, one.within) for one in found.figures] == [
        ("fills", 2, True),
        ("positions", 1, True),
        ("realised", 1, True),
    ]
    assert only(found, "realised").numbers == {"there": 8.0, "here": 8.0}  # at average cost, 4 x (14 - 12)
    assert found.within


def test_each_way_to_trade_otherwise_is_told(lake: Lake) -> None:
    a, b = DAYS[0], DAYS[4]
    old_trades(lake, (a, "AAA", "buy", 10, "12"), (a, "BBB", "buy", 1, "5"), (b, "AAA", "sell", 4, "14", "9.50"))
    our_book(lake, [(a, "AAA", "buy", 11, "12"), (b, "CCC", "buy", 1, "2")], {"AAA": 11, "CCC": 1}, {a: "0", b: "8"})
    found = compared(lake)
    fills, positions, profit = found.figures
    assert (fills.matched, fills.differs, fills.missing_here, fills.missing_there) == (0, 1, 2, 1)
    assert fills.first == f"{a} buy AAA: 10.0 shares at 12.0 there, 11.0 at 12.0 here"
    assert (positions.differs, positions.missing_here, positions.missing_there) == (1, 1, 1)
    assert profit.first == "9.50 there, 8.00 here"  # what it states goes before what can be computed
    assert not found.within


def test_a_split_counts_in_the_older_systems_positions_and_cost(lake: Lake) -> None:
    a, split, b = DAYS[0], DAYS[2], DAYS[4]
    act = actions({"ex_date": split, "available_at": MOMENT}).row(0, named=True)
    published(lake, CORPORATE_ACTIONS, [act])
    old_trades(lake, (a, "AAA", "buy", 10, "12"), (b, "AAA", "sell", 5, "7"))
    our_book(lake, [(a, "AAA", "buy", 10, "12"), (b, "AAA", "sell", 5, "7")], {"AAA": 15}, {a: "0", b: "5"})
    found = compared(lake)
    assert found.within
    assert only(found, "realised").numbers["there"] == 5.0  # 5 x (7 - 6)


def known(lake: Lake, *acted: dict[str, Any]) -> None:
    nothing = dict.fromkeys(("numerator", "denominator", "amount"))
    facts = actions(*(nothing | {"available_at": MOMENT} | one for one in acted))
    published(lake, CORPORATE_ACTIONS, facts.to_dicts())


def test_what_was_bought_under_a_ticker_is_sold_and_held_under_what_that_became(lake: Lake) -> None:
    a, renamed, b = DAYS[0], DAYS[2], DAYS[4]
    known(lake, {"ticker": "AAA", "kind": "rename", "successor": "BBB", "ex_date": renamed},
        {"ticker": "BBB", "ex_date": DAYS[3], "numerator": 2, "denominator": 1})  # fmt: skip
    our_bars(lake, {("AAA", a): 12.0, ("AAA", DAYS[1]): 12.0, ("BBB", renamed): 12.0, ("BBB", b): 7.0})
    done = [(a, "AAA", "buy", 10, "12"), (b, "BBB", "sell", 5, "7")]
    old_trades(lake, *done)
    our_book(lake, done, {"BBB": 15}, {a: "0", b: "5"})
    found = compared(lake)
    assert found.within
    assert only(found, "positions").matched == 1
    assert only(found, "realised").numbers["there"] == 5.0


def test_a_position_ends_with_its_company_and_is_not_who_gets_the_ticker_afterwards(lake: Lake) -> None:
    a, ended, b = DAYS[0], DAYS[2], DAYS[5]
    known(lake, {"ticker": "AAA", "kind": "delisting", "ex_date": ended, "amount": 11.0})
    our_bars(lake, {("AAA", day): 12.0 for day in DAYS[:2]} | {("AAA", day): 50.0 for day in DAYS[4:7]})
    done = [(a, "AAA", "buy", 10, "12"), (b, "AAA", "buy", 3, "50")]
    old_trades(lake, *done)
    our_book(lake, done, {"AAA": 3}, {a: "0", b: "-10"})
    found = compared(lake)
    assert found.within
    assert only(found, "realised").numbers == {"there": -10.0, "here": -10.0}


def test_what_happened_to_a_forecast_goes_on_under_the_next_ticker_and_not_into_another_company(lake: Lake) -> None:
    known(lake, {"ticker": "AAA", "kind": "rename", "successor": "BBB", "ex_date": DAYS[2]},
        {"ticker": "CCC", "kind": "rename", "successor": "AAA", "ex_date": DAYS[2]})  # fmt: skip
    closes = {("AAA", DAYS[1]): 10.0, ("CCC", DAYS[1]): 40.0, ("AAA", DAYS[2]): 40.0, ("BBB", DAYS[2]): 11.0}
    our_bars(lake, closes)
    old_forecasts(lake, {("AAA", DAYS[1]): 0.1})
    our_forecasts(lake, {("AAA", DAYS[1]): 0.0})
    numbers = only(compared(lake), "forecasts").numbers
    assert numbers["scored"] == 1.0
    assert (numbers["error_there"], numbers["error_here"]) == (pytest.approx(0.0), pytest.approx(0.1))


def test_a_short_position_is_closed_at_its_own_average(lake: Lake) -> None:
    a, b = DAYS[0], DAYS[4]
    old_trades(lake, (a, "AAA", "sell", 10, "12"), (b, "AAA", "buy", 15, "10"))
    our_book(lake, [(a, "AAA", "buy", 1, "12")], {"AAA": 5}, {a: "0", b: "20"})
    found = compared(lake)
    assert only(found, "realised").numbers["there"] == 20.0
    assert only(found, "positions").matched == 1


def test_what_was_traded_before_our_book_began_counts_for_positions_alone(lake: Lake) -> None:
    before, a = DAYS[0], DAYS[4]
    old_trades(lake, (before, "AAA", "buy", 10, "12"), (a, "AAA", "sell", 4, "14"))
    our_book(lake, [(a, "AAA", "sell", 4, "14")], {"AAA": 6}, {a: "8"})
    fills, positions, _ = compared(lake).figures
    assert (fills.matched, fills.missing_here) == (1, 0)
    assert positions.matched == 1


def test_a_system_that_did_not_trade_is_not_compared(lake: Lake) -> None:
    old_trades(lake, (DAYS[0], "AAA", "buy", 10, "12"))
    assert compared(lake).figures == ()


def test_what_is_to_be_compared_has_to_be_clear(lake: Lake) -> None:
    with pytest.raises(NoSuchError, match=r"no older system has been imported; .* `nextgen import sqlite FILE`"):
        compared(lake)
    old_bars(lake, {("AAA", DAYS[0]): 10.0})
    assert compared(lake, source="old").source == compared(lake, source=OLD).source == OLD
    with pytest.raises(NoSuchError, match="there is no older system 'new'; imported systems: old"):
        compared(lake, source="new")
    spoken = landing([bar()], source="import-other", session=DAYS[-1], request={"since": DAYS[0].isoformat()})
    land(lake, RAW_PRICES, spoken, "other")
    with pytest.raises(NoSuchError, match="name the older system to compare; imported systems: old, other"):
        compared(lake)


def test_only_the_sessions_asked_for_are_compared(lake: Lake) -> None:
    old_bars(lake, {("AAA", day): 10.0 for day in DAYS})
    our_bars(lake, {("AAA", day): 11.0 for day in DAYS})
    figure = only(compared(lake, first=DAYS[2], last=DAYS[4]), "closes")
    assert figure.differs == 3
    assert figure.first.startswith(f"AAA {DAYS[2]}")


def test_our_champion_is_compared_and_where_there_was_none_the_naive_model(lake: Lake) -> None:
    old_forecasts(lake, {("AAA", DAYS[0]): 0.01, ("AAA", DAYS[1]): 0.01})
    made = [
        forecast(
            "AAA",
            1,
            point=point,
            session=day,
            target_session=CALENDAR.next(day),
            role=role,
            model_id=role,
            made_at=CALENDAR.close_at(day),
            prediction_id=f"{n:016x}",
        )
        for n, (day, role, point) in enumerate(
            [(DAYS[0], "champion", 0.01), (DAYS[0], "naive", 0.5), (DAYS[0], "shadow", 0.6), (DAYS[1], "naive", 0.01)]
        )
    ]
    published(lake, PREDICTIONS, made)
    figure = only(compared(lake, forecast=1e-6), "forecasts")
    assert (figure.matched, figure.differs, figure.missing_here) == (2, 0, 0)
    assert pl.Series([figure.numbers["mean_difference"]]).to_list() == [pytest.approx(0)]
