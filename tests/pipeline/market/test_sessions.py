"""How long a market may be waited for, and whose calendar an exchange goes by."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline.market.sessions import Sessions, exchange_sessions
from tests.frames.sessions import weekday_sessions

LAG = timedelta(minutes=20)


def never_closing(days: int, pause: timedelta = timedelta(0)) -> Sessions:
    """A market that opens again a pause after each close at midnight UTC."""
    opens = tuple(datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(days))
    closes = tuple(start + timedelta(days=1) - pause for start in opens)
    return Sessions("24/7", tuple(start.date() for start in opens), opens, closes, zone="UTC")


def test_a_wait_ends_before_the_next_open() -> None:
    assert weekday_sessions(date(2024, 1, 1), date(2024, 1, 31)).within_pause(LAG) == LAG
    assert never_closing(3).within_pause(LAG) == timedelta(0)
    assert never_closing(3, pause=timedelta(minutes=5)).within_pause(LAG) == timedelta(minutes=5)


def test_where_there_is_no_next_open_nothing_cuts_the_wait() -> None:
    assert never_closing(1).within_pause(LAG) == LAG


@pytest.mark.filterwarnings("ignore:Series.values returning")
def test_an_exchange_without_a_calendar_of_its_own_goes_by_one_that_keeps_the_same_days() -> None:
    national = exchange_sessions("XNSE")
    assert national.exchange == "XNSE"
    assert national.zone == "Asia/Kolkata"
    assert not national.is_session(date(2024, 8, 15))  # Independence Day
