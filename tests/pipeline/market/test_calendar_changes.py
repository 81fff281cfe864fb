"""What the operator knows of the calendar counts from the day on which it was known."""

from datetime import date
from pathlib import Path

import pytest

from pipeline.config import ConfigError
from pipeline.config.loading import choice, load
from pipeline.config.settings import MarketParams, RuntimeParams, Settings
from pipeline.engine.runner import Runner
from pipeline.market.calendar_changes import CalendarChanges
from tests.frames.sessions import weekday_sessions
from tests.new_lake import new_lake

CALENDAR = weekday_sessions(date(2021, 3, 1), date(2021, 3, 31))
STORM, SATURDAY = date(2021, 3, 10), date(2021, 3, 13)


def test_a_closure_is_no_session_and_a_further_session_has_the_hours_of_the_one_before() -> None:
    changed = CalendarChanges(("2021-03-10",), ("2021-03-13",)).apply(CALENDAR)
    assert not changed.is_session(STORM)
    assert changed.next(date(2021, 3, 9)) == date(2021, 3, 11)
    assert changed.next(date(2021, 3, 12)) == SATURDAY
    length = CALENDAR.close_at(STORM) - CALENDAR.open_at(STORM)
    assert changed.close_at(SATURDAY) - changed.open_at(SATURDAY) == length
    assert changed.closes == tuple(sorted(changed.closes))


def test_a_change_counts_from_the_day_on_which_it_was_known() -> None:
    changes = CalendarChanges(("2021-03-10 known 2021-03-08",))
    assert [changes.apply(CALENDAR, date(2021, 3, day)).is_session(STORM) for day in (7, 8, 9)] == [True, False, False]
    assert CalendarChanges(("2021-03-10",)).apply(CALENDAR, date(2021, 3, 9)) is CALENDAR


def test_what_lies_beyond_the_calendar_or_says_nothing_new_changes_nothing() -> None:
    for changes in (CalendarChanges(("2021-03-13",), ("2021-03-10",)), CalendarChanges(extra_sessions=("2030-01-05",))):
        assert changes.apply(CALENDAR) == CALENDAR


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("market.closures", "2021-02-30", "day is out of range for month"),
        ("market.closures", "2021-03-10 known 2021-03-11", "known since 2021-03-11, after 2021-03-10 itself"),
        ("market.extra_sessions", "tomorrow", "a date"),
    ],
)
def test_what_is_no_day_or_was_known_too_late_is_refused_in_words(key: str, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(None, {}, {key: choice(key, text)})


def test_a_day_cannot_be_a_closure_and_a_session() -> None:
    given = {name: choice(name, "2021-03-10") for name in ("market.closures", "market.extra_sessions")}
    with pytest.raises(ConfigError, match="2021-03-10 is among closures and among extra_sessions"):
        load(None, {}, given)


def test_a_lake_goes_by_what_its_operator_states(tmp_path: Path) -> None:
    market = MarketParams(closures=("2021-03-10",))
    runner = Runner(new_lake(tmp_path / "lake"), Settings(market=market, runtime=RuntimeParams(durable=False)))
    assert runner.calendar.next(date(2021, 3, 9)) == date(2021, 3, 11)
