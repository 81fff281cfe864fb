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


def test_a_tree_and_a_diagram_say_the_same_and_go_to_stdout_as_they_are(run: Run) -> None:
    key = ("ticker=ACME", "horizon=5")
    code, text, _ = run("lineage", "predictions", *key, "--tree")
    assert code == exit_codes.DONE and text.startswith("predictions  session=2022-03-01, ticker=ACME, horizon=5")
    assert "    point = 0.0100  (" in text
    _, diagram, _ = run("lineage", "predictions", *key, "--mermaid")
    assert diagram.startswith("flowchart LR\n") and "predictions" in diagram
    assert json_of(run, "lineage", "predictions", *key, "--mermaid") == {"mermaid": diagram}
    assert run("lineage", "predictions", "ticker=NONE", "--tree")[0] == exit_codes.USAGE
