"""Sheets filter, sort and lay out rows without copying or losing any."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from nextgen_tui.console.sheet.sheet import GAP, Col, Sheet, strip
from nextgen_tui.console.sheet.sheet_widget import _pieces


def sheet(**columns: list[Any]) -> Sheet:
    frame = pl.DataFrame({"key": list(range(len(next(iter(columns.values()))))), **columns})
    return Sheet(frame, tuple(Col(name, name, rank=n) for n, name in enumerate(columns)), ("key",))


def test_a_filter_that_finds_nothing_says_so_and_not_that_there_is_nothing() -> None:
    table = sheet(text=["a", "b"])
    assert table.filter("zz").empty == "No row shows 'zz'; escape shows all."
    assert sheet(text=[]).filter("zz").empty == table.empty


def test_a_filter_takes_every_word() -> None:
    table = sheet(name=["Alpha One", "beta [x]", "alpha two"])
    assert table.filter("ALPHA two").height == 1
    assert table.filter("[x]").height == 1
    assert table.filter(".*").height == 3, "a pattern"
    assert table.filter("two.one").height == 0


@given(st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=30), st.booleans())
def test_sorting_keeps_every_row_and_puts_missing_values_last(values: list[int | None], descending: bool) -> None:
    ordered = sheet(value=values).sort("value", descending).visible["value"].to_list()
    present = [value for value in ordered if value is not None]
    assert present == sorted((v for v in values if v is not None), reverse=descending)
    assert ordered[len(present) :] == [None] * (len(values) - len(present))


def test_columns_of_the_highest_rank_go_first_where_there_is_too_little_room() -> None:
    table = sheet(first=["x" * 10], second=["y" * 10], third=["z" * 10])
    assert [number for number, _ in table.layout(80)] == [0, 1, 2]
    assert [number for number, _ in table.layout(25)] == [0, 1]
    assert [number for number, _ in table.layout(5)] == [0]
    long = sheet(name=["x"], text=["y" * 40])
    assert sum(width + 2 for _, width in long.layout(200)) - 2 > 30


def test_a_filter_finds_what_is_shown_and_not_what_is_stored() -> None:
    shares = Sheet(pl.DataFrame({"part": ["rent", "food"], "share": [0.059, 0.12]}), SHARES, ("part",))
    assert shares.filter("5.9").frame["part"].to_list() == ["rent", "food"]
    assert told(shares.filter("5.9")) == ["rent"]
    assert told(shares.filter("0.059")) == []


def test_a_filter_takes_patterns_and_what_is_not_wanted() -> None:
    shares = Sheet(pl.DataFrame({"part": ["rent", "food", "fool (x"], "share": [0.059, 0.12, 0.2]}), SHARES, ("part",))
    assert told(shares.filter("^foo.")) == ["food", "fool (x"]
    assert told(shares.filter("FOO !d")) == ["fool (x"]
    assert told(shares.filter("(x")) == ["fool (x"], "what is no pattern stands for itself"
    assert told(shares.filter("!")) == ["rent", "food", "fool (x"], "half a word hides nothing"


def test_columns_out_of_sight_can_be_scrolled_to_beside_the_first() -> None:
    frame = pl.DataFrame({"name": ["a"], **{f"c{n}": ["x" * 20] for n in range(6)}})
    wide = Sheet(frame, tuple(Col(name, name, rank=n) for n, name in enumerate(frame.columns)), ("name",))
    assert [number for number, _ in wide.layout(60)] == [0, 1, 2]
    assert [number for number, _ in wide.layout(60, 3)] == [0, 4, 5]
    assert [number for number, _ in wide.layout(60, 99)] == [0, 6]


SHARES = (Col("part", "part"), Col("share", "share", lambda value: f"{100 * value:.1f} %"))


def told(sheet: Sheet) -> list[str]:
    return [sheet.row(number)["part"] for number in range(sheet.height)]


def test_a_cell_of_signs_is_cut_at_its_beginning_where_it_stretches_and_no_word_is_sought_in_it() -> None:
    signs = {"a": [("x", "bad"), ("x", "bad"), ("·", "dim")], "b": [("·", "dim")] * 3}
    drawn = Col("days", "days", lambda value: strip(signs[value]), stretch=True, drawn=True)
    frame = pl.DataFrame({"part": ["one", "two"], "days": ["a", "b"]})
    made = Sheet(frame, (Col("part", "part"), drawn), ("part",))
    assert made.cells(0)[1].parts == (("xx", "bad"), ("·", "dim")), "what looks alike is one piece"
    assert told(made.filter("x")) == [] and told(made.filter("one")) == ["one"]


@given(st.lists(st.tuples(st.sampled_from("ab·"), st.sampled_from(["good", "dim"])), max_size=30), st.integers(12, 40))
def test_pieces_fill_exactly_their_column(signs: list[tuple[str, Any]], width: int) -> None:
    for stretch in (True, False):
        pieces = _pieces(strip(signs), Col("days", "days", stretch=stretch), width)
        text = "".join(words for words, _ in pieces)
        whole = "".join(sign for sign, _ in signs)
        assert len(text) == width + GAP
        kept = whole[-width:] if stretch else whole[:width]
        assert text.rstrip() == kept.rstrip() and text.startswith(kept)


def test_a_legend_is_told_whole_in_the_heading_or_not_there_at_all() -> None:
    col = Col("days", "days", legend="· arrived ✗ not")
    assert col.heading_within(40) == "days  · arrived ✗ not"
    assert col.heading_within(15) == "· arrived ✗ not"
    assert col.heading_within(14) == "days"
    assert Col("days", "days").heading_within(2) == "days"
