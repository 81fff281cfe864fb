"""What is found out of each distinct cell once is what is found out of every row."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingestion.sources.files.distinct_cells import DistinctCells
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.source import FilesSource
from tests.frames.sessions import weekday_sessions

DAYS = st.dates(date(1990, 1, 1), date(2030, 12, 31))
COLUMNS = st.one_of(
    st.lists(st.one_of(st.none(), st.sampled_from(["2024-01-02", "2024-01-03", "soon", ""]))).map(
        lambda cells: pl.Series("cell", cells, pl.String)
    ),
    st.lists(st.one_of(st.none(), DAYS)).map(lambda days: pl.Series("cell", days, pl.Date)),
)


@given(COLUMNS)
def test_each_row_gets_the_value_of_its_cell(column: pl.Series) -> None:
    cells, text = DistinctCells.of(column), column.cast(pl.String)
    assert cells.spread(cells.once).equals(text, null_equal=True)
    counted = text.to_frame().group_by("cell", maintain_order=True).len("rows")
    assert cells.once.equals(counted["cell"], null_equal=True)
    assert cells.rows.equals(counted["rows"])
    assert cells.count().rows() == counted.drop_nulls("cell").rows()


@pytest.mark.parametrize("odd", [date(2020, 6, 4), None, date(999, 12, 31), date(1, 1, 1)])
def test_days_of_a_typed_file_land_as_their_text_does(tmp_path: Path, odd: date | None) -> None:
    days = [date(2020, 6, 1), date(2020, 6, 2), date(2020, 6, 3), odd]
    bars = pl.DataFrame({"date": days, "open": 10.0, "high": 11.5, "low": 9.0, "close": 10.25, "volume": 7})
    landed = []
    for name, frame in (("days", bars), ("text", bars.with_columns(pl.col("date").cast(pl.String)))):
        (tmp_path / name).mkdir()
        frame.write_parquet(tmp_path / name / "AAPL.parquet")
        source = FilesSource(
            FilesParams(prices=(str(tmp_path / name / "AAPL.parquet"),)),
            weekday_sessions(date(2020, 1, 1), date(2020, 12, 31)),
        )
        rows = source.prices(date(2020, 6, 1), date(2020, 6, 30), history=True)
        landed.append(rows.select("kind", "ticker", "request", "payload").rows())
    assert landed[0] == landed[1]
    assert '"date":"2020-06-01"' in str(landed[0])
