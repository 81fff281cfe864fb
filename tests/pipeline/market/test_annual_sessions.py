"""A year's sessions are counted in the exchange's own calendar."""

from datetime import date

from pipeline.market.annual_sessions import sessions_per_year
from pipeline.market.sessions import exchange_sessions
from tests.frames.sessions import weekday_sessions


def test_sessions_per_year_are_counted_in_the_calendar() -> None:
    weekdays = weekday_sessions(date(2019, 1, 1), date(2021, 12, 31))
    assert sessions_per_year(weekdays, date(2020, 12, 31)) == 262  # leap year 2020 has 262 weekdays
    assert sessions_per_year(weekdays, date(2021, 3, 1)) == 261
    assert sessions_per_year(weekdays, date(2019, 12, 31)) == 252  # the calendar does not reach back a year


def test_a_market_that_never_closes_has_a_session_every_day() -> None:
    assert sessions_per_year(exchange_sessions("24/7"), date(2023, 6, 1)) == 365
