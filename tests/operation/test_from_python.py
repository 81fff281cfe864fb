"""The notebook of docs/from_python.md runs against a real lake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lake.tables.books import PORTFOLIO_VALUE
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from tests.operation.conftest import Operation

PAGE = Path(__file__).parents[2] / "docs" / "from_python.md"


def test_the_examples_of_the_page_run(operation: Operation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my-lake").symlink_to(operation.lake.path)
    monkeypatch.chdir(tmp_path)
    cells = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    notebook: dict[str, Any] = {}
    for number, cell in enumerate(cells):
        exec(compile(cell, f"{PAGE.name}, cell {number}", "exec"), notebook)
    assert len(cells) == 9
    assert notebook["forecasts"].height > 0
    assert notebook["by_ticker"].columns == ["ticker", "forecasts", "skill"]


def test_duckdb_reads_a_table_as_the_page_says(
    operation: Operation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert outcome(["versions", "portfolio_value", "--json", "--lake", str(operation.lake.path)]) == exit_codes.DONE
    (tmp_path / "versions.json").write_text(capsys.readouterr().out)
    named, query = re.findall(r"^(?:SET VARIABLE|SELECT \* FROM read_parquet).*$", PAGE.read_text(), re.MULTILINE)
    with duckdb.connect() as connection:
        connection.execute(named)
        found = connection.execute(query.replace("*", "session, nav", 1)).fetchall()
    assert sorted(found) == operation.lake.read(PORTFOLIO_VALUE).sort("session").select("session", "nav").rows()
