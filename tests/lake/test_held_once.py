"""Rows that are joined, or whose columns are held once, are the same rows."""

from __future__ import annotations

import math

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake import engine
from lake.engine import hold_once, join_parts

ROWS = pl.DataFrame(
    {
        "source": ["files"] * 6,
        "ticker": ["AAA"] * 5 + ["BBB"],
        "none": pl.Series([None] * 6, dtype=pl.Float64),
        "some": [1, 1, None, 1, 1, 1],
        "zero": [0.0, -0.0, 0.0, 0.0, 0.0, 0.0],
        "day": pl.Series([1] * 6).cast(pl.Date),
    }
)


@pytest.fixture(autouse=True)
def _six_rows_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FEW", 2)


def test_rows_whose_columns_are_held_once_are_the_same_to_the_bit() -> None:
    held = hold_once(ROWS)
    assert_frame_equal(held, ROWS)
    assert [math.copysign(1, value) for value in held["zero"]] == [1, -1, 1, 1, 1, 1]
    assert held.estimated_size() < ROWS.estimated_size()


def test_joined_parts_are_all_rows_in_one_piece_and_the_parts_are_given_up() -> None:
    other = ROWS.with_columns(source=pl.lit("yahoo"))
    for first, second in ((ROWS, ROWS), (hold_once(ROWS), hold_once(other)), (ROWS, other.clear())):
        parts = [first, second]
        joined = join_parts(parts)
        assert_frame_equal(joined, pl.concat([first, second]))
        assert joined.n_chunks() == 1
        assert not parts
    assert_frame_equal(first, ROWS)


def test_no_rows_are_joined_to_none() -> None:
    assert_frame_equal(join_parts([ROWS.clear(), ROWS.clear()]), ROWS.clear())
