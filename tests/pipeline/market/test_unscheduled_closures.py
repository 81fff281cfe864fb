"""What nobody had scheduled is not in a calendar before it happens."""

from datetime import date, timedelta

import pytest

from pipeline.market.sessions import Sessions, exchange_sessions
from pipeline.market.unscheduled_closures import calendar_known_at
from tests.frames.sessions import weekday_sessions


def left(exchange: str, day: str) -> int:
    """Sessions of the month still to come, as the calendar of the day had them."""
    session = date.fromisoformat(day)
    month_end = (session.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return len(calendar_known_at(exchange_sessions(exchange), session).between(session, month_end)) - 1


@pytest.mark.parametrize(
    ("exchange", "day", "sessions"),
    [
        ("XNYS", "2001-09-10", 14),
        ("XNYS", "2001-09-17", 9),
        ("XNYS", "2012-10-26", 3),
        ("XNYS", "2012-10-31", 0),
        ("XNYS", "2018-12-04", 18),
        ("XNAS", "2025-01-08", 16),
        ("XLON", "2022-09-16", 10),
        ("XLON", "2022-09-20", 8),
        ("XETR", "2001-09-10", 14),
    ],
)
def test_a_month_has_the_sessions_to_come_that_were_scheduled_then(exchange: str, day: str, sessions: int) -> None:
    assert left(exchange, day) == sessions


def test_days_up_to_the_session_are_the_same_and_a_later_one_has_the_usual_hours() -> None:
    calendar, session = exchange_sessions("XNYS"), date(2012, 10, 26)
    known = calendar_known_at(calendar, session)
    assert known.position(session) == calendar.position(session)
    storm = date(2012, 10, 29)
    assert known.close_at(storm) - known.open_at(storm) == calendar.close_at(session) - calendar.open_at(session)
    assert known.days == tuple(sorted(known.days))
    assert known.opens == tuple(sorted(known.opens))


def test_a_calendar_without_such_a_day_ahead_is_the_calendar_itself() -> None:
    calendar: Sessions = weekday_sessions(date(2020, 1, 1), date(2020, 12, 31))
    for one, session in ((calendar, calendar.days[3]), (exchange_sessions("XNYS"), date(2025, 1, 10))):
        assert calendar_known_at(one, session) is one
