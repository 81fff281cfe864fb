"""Screen 1 tells each problem with what mends it, and one answer per screen, computed from the tables."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from lake.contract import Table
from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.control import RUNS, SYSTEM_HEALTH
from lake.tables.feedback import LEARNING_INSIGHTS
from lake.tables.market import QUARANTINED_ROWS, TICKER_UNIVERSE
from lake.tables.research import EXPERIMENTS, WHAT_IFS
from lake.tables.trading import STRATEGIC_PRIORITIES, TRADE_PLANS
from pipeline.reading.cockpit.cockpit_rows import cockpit_rows
from pipeline.reading.cockpit.next_task import schedule_tile, until
from pipeline.reading.cockpit.problem_cards import find_screen
from pipeline.reading.cockpit.tiles import TILES, Reader, Tile, research_tile
from pipeline.reading.health_verdict import compose_health
from pipeline.reading.operation_parts import PartHealth
from pipeline.reading.schedule import TASK_SCHEMA
from tests.nextgen_tui.lakes import MOMENT, SESSION, rows, run_row

CRASHED = PartHealth("daemon", "fail", "The daemon crashed 3 min ago", {}, MOMENT, "start `nextgen-daemon`")
STOPPED = PartHealth("cycle", "fail", "cycle has stopped", {}, MOMENT, "retry it", "cycle 2022-03-01")
BROKEN = PartHealth("configuration", "fail", "The configuration cannot be used", fix="correct it")


def test_each_problem_says_what_mends_it_and_since_when() -> None:
    aside = {"service": "market_prices", "check": "quarantined", "status": "warn", "value": 0.05, "limit": 0.02}
    report = rows(SYSTEM_HEALTH, {**aside, "message": "2 rows set aside"})
    now = MOMENT + timedelta(minutes=3)
    health = compose_health(now, (CRASHED, STOPPED, BROKEN), report, rows(RUNS, run_row("prices")))
    told = cockpit_rows(health, {"data": Tile("1 of 2 arrived")})
    assert told.select("kind", "part", "status", "mend").rows() == [
        ("problem", "daemon", "fail", "daemon"),
        ("problem", "cycle", "fail", "retry cycle 2022-03-01"),
        ("problem", "configuration", "fail", "go schedule"),
        ("problem", "market_prices", "warn", "go data set aside"),
        ("screen", "", "warn", ""),
    ]
    assert told["since"].to_list()[:2] == ["2022-03-01 21:20Z, 3 min ago"] * 2
    assert told["since"][3] == f"session {SESSION}"
    assert told.select("check", "value", "limit").row(3) == ("quarantined", 0.05, 0.02)


def test_five_problems_are_told_and_the_verdict_counts_the_rest() -> None:
    checks = [{"service": f"s{n}", "check": "arrived", "status": "warn", "message": f"no {n}"} for n in range(9)]
    health = compose_health(MOMENT, (), rows(SYSTEM_HEALTH, *checks), rows(RUNS, run_row("prices")))
    assert cockpit_rows(health, {}).height == 5
    assert "8 more problems" in health.sentence


def test_where_nothing_is_wrong_the_last_cycle_is_told() -> None:
    report = rows(SYSTEM_HEALTH, {"status": "ok"})
    health = compose_health(MOMENT + timedelta(hours=1), (), report, rows(RUNS, run_row("prices", written=7)))
    row = cockpit_rows(health, {}).row(0, named=True)
    assert (row["kind"], row["status"], row["mend"]) == ("calm", "ok", "")
    assert row["what"] == f"Nothing needs you: the cycle of {SESSION} ended well"
    assert row["why"] == "1 stage, 7 new rows in 0.25 s"


def test_a_lake_that_has_run_nothing_is_told_where_to_begin() -> None:
    row = cockpit_rows(compose_health(MOMENT, (), SYSTEM_HEALTH.empty(), RUNS.empty()), {}).row(0, named=True)
    assert row["what"] == "No session has been run yet" and "nextgen init" in row["fix"]


def read(*frames: tuple[Table, pl.DataFrame]) -> Reader:
    """Reads tables out of frames, as a lake would."""
    held = {table.name: frame for table, frame in frames}

    def reader(table: Table, **how: Any) -> pl.DataFrame:
        since, until, columns, where = (how.get(name) for name in ("since", "until", "columns", "where"))
        frame = held.get(table.name, table.empty())
        clock = pl.col(table.clock)
        tests = [test for test in (since and clock >= since, until and clock <= until, where) if test is not None]
        frame = frame.filter(*tests) if tests else frame
        return frame.select(columns) if columns else frame

    return reader


DAYS = [date(2022, 2, 28), date(2022, 3, 1)]


def test_the_tile_of_data_counts_members_that_arrived_and_what_was_set_aside() -> None:
    members = [{"session": day, "ticker": name, "member": True, "stale": 0} for day in DAYS for name in "ABC"]
    members[5]["stale"] = 2
    out = {"session": DAYS[1], "ticker": "D", "member": False, "stale": 9}
    aside = [{"session": DAYS[1], "line": n} for n in range(2)]
    held = read(
        (TICKER_UNIVERSE, rows(TICKER_UNIVERSE, *members, out)), (QUARANTINED_ROWS, rows(QUARANTINED_ROWS, *aside))
    )
    tile = TILES["data"](held, DAYS[1])
    assert tile == Tile("2 of 3 arrived", "2 set aside, 1 late, 0 restated", (0.0, 2.0), "rows set aside")


def test_the_tile_of_the_plan_counts_orders_and_refusals_of_the_last_session_alone() -> None:
    plans = [
        {"session": day, "ticker": name, "taken": name == "A", "blocked_by": None if name == "A" else "trust"}
        for day in DAYS
        for name in "ABC"
    ]
    tile = TILES["plan"](read((TRADE_PLANS, rows(TRADE_PLANS, *plans))), DAYS[1])
    assert (tile.answer, tile.trend) == ("1 order, 2 refused", (1.0, 1.0))


def test_the_tile_of_the_plan_tells_an_exposure_that_is_aimed_at_only_where_the_plan_aims_at_it() -> None:
    """A book that is built as a whole is invested as its mandate says, whatever the aim of the session is."""
    aim = rows(STRATEGIC_PRIORITIES, {"session": DAYS[1], "target_exposure": 0.9})
    details = []
    for free in (None, 0.1):
        plan = rows(
            TRADE_PLANS, {"session": DAYS[1], "ticker": "A", "for_session": date(2022, 3, 2), "free_weight": free}
        )
        tile = TILES["plan"](read((TRADE_PLANS, plan), (STRATEGIC_PRIORITIES, aim)), DAYS[1])
        details.append(tile.detail)
    assert details == ["for 2022-03-02, aims at exposure 90 %", "for 2022-03-02"]


def test_the_tile_of_the_book_tells_value_today_and_drawdown() -> None:
    value = {"session": DAYS[1], "nav": 1_010_000, "session_return": 0.01, "drawdown": 0.05}
    tile = TILES["book"](read((PORTFOLIO_VALUE, rows(PORTFOLIO_VALUE, value))), DAYS[1])
    assert (tile.answer, tile.detail) == ("1,010,000.00", "+1.00 % today, 5.0 % below its peak")


def test_an_insight_that_helped_once_counts_as_that_though_it_was_retired_since() -> None:
    life = [
        {"session": DAYS[0], "insight_id": "a", "status": "measured", "effect": "helped"},
        {"session": DAYS[1], "insight_id": "a", "status": "retired", "effect": "no effect"},
        {"session": DAYS[1], "insight_id": "b", "status": "acted", "effect": "on trial"},
    ]
    tile = TILES["learning"](read((LEARNING_INSIGHTS, rows(LEARNING_INSIGHTS, *life))), DAYS[1])
    assert tile.answer == "1 at work, 1 helped, 0 hurt"


def test_every_tile_says_that_there_is_nothing_yet() -> None:
    for name, tile in TILES.items():
        told = tile(read(), DAYS[1])
        assert told.answer and not told.trend, name


def test_the_tile_of_research_counts_what_ifs_beside_experiments() -> None:
    asked = (WHAT_IFS, rows(WHAT_IFS, {"what_if_id": "a"}, {"what_if_id": "b"}))
    registered = (EXPERIMENTS, rows(EXPERIMENTS, {"experiment_id": "e"}))
    assert research_tile(read(asked), lambda _: True) == Tile("2 what-ifs asked", "no experiment yet")
    both = research_tile(read(asked, registered), lambda _: True)
    assert both == Tile("1 experiment, 0 kept", "0 variants ended, 2 what-ifs asked")


def test_the_schedule_tells_in_how_long_the_next_task_is_due() -> None:
    now = datetime(2022, 3, 1, 1, 40, tzinfo=UTC)
    due = {"task": "cycle", "next": datetime(2022, 3, 1, 21, 20, tzinfo=UTC), "owed": 2}
    tasks = pl.DataFrame([dict.fromkeys(TASK_SCHEMA) | due], schema=TASK_SCHEMA)
    assert schedule_tile(tasks, now, "running") == Tile("cycle in 19 h 40 min", "2 runs overdue, daemon running")
    assert until(now, now) == "now" and until(now + timedelta(minutes=3), now) == "in 3 min"


def test_each_part_of_the_operation_leads_to_the_screen_that_tells_more() -> None:
    parts = ("daemon", "cycle", "market_prices", "prices", "plan", "value", "ledger", "promote", "metrics", "disk")
    screens = ["schedule", "runs", "data", "data", "plan", "book", "book", "learning", "accuracy", ""]
    assert [find_screen(part) for part in parts] == screens
