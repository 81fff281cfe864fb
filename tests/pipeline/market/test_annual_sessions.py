"""A year's sessions are counted in the exchange's own calendar."""

from datetime import UTC, date, datetime, time, timedelta

from pipeline.market.annual_sessions import sessions_per_year
from pipeline.market.sessions import Sessions
from tests.frames.sessions import weekday_sessions


def test_sessions_per_year_are_counted_in_the_calendar() -> None:
    weekdays = weekday_sessions(date(2019, 1, 1), date(2021, 12, 31))
    assert sessions_per_year(weekdays, date(2020, 12, 31)) == 262  # leap year 2020 has 262 weekdays
    assert sessions_per_year(weekdays, date(2021, 3, 1)) == 261
    assert sessions_per_year(weekdays, date(2019, 12, 31)) == 252  # the calendar does not reach back a year


def test_a_market_that_never_closes_has_a_session_every_day() -> None:
    days = tuple(date(2022, 1, 1) + timedelta(days=n) for n in range(800))
    midnights = tuple(datetime.combine(day, time(), UTC) for day in days)
    daily = Sessions("24/7", days, midnights, tuple(at + timedelta(days=1) for at in midnights), "UTC")
    assert sessions_per_year(daily, date(2023, 6, 1)) == 365
