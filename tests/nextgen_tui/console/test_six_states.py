"""The ten questions of a day by two keys at most, in six states of the operation: by what the tables hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.contract import Table
from lake.store import Lake
from lake.tables.books import PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.control import RUNS, SYSTEM_HEALTH
from lake.tables.feedback import FEEDBACK_METRICS, LEARNING_INSIGHTS, PREDICTION_ACCURACY
from lake.tables.market import QUARANTINED_ROWS, TICKER_UNIVERSE
from lake.tables.models import MODEL_PROMOTIONS
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import TRADE_PLANS
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.daily_questions import DAILY_QUESTIONS
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.runtime.screenshots import wait_until_still
from nextgen_tui.console.screen_frame import screen_lines
from tests.nextgen_tui.commands.test_status import SCHEDULE, a_daemon
from tests.nextgen_tui.console.desk import LAST, desk
from tests.nextgen_tui.console.test_ten_questions import asked
from tests.nextgen_tui.lakes import land, rows, run_row
from tests.nextgen_tui.test_one_verdict import killed, stopped_for_three_minutes, unreadable_configuration

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")

State = Callable[[Lake], AbstractContextManager[None]]


@contextmanager
def healthy(lake: Lake) -> Iterator[None]:
    with a_daemon(lake):
        yield


@contextmanager
def data_late(lake: Lake) -> Iterator[None]:
    with a_daemon(lake):
        yield


@contextmanager
def model_drifting(lake: Lake) -> Iterator[None]:
    with a_daemon(lake):
        yield


STATES: dict[str, tuple[State, str, str]] = {
    "healthy": (healthy, "ALL IS WELL", "All is well"),
    "daemon killed": (killed, "FAILED", "The daemon crashed"),
    "daemon hung": (stopped_for_three_minutes, "FAILED", "The daemon has not responded"),
    "bad configuration": (unreadable_configuration, "FAILED", "The configuration cannot be used"),
    "data late": (data_late, "NEEDS A LOOK", "1 of 2 members have a bar"),
    "model drifting": (model_drifting, "NEEDS A LOOK", "7 of 9 inputs drifted"),
}
"""Name -> how it comes about, the word on the band, and how the verdict tells it."""


DRIFTED = {"service": "features", "check": "drift", "status": "warn", "message": "7 of 9 inputs drifted"}


def spoiled(state: str) -> Callable[[Table, dict[str, Any]], dict[str, Any]]:
    """The desk's rows as they are in a state: where it is not about data or models, nothing is wrong with them."""

    def spoil(table: Table, row: dict[str, Any]) -> dict[str, Any]:
        if table is TICKER_UNIVERSE and state != "data late" and row["ticker"] == "ZETA":
            return {**row, "member": False}
        if table is not SYSTEM_HEALTH:
            return row
        if state == "data late" and row["check"] == "arrived":
            return row
        if state == "model drifting" and row["check"] == "last run":
            return {
                **row,
                "service": "features",
                "check": "drift",
                "status": "warn",
                "message": "7 of 9 inputs drifted",
            }
        return {**row, "status": "ok"}

    return spoil


@pytest.fixture
def lake(tmp_path: Path, request: pytest.FixtureRequest) -> Lake:
    made = desk(tmp_path / "lake", spoiled(request.param))
    (made.path / "schedules.toml").write_text(SCHEDULE)
    # The stage that failed was done by a later attempt, so that the last cycle is none that failed.
    again = run_row("plan", session=LAST, run_id="plan-again", attempt=2, output_table="trade_plans")
    again |= {"started_at": datetime(2022, 3, 1, 23, 30, tzinfo=UTC), "output_version": made.version(TRADE_PLANS)}
    land(made, RUNS, rows(RUNS, again), "plan-again")
    return made


def percent(share: float, digits: int = 2) -> str:
    return f"{100 * share:+.{digits}f} %"


def told_by_tables(lake: Lake) -> list[list[str]]:
    """What each answer has to say, computed from the tables alone."""
    universe = lake.read(TICKER_UNIVERSE, since=LAST).filter("member")
    arrived = universe.filter(pl.col("stale") == 0).height
    aside = lake.read(QUARANTINED_ROWS, since=LAST).height
    forecasts = lake.read(PREDICTIONS, since=LAST)
    nearest = forecasts.filter(pl.col("horizon") == forecasts["horizon"].min()).sort("point").row(-1, named=True)
    scored = lake.read(PREDICTION_ACCURACY).row(0, named=True)
    skill = lake.read(FEEDBACK_METRICS, where=pl.col("metric") == "pinball_skill")["value"][0]
    plans = lake.read(TRADE_PLANS, since=LAST)
    orders = plans.filter("taken")
    bought = float((orders["shares"] * orders["close"]).sum())
    value = lake.read(PORTFOLIO_VALUE, since=LAST).row(0, named=True)
    held = lake.read(PORTFOLIO_HOLDINGS, since=LAST)
    insights = lake.read(LEARNING_INSIGHTS)
    runs = lake.read(RUNS).filter(pl.col("written") > 0).sort("started_at", "run_id")
    return [
        [f"{arrived} of {universe.height} arrived", f"{float(value['nav']):,.2f}", f"{orders.height} order"],
        [],
        [f"{arrived} of {universe.height} members have a bar", f"{aside} row set aside"],
        [f"{forecasts['ticker'].n_unique()} tickers", f"highest {nearest['ticker']} {percent(nearest['point'])}"],
        [f"forecast {percent(scored['point']):>9}  realised {percent(scored['realised']):>9}"],
        [f"{percent(skill, 1)} quantile skill", percent(skill)],
        [f"{orders.height} order", f"{plans['blocked_by'].count()} refused", f"{bought:,.2f} bought"],
        [f"{float(value['nav']):,.2f}", held["ticker"][0], f"{float(held['market_value'].sum()):,.2f}"],
        [f"{insights.filter(effect='helped').height} helped", lake.read(MODEL_PROMOTIONS)["champion"][-1]],
        ["upkeep", f"Last change: {runs['output_table'][-1]}, {runs['written'][-1]} new row"],
    ]


QUICK = ("data late",)
"""State of the default run; the verdict on all of them is held by `test_one_verdict.py` there."""
EVERY = [pytest.param(name, name, marks=() if name in QUICK else pytest.mark.slow) for name in STATES]


@pytest.mark.parametrize(("lake", "state"), EVERY, indirect=["lake"])
async def test_the_ten_questions_are_answered_by_the_tables_whatever_state_the_operation_is_in(
    lake: Lake, state: str
) -> None:
    happen, word, told = STATES[state]
    with happen(lake):
        expected = told_by_tables(lake)
        assert max(len(question.keys) for question in DAILY_QUESTIONS) <= 2
        app = ConsoleApp(lake.path)
        async with app.run_test(size=(140, 40)) as pilot:
            for number, question in enumerate(DAILY_QUESTIONS):
                screen = await asked(pilot, question)
                text = screen.text()
                assert [one for one in expected[number] if one not in text] == [], (question.question, text)
                if number == 0:
                    await wait_until_still(pilot)
                    assert (word in screen_lines(app.screen)[2] and text.startswith(told)) or told in text, text
                if number == 1 and state != "healthy":
                    assert told in text, text
                if isinstance(screen, DetailScreen):
                    await pilot.press("backspace")


@pytest.mark.parametrize(("lake", "state"), [("daemon killed", "daemon killed")], indirect=["lake"])
async def test_what_has_failed_names_the_key_that_mends_it(lake: Lake, state: str) -> None:
    happen, _, told = STATES[state]
    with happen(lake):
        app = ConsoleApp(lake.path)
        async with app.run_test(size=(80, 24)) as pilot:
            screen = await asked(pilot, DAILY_QUESTIONS[0])
            assert isinstance(screen, PageScreen)
            assert screen.row is not None and screen.row["mend"] == "daemon" and told in screen.row["what"]
            assert ("m", "Mend") in set(screen.keys_here())
            assert "start a daemon" in "\n".join(screen_lines(app.screen))
