"""A single stage runs for sessions that the lake knows, and for the one that is next."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables.control import RUNS, SYSTEM_HEALTH
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import SESSION, publish, rows

FIRST = date(2022, 2, 1)


@pytest.mark.parametrize("session", [date(2010, 1, 5), date(2022, 3, 3), date(2026, 11, 30)])
def test_a_session_that_the_lake_does_not_reach_is_refused_and_nothing_recorded(
    tmp_path: Path, session: date, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = new_lake(tmp_path / "lake")
    publish(lake, SYSTEM_HEALTH, rows(SYSTEM_HEALTH), name="load", work="backfill", since=FIRST)
    before = lake.read(RUNS).height
    asked = ["run", "universe", "--session", str(session), "--lake", str(lake.path)]
    assert outcome(asked) == exit_codes.USAGE
    assert f"the lake knows nothing of {session}; its sessions run from {FIRST} to {SESSION}" in " ".join(
        capsys.readouterr().err.split()
    )
    assert Lake.open(lake.path).read(RUNS).height == before
