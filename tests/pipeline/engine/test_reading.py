"""What a stage reads beside its look-back: each session once, in order, and nothing where nothing is asked for."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.stage import join_spans

FIRST = date(2024, 1, 1)
days = st.integers(0, 60).map(lambda number: FIRST + timedelta(days=number))
spans = st.lists(st.tuples(days, days).map(lambda pair: (min(pair), max(pair))), max_size=6)


def test_without_further_spans_the_usual_one_is_read_alone() -> None:
    assert join_spans((), (FIRST, FIRST)) == [(FIRST, FIRST)]


def test_a_read_of_all_history_takes_no_further_span() -> None:
    assert join_spans([(FIRST, FIRST)], (None, FIRST)) == [(None, FIRST)]


@given(spans, days, days)
def test_every_day_asked_for_is_read_once(further: list[tuple[date, date]], one: date, other: date) -> None:
    since, until = min(one, other), max(one, other)
    read = join_spans(further, (since, until))
    covered = [day for first, last in read for day in range((first or FIRST).toordinal(), last.toordinal() + 1)]
    asked = {day for first, last in further for day in range(first.toordinal(), last.toordinal() + 1)}
    usual = set(range(since.toordinal(), until.toordinal() + 1))
    assert covered == sorted({day for day in asked if day < since.toordinal()} | usual)
