"""Frames as tables: by the contract's units, and never wider than there is room."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console

from lake.contract import Column
from lake.tables.predictions import PREDICTIONS
from nextgen_tui.text.table_view import cell, choose_columns, frame_grid
from tests.nextgen_tui.lakes import forecast, rows


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (None, "", "–"),
        (True, "", "yes"),
        (0.0123, "fraction", "1.23 %"),
        (12.5, "currency per share", "12.50"),
        (0.00001, "", "1.000e-05"),
        (0.0, "", "0.0000"),
        (1234567, "", "1,234,567"),
        (Decimal("1234.50"), "", "1,234.50"),
        (date(2022, 3, 1), "", "2022-03-01"),
        (datetime(2022, 3, 1, 21, 20, tzinfo=UTC), "", "2022-03-01 21:20:00Z"),
        (b"abc", "", "3 bytes"),
        (["a", "b\x1b[31m"], "", "a, b"),
        ([{"a": 1}], "", "1 entry"),
        ("a\u202eb", "", "ab"),
    ],
)
def test_a_value_reads_by_its_type_and_unit(value: object, unit: str, expected: str) -> None:
    assert cell(value, Column(PREDICTIONS.schema["point"], unit, "")).plain == expected


@pytest.mark.parametrize("width", [40, 80, 160, 400])
def test_the_columns_chosen_fit_the_width(width: int) -> None:
    frame = rows(PREDICTIONS, forecast("ACME"), forecast("LONGTICKER.WITH-DOTS", reference_close=123456.789))
    names = choose_columns(frame, ("session", *PREDICTIONS.key), width, PREDICTIONS)
    assert names[0] == "session"
    console = Console(file=StringIO(), width=10_000)
    console.print(frame_grid(frame.select(names), PREDICTIONS))
    assert isinstance(console.file, StringIO)
    assert max(len(line.rstrip()) for line in console.file.getvalue().split("\n")) <= width


def test_at_least_one_column_is_shown() -> None:
    assert choose_columns(rows(PREDICTIONS, forecast("ACME")), ("ticker",), 1, PREDICTIONS) == ["ticker"]
