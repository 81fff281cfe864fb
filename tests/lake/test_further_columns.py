"""A table that takes columns its contract does not name: they come with a commit, and older rows have null in them."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from lake.errors import ConflictError, ContractError, LakeError
from lake.queries import query
from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from lake.tables.market import TICKER_UNIVERSE
from lake.upkeep.compaction import compact_tables
from tests.frames.features import universe

DAYS = [date(2022, 3, day) for day in (1, 2, 3)]


def rows(day: date, **values: float | None) -> pl.DataFrame:
    fixed = {"feature_set": "f1", "session": day, "ticker": "AAA", "complete": True}
    return pl.DataFrame([{**fixed, **values}]).with_columns(pl.col(*values).cast(pl.Float32))


def commit(lake: Lake, frame: pl.DataFrame, run_id: str) -> int:
    with lake.lock("test"):
        return lake.commit(FEATURE_ROWS, frame, run_id, {}).version


def whole(lake: Lake, version: int | None = None) -> pl.DataFrame:
    return lake.read(FEATURE_ROWS, version=lake.newest(FEATURE_ROWS) if version is None else version)


def test_a_commit_brings_its_columns_and_older_rows_have_null_in_them(lake: Lake) -> None:
    first = commit(lake, rows(DAYS[0], one=1.0), "a")
    second = commit(lake, rows(DAYS[1], one=2.0, two=3.0), "b")
    third = commit(lake, rows(DAYS[2], two=4.0), "c")
    for seen in (lake, Lake.open(lake.path)):
        assert whole(seen, third).select("one", "two").rows() == [(1.0, None), (2.0, 3.0), (None, 4.0)]
        assert whole(seen, second).select("one", "two").rows() == [(1.0, None), (2.0, 3.0)]
        assert whole(seen, first).columns == [*FEATURE_ROWS.columns, "one", "run_id"]
        assert seen.contract(FEATURE_ROWS, first).content_columns == (*FEATURE_ROWS.columns, "one")


@pytest.mark.parametrize("odd", [pytest.param(n, marks=() if n in (0, 5, 9) else pytest.mark.slow) for n in range(10)])
def test_one_file_of_many_that_has_other_columns_is_read_with_its_own(lake: Lake, odd: int) -> None:
    days = [date(2022, 3, day) for day in range(1, 11)]
    for number, day in enumerate(days):
        commit(lake, rows(day, **{"two" if number == odd else "one": float(number)}), f"run {number}")
    seen = whole(Lake.open(lake.path)).sort("session").select("one", "two").rows()
    assert seen == [(None, float(odd)) if number == odd else (float(number), None) for number in range(10)]


def test_a_column_that_no_commit_has_brought_is_null(lake: Lake) -> None:
    assert lake.read(FEATURE_ROWS, version=0, columns=("ticker", "one")).schema["one"] == pl.Float32
    commit(lake, rows(DAYS[0], one=1.0), "a")
    newest = lake.newest(FEATURE_ROWS)
    assert lake.read(FEATURE_ROWS, version=newest, columns=("ticker", "two")).rows() == [("AAA", None)]
    few = lake.read(FEATURE_ROWS, version=newest, columns=("ticker",), where=pl.col("one") > 0.5)
    assert few.rows() == [("AAA",)]


def test_rows_that_are_there_are_compared_by_the_columns_they_bring(lake: Lake) -> None:
    version = commit(lake, rows(DAYS[0], one=1.0), "a")
    assert commit(lake, rows(DAYS[0], one=1.0), "b") == version
    with pytest.raises(ConflictError, match="already exist with other content"):
        commit(lake, rows(DAYS[0], one=1.0, two=2.0), "c")


def test_only_columns_of_the_declared_kind_are_taken() -> None:
    with pytest.raises(ContractError, match=r"one is Float64 and should be Float32"):
        FEATURE_ROWS.check(rows(DAYS[0], one=1.0).with_columns(pl.col("one").cast(pl.Float64)))
    with pytest.raises(ContractError, match=r"1 columns have invalid names, the first is 'One two'"):
        FEATURE_ROWS.check(rows(DAYS[0], one=1.0).rename({"one": "One two"}))
    with pytest.raises(ContractError, match=r"break 'one is a finite number'"):
        FEATURE_ROWS.check(rows(DAYS[0], one=float("nan")))


def test_a_table_that_takes_no_further_columns_refuses_them() -> None:
    with pytest.raises(ContractError, match=r"1 columns are not in the contract, the first is 'one'"):
        TICKER_UNIVERSE.check(universe(["AAA"], DAYS).with_columns(one=pl.lit(1.0, pl.Float32)))


def test_compaction_and_checkpoints_keep_them(lake: Lake) -> None:
    commit(lake, rows(DAYS[0], one=1.0), "a")
    commit(lake, rows(DAYS[1], two=2.0), "b")
    before = whole(lake)
    with lake.lock("test"):
        lake.checkpoint(FEATURE_ROWS)
        compact_tables(lake, min_files=2)
    again = Lake.open(lake.path)
    assert len(again.files(FEATURE_ROWS, again.newest(FEATURE_ROWS))) == 1
    assert whole(again).equals(before)


def test_questions_know_them(lake: Lake) -> None:
    commit(lake, rows(DAYS[0], one=1.0), "a")
    commit(lake, rows(DAYS[1], one=2.0), "b")
    asked = query(lake, FEATURE_ROWS).at(lake.newest(FEATURE_ROWS))
    assert asked.having("one", ">", 1.5).only("session", "one").read().rows() == [(DAYS[1], 2.0)]
    with pytest.raises(LakeError, match="has no column 'onee'; did you mean 'one'"):
        asked.only("onee")
