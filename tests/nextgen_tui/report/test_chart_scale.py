"""Ticks are round and hold all values; points lie on the chart."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextgen_tui.report.chart_scale import HEIGHT, WIDTH, Scale, date_ticks, round_ticks


def test_ticks_are_round() -> None:
    assert round_ticks(-0.017, 0.14) == pytest.approx([-0.05, 0.0, 0.05, 0.1, 0.15])
    assert round_ticks(0.0, 3949.25) == [0, 1000, 2000, 3000, 4000]


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_ticks_hold_all_values(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    ticks = round_ticks(low, high)
    room = 1e-6 * max(abs(low), abs(high), 1e-300)
    assert ticks[0] <= low + room
    assert ticks[-1] >= high - room
    assert 2 <= len(ticks) <= 12
    assert all(earlier < later for earlier, later in pairwise(ticks))


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=50), st.booleans())
def test_every_point_lies_on_the_chart(values: list[float], inset: bool) -> None:
    ticks = round_ticks(min(values), max(values))
    for point in Scale(len(values), ticks[0], ticks[-1], inset=inset).path(values).split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= WIDTH
        assert -0.1 <= y <= HEIGHT + 0.1


def test_dates_stay_apart_however_long_the_span() -> None:
    for length in (1, 5, 60, 400, 5_000):
        days = [date(2004, 1, 5) + timedelta(days=n) for n in range(length)]
        assert 1 <= len(date_ticks(days)) <= 8
    assert date_ticks([date(2022, 1, 31), date(2022, 2, 1)]) == [(1, "Feb 2022")]
