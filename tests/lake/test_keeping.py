"""What keeps a lake for years: scrub finds every changed byte, gc and compaction lose nothing, backups come back."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lake.contract import Table
from lake.errors import DamageError, LakeError, NotALakeError
from lake.fingerprint import fingerprint
from lake.storage import delta_log
from lake.storage.lock import WRITER_HOLDER, WRITER_LOCK
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS, TASK_REQUESTS
from lake.tables.market import INSTRUMENTS, MARKET_PRICES
from lake.upkeep.backup import backup, restore
from lake.upkeep.compaction import compact_tables
from lake.upkeep.scrub import scrub
from lake.upkeep.vacuum import find_pinned_versions, find_unneeded, select_unneeded, vacuum
from tests.frames.published import publish_sessions, request_rows


def every_version(lake: Lake) -> dict[tuple[str, int], str]:
    """A hash of each version of each table that a run names."""
    return {
        (name, version): fingerprint(lake.read(TABLES[name], version=version), TABLES[name].key)
        for name, versions in find_pinned_versions(lake).items()
        for version in versions
    }


@pytest.fixture(scope="module")
def aged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake some sessions old, checkpointed and archived. Tests work on copies."""
    lake = Lake.create(tmp_path_factory.mktemp("aged") / "lake")
    for start in (0, 2, 4):
        publish_sessions(lake, 2, start=start)
        with lake.lock("upkeep"):
            lake.checkpoint(INSTRUMENTS)
            lake.archive_log(INSTRUMENTS)
    publish_sessions(lake, 2, start=6)
    return lake.path


@pytest.fixture
def old(aged: Path, tmp_path: Path) -> Lake:
    shutil.copytree(aged, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


def test_an_untouched_lake_scrubs_clean(old: Lake) -> None:
    result = scrub(old)
    assert result.findings == ()
    assert result.files > 40


def hurt(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    if chance.random() < 0.5:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
    else:
        path.write_bytes(content[: chance.randrange(len(content))])


def kind_of(lake: Path, path: Path) -> str:
    """What a file of a lake is."""
    if path.parent == lake or path.name == "_last_checkpoint":
        return path.name
    where = path.parent.name if path.parent.parent.name != "tables" else "data"
    return f"{where} {'checkpoint' if '.checkpoint.' in path.name else ''.join(path.suffixes[-1:])}"


def kinds(lake: Path) -> dict[str, list[Path]]:
    """Every file there is but the lock and its note, which say only who wrote last."""
    found: dict[str, list[Path]] = {}
    for path in sorted(
        path for path in lake.rglob("*") if path.is_file() and path.name not in (WRITER_LOCK, WRITER_HOLDER)
    ):
        found.setdefault(kind_of(lake, path), []).append(path)
    return found


def told(lake: Path) -> list[str]:
    """The names of the files that opening and scrubbing complain of, and their words."""
    try:
        findings = scrub(Lake.open(lake)).findings
    except LakeError as error:
        return [str(error)]
    return [word for one in findings for word in (str(lake / one.file), one.what)]


def scrub_finds(lake: Lake, times: int, seed: int) -> None:
    chance, targets = random.Random(seed), kinds(lake.path)
    for number in range(times):
        kind = sorted(targets)[number % len(targets)]
        path = chance.choice(targets[kind])
        whole = path.read_bytes()
        hurt(path, chance)
        assert any(path.name in words for words in told(lake.path)), f"{path} was changed and nobody said so"
        path.write_bytes(whole)
    assert told(lake.path) == []


def test_every_kind_of_file_is_among_those_that_are_hurt(old: Lake) -> None:
    assert set(kinds(old.path)) == {
        "HEAD",
        "lake.json",
        "data .parquet",
        "_delta_log .json",
        "_delta_log checkpoint",
        "_last_checkpoint",
        "_log_archive .json",
        "_log_archive checkpoint",
        "_witness .commit",
        "_witness .sha256",
    }


def test_a_flipped_bit_or_a_cut_anywhere_is_found(old: Lake) -> None:
    scrub_finds(old, 40, seed=1)


@pytest.mark.torture
def test_a_thousand_flips_and_cuts_are_all_found(old: Lake) -> None:
    scrub_finds(old, 1_000, seed=2)


def test_a_missing_file_is_named_by_where_it_lay(old: Lake) -> None:
    entry = next(iter(Path(old.uri(MARKET_PRICES)).glob("_delta_log/*.json")))
    entry.unlink()
    assert str(entry.relative_to(old.path)) in [finding.file for finding in scrub(old).findings]


def test_a_table_that_lost_its_end_is_damage_and_no_mistake_of_the_reader(old: Lake) -> None:
    newest = old.newest(MARKET_PRICES)
    for entry in Path(old.uri(MARKET_PRICES)).glob("_delta_log/*[1-9].json"):
        entry.unlink()
    with pytest.raises(DamageError, match=f"has no version {newest}, the newest is 0.*nextgen scrub.*nextgen restore"):
        Lake.open(old.path).read(MARKET_PRICES, version=newest)


def test_a_swapped_file_is_found(old: Lake) -> None:
    first, second = (next(iter(delta_log.added_files(old.uri(MARKET_PRICES), at))) for at in (1, 2))
    one = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(one)
    assert {Path(f.file).name for f in scrub(old).findings} == {first.name, second.name}


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


@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(steps=st.lists(st.sampled_from(["publish", "compact", "gc"]), min_size=3, max_size=5))
def test_every_version_a_run_names_reads_the_same_whatever_upkeep_was_done(
    new_lake: Path, tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("upkeep") / "lake"
    shutil.copytree(new_lake, path)
    lake, number, seen = Lake.open(path), 0, {}
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


def test_gc_removes_files_of_versions_that_nobody_names_and_leftovers(
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


def test_what_is_asked_for_while_gc_looks_is_never_taken_for_garbage(old: Lake) -> None:
    class Beside(Lake):
        """A lake whose operator asks for something just when the record of runs is read."""

        def read(self, table: Table, **options: Any) -> pl.DataFrame:
            if table is RUNS:
                Lake.open(self.path).commit(TASK_REQUESTS, request_rows(100), "request 100", {})
            return super().read(table, **options)

    vacuum(Beside.open(old.path))
    assert "request 100" in Lake.open(old.path).read(TASK_REQUESTS)["request_id"]


def test_a_restore_never_empties_a_lake_even_where_the_name_of_its_making_came_back(old: Lake, tmp_path: Path) -> None:
    backup(old, tmp_path / "safe")
    (old.path / ".creating").touch()
    rows = old.rows(MARKET_PRICES)
    with pytest.raises(NotALakeError, match="is not empty"):
        restore(tmp_path / "safe", old.path)
    assert Lake.open(old.path).rows(MARKET_PRICES) == rows


def test_compaction_keeps_every_row_with_the_run_that_wrote_it(old: Lake) -> None:
    before = {table.name: old.read(table) for table in (MARKET_PRICES, TASK_REQUESTS)}
    runs = old.rows(RUNS)
    compacted = {run.recipe.output_table for run in compact_tables(old, min_files=2)}
    assert compacted >= {"market_prices", "task_requests", "runs"}
    fresh = Lake.open(old.path)
    for name, rows in before.items():
        assert fresh.read(TABLES[name]).equals(rows)
    assert len(fresh.files(MARKET_PRICES, fresh.version(MARKET_PRICES))) == 1
    assert fresh.rows(RUNS) == runs + len(compacted)
    publish_sessions(fresh, 1, start=8)
    assert fresh.rows(MARKET_PRICES) == 9


def test_a_backup_comes_back_with_every_version_and_a_second_one_copies_only_what_is_new(
    old: Lake, tmp_path: Path
) -> None:
    safe, back = tmp_path / "safe", tmp_path / "back"
    first = backup(old, safe)
    publish_sessions(old, 1, start=8)
    second = backup(old, safe)
    assert first.new == first.files
    assert second.new < second.files / 2
    restore(safe, back)
    restored = Lake.open(back)
    assert every_version(restored) == every_version(old)
    assert scrub(restored).findings == ()
    publish_sessions(restored, 1, start=9)
    assert restored.rows(MARKET_PRICES) == 10


def test_a_backup_leaves_out_what_is_not_published(old: Lake, tmp_path: Path) -> None:
    from tests.frames.published import write_session

    with old.lock("a writer that dies"):
        write_session(old, 8)
    backup(old, tmp_path / "safe")
    restore(tmp_path / "safe", tmp_path / "back")
    restored = Lake.open(tmp_path / "back")
    assert restored.newest(MARKET_PRICES) == restored.version(MARKET_PRICES) == 8


def test_a_backup_that_has_changed_is_not_restored(old: Lake, tmp_path: Path) -> None:
    backup(old, tmp_path / "safe")
    file = next(iter((tmp_path / "safe" / "tables" / "market_prices").glob("*.parquet")))
    hurt(file, random.Random(3))
    with pytest.raises(DamageError, match=file.name):
        restore(tmp_path / "safe", tmp_path / "back")
    with pytest.raises(NotALakeError):
        Lake.open(tmp_path / "back")


def test_a_backup_of_a_lake_that_was_restored_and_went_another_way_is_of_the_lake_as_it_is(
    old: Lake, tmp_path: Path
) -> None:
    backup(old, tmp_path / "early")
    publish_sessions(old, 1, start=8)
    backup(old, tmp_path / "safe")
    restore(tmp_path / "early", tmp_path / "again")
    again = Lake.open(tmp_path / "again")
    publish_sessions(again, 1, start=8)
    backup(again, tmp_path / "safe")
    restore(tmp_path / "safe", tmp_path / "back")
    assert scrub(Lake.open(tmp_path / "back")).findings == ()
    assert every_version(Lake.open(tmp_path / "back")) == every_version(again)


def test_a_backup_of_another_lake_is_not_written_over(old: Lake, tmp_path: Path) -> None:
    backup(old, tmp_path / "safe")
    before = (tmp_path / "safe" / "backup.json").read_bytes()
    with pytest.raises(NotALakeError, match=r"contains a backup of another lake, made \d{4}-.*; name another folder"):
        backup(Lake.create(tmp_path / "other"), tmp_path / "safe")
    assert (tmp_path / "safe" / "backup.json").read_bytes() == before


def test_neither_a_backup_nor_a_lake_lies_within_the_other(old: Lake, tmp_path: Path) -> None:
    with pytest.raises(NotALakeError, match=r"is inside .* would be lost with it"):
        backup(old, old.path / "safe")
    backup(old, tmp_path / "safe")
    with pytest.raises(NotALakeError, match=r"is inside .* would be lost with it"):
        restore(tmp_path / "safe", tmp_path / "safe" / "back")
    assert not (old.path / "safe").exists()


def test_nothing_changed_since_is_nothing_new(old: Lake, tmp_path: Path) -> None:
    backup(old, tmp_path / "safe")
    assert backup(old, tmp_path / "safe").new == 0


def test_a_restore_that_came_to_nothing_leaves_an_empty_folder_for_the_next(old: Lake, tmp_path: Path) -> None:
    backup(old, tmp_path / "safe")
    file = next(iter((tmp_path / "safe" / "tables" / "market_prices").glob("*.parquet")))
    sound = file.read_bytes()
    file.write_bytes(sound[:-1])
    with pytest.raises(DamageError, match=file.name):
        restore(tmp_path / "safe", tmp_path / "back")
    assert list((tmp_path / "back").iterdir()) == []
    file.write_bytes(sound)
    restore(tmp_path / "safe", tmp_path / "back")
    assert every_version(Lake.open(tmp_path / "back")) == every_version(old)


def test_restoring_never_writes_over_anything(old: Lake, tmp_path: Path) -> None:
    backup(old, tmp_path / "safe")
    with pytest.raises(NotALakeError, match="not empty"):
        restore(tmp_path / "safe", old.path)
    with pytest.raises(NotALakeError, match="neither empty nor a backup"):
        backup(old, tmp_path)
    with pytest.raises(NotALakeError, match="is not a backup; name a folder that `nextgen backup` wrote"):
        restore(old.path, tmp_path / "back")


def test_another_tool_cannot_vacuum_history_away(old: Lake) -> None:
    with pytest.raises(DeltaError):
        DeltaTable(old.uri(INSTRUMENTS)).vacuum(168, dry_run=False)
