"""A clock that is wrong, or jumps while work is interrupted, changes nothing of what is published."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from lake.fingerprint import fingerprint
from lake.store import Lake
from lake.tables import TABLES
from lake.upkeep.vacuum import find_pinned_versions
from tests.torture.conftest import Bench, Benches
from tests.torture.faults import Fault

HOUR, DAY = 3_600, 86_400
JUMPS = {"an hour back": -HOUR, "a day ahead": DAY, "ten years ahead": 3_653 * DAY, "right": 0}


def interrupted_between(bench: Bench, jumps: tuple[str, str]) -> None:
    """The cycle dies half way by one clock, and is brought to its end by another."""
    first, second = (JUMPS[name] for name in jumps)
    lake, half = bench.copy(), bench.prepared.calls // 2
    given = {"session": bench.prepared.session, "durable": True}
    assert bench.order("cycle", lake, **given, mode=int(Fault.KILL), k=half, clock=first)["signal"] == 9
    resumed = bench.order("resume", lake, **given, clock=second)
    assert "error" not in resumed, resumed
    assert resumed["seen"] == bench.prepared.before
    assert resumed["state"] == bench.prepared.after
    started = Lake.open(lake).read(TABLES["runs"], where=pl.col("session") == date.fromisoformat(given["session"]))
    ten_years = (started["started_at"].max() - started["started_at"].min()) > timedelta(days=3_600)
    assert ten_years == ((first > DAY) != (second > DAY)), "the clock was not wrong as asked: nothing was shown"
    again = bench.order("cycle", lake, **given, clock=JUMPS["ten years ahead"])
    assert again.get("already_done"), f"the same session was worked on again: {again}"


def every_version(lake: Path) -> dict[tuple[str, int], str]:
    opened = Lake.open(lake)
    return {
        (name, version): fingerprint(opened.read(TABLES[name], version=version), TABLES[name].key)
        for name, versions in find_pinned_versions(opened).items()
        for version in versions
    }


def kept(bench: Bench, jump: str, safe: Path) -> None:
    """Compaction, garbage collection, a backup and a restore by a wrong clock lose no version that a run names."""
    lake = bench.copy()
    before = every_version(lake)
    done = bench.order("upkeep", lake, safe=str(safe), clock=JUMPS[jump], patience=600)
    assert "error" not in done, done
    for place in (lake, safe / "restored"):
        after = every_version(place)
        assert {at: after.get(at) for at in before} == before


@pytest.mark.slow
def test_a_cycle_interrupted_between_two_wrong_clocks_ends_as_with_a_right_one(bench: Bench) -> None:
    interrupted_between(bench, ("ten years ahead", "an hour back"))


@pytest.mark.torture
def test_no_pair_of_wrong_clocks_changes_what_is_published(benches: Benches) -> None:
    benches.each("clock jumps", [(one, two) for one in JUMPS for two in JUMPS], interrupted_between)


@pytest.mark.torture
@pytest.mark.parametrize("jump", [jump for jump in JUMPS if JUMPS[jump]])
def test_upkeep_by_a_wrong_clock_loses_no_version_that_a_run_names(bench: Bench, jump: str, tmp_path: Path) -> None:
    kept(bench, jump, tmp_path)
