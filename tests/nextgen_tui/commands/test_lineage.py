"""`nextgen lineage`: from a row back to the run that wrote it."""

from __future__ import annotations

import pytest

from nextgen_tui.cli import exit_codes
from tests.nextgen_tui.runner import Run, json_of

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")


def test_lineage_walks_from_a_row_to_the_run_that_wrote_it(run: Run) -> None:
    hops = json_of(run, "lineage", "predictions", "ticker=ACME", "horizon=5")
    assert hops[0]["run_id"] == "predict-20220301"
    code, out, _ = run("lineage", "predictions", "ticker=ACME", "horizon=5")
    assert code == exit_codes.DONE
    assert "ticker=ACME" in out
