"""Stretches of time stand below each other in the order they began, the longest where there is no room for all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nextgen_tui.console.charts.chart import Bar, Chart, Stretch
from nextgen_tui.console.charts.charts import arrange, draw

SPANS = st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1, max_size=60)


def lines(chart: Chart, width: int, height: int) -> list[str]:
    return ["".join(sign.sign for sign in row) for row in draw(chart, width, height)]


@given(SPANS, st.integers(0, 120), st.integers(0, 40))
def test_they_fill_exactly_their_room(spans: list[tuple[float, float]], width: int, height: int) -> None:
    made = tuple(Stretch(f"stage {n}", start, start + took, "own") for n, (start, took) in enumerate(spans))
    drawn = draw(Chart("a cycle", stretches=made), width, height)
    assert len(drawn) == height and {len(row) for row in drawn} <= {width}


def test_a_bar_begins_where_its_stage_did_and_says_how_long_it_took() -> None:
    made = (Stretch("land", 0.0, 1.0, "own"), Stretch("plan", 1.0, 4.0, "own"), Stretch("report", 4.0, 4.0, "own"))
    land, plan, report = lines(Chart(stretches=made, label=lambda v: f"{v:.1f} s"), 67, 3)
    assert land.startswith("land ") and land.rstrip().endswith("1.0 s") and plan.rstrip().endswith("3.0 s")
    assert land.count("█") == 10 and plan.count("█") == 30
    assert plan.index("█") == land.rindex("█") + 1 == 28
    assert "▏" in report, "what took no time is seen all the same"


def test_a_label_is_whole_where_there_is_room_for_it() -> None:
    made = (Stretch("prediction_accuracy", 0.0, 1.0, "own"),)
    wide, narrow = (lines(Chart(stretches=made), width, 3)[0] for width in (120, 60))
    assert wide.startswith("prediction_accuracy █") and narrow.startswith("prediction_accura █")


def test_the_longest_are_shown_where_there_is_no_room_for_all() -> None:
    made = tuple(Stretch(f"s{n}", float(n), n + took, "own") for n, took in enumerate((0.1, 9.0, 0.2, 5.0)))
    assert [row.split()[0] for row in lines(Chart(stretches=made), 60, 3)] == ["s1", "s2", "s3"]


def test_bars_stand_on_the_floor_as_high_as_their_amount() -> None:
    drawn = lines(Chart(bars=(Bar(0.0, 10.0, "good"), Bar(1.0, 5.0, "bad"))), 30, 8)
    assert sum("█" in row for row in drawn) == 8
    assert [row.count("█") for row in drawn] == [1, 1, 1, 1, 2, 2, 2, 2]


def test_pictures_stand_beside_each_other_where_there_is_breadth() -> None:
    one, other = (Chart(title, bars=(Bar(0.0, 1.0, "own"), Bar(1.0, 2.0, "own"))) for title in ("first", "second"))
    beside = ["".join(sign.sign for sign in row) for row in arrange([one, other], 100, 12)]
    assert "first" in beside[0] and "second" in beside[0]
    above = ["".join(sign.sign for sign in row) for row in arrange([one, other], 60, 24)]
    assert "second" not in above[0] and any("second" in row for row in above)
