"""Vacuum removes exactly what no recorded run refers to, and nothing that one does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lake.contract import Table
from lake.storage import delta_log
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS, TASK_REQUESTS
from lake.tables.market import INSTRUMENTS, MARKET_PRICES
from lake.upkeep.compaction import compact_tables
from lake.upkeep.scrub import scrub
from lake.upkeep.vacuum import find_unneeded, select_unneeded, vacuum
from tests.frames.published import publish_sessions, request_rows
from tests.lake.upkeep.conftest import every_version
from tests.new_lake import new_lake

lives = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.tuples(st.integers(0, 30), st.one_of(st.none(), st.integers(1, 30))).map(
        lambda life: (life[0], None if life[1] is None else life[0] + life[1])
    ),
    max_size=12,
)


@given(lives, st.sets(st.integers(0, 60), max_size=6))
def test_gc_takes_a_file_exactly_if_no_pinned_version_holds_it(
    files: dict[str, tuple[int, int | None]], pins: set[int]
) -> None:
    held = {
        file
        for pin in pins
        for file, (added, removed) in files.items()
        if added <= pin and (removed is None or removed > pin)
    }
    assert select_unneeded(files, pins) == set(files) - held


def keep_up(path: Path, steps: Sequence[str]) -> None:
    """Do one step after the other, and see after each that every version that a run named reads as it did."""
    lake, number, seen = new_lake(path), 0, {}
    for step in steps:
        if step == "publish":
            publish_sessions(lake, 2, start=number)
            number += 2
        elif step == "compact":
            compact_tables(lake, min_files=2)
        elif step == "gc":
            vacuum(lake)
        now = every_version(Lake.open(path))
        assert {at: now[at] for at in seen if at in now} == {at: mark for at, mark in seen.items() if at in now}
        assert set(seen) - set(now) <= {(name, 0) for name in TABLES}, "a version that was named no longer is"
        seen = now
    assert scrub(lake).findings == ()


def test_every_version_a_run_names_reads_the_same_after_upkeep(tmp_path: Path) -> None:
    keep_up(tmp_path / "lake", ("publish", "compact", "gc", "publish", "compact", "gc"))


@pytest.mark.slow
@settings(max_examples=20, deadline=None, phases=[Phase.generate])
@given(steps=st.lists(st.sampled_from(["publish", "compact", "gc"]), min_size=3, max_size=6))
def test_every_version_a_run_names_reads_the_same_whatever_upkeep_was_done(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    keep_up(tmp_path_factory.mktemp("upkeep") / "lake", steps)


def test_gc_removes_files_of_versions_that_no_run_refers_to_and_leftovers(
    old: Lake,
) -> None:
    with old.lock("by hand"):
        old.rewrite(INSTRUMENTS, old.read(INSTRUMENTS), old.read(INSTRUMENTS)["listed_on"][0], "by hand", {})
        unnamed = old.newest(INSTRUMENTS)
        old.rewrite(INSTRUMENTS, old.read(INSTRUMENTS), old.read(INSTRUMENTS)["listed_on"][0], "by hand again", {})
    orphan = Path(old.uri(MARKET_PRICES)) / "part-orphan.parquet"
    orphan.write_bytes(b"half")
    gone = {Path(one.file).name for one in find_unneeded(old)}
    assert gone == {next(iter(delta_log.added_files(old.uri(INSTRUMENTS), unnamed))).name}, (
        "a young orphan is left alone"
    )
    os.utime(orphan, (0, 0))
    assert orphan.name in {Path(one.file).name for one in find_unneeded(old)}
    draft = old.path / "HEAD.1234.draft"
    draft.write_bytes(b"half")
    os.utime(draft, (0, 0))
    vacuum(old)
    assert not orphan.exists() and not draft.exists()


def test_what_is_committed_while_gc_looks_is_never_removed(old: Lake) -> None:
    class Beside(Lake):
        """A lake whose operator asks for something just when the record of runs is read."""

        def read(self, table: Table, **options: Any) -> pl.DataFrame:
            if table is RUNS:
                Lake.open(self.path).commit(TASK_REQUESTS, request_rows(100), "request 100", {})
            return super().read(table, **options)

    vacuum(Beside.open(old.path))
    assert "request 100" in Lake.open(old.path).read(TASK_REQUESTS)["request_id"]


def test_another_tool_cannot_vacuum_history_away(old: Lake) -> None:
    with pytest.raises(DeltaError):
        DeltaTable(old.uri(INSTRUMENTS)).vacuum(168, dry_run=False)
