"""Rows that come in order are left as they are, and only those."""

import polars as pl
import pytest

from lake.engine import is_in_order, put_in_order

KEY = ("name", "number")


@pytest.mark.parametrize(
    ("rows", "in_order"),
    [
        ([], True),
        ([("a", 1)], True),
        ([("a", 1), ("a", 1), ("a", 2), ("b", 0)], True),
        ([("a", 1), ("b", 0), ("a", 2)], False),
        ([("a", 2), ("a", 1)], False),
        ([("a", 1), ("b", None)], False),
    ],
)
def test_rows_are_sorted_where_they_do_not_come_in_order(rows: list[tuple[str, int]], in_order: bool) -> None:
    frame = pl.DataFrame(rows, schema={"name": pl.String, "number": pl.Int64}, orient="row")
    assert is_in_order(frame, KEY) == in_order
    assert put_in_order(frame, KEY).rows() == frame.sort(KEY, nulls_last=False).rows()
