"""A folder of Parquet files is read file by file, whatever each of them looks like, and nothing outside of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from pipeline.ingestion.imports.old_system import PORTION
from pipeline.ingestion.imports.parquet import ParquetStore
from pipeline.ingestion.sources.errors import SourceError


def read(folder: Path, table: str, *columns: str) -> pl.DataFrame:
    return pl.concat(ParquetStore(folder).rows(table, columns))


def test_a_file_is_a_table_and_a_folder_is_one_of_parts(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "fills.parquet")
    (tmp_path / "bars" / "2020").mkdir(parents=True)
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "bars" / "2020" / "one.parquet")
    pl.DataFrame({"a": ["x"], "b": [2]}).write_parquet(tmp_path / "bars" / "two.pq")
    assert ParquetStore(tmp_path).tables() == {"bars": ("a", "b"), "fills": ("a",)}
    assert read(tmp_path, "bars", "a")["a"].to_list() == ["1", "x"]  # of two types, each as it is


def test_every_type_comes_as_text_that_reads_back_the_same(tmp_path: Path) -> None:
    row = {
        "whole": 7,
        "number": 0.1,
        "exact": Decimal("1.50"),
        "day": date(2024, 1, 5),
        "local": datetime(2024, 1, 5, 16, 0),  # noqa: DTZ001 - files hold such times
        "moment": datetime(2024, 1, 5, 21, tzinfo=UTC),
        "flag": True,
        "several": ["A", "B"],
        "bytes": b"\x01\xff",
        "nothing": None,
    }
    pl.DataFrame([row]).with_columns(nan=float("nan")).write_parquet(tmp_path / "t.parquet")
    assert read(tmp_path, "t", *row, "nan").row(0) == (
        *("7", "0.1", "1.50", "2024-01-05", "2024-01-05T16:00:00", "2024-01-05T21:00:00+00:00"),
        *("true", "A B", "blob 01ff", None, "NaN"),
    )


def test_a_part_without_a_mapped_column_is_named_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "bars").mkdir()
    pl.DataFrame({"a": [1], "b": [1]}).write_parquet(tmp_path / "bars" / "1.parquet")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "bars" / "2.parquet")
    assert read(tmp_path, "bars", "a").height == 2
    with pytest.raises(SourceError, match=r"2\.parquet has no column 'b', which other files of 'bars' have"):
        next(ParquetStore(tmp_path).rows("bars", ("a", "b")))


def test_links_lead_nowhere_outside(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    pl.DataFrame({"a": ["secret"]}).write_parquet(outside / "secret.parquet")
    pl.DataFrame({"a": ["own"]}).write_parquet(inside / "own.parquet")
    (inside / "file.parquet").symlink_to(outside / "secret.parquet")
    (inside / "folder").symlink_to(outside)
    (inside / "alias.parquet").symlink_to(inside / "own.parquet")
    (inside / "loop").symlink_to(inside)
    (inside / "broken.parquet").symlink_to(inside / "nothing")
    assert ParquetStore(inside).tables().keys() == {"alias", "own"}


def test_rows_come_in_portions(tmp_path: Path) -> None:
    pl.DataFrame({"a": range(PORTION + 3)}).write_parquet(tmp_path / "t.parquet")
    assert [rows.height for rows in ParquetStore(tmp_path).rows("t", ("a",))] == [PORTION, 3]


def test_what_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no folder"):
        ParquetStore(tmp_path / "none")
    with pytest.raises(SourceError, match="contains no file that ends in"):
        ParquetStore(tmp_path)
    (tmp_path / "t.parquet").write_bytes(b"PAR1 this is none PAR1")
    with pytest.raises(SourceError, match=r"t\.parquet cannot be read"):
        ParquetStore(tmp_path)
    (tmp_path / "t.parquet").touch()
    pl.DataFrame({"a": [{"b": 1}]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(SourceError, match=r"column 'a' of .* holds Struct"):
        read(tmp_path, "t", "a")


def test_a_file_damaged_in_its_middle_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": [f"{n} {n * n}" for n in range(5_000)]}).write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:200] + b"\xff" * 4_000 + whole[4_200:])
    with pytest.raises(SourceError, match=r"t\.parquet cannot be read"):
        read(tmp_path, "t", "a")


@pytest.mark.parametrize("folder", ["with space", "a#b", "what?", "100%", "[x]*", "ünï"])
def test_a_path_may_have_any_sign(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / folder / "t [1].parquet")
    assert read(tmp_path / folder, "t [1]", "a")["a"].to_list() == ["1"]
