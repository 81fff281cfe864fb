"""The market at high speed: its clock goes from close to close, and whoever looks on reads the same time."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.control.daemon.clock import PacedClock, SystemClock
from pipeline.control.daemon.daemon_lock import hold_daemon_lock
from pipeline.control.daemon.heartbeat import FILE
from pipeline.control.daemon.simulated_pace import describe_pace, make_operation_clock
from pipeline.market.sessions import exchange_sessions
from tests.frames.published import publish_sessions
from tests.new_lake import new_lake

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")
FRIDAY, MONDAY = date(2021, 3, 5), date(2021, 3, 8)


@pytest.fixture
def clock() -> PacedClock:
    """Began at Friday's close; a session takes a thousand seconds."""
    return PacedClock(exchange_sessions("XNYS"), FRIDAY, 1_000)


def beating(lake: Path, **detail: object) -> None:
    """A daemon's last beat."""
    content = {
        "pid": 1,
        "process_started": "1",
        "boot_id": "b",
        "at": "2021-03-05T21:00:00+00:00",
        "state": "running",
        "status": "ok",
        "reason": "",
        **detail,
    }
    (lake / "control").mkdir(exist_ok=True)
    (lake / "control" / FILE).write_text(json.dumps(content))


def test_a_weekend_takes_as_long_as_a_night(clock: PacedClock) -> None:
    calendar = exchange_sessions("XNYS")
    monday, tuesday = calendar.close_at(MONDAY), calendar.close_at(calendar.next(MONDAY))
    assert clock.wait(monday) == pytest.approx(1_000, abs=5)
    assert clock.wait(tuesday) - clock.wait(monday) == pytest.approx(1_000, abs=1)
    assert calendar.close_at(FRIDAY) <= clock.now() < calendar.close_at(FRIDAY) + timedelta(hours=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake without a cycle."""
    return new_lake(tmp_path / "lake")


def test_who_looks_on_reads_the_daemons_time_as_long_as_the_daemon_is_there(clock: PacedClock, lake: Lake) -> None:
    beating(lake.path, **describe_pace(clock))
    with hold_daemon_lock(lake.path / "control"):
        seen = make_operation_clock(lake)
        assert isinstance(seen, PacedClock)
        assert abs(seen.now() - clock.now()) < timedelta(minutes=10)


def test_a_market_that_is_no_longer_run_stands_where_its_last_cycle_decided(clock: PacedClock, lake: Lake) -> None:
    beating(lake.path, **describe_pace(clock))
    assert make_operation_clock(lake).now() == exchange_sessions("XNYS").close_at(FRIDAY), "no cycle yet"
    publish_sessions(lake, 3)
    decided = max(row["as_of"] for row in lake.read(RUNS).iter_rows(named=True))
    assert make_operation_clock(lake).now() == make_operation_clock(lake).now() == decided


@pytest.mark.parametrize("pace", [None, {}, {"after": "soon"}, {"after": "2021-03-05"}, ["x"], "fast"])
def test_a_beat_without_a_pace_that_can_be_read_means_the_systems_clock(lake: Lake, pace: object) -> None:
    beating(lake.path, pace=pace)
    with hold_daemon_lock(lake.path / "control"):
        assert isinstance(make_operation_clock(lake), SystemClock)
    assert isinstance(make_operation_clock(lake), SystemClock)


def test_the_system_clock_has_no_pace_to_tell() -> None:
    assert describe_pace(SystemClock()) == {}
