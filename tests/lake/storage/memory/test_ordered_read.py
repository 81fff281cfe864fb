"""Many rows that are read in an order a column at a time are those that sorting them whole gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from lake.storage import appending
from lake.storage.memory.ordered_read import read_in_order
from lake.store import Lake
from lake.tables.control import TASK_REQUESTS
from lake.tables.market import MARKET_PRICES
from tests.frames.published import publish_sessions, request_rows


def _write(folder: Path) -> pl.LazyFrame:
    """Three files whose rows come in no order, with nulls in what they are sorted by."""
    rng = np.random.default_rng(3)
    rows = pl.DataFrame(
        {
            "ticker": rng.choice(["AAA", "B", "ÄÖ", "a", ""], 3_000),
            "revision": rng.integers(0, 5, 3_000),
            "number": rng.permutation(3_000),
            "text": rng.choice(["x", "y"], 3_000),
        }
    ).with_columns(ticker=pl.when(pl.col("number") % 7 > 0).then("ticker"))
    for part in range(3):
        rows.slice(part * 1_000, 1_000).write_parquet(folder / f"{part}.parquet")
    return pl.scan_parquet([folder / f"{part}.parquet" for part in range(3)])


@pytest.mark.parametrize("conditions", [[], [pl.col("revision") > 1, pl.col("text") == "x"], [pl.col("number") < 0]])
def test_the_rows_are_those_of_a_sort(tmp_path: Path, conditions: list[pl.Expr]) -> None:
    scan, order = _write(tmp_path), ("ticker", "revision", "number")
    sorted_whole = scan.filter(*conditions).select("text", "number", "ticker").sort(order[0], order[2]).collect()
    assert_frame_equal(
        read_in_order(scan, conditions, ["text", "number", "ticker"], (order[0], order[2])), sorted_whole
    )
    by_three = scan.filter(*conditions).sort(order).select("number").collect()
    assert_frame_equal(read_in_order(scan, conditions, ["number"], order), by_three)


def test_a_lake_reads_the_same_rows_either_way(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_sessions(lake, 4)
    whole = lake.read(MARKET_PRICES)
    monkeypatch.setattr("lake.storage.reader.MANY", 2)
    assert whole.height == 4
    assert_frame_equal(Lake(lake.path).read(MARKET_PRICES), whole)


def test_long_rows_are_packed_a_few_at_a_time(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pl.concat(map(request_rows, range(5)))
    monkeypatch.setattr(appending, "GROUP_BYTES", rows.estimated_size() / 3)
    lake.commit(TASK_REQUESTS, rows, "one", {})
    (file,) = (lake.path / "tables" / TASK_REQUESTS.name).glob("*.parquet")
    assert pq.ParquetFile(file).metadata.num_row_groups == 3
    assert lake.read(TASK_REQUESTS)["request_id"].sort().to_list() == [f"request {number}" for number in range(5)]
