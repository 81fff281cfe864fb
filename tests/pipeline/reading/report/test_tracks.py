"""Levels, returns, drawdowns and months of the book beside its baselines."""

from datetime import date
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.store import Lake
from pipeline.reading.report.span import read_span
from pipeline.reading.report.tracks import Track, by_month, read_tracks
from tests.pipeline.reading.report.conftest import DAYS


def test_a_track_starts_before_its_first_session(book_lake: Lake) -> None:
    book, equal_weight = read_tracks(read_span(book_lake))
    assert book.levels == (1000.0, 1000.0, 1100.0, 990.0, 990.0, 1039.5)
    assert book.total == pytest.approx(0.0395)
    assert book.max_drawdown == pytest.approx(0.1)
    assert equal_weight.total == pytest.approx(0.04)
    assert equal_weight.returns[1] == pytest.approx(0.01)


def test_a_benchmark_counts_only_where_every_session_has_it(book_lake: Lake) -> None:
    assert [track.name for track in read_tracks(read_span(book_lake))] == ["book", "equal weight"]


def test_a_later_span_is_compared_from_its_own_beginning(book_lake: Lake) -> None:
    book, equal_weight = read_tracks(read_span(book_lake, DAYS[3]))
    assert book.total == pytest.approx(0.05)
    assert equal_weight.total == pytest.approx(1040 / 1020 - 1)


def test_months_are_told_under_their_year(book_lake: Lake) -> None:
    tracks = read_tracks(read_span(book_lake))
    january, february, year = by_month(DAYS, tracks)
    assert (january.month, january.sessions, february.month, february.sessions) == (1, 2, 2, 3)
    assert january.returns[0] == pytest.approx(0.1)
    assert february.returns[0] == pytest.approx(1039.5 / 1100 - 1)
    assert (year.month, year.sessions) == (None, 5)
    assert year.returns == pytest.approx(tuple(track.total for track in tracks))


@settings(max_examples=25)
@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=30), st.integers(1, 27))
def test_months_compound_to_the_whole(gains: list[float], day: int) -> None:
    levels = [1.0]
    for gain in gains:
        levels.append(levels[-1] * (1 + gain))
    sessions = [date(2021 + n // 12, n % 12 + 1, day) for n in range(len(gains))]
    periods = by_month(sessions, [Track("book", tuple(levels), tuple(gains))])
    months = prod(1 + one.returns[0] for one in periods if one.month)
    years = prod(1 + one.returns[0] for one in periods if one.month is None)
    assert months == pytest.approx(levels[-1])
    assert years == pytest.approx(levels[-1])
