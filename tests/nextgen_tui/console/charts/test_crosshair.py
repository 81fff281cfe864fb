"""The crosshair tells what stands at a position, exactly, by key and by mouse, and covers nothing that is drawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.charts.chart import Band, Bar, Candle, Chart, Curve, Stretch
from nextgen_tui.console.charts.chart_widget import ChartWidget
from nextgen_tui.console.charts.charts import arrange, draw, position_at
from nextgen_tui.console.charts.crosshair import positions, stand_at
from nextgen_tui.console.runtime.screenshots import wait_until_loaded, wait_until_settled
from tests.nextgen_tui.console.test_app import page, until

DAYS = tuple(date(2022, 3, 1) + timedelta(days=number) for number in range(4))
LINES = Chart(
    "value",
    (Curve((0.0, 1.0, 2.0, 3.0), (10.0, None, 30.0, 20.0), "own"), Curve((2.0, 3.0), (5.0, 6.0), "other", dotted=True)),
    legend=(("─", "own", "book"), ("╌", "other", "benchmark")),
    label=lambda level: f"{level:.0f}",
    days=DAYS,
)
CANDLES = Chart("ACME", candles=(Candle(0.0, 1, 4, 0.5, 3), Candle(1.0, 3, 5, 2, 2.5)), bars=(Bar(1.0, 9.0, "bad"),))


def told(chart: Chart) -> list[str]:
    return [words for _, _, words in chart.legend]


def test_each_line_says_its_level_and_the_rule_its_day() -> None:
    (there,) = stand_at([LINES], 2.0)
    assert told(there) == ["2022-03-03", "book 30", "benchmark 5"] and there.cross == 2.0
    (first,) = stand_at([LINES], -7.0)
    assert told(first) == ["2022-03-01", "book 10"], "the nearest position"
    assert stand_at([LINES], None) == (LINES,)


def test_a_position_at_which_nothing_is_drawn_is_passed_over() -> None:
    assert positions(LINES) == [0.0, 2.0, 3.0]
    (there,) = stand_at([LINES], 1.2)
    assert there.cross == 2.0


def test_a_candle_says_its_four_prices_and_a_bar_its_amount() -> None:
    (there,) = stand_at([CANDLES], 1.0)
    assert [sign for sign, _, _ in there.legend[1:5]] == ["o", "h", "l", "c"]
    assert told(there)[1:] == ["3.00", "5.00", "2.00", "2.50", "9.00"]


def test_a_ground_says_from_where_to_where_it_reaches() -> None:
    fan = Chart(bands=(Band((0.0, 5.0), (1.0, 2.0), (3.0, 4.0), 2),), legend=(("█", "band2", "80 %"),))
    assert told(stand_at([fan], 5.0)[0])[1] == "80 % 2.00 to 4.00"


def test_values_that_do_not_fit_one_line_go_on_in_the_next() -> None:
    (crossed,) = stand_at([LINES], 2.0)
    narrow = ["".join(sign.sign for sign in row).strip() for row in draw(crossed, 24, 12)]
    assert narrow[0].startswith("value") and any("benchmark 5" in line for line in narrow[1:3])


def test_beyond_the_last_day_the_sessions_ahead_are_told() -> None:
    ahead = Chart(bands=(Band((3.0, 8.0), (1.0, 1.0), (2.0, 3.0), 1),), days=DAYS)
    assert told(stand_at([ahead], 8.0)[0])[0] == "+5" and told(stand_at([ahead], 3.0)[0])[0] == "2022-03-04"


def test_what_has_no_positions_has_no_crosshair() -> None:
    for chart in (Chart(), Chart(stretches=(Stretch("a", 0, 1, "own"),))):
        assert stand_at([chart], 1.0) == (chart,)


@given(st.integers(0, 60), st.integers(20, 90), st.integers(6, 20))
def test_a_rule_covers_nothing_and_a_column_leads_back_to_its_position(column: int, width: int, height: int) -> None:
    plain = replace(LINES, legend=())
    bare, rows = draw(plain, width, height), draw(replace(plain, cross=2.0), width, height)
    pairs = [pair for one, other in zip(bare[1:], rows[1:], strict=True) for pair in zip(one, other, strict=True)]
    changed = [(before, after) for before, after in pairs if before != after]
    assert all(before.sign == " " and after.sign == "│" for before, after in changed)
    at = position_at([LINES], column, width, height)
    assert at is None or -0.5 <= at <= 3.5


def test_where_the_mouse_is_the_rule_stands() -> None:
    width, height = 80, 16
    for column in range(width):
        x = position_at([LINES], column, width, height)
        if x is None:
            continue
        (crossed,) = stand_at([LINES], x)
        rows = arrange([replace(crossed, legend=())], width, height)
        found = {number for row in rows[1:] for number, sign in enumerate(row) if sign.role == "rule"}
        assert crossed.cross is not None and len(found) == 1
        assert abs(position_at([LINES], found.pop(), width, height) - crossed.cross) < 0.1  # type: ignore[operator]


async def test_keys_move_it_and_escape_takes_it_away(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("3")
        await wait_until_loaded(pilot)
        await wait_until_settled(pilot)
        chart = page(app).query_one(ChartWidget)
        there = positions(chart.charts[0])
        await pilot.press("left_square_bracket")
        assert chart.cross == there[-1]
        await pilot.press("left_square_bracket", "right_square_bracket")
        assert chart.cross == there[-1]
        assert any(sign.role == "rule" for row in chart.signs() for sign in row)
        await pilot.press("escape")
        assert chart.cross is None
        await pilot.hover(ChartWidget, offset=(chart.size.width - 2, chart.size.height // 2))
        await until(pilot, lambda: chart.cross is not None)
