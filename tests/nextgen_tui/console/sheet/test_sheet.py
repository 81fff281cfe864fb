"""Sheets filter, sort and lay out rows without copying or losing any."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from nextgen_tui.console.sheet.sheet import Col, Sheet


def sheet(**columns: list[Any]) -> Sheet:
    frame = pl.DataFrame({"key": list(range(len(next(iter(columns.values()))))), **columns})
    return Sheet(frame, tuple(Col(name, name, rank=n) for n, name in enumerate(columns)), ("key",))


def test_a_filter_that_finds_nothing_says_so_and_not_that_there_is_nothing() -> None:
    table = sheet(text=["a", "b"])
    assert table.filter("zz").empty == "No row contains 'zz'; escape shows all."
    assert sheet(text=[]).filter("zz").empty == table.empty


def test_a_filter_takes_every_word_literally() -> None:
    table = sheet(name=["Alpha One", "beta [x]", "alpha two"])
    assert table.filter("ALPHA two").height == 1
    assert table.filter("[x]").height == 1
    assert table.filter(".*").height == 0


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
