"""Sheets are exported as plain figures, never over a file, and never as a formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.store import Lake
from nextgen_tui.console.lake_view import LakeView, read_runs
from nextgen_tui.console.page import Page
from nextgen_tui.console.screens import PAGES
from nextgen_tui.console.sheet.export import ExportError, export
from tests.nextgen_tui.console.sheet.test_sheet import sheet


def test_an_export_disarms_formulas_and_never_writes_over_a_file(tmp_path: Path) -> None:
    table = sheet(text=["=cmd()", "plain", "-1+1"], figure=[-1.5, 2.0, 3.0])
    assert export(table, tmp_path / "out.csv") == 3
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "key,text,figure",
        "0,'=cmd(),-1.5",
        "1,plain,2.0",
        "2,'-1+1,3.0",
    ]
    with pytest.raises(ExportError, match="exists already"):
        export(table, tmp_path / "out.csv")
    with pytest.raises(ExportError, match="has to end in"):
        export(table, tmp_path / "out.txt")
    export(table, tmp_path / "out.parquet")
    assert pl.read_parquet(tmp_path / "out.parquet").equals(table.visible)


@pytest.mark.parametrize("page", [entry.page for entry in PAGES], ids=lambda page: page.name)
def test_every_sheet_is_exported_as_plain_figures(page: Page[Any], desk_path: Path, tmp_path: Path) -> None:
    lake = Lake.open(desk_path)
    data = page.load(LakeView(lake, read_runs(lake)))
    for name in page.sheets(data):
        export(page.sheet(data, name), tmp_path / f"{name}.csv")
        assert "{'" not in (tmp_path / f"{name}.csv").read_text(), f"{page.name}: {name}"
