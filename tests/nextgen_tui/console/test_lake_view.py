"""A view stands at a moment that a person can name, and reads the versions published then."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.control import SYSTEM_HEALTH
from lake.tables.feedback import LEARNING_INSIGHTS, PREDICTION_ACCURACY
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import TRADE_PLANS
from nextgen_tui.console.lake_view import LakeView, read_runs
from nextgen_tui.console.time_travel import parse_as_of, step_as_of
from tests.nextgen_tui.console.desk import FIRST, LAST


@pytest.mark.parametrize("typed", [str(FIRST), f"{FIRST}T21:30", "cycle-20220228", "prices-20220228"])
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


def test_a_moment_is_a_moment_and_what_was_decided_later_that_day_is_not_known(desk_path: Path) -> None:
    lake = Lake.open(desk_path)
    runs = read_runs(lake)
    morning, evening = (parse_as_of(runs, f"{LAST}T{time}") for time in ("10:00", "21:20"))
    assert morning is not None and evening is not None
    assert (morning.session, morning.words) == (FIRST, f"{LAST} 10:00Z")
    assert (evening.session, evening.words) == (LAST, f"{LAST} 21:20Z")
    held = {at.words: LakeView(lake, runs, at) for at in (morning, evening)}
    for table in (TRADE_PLANS, PREDICTIONS, PORTFOLIO_VALUE, PREDICTION_ACCURACY, LEARNING_INSIGHTS, SYSTEM_HEALTH):
        assert held[morning.words].read(table).filter(pl.col("session") >= LAST).is_empty(), table.name
        assert held[evening.words].read(table).filter(pl.col("session") == LAST).height, table.name
    assert parse_as_of(runs, f"{LAST}T22:20+01:00") == evening
    assert step_as_of(runs, morning, -1) == step_as_of(runs, None, -1)


@pytest.mark.parametrize(
    "typed",
    [f"{FIRST}garbage", f"{FIRST}T10", f"{FIRST}T10:00garbage", "2022-02-30", "2030-03-13", "2030-03-13T10:00"],
)
def test_a_malformed_or_future_moment_is_refused(desk_path: Path, typed: str) -> None:
    with pytest.raises(ValueError, match=f"there is no past moment '{re.escape(typed)}'"):
        parse_as_of(read_runs(Lake.open(desk_path)), typed)
