"""`nextgen tables`: every table and the columns of one."""

from __future__ import annotations

import pytest

from tests.nextgen_tui.runner import Run, json_of

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")


def test_tables_lists_every_table_with_its_rows(run: Run) -> None:
    content = {row["table"]: row for row in json_of(run, "tables")}
    assert (content["predictions"]["rows"], content["predictions"]["version"]) == (4, 1)
    described = json_of(run, "tables", "predictions")
    assert described["columns"]["point"]["unit"] == "fraction"
