"""The older part of a log lies apart: opening stays fast, every version stays readable, and nothing gets lost."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lake.errors import DamageError, LakeError
from lake.remote.exchange import NoStore
from lake.storage import delta_log
from lake.storage.lock import WRITER_HOLDER
from lake.storage.reader import Reader
from lake.storage.snapshot import read_snapshot
from lake.storage.writer import Writer
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS, TASK_REQUESTS
from lake.tables.market import INSTRUMENTS, MARKET_PRICES
from lake.upkeep.backup import backup, restore
from lake.upkeep.compaction import compact_tables
from lake.upkeep.log_archive import archive_log, undo_late_commit
from lake.upkeep.scrub import scrub
from lake.upkeep.vacuum import find_pinned_versions, find_unneeded, vacuum
from tests.copies import copy_lake
from tests.frames.published import publish_sessions, request_rows
from tests.new_lake import new_lake

MOVED = (MARKET_PRICES, INSTRUMENTS, RUNS, TASK_REQUESTS)


def checkpoint_all(lake: Lake) -> None:
    with lake.lock("upkeep"):
        for table in MOVED:
            lake.checkpoint(table)


def archive_all(lake: Lake) -> int:
    with lake.lock("upkeep"):
        return sum(lake.archive_log(table) for table in MOVED)


def grown(path: Path) -> Lake:
    """Seven sessions, with checkpoints after the third, the fifth and the sixth."""
    lake = new_lake(path)
    for sessions, start in ((3, 0), (2, 3), (1, 5)):
        publish_sessions(lake, sessions, start=start)
        checkpoint_all(lake)
    publish_sessions(lake, 1, start=6)
    return lake


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grown(tmp_path_factory.mktemp("whole") / "lake").path


@pytest.fixture
def long(whole: Path, tmp_path: Path) -> Lake:
    """A lake with a log that has much to archive."""
    copy_lake(whole, tmp_path / "long")
    return Lake.open(tmp_path / "long")


@pytest.fixture
def old(long: Lake) -> Lake:
    """A lake whose log was archived."""
    assert archive_all(long) > 4 * 5
    return Lake.open(long.path)


def contents(lake: Lake) -> dict[tuple[str, int], list[tuple[object, ...]]]:
    """The rows of every version there is."""
    return {
        (table.name, version): lake.read(table, version=version).rows()
        for table in MOVED
        for version in range(lake.newest(table) + 1)
    }


def test_archiving_leaves_the_log_short_and_every_version_as_it_was(long: Lake) -> None:
    before = contents(long)
    archive_all(long)
    assert delta_log.entry_versions(long.uri(MARKET_PRICES)) == [5, 6, 7]
    assert delta_log.checkpoint_versions(long.uri(MARKET_PRICES)) == [5, 6]
    assert contents(Lake.open(long.path)) == before
    assert contents(long) == before, "the process that archived sees it otherwise"


def test_the_storage_library_itself_still_opens_the_newest_version(old: Lake) -> None:
    for table in MOVED:
        listed = {Path(uri).name for uri in DeltaTable(old.uri(table)).file_uris()}
        assert listed == {span.path for span in old.files(table, old.newest(table))}


def test_a_version_is_listed_as_the_storage_library_lists_it(long: Lake) -> None:
    for table in MOVED:
        for version in range(long.newest(table) + 1):
            theirs = {Path(uri).name for uri in DeltaTable(long.uri(table), version=version).file_uris()}
            assert set(read_snapshot(Path(long.uri(table)), table, version).files) == theirs


def test_archiving_again_moves_nothing_and_work_goes_on(old: Lake) -> None:
    assert archive_all(old) == 0
    publish_sessions(old, 2, start=7)
    checkpoint_all(old)
    assert archive_all(old) > 0
    assert Lake.open(old.path).rows(MARKET_PRICES) == 9
    assert scrub(old).findings == ()


def test_only_the_writer_archives(long: Lake) -> None:
    with pytest.raises(LakeError, match="writer lock"):
        long.archive_log(MARKET_PRICES)


def test_what_is_not_published_is_not_archived(long: Lake) -> None:
    uri = Path(long.uri(MARKET_PRICES))
    assert archive_log(uri, upto=5, durable=False) > 0
    assert delta_log.entry_versions(uri)[0] == 3, "the checkpoint of version 6 is no ground to stand on yet"


def test_an_open_reader_and_an_open_writer_go_on_across_the_archiving(long: Lake) -> None:
    reader, asker = Lake.open(long.path), Lake.open(long.path)
    reader.read(MARKET_PRICES)
    asker.commit(TASK_REQUESTS, request_rows(100), "request 100", {})
    publish_sessions(long, 3, start=7)
    checkpoint_all(long)
    archive_all(long)
    assert reader.rows(MARKET_PRICES) == 10
    assert asker.commit(TASK_REQUESTS, request_rows(101), "request 101", {}).rows == 1
    assert Lake.open(long.path).read(TASK_REQUESTS).height == 12


def test_a_commit_that_slept_through_the_archiving_is_made_on_the_table_as_it_is_now(long: Lake) -> None:
    tables = Reader(long.path)
    with tables.pin(TASK_REQUESTS):
        asleep = tables.newest(TASK_REQUESTS)
        publish_sessions(long, 2, start=7)
        checkpoint_all(long)
        publish_sessions(long, 1, start=9)
        checkpoint_all(long)
        archive_all(long)
        assert delta_log.archived_entry_path(long.uri(TASK_REQUESTS), asleep + 1).exists(), (
            "its number was not given away"
        )
        writer = Writer(tables, NoStore().committing)
        written = writer.commit(TASK_REQUESTS, request_rows(100), "request 100", {}, durable=False)
    assert written.version == asleep + 4
    ids = Lake.open(long.path).read(TASK_REQUESTS)["request_id"].to_list()
    assert sorted(ids) == sorted(f"request {number}" for number in (*range(10), 100))


def late_entry(lake: Lake) -> Path:
    """An entry under a number that is in the archive already, as a writer that slept would make it."""
    path = (
        Path(lake.uri(TASK_REQUESTS))
        / delta_log.FOLDER
        / delta_log.archived_entry_path(lake.uri(TASK_REQUESTS), 2).name
    )
    path.write_bytes(delta_log.entry_path(lake.uri(TASK_REQUESTS), 7).read_bytes())
    return path


def test_a_commit_that_came_too_late_is_taken_back(old: Lake) -> None:
    path, before = late_entry(old), contents(old)
    assert undo_late_commit(Path(old.uri(TASK_REQUESTS)), 2)
    assert not path.exists()
    assert not undo_late_commit(Path(old.uri(TASK_REQUESTS)), old.newest(TASK_REQUESTS))
    assert contents(Lake.open(old.path)) == before


def test_a_commit_whose_writer_died_before_it_knew_that_it_came_too_late_is_quarantined(old: Lake) -> None:
    before, path = contents(old), late_entry(old)
    assert contents(Lake.open(old.path)) == before, "a reader follows the entry that came too late"
    with old.lock("the next writer"):
        assert [(one.file, one.what) for one in old.repairs] == [
            (
                str(path.relative_to(old.path)),
                "an entry that came too late and was never acknowledged was moved to quarantine",
            )
        ]
    assert not path.exists()
    assert contents(Lake.open(old.path)) == before


@pytest.mark.parametrize("names", [1, 3])
def test_a_move_cut_off_half_way_is_brought_to_its_end(old: Lake, names: int) -> None:
    before = contents(old)
    for table in MOVED:
        for version in range(4, 4 - names, -1):
            path = delta_log.archived_entry_path(old.uri(table), version)
            shutil.copy(path, Path(old.uri(table)) / delta_log.FOLDER / path.name)
    assert contents(Lake.open(old.path)) == before
    publish_sessions(Lake.open(old.path), 1, start=7)
    assert delta_log.entry_versions(old.uri(MARKET_PRICES)) == [5, 6, 7, 8]


@pytest.mark.parametrize("lose_old_ones", [False, True])
def test_a_log_whose_checkpoints_are_lost_comes_back_from_the_archive(old: Lake, lose_old_ones: bool) -> None:
    before = contents(old)
    for table in MOVED:
        uri = old.uri(table)
        versions = delta_log.checkpoint_versions(uri) + (delta_log.archived_checkpoints(uri) if lose_old_ones else [])
        for version in versions:
            path = delta_log.checkpoint_path(uri, version)
            path.write_bytes(path.read_bytes()[:-9])
            os.utime(path, (0, 0))  # no longer one that another process is just making
    assert contents(Lake.open(old.path)) == before, "a reader trusted a damaged checkpoint"
    again = Lake.open(old.path)
    with again.lock("the next writer"):
        pass
    assert sum("restored from the archive" in one.what for one in again.repairs) == len(MOVED)
    assert delta_log.entry_versions(old.uri(RUNS))[0] == (0 if lose_old_ones else 3)
    after = contents(Lake.open(old.path))
    assert {at: after[at] for at in before} == before
    publish_sessions(again, 1, start=7)
    assert Lake.open(old.path).rows(MARKET_PRICES) == 8


def test_an_archived_entry_that_is_gone_is_named_by_scrub_and_by_whoever_reads_through_it(old: Lake) -> None:
    path = delta_log.archived_entry_path(old.uri(MARKET_PRICES), 2)
    path.unlink()
    assert path.name in {Path(one.file).name for one in scrub(old).findings}
    with pytest.raises(DamageError, match=path.name):
        Lake.open(old.path).read(MARKET_PRICES, version=2)


def test_an_archive_that_is_gone_stops_the_writer_with_the_files_name(old: Lake) -> None:
    shutil.rmtree(Path(old.uri(MARKET_PRICES)) / delta_log.ARCHIVE)
    with pytest.raises(DamageError, match=r"00000\.json is missing"), Lake.open(old.path).lock("the next writer"):
        pass


def test_gc_compaction_and_sweeping_know_what_the_archive_names(old: Lake) -> None:
    before = {at: rows for at, rows in contents(old).items() if at[1] in find_pinned_versions(old)[at[0]]}
    (old.path / WRITER_HOLDER).write_text("{}")  # a crash: leftovers are swept
    for path in old.path.rglob("*"):  # a copy that kept no times
        os.utime(path, (0, 0)) if path.suffix == ".json" else os.utime(path)
    assert compact_tables(old, min_files=2)
    vacuum(old)
    assert find_unneeded(old) == []
    now = Lake.open(old.path)
    assert {at: now.read(TABLES[at[0]], version=at[1]).rows() for at in before} == before
    assert scrub(old).findings == ()


def test_a_backup_of_an_archived_log_comes_back_whole(old: Lake, tmp_path: Path) -> None:
    backup(old, tmp_path / "safe")
    restore(tmp_path / "safe", tmp_path / "back")
    restored = Lake.open(tmp_path / "back")
    assert contents(restored) == contents(old)
    assert scrub(restored).findings == ()
    publish_sessions(restored, 1, start=7)


@pytest.mark.parametrize("seed", [1])
def test_whatever_the_order_of_upkeep_every_version_reads_the_same(tmp_path: Path, seed: int) -> None:
    lake, chance, number = new_lake(tmp_path / "lake"), random.Random(seed), 0
    known: dict[tuple[str, int], list[tuple[object, ...]]] = {}
    for _ in range(12):
        match chance.choice(["publish", "publish", "checkpoint", "archive", "compact"]):
            case "publish":
                publish_sessions(lake, 1, start=number)
                number += 1
            case "checkpoint":
                checkpoint_all(lake)
            case "archive":
                archive_all(lake)
            case "compact":
                compact_tables(lake, min_files=2)
        now = contents(Lake.open(lake.path))
        assert {at: now[at] for at in known} == known
        known = now
    assert scrub(lake).findings == ()
