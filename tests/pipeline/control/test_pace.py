"""The market at speed: its clock goes from close to close, and whoever looks on reads the same time."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from pipeline.control.clock import PacedClock, SystemClock
from pipeline.control.exclusive import the_only_daemon
from pipeline.control.heartbeat import FILE
from pipeline.control.pace import operation_clock, pace_of
from pipeline.sessions import exchange_sessions

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


def test_who_looks_on_reads_the_daemons_time_as_long_as_the_daemon_is_there(clock: PacedClock, tmp_path: Path) -> None:
    beating(tmp_path, **pace_of(clock))
    with the_only_daemon(tmp_path / "control"):
        seen = operation_clock(tmp_path)
        assert isinstance(seen, PacedClock)
        assert abs(seen.now() - clock.now()) < timedelta(minutes=10)
    assert isinstance(operation_clock(tmp_path), SystemClock)


@pytest.mark.parametrize("pace", [None, {}, {"after": "soon"}, {"after": "2021-03-05"}, ["x"], "fast"])
def test_a_beat_without_a_pace_that_can_be_read_means_the_systems_clock(tmp_path: Path, pace: object) -> None:
    beating(tmp_path, pace=pace)
    with the_only_daemon(tmp_path / "control"):
        assert isinstance(operation_clock(tmp_path), SystemClock)


def test_the_system_clock_has_no_pace_to_tell() -> None:
    assert pace_of(SystemClock()) == {}
