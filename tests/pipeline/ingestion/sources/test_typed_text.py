"""Typed values are written out as polars writes them, whether they are looked up or not."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from pipeline.ingestion.sources.files.typed_text import FEW, MAX_CENTS, write_out

CENTS = pl.Series("close", np.arange(1, FEW + 1) / 100)
DAYS = pl.Series("date", [date(1899, 12, 30), date(1969, 12, 31), date(2026, 1, 2)] * FEW)


def _with(value: float | None) -> pl.Series:
    return pl.concat([CENTS, pl.Series("close", [value], dtype=pl.Float64)])


@pytest.mark.parametrize(
    "values",
    [
        CENTS,
        _with(None),
        _with(MAX_CENTS / 100 - 0.01),
        *(_with(odd) for odd in (0.0, -0.0, -1.5, float("nan"), float("inf"), 1.005, 0.1 + 0.2, 1e9, MAX_CENTS / 100)),
        pl.Series("close", [None] * FEW, dtype=pl.Float64),
        DAYS,
        pl.concat([DAYS, pl.Series("date", [None], dtype=pl.Date)]),
        pl.concat([DAYS, pl.Series("date", [date(1, 1, 1)])]),
        pl.Series("volume", range(FEW)),
        pl.Series("short", [0.5, None]),
    ],
)
def test_the_text_of_each_value_is_the_one_that_polars_gives(values: pl.Series) -> None:
    found = write_out(values)
    assert found.name == values.name
    assert found.equals(values.cast(pl.String), null_equal=True)
