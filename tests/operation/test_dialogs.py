"""What a dialog says of work is what that work did."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import polars as pl

from nextgen_tui.console.lake_view import read_runs
from nextgen_tui.console.operator.command_parser import PendingRequest, build_request
from tests.operation.conftest import Operation


def test_a_dialog_counts_the_stages_that_the_screens_count_of_a_cycle(operation: Operation) -> None:
    asked = build_request("cycle", [], datetime.now(UTC))
    assert isinstance(asked, PendingRequest)
    cycles = read_runs(operation.lake).filter(pl.col("work") == "cycle")
    trained = cycles.filter(pl.col("stage") == "train").select("cycle_id")
    plain = cycles.join(trained, on="cycle_id", how="anti").group_by("cycle_id").len()["len"].unique().to_list()
    found = re.search(r"runs +(\d+) stages, (\d+) more where a training is due", asked.lines[0])
    assert found is not None and plain == [int(found[1])]
    whole = cycles.join(trained, on="cycle_id", how="semi").group_by("cycle_id").len()["len"].max()
    assert whole == int(found[1]) + int(found[2])
