"""Health tells how fresh the bars within a session are, and where the daily bar contradicts them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.contract import UTC
from lake.tables.control import SYSTEM_HEALTH
from pipeline.engine.stages import REPORT
from pipeline.health.intraday import check_daily_bars, check_snapshots
from pipeline.health.params import HealthParams
from tests.frames.market import CALENDAR, DAY, moment
from tests.pipeline.ingestion.intraday.five_minutes import OPEN, at, snapshot_runner, write_bars

MOMENT = moment()
CLOSE = CALENDAR.close_at(DAY)
FIRST = CALENDAR.open_at(DAY) + timedelta(minutes=5)
PARAMS = HealthParams()


def bars(*rows: dict[str, Any]) -> pl.DataFrame:
    """Bars of five minutes that traded at 100, from 99 to 101, unless a row says otherwise; they end at the close."""
    usual = {"ticker": "AAA", "interval": "5m", "session": DAY, "ts": CLOSE}
    prices = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.0}
    return pl.DataFrame([usual | prices | row for row in rows], schema_overrides={"ts": UTC})


def daily(**values: Any) -> pl.DataFrame:
    """The daily bar of the same."""
    return bars({"interval": "1d"} | values)


def test_bars_that_reach_the_close_are_fresh_and_others_are_told_with_their_last() -> None:
    (fine,) = check_snapshots(bars({}), MOMENT, PARAMS)
    assert (fine.status, fine.value) == ("ok", 0.0)
    (late,) = check_snapshots(bars({"ts": CLOSE - timedelta(minutes=45)}), MOMENT, PARAMS)
    assert (late.check, late.status, late.value, late.limit) == ("fresh 5m", "warn", 45.0, 30.0)
    assert "45 minutes before the close" in late.message


def test_a_lake_without_snapshots_is_told_nothing_of_them() -> None:
    nothing = bars({}).clear()
    assert not list(check_snapshots(nothing, MOMENT, PARAMS))
    assert not list(check_daily_bars(nothing, daily(), MOMENT, PARAMS))


def test_a_daily_bar_that_its_own_shorter_ones_make_up_agrees() -> None:
    within = bars({"ts": FIRST, "open": 98.0, "low": 98.0}, {"close": 103.0, "high": 104.0})
    (check,) = check_daily_bars(within, daily(open=98.0, high=104.0, low=98.0, close=103.0), MOMENT, PARAMS)
    assert (check.status, check.message) == ("ok", "1 daily bar beside shorter ones, none contradicted by 0.5 %")


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ({"high": 100.2, "close": 100.0}, "high 100.2 where bars of 5m have 101.0"),
        ({"low": 99.8}, "low 99.8 where bars of 5m have 99.0"),
        ({"close": 101.0}, "close 101.0 where bars of 5m have 100.0"),
        ({"open": 99.0}, "open 99.0 where bars of 5m have 100.0"),
        ({"open": 50.0, "high": 50.5, "low": 49.5, "close": 50.0}, "AAA: open 50.0 where bars of 5m have 100.0"),
    ],
)
def test_a_daily_bar_that_its_own_shorter_ones_contradict_is_told_with_the_first_value(
    day: dict[str, float], said: str
) -> None:
    (check,) = check_daily_bars(bars({"ts": FIRST}, {}), daily(**day), MOMENT, PARAMS)
    assert (check.status, check.value) == ("warn", 1.0)
    assert said in check.message and "shorter bars: 1 of 1 daily bar" in check.message


def test_what_differs_by_an_auction_or_was_not_brought_is_no_contradiction() -> None:
    middle = bars({"ts": FIRST + timedelta(hours=1)})
    assert [one.status for one in check_daily_bars(middle, daily(open=99.0, close=99.0), MOMENT, PARAMS)] == ["ok"]
    near = bars({"ts": FIRST}, {})
    assert [one.status for one in check_daily_bars(near, daily(close=100.4), MOMENT, PARAMS)] == ["ok"]


def test_the_report_of_a_session_tells_how_fresh_its_snapshots_are(tmp_path: Path) -> None:
    write_bars(tmp_path / "bars.csv", {at(end): 100.0 for end in range(5, 395, 5)})
    runner = snapshot_runner(tmp_path)
    runner.snapshot(at(300))
    runner.run_stage(REPORT, OPEN.date())
    told = runner.lake.read(SYSTEM_HEALTH).filter(pl.col("service") == "intraday_prices", pl.col("check") == "fresh 5m")
    assert told.select("status", "value").row(0) == ("warn", 90.0)
