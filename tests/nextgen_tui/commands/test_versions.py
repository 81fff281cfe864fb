"""Other readers are told the published version of each table, and see with it what the program sees."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable

from lake.store import Lake
from lake.tables.predictions import PREDICTIONS
from nextgen_tui.cli import exit_codes
from tests.nextgen_tui.lakes import forecast, rows
from tests.nextgen_tui.runner import Run, json_of


def test_a_plain_reader_at_the_published_version_sees_what_the_program_sees(lake: Lake, run: Run) -> None:
    with lake.lock("a test"):
        lake.commit(PREDICTIONS, PREDICTIONS.check(rows(PREDICTIONS, forecast("NOPE", 1))), "unpublished", {})
    told = json_of(run, "versions")["tables"]["predictions"]
    assert (told["newest"], told["version"], told["rows"]) == (told["version"] + 1, lake.version(PREDICTIONS), 4)
    seen = DeltaTable(told["path"], version=told["version"]).to_pyarrow_table()
    assert sorted(seen["ticker"].to_pylist()) == sorted(lake.read(PREDICTIONS)["ticker"])
    files = json_of(run, "versions", "predictions")["tables"]["predictions"]["files"]
    assert pl.read_parquet(files).height == 4


def test_the_statement_for_each_reader_is_printed(lake: Lake, run: Run) -> None:
    code, out, _ = run("versions", "predictions")
    assert code == exit_codes.DONE
    version, path = lake.version(PREDICTIONS), lake.uri(PREDICTIONS)
    assert f"DeltaTable({path!r}, version={version})" in out
    assert f"delta_scan('file://{path}', version => {version})" in out
    assert f"delta.`{path}` VERSION AS OF {version}" in out


@pytest.mark.parametrize("folder", ["plain", "my läke"])
def test_the_lines_for_deltalake_and_polars_read_the_published_rows_wherever_the_lake_lies(
    lake: Lake, run: Run, tmp_path: Path, folder: str
) -> None:
    shutil.copytree(lake.path, tmp_path / folder)
    _, out, _ = run("versions", "predictions", "--lake", str(tmp_path / folder))
    known = {"pl": pl, "DeltaTable": DeltaTable}
    opened, frame = (eval(line, known) for line in out.splitlines()[1:3])
    assert opened.to_pyarrow_table().num_rows == frame.height == lake.read(PREDICTIONS).height


def test_the_statements_for_duckdb_read_the_published_rows(
    lake: Lake, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "versions.json").write_text(run("versions", "predictions", "--json")[1])
    statements = [line for line in run("versions", "predictions")[1].splitlines() if "files" in line and line[0] != "-"]
    with duckdb.connect() as connection:
        *before, query = statements
        for statement in before:
            connection.execute(statement)
        tickers = [row[0] for row in connection.execute(query.replace("*", "ticker", 1)).fetchall()]
    assert len(statements) == 2 and sorted(tickers) == sorted(lake.read(PREDICTIONS)["ticker"])


def test_every_table_is_listed(run: Run) -> None:
    code, out, _ = run("versions")
    assert code == exit_codes.DONE
    assert "portfolio_value" in out
    assert run("versions", "prediction")[0] == exit_codes.USAGE
