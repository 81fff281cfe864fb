"""A view stands at a moment that a person can name, and reads the versions published then."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from lake.store import Lake
from nextgen_tui.console.lake_view import LakeView, read_runs
from nextgen_tui.console.time_travel import parse_as_of, step_as_of
from tests.nextgen_tui.console.desk import FIRST, LAST


@pytest.mark.parametrize("typed", [str(FIRST), f"{FIRST}T21:00", "cycle-20220228", "prices-20220228"])
def test_a_past_moment_is_a_session_a_time_or_a_run(desk_path: Path, typed: str) -> None:
    found = parse_as_of(read_runs(Lake.open(desk_path)), typed)
    assert found is not None
    assert found.session == FIRST


def test_an_unknown_moment_is_refused_with_what_there_is(desk_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{FIRST} to {LAST}"):
        parse_as_of(read_runs(Lake.open(desk_path)), "1999-01-01")


def test_a_view_from_the_past_reads_the_versions_published_then(desk_path: Path) -> None:
    lake = Lake.open(desk_path)
    runs = read_runs(lake)
    then = LakeView(lake, runs, step_as_of(runs, None, -1))
    now = LakeView(lake, runs)
    assert then.session == FIRST
    assert now.versions["portfolio_value"] == then.versions["portfolio_value"] + 1
    assert then.versions["prediction_accuracy"] == 0
    assert step_as_of(runs, then.at, 1) is None
    assert step_as_of(runs, then.at, -1) == then.at
    assert date(2022, 2, 28) == FIRST
