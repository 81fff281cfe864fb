"""What is said of an experiment's results."""

from __future__ import annotations

import pytest
from rich.console import Console

from lake.tables.research import EXPERIMENT_RESULTS
from nextgen_tui.research.experiment_view import show_results
from pipeline.research.spec import read_spec
from tests.pipeline.research.test_spec import GOOD


@pytest.mark.parametrize(
    ("metric", "unit"), [("return", "of NAV a year"), ("pinball_20", "of return"), ("ic_5", "rank correlation")]
)
def test_the_unit_of_the_metric_is_said(metric: str, unit: str) -> None:
    spec = read_spec(f'{GOOD}metric = "{metric}"\n[[variant]]\nname = "a"\n')
    console = Console(width=120)
    with console.capture() as shown:
        console.print(show_results(spec, EXPERIMENT_RESULTS.empty(), 0))
    assert f"{metric} ({unit}), 2021-03-01 to 2021-06-01, beside main" in shown.get()
