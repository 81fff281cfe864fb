"""A pause stops what was not decided before it, a kill what had not come to its open as well, until a resume."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.tables.control import TRADING_SWITCHES
from lake.tables.market import TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS
from pipeline.trading.params import Costs, TradingParams
from pipeline.trading.planning.trading_stops import read_stops, standing
from tests.frames.trading import CALENDAR, DAYS, World, bar, forecasts, members

HOUR = timedelta(hours=1)
FREE = TradingParams(costs=Costs(half_spread=0.0, impact=0.0, commission_per_share=0, min_commission=0))


def decided(day: int) -> datetime:
    """When the orders of a session are decided."""
    return CALENDAR.close_at(DAYS[day]) + timedelta(minutes=20)


def switch(switch: str, at: datetime, unpublished: int, **given: Any) -> dict[str, Any]:
    """A row of trading_switches."""
    return {
        "switch_id": f"{switch}-{at}",
        "session": DAYS[unpublished],
        "switch": switch,
        "closes_positions": False,
        "lifts": [],
        "reason": "the feed is wrong",
        "decided_at": at,
        "recorded_at": at,
        "origin": "cli",
        "decided_by": "ann",
        **given,
    }


def world(*switches: dict[str, Any]) -> World:
    """Seven sessions of AAA at 100, in which it is ordered at the first close."""
    made = World(*(bar("AAA", day, 100.0, volume=1_000_000) for day in DAYS[:7]), params=FREE)
    made.order(DAYS[0], "AAA", "buy", 100)
    say(made, *switches)
    return made


def say(made: World, *switches: dict[str, Any]) -> None:
    if switches:
        made.add(TRADING_SWITCHES, pl.DataFrame(list(switches), schema=TRADING_SWITCHES.schema))


def trade(made: World, day: int = 1, side: str = "buy") -> dict[str, Any]:
    return made.settle_to(DAYS[day]).trade(f"{DAYS[day]}:AAA:{side}")


def test_a_pause_leaves_the_order_that_was_decided_before_and_a_kill_does_not() -> None:
    evening = decided(0) + HOUR
    assert trade(world(switch("pause", evening, 1)))["status"] == "filled"
    killed = trade(world(switch("kill", evening, 1)))
    assert (killed["status"], killed["shares"]) == ("unfilled", 0)
    assert "trading was killed at" in killed["reason"] and "by ann: the feed is wrong" in killed["reason"]


def test_a_pause_that_came_while_the_cycle_was_at_work_stops_its_orders() -> None:
    assert trade(world(switch("pause", decided(0) + HOUR, 0)))["status"] == "unfilled"


def test_a_kill_after_the_open_leaves_the_fill_alone() -> None:
    assert trade(world(switch("kill", CALENDAR.open_at(DAYS[1]) + HOUR, 1)))["status"] == "filled"


def test_what_a_kill_stopped_stays_unfilled_though_trading_is_resumed_before_the_open() -> None:
    kill = switch("kill", decided(0) + HOUR, 1)
    resume = switch("resume", decided(0) + 2 * HOUR, 1, lifts=[kill["switch_id"]])
    made = world(kill, resume)
    assert trade(made)["status"] == "unfilled"
    made.order(DAYS[1], "AAA", "buy", 100)
    assert trade(made, 2)["status"] == "filled"


def test_sessions_that_are_caught_up_on_later_do_not_order_what_was_forbidden_then() -> None:
    pause = switch("pause", decided(1) + HOUR, 1)
    resume = switch("resume", decided(4) - HOUR, 1, lifts=[pause["switch_id"]])
    made = World(*(bar("AAA", day, 100.0, volume=1_000_000) for day in DAYS[:7]), params=FREE)
    say(made, pause, resume)
    for day in range(5):
        made.order(DAYS[day], "AAA", "buy", 10)
    made.settle_to(DAYS[5])
    filled = made.rows("executed_trades").filter(pl.col("shares") > 0)["session"].to_list()
    assert filled == [DAYS[1], DAYS[5]]  # the second was decided before the pause, by its clock, but due after it


def test_nothing_is_planned_while_it_holds_and_the_plan_says_why() -> None:
    made = World(*(bar("AAA", day, 100.0, volume=1_000_000) for day in DAYS[:3]), params=FREE)
    say(made, switch("pause", decided(0), 1))
    made.settle_to(DAYS[1])
    made.add(TICKER_UNIVERSE, members(DAYS[1], "AAA"))
    made.add(PREDICTIONS, forecasts({"session": DAYS[1]}))
    row = made.look_ahead(DAYS[1]).row(0, named=True)
    ruling = next(one for one in row["verdicts"] if one["rule"] == "operator_stop")
    assert not row["taken"] and row["blocked_by"] == "operator_stop"
    assert ruling["verdict"] == "refuse" and ruling["reason"].endswith("by ann: the feed is wrong")


def test_a_kill_sells_what_is_held_at_the_next_open_if_asked_and_what_is_left_at_those_that_follow() -> None:
    made = World(*(bar("AAA", day, 100.0, volume=100_000 if day < DAYS[3] else 2_000) for day in DAYS[:7]), params=FREE)
    made.order(DAYS[0], "AAA", "buy", 100)
    made.settle_to(DAYS[1])
    made.order(DAYS[2], "AAA", "sell", 30, intent="reduce")
    say(made, switch("kill", decided(2) + HOUR, 3, closes_positions=True))
    made.settle_to(DAYS[6])
    sold = made.rows("executed_trades").filter(pl.col("side") == "sell").sort("session")
    assert sold.select("session", "ordered", "shares").rows() == [(DAYS[3], 100, 50), (DAYS[4], 50, 50)]
    assert sold["plan_id"][0] == f"{DAYS[2]}:AAA"
    assert not made.book.positions


def test_a_resume_lifts_what_its_maker_knew_of_and_not_a_kill_from_another_console() -> None:
    pause, kill = switch("pause", decided(0), 1), switch("kill", decided(0) + HOUR, 1)
    resume = switch("resume", decided(0) + 2 * HOUR, 1, lifts=[pause["switch_id"]])
    stops = read_stops(pl.DataFrame([pause, kill, resume], schema=TRADING_SWITCHES.schema))
    assert [one.kind for one in standing(stops)] == ["kill"]


MOMENTS = st.integers(0, 6 * 24 * 4)
"""Quarters of an hour from the first close on."""


@given(st.lists(st.tuples(MOMENTS, st.sampled_from(["pause", "kill"]), st.integers(0, 2)), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_no_order_goes_that_was_not_decided_before(said: list[tuple[int, str, int]]) -> None:
    """Whatever is stopped when, with plans published at once, hours later, or days later by a daemon that was down."""
    rows = []
    for quarters, kind, behind in said:
        at = decided(0) + quarters * timedelta(minutes=15)
        known = [day for day in range(7) if decided(day) <= at]
        rows.append(switch(kind, at, max(len(known) - behind, 0), switch_id=f"{kind}-{len(rows)}"))
    stops = read_stops(pl.DataFrame(rows, schema=TRADING_SWITCHES.schema))
    for planned, moment, opening in _orders():
        goes = not any(one.stops(planned, moment, opening) for one in stops)
        assert goes == all(_may_go(row, planned, opening) for row in rows)


def _orders() -> Iterable[tuple[date, datetime, datetime]]:
    return [(DAYS[day], decided(day), CALENDAR.open_at(DAYS[day + 1])) for day in range(7)]


def _may_go(row: dict[str, Any], planned: date, opening: datetime) -> bool:
    """Its plan was published before; of a kill, it has been filled."""
    published = planned < row["session"]
    return published and (row["switch"] == "pause" or opening <= row["decided_at"])
