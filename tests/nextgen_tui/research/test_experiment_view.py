"""What came of an experiment is told in the unit of its metric, and what improved it most comes first."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

import polars as pl
import pytest
from rich.console import Console

from lake.tables.research import EXPERIMENT_RESULTS
from nextgen_tui.research.experiment_view import show_results
from pipeline.research.spec import read_spec

SPEC = """
name = "one"
question = "Does it help?"
kill = "it does not"
from = 2021-03-01
to = 2021-06-01
metric = "{metric}"
[[variant]]
name = "a"
[[variant]]
name = "b"
"""


def shown(metric: str, **differences: float) -> str:
    rows = [
        {
            "experiment_id": "one", "variant": name, "finished_at": datetime(2021, 7, 1, tzinfo=UTC), "branch": name,
            "settings": "{}", "sessions": 64, "base_value": 0.1, "value": 0.1 + difference, "difference": difference,
            "low": None, "high": None, "verdict": "cannot be told", "kept": False, "trials": 2, "deflated": None,
            "computed": 1, "taken": 2, "seconds": 1.0,
        }
        for name, difference in differences.items()
    ]  # fmt: skip
    results = pl.DataFrame(rows, schema=EXPERIMENT_RESULTS.schema)
    console = Console(width=200, record=True, file=StringIO())
    console.print(show_results(read_spec(SPEC.format(metric=metric)), results, 2))
    return console.export_text()


@pytest.mark.parametrize(
    ("metric", "unit", "best", "asked"),
    [
        ("return", "of NAV a year", "a", "raises the return by more than 0 of NAV a year"),
        ("costs", "of NAV a year", "b", "lowers the costs by more than 0 of NAV a year"),
        ("ic_5", "rank correlation", "a", "raises the ic_5 by more than 0 rank correlation"),
        ("pinball_5", "of return", "b", "lowers the pinball_5 by more than 0 of return"),
    ],
)
def test_results_have_their_unit_and_begin_with_what_improved_it_most(
    metric: str, unit: str, best: str, asked: str
) -> None:
    told = shown(metric, a=0.02, b=-0.01)
    assert f"{metric} ({unit}), 2021-03-01 to 2021-06-01, beside main" in told
    rows = [line.split()[0] for line in told.splitlines() if "cannot be told" in line]
    assert rows[0] == best
    assert f"No variant is kept: none {asked} in all of its interval" in told
