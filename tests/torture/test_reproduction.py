"""A run can be done again years later: after compaction, gc, an aged log, and in a lake that came out of a backup."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from lake.fingerprint import fingerprint
from lake.impact import trace_impact
from lake.lineage import trace
from lake.runs import Run
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS
from lake.tables.features import FEATURE_WINDOWS
from lake.tables.market import MARKET_PRICES
from lake.tables.predictions import PREDICTIONS
from lake.upkeep.backup import backup, restore
from lake.upkeep.compaction import compact_tables
from lake.upkeep.scrub import scrub
from lake.upkeep.vacuum import find_pinned_versions, vacuum
from pipeline.config.loading import load
from pipeline.config.settings import Settings
from pipeline.engine.reproduction import reproduce_apart
from tests.torture.faults import ROOT, command

Copy = Callable[[], Path]


def settings_of(lake: Lake) -> Settings:
    return load(lake.path, os.environ).settings


def age(lake: Path, days: int) -> None:
    """Make every file older, and let another tool clean the log by Delta's own rules."""
    for path in lake.rglob("*"):
        if path.is_file():
            then = path.stat().st_mtime - timedelta(days=days).total_seconds()
            os.utime(path, (then, then))
    for name in TABLES:
        DeltaTable(str(lake / "tables" / name)).cleanup_metadata()


def read_versions(lake: Lake, every: bool) -> dict[tuple[str, int], str]:
    """A hash of each version that a run names, or of the first and the last of each table."""
    return {
        (name, version): fingerprint(lake.read(TABLES[name], version=version), TABLES[name].key)
        for name, versions in find_pinned_versions(lake).items()
        for version in (versions if every else {min(versions), max(versions)})
    }


def through_the_years(path: Path, folder: Path, *, every: bool = True) -> Lake:
    lake = Lake.open(path)
    lake.durable = False
    before = read_versions(lake, every)
    with lake.lock("upkeep"):
        for table in TABLES.values():
            lake.checkpoint(table)
    assert compact_tables(lake, min_files=2)
    age(path, 400)
    vacuum(lake)
    backup(lake, folder / "safe")
    restore(folder / "safe", folder / "back")
    restored = Lake.open(folder / "back")
    after = {(name, at): fingerprint(restored.read(TABLES[name], version=at), TABLES[name].key) for name, at in before}
    assert after == before
    assert scrub(restored).findings == ()
    return restored


def done(lake: Lake) -> list[str]:
    ids: list[str] = lake.read(RUNS, where=pl.col("status") == "done").sort("run_id")["run_id"].to_list()
    return ids


def test_runs_reproduce_in_other_processes_after_upkeep_ageing_and_restoring(copy: Copy, tmp_path: Path) -> None:
    lake = through_the_years(copy(), tmp_path, every=False)
    ids = done(lake)
    compactions = [one for one in ids if one.startswith("compact-")]
    chosen = [*ids[:: len(ids) // 3], *compactions[:1]]
    verdicts = list(reproduce_apart(lake.path, settings_of(lake), chosen))
    assert [verdict.run_id for verdict in verdicts] == chosen
    assert [f"{v.run_id}: {v.difference}" for v in verdicts if not v.identical] == []


@pytest.mark.torture
def test_every_run_reproduces_after_upkeep_ageing_and_restoring(copy: Copy, tmp_path: Path) -> None:
    lake = through_the_years(copy(), tmp_path)
    verdicts = list(reproduce_apart(lake.path, settings_of(lake), done(lake), workers=2))
    assert [f"{v.run_id}: {v.difference}" for v in verdicts if not v.identical] == []


@pytest.mark.torture
def test_the_command_reproduces_a_sample_and_a_cycle_of_an_old_lake(copy: Copy, tmp_path: Path) -> None:
    lake = through_the_years(copy(), tmp_path)
    cycle = Run.from_row(lake.read(RUNS, where=pl.col("stage") == "predict").row(-1, named=True)).recipe.cycle_id
    runs = lake.read(RUNS, where=(pl.col("cycle_id") == cycle) & (pl.col("status") == "done")).height
    for words, count in ((("--sample", "20"), 20), (("--cycle", cycle, "--workers", "2"), runs)):
        asked = command("reproduce", *words, "--json", "--lake", str(lake.path))
        ended = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, check=False)
        assert ended.returncode == 0, ended.stderr
        assert [verdict["identical"] for verdict in json.loads(ended.stdout)] == [True] * count


def test_what_rests_on_a_bar_is_what_leads_back_to_it(copy: Copy) -> None:
    lake = Lake.open(copy())
    window = lake.read(FEATURE_WINDOWS).row(0, named=True)
    bar = {"ticker": window["ticker"], "session": str(window["session"])}
    found = {one.table: one.rows for one in trace_impact(lake, MARKET_PRICES, bar)}
    assert found["feature_rows"]["ticker"].unique().to_list() == [window["ticker"]]
    assert found["feature_rows"]["session"].min() == window["session"]
    last = found["predictions"].sort("session").row(-1, named=True)
    back = trace(lake, PREDICTIONS, {"prediction_id": last["prediction_id"]})
    assert {hop.table for hop in back} >= {"feature_windows", "feature_rows", "market_prices", "raw_prices"}


def test_nothing_rests_on_a_bar_before_its_session(copy: Copy) -> None:
    lake = Lake.open(copy())
    latest = lake.read(MARKET_PRICES)["session"].max()
    ticker = lake.read(FEATURE_WINDOWS)["ticker"][0]
    for one in trace_impact(lake, MARKET_PRICES, {"ticker": ticker, "session": str(latest)}):
        assert one.rows["session"].min() == latest, one.table
