"""Charts fill exactly their room, scale and label what they draw, and give way where there is too little of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nextgen_tui.console.charts.chart import Band, Candle, Chart, Curve
from nextgen_tui.console.charts.charts import draw, stack

LEVELS = st.lists(st.floats(-1e9, 1e9), max_size=40)


def words(chart: Chart, width: int, height: int) -> list[str]:
    return ["".join(sign.sign for sign in row) for row in draw(chart, width, height)]


@given(LEVELS, st.integers(0, 90), st.integers(0, 40))
def test_a_chart_fills_exactly_its_room(levels: list[float], width: int, height: int) -> None:
    xs = tuple(float(n) for n in range(len(levels)))
    band = Band(xs, tuple(levels), tuple(level + 1 for level in levels), 2)
    candles = tuple(Candle(x, y, y + 1, y - 1, y) for x, y in zip(xs, levels, strict=True))
    chart = Chart(
        "title",
        (Curve((), (), "past"), Curve(xs, tuple(levels), "own")),
        (band,),
        candles=candles,
        ticks=((0.0, "then"),),
    )
    for rows in (draw(chart, width, height), stack([chart, chart], width, height)):
        assert len(rows) == height
        assert {len(row) for row in rows} <= {width}


def test_the_highest_level_stands_at_the_top_and_the_lowest_at_the_bottom() -> None:
    drawn = words(Chart(lines=(Curve((0.0, 1.0), (10.0, 20.0), "own"),)), 30, 8)
    assert drawn[0].startswith("20.00")
    assert drawn[-1].startswith("10.00")
    assert drawn[0].rstrip()[-1] != " "
    assert drawn[-1][6] in "─╯"


def test_levels_are_round_and_the_plots_of_a_stack_flush() -> None:
    value = Chart(lines=(Curve((0.0, 1.0), (989_594.0, 1_020_887.0), "own"),))
    share = Chart(lines=(Curve((0.0, 1.0), (-0.0312, 0.0), "bad"),), label=lambda level: f"{level:.1%}")
    drawn = ["".join(sign.sign for sign in row) for row in stack([value, share], 40, 16)]
    levels = [row[:13].strip() for row in drawn if ",000.00" in row]
    assert levels == ["1,020,000.00", "1,010,000.00", "1,000,000.00", "990,000.00"]
    assert [row[:13].strip() for row in drawn if "%" in row] == ["0.0%", "-1.0%", "-2.0%", "-3.0%"]


def test_what_has_no_room_below_another_chart_gives_way() -> None:
    one, other = (Chart(title, (Curve((0.0, 1.0), (1.0, 2.0), "own"),)) for title in ("first", "second"))
    assert "second" not in str(stack([one, other], 40, 9))
    titles = ["".join(sign.sign for sign in row).strip() for row in stack([one, other], 40, 10)]
    assert {"first", "second"} <= set(titles)


def test_a_missing_level_interrupts_the_line() -> None:
    gap = words(Chart(lines=(Curve((0.0, 1.0, 2.0, 3.0), (1.0, 1.0, None, 1.0), "own"),), span=(0.0, 2.0)), 30, 4)
    assert any("  " in row.strip() for row in gap)


def test_the_strongest_band_shows_where_bands_overlap() -> None:
    wide, narrow = Band((0.0, 1.0), (0.0, 0.0), (9.0, 9.0), 1), Band((0.0, 1.0), (4.0, 4.0), (5.0, 5.0), 3)
    chart = Chart(lines=(Curve((0.0, 1.0), (0.0, 9.0), "own"),), bands=(narrow, wide))
    shades = {sign.band for row in draw(chart, 40, 20) for sign in row}
    assert shades == {0, 1, 3}
