"""What other tools do to a lake by Delta's own rules, years later, takes nothing away that a run names."""

from __future__ import annotations

import os
from datetime import timedelta

from deltalake import DeltaTable

from lake.fingerprint import fingerprint
from lake.store import Lake
from lake.tables import TABLES
from lake.upkeep.compaction import compact_tables
from lake.upkeep.scrub import scrub
from lake.upkeep.vacuum import find_pinned_versions
from tests.frames.published import publish_sessions


def every_version(lake: Lake) -> dict[tuple[str, int], str]:
    return {
        (name, version): fingerprint(lake.read(TABLES[name], version=version), TABLES[name].key)
        for name, versions in find_pinned_versions(lake).items()
        for version in versions
    }


def test_vacuum_and_log_cleanup_by_hand_remove_nothing_of_a_lake_of_many_years(lake: Lake) -> None:
    publish_sessions(lake, 4)
    assert compact_tables(lake, min_files=2), "no file has been replaced: there is nothing to vacuum"
    before = every_version(lake)
    for path in lake.path.rglob("*"):
        if path.is_file():
            then = path.stat().st_mtime - timedelta(days=4_000).total_seconds()
            os.utime(path, (then, then))
    for name in TABLES:
        by_hand = DeltaTable(str(lake.path / "tables" / name))
        assert by_hand.vacuum(dry_run=False) == []
        by_hand.cleanup_metadata()
    assert every_version(Lake.open(lake.path)) == before
    assert scrub(Lake.open(lake.path)).findings == ()
