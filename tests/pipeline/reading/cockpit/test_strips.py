"""Session by session: how a ticker's data arrived, how a cycle's stages ended, where an insight stood."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from lake.tables.control import RUNS
from lake.tables.feedback import LEARNING_INSIGHTS
from lake.tables.market import MARKET_PRICES, PRICE_RESTATEMENTS, QUARANTINED_ROWS, TICKER_UNIVERSE
from pipeline.reading.cockpit.strips import add_arrival_days, add_life, add_stage_ends
from pipeline.reading.results.insights import ever_measured
from tests.nextgen_tui.lakes import rows, run_row

DAYS = [date(2022, 3, 1) + timedelta(days=number) for number in range(3)]


def test_each_session_of_a_ticker_tells_the_worst_that_happened_to_its_data() -> None:
    members = [{"session": day, "ticker": name, "member": name != "OUT"} for day in DAYS for name in ("A", "B", "OUT")]
    bars = [{"session": day, "ticker": "A"} for day in DAYS] + [{"session": DAYS[0], "ticker": "B"}]
    aside, changed = {"session": DAYS[1], "ticker": "A"}, {"session": DAYS[2], "ticker": "A"}
    told = add_arrival_days(
        pl.DataFrame({"ticker": ["B", "A", "OUT", "NEW"]}),
        rows(TICKER_UNIVERSE, *members),
        rows(MARKET_PRICES, *bars),
        rows(QUARANTINED_ROWS, aside, {**aside, "line": 2}),
        rows(PRICE_RESTATEMENTS, changed),
    )
    assert dict(told.select("ticker", "days").iter_rows()) == {
        "B": ["arrived", "late", "late"],
        "A": ["arrived", "set aside", "restated"],
        "OUT": ["out"] * 3,
        "NEW": ["out"] * 3,
    }


def test_each_stage_of_a_cycle_tells_how_it_ended_at_last() -> None:
    runs = rows(
        RUNS,
        run_row("prices"),
        run_row("plan", status="failed", run_id="first"),
        run_row("plan", run_id="second"),
        run_row("value", status="failed"),
        run_row("prices", work="single-stage", cycle_id="another", run_id="alone"),
    )
    told = add_stage_ends(pl.DataFrame({"cycle_id": ["cycle-20220301"]}), runs, ("prices", "value", "predict", "plan"))
    assert told["ends"].to_list() == [["done", "failed", "not run", "done"]]


def test_an_insights_life_is_told_from_belief_to_retirement() -> None:
    life = [(DAYS[0], "open", "pending"), (DAYS[1], "acted", "on trial"), (DAYS[2], "measured", "helped")]
    made = [{"insight_id": "a", "session": day, "status": status, "effect": effect} for day, status, effect in life]
    retired = {"insight_id": "a", "session": DAYS[2] + timedelta(days=2), "status": "retired", "effect": "no effect"}
    steps = rows(LEARNING_INSIGHTS, *made, retired)
    sessions = [DAYS[0] - timedelta(days=1), *DAYS, *(DAYS[2] + timedelta(days=n) for n in (1, 2, 3))]
    told = add_life(pl.DataFrame({"insight_id": ["a", "none"]}), steps, sessions)["life"].to_list()
    assert told[0] == ["not yet", "open", "acted", "helped", "=helped", "retired", "=retired"]
    assert told[1] == ["not yet"] * 7
    assert add_life(pl.DataFrame({"insight_id": ["a"]}), steps, sessions[3:5])["life"].to_list() == [
        ["helped", "=helped"]
    ]
    assert (ever_measured(steps, "helped"), ever_measured(steps, "hurt")) == (1, 0)
