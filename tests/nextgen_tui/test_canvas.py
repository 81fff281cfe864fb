"""The chart is drawn to scale, whatever it is given."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextgen_tui.console.canvas import BRAILLE, Cell, chart
from nextgen_tui.console.forecasts import Fan

FAN = Fan((1, 5, 20), tuple((90.0, 93.0, 97.0, 100.0 + h, 103.0 + h, 107.0 + h, 110.0 + h) for h in (0, 1, 2)), 3)


def signs(cells: list[list[Cell]]) -> list[str]:
    return ["".join(cell.sign for cell in row) for row in cells]


@given(
    st.lists(st.floats(0.01, 1e6), max_size=200),
    st.integers(min_value=-3, max_value=60),
    st.integers(min_value=-3, max_value=20),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_chart_has_the_size_asked_for(past: list[float], width: int, height: int, with_fan: bool) -> None:
    cells = chart(past, FAN if with_fan else None, width, height)
    assert len(cells) == max(height, 0)
    assert all(len(row) == max(width, 0) for row in cells)


def test_a_rising_line_runs_from_the_lower_left_to_the_upper_right() -> None:
    drawn = signs(chart([1.0, 2.0, 3.0, 4.0], None, 4, 4))
    assert [row.strip(" ") != "" for row in drawn] == [True] * 4
    assert ord(drawn[3][0]) > BRAILLE
    assert ord(drawn[0][3]) > BRAILLE
    assert drawn[0][0] == drawn[3][3] == " "


def test_the_fan_lies_behind_the_past_and_its_bands_lie_inside_one_another() -> None:
    cells = chart([100.0] * 21, FAN, 40, 16)
    assert all(cell.band == 0 for row in cells for cell in row[:20])
    last = [row[39].band for row in cells]
    middle = last.index(3)
    assert last[: middle + 1] == sorted(last[: middle + 1])
    falling = last[middle:]
    assert falling == sorted(falling, reverse=True)
    assert {1, 2, 3} <= set(last)


def test_bands_differ_in_shape_and_the_median_is_there_without_colour() -> None:
    cells = chart([100.0] * 21, FAN, 40, 16)
    assert {"░", "▒", "▓"} <= {cell.sign for row in cells for cell in row}
    assert any(cell.line == "median" for row in cells for cell in row)


@pytest.mark.parametrize("past", [[], [5.0]])
def test_too_little_to_draw_is_no_error(past: list[float]) -> None:
    assert len(chart(past, None, 10, 5)) == 5
