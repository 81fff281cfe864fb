"""A fingerprint follows the logical content of a frame and nothing else."""

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

import lake.fingerprint as fingerprints
from lake.fingerprint import fingerprint

FRAME = pl.DataFrame(
    {
        "key": ["b", "a", "c"],
        "number": [1.5, None, -0.25],
        "whole": [1, 2, None],
        "day": [date(2021, 1, 1), None, date(2021, 1, 2)],
        "moment": [datetime(2021, 1, 1, tzinfo=UTC)] * 3,
        "money": [Decimal("1.10"), Decimal("-2.00"), None],
        "blob": [b"\x00\xff", b"", None],
        "parts": [[{"rule": "x", "scale": 0.5}], [], None],
    }
)


def test_row_order_and_chunking_do_not_matter() -> None:
    shuffled = pl.concat([FRAME[2:], FRAME[:2]], rechunk=False)
    assert fingerprint(shuffled, ["key"]) == fingerprint(FRAME, ["key"])


def test_column_order_does_not_matter() -> None:
    assert fingerprint(FRAME.select(reversed(FRAME.columns)), ["key"]) == fingerprint(FRAME, ["key"])


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2]], ids=["as they come", "in order"])
def test_many_rows_are_hashed_as_few_are(monkeypatch: pytest.MonkeyPatch, order: list[int]) -> None:
    rows = FRAME[order].with_columns(text=pl.Series(["é", "", None]))
    few = fingerprint(rows, ["key"])
    monkeypatch.setattr(fingerprints, "LARGE", 1)
    monkeypatch.setattr(fingerprints, "HELD", 1)
    assert fingerprint(rows, ["key"]) == few


@pytest.mark.parametrize("name", FRAME.columns)
def test_any_changed_value_changes_it(name: str) -> None:
    other = FRAME.with_columns(pl.col(name).shift(1))
    assert fingerprint(other, []) != fingerprint(FRAME, [])


def test_the_last_bit_of_a_float_counts() -> None:
    one = pl.DataFrame({"x": [0.1 + 0.2]})
    other = pl.DataFrame({"x": [0.3]})
    assert fingerprint(one, []) != fingerprint(other, [])


def test_null_is_not_zero_and_not_empty_text() -> None:
    for empty, filled in (([None, 1.0], [0.0, 1.0]), ([None, "a"], ["", "a"])):
        assert fingerprint(pl.DataFrame({"x": empty}), []) != fingerprint(pl.DataFrame({"x": filled}), [])


def test_texts_are_distinct_however_they_are_split() -> None:
    assert fingerprint(pl.DataFrame({"x": ["ab", "c"]}), []) != fingerprint(pl.DataFrame({"x": ["a", "bc"]}), [])
