"""A backup comes back with every version, and neither backup nor restore writes over anything."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lake.errors import DamageError, NotALakeError
from lake.store import Lake
from lake.tables.market import MARKET_PRICES
from lake.upkeep.backup import backup, restore
from lake.upkeep.scrub import scrub
from tests.frames.published import publish_sessions
from tests.lake.upkeep.conftest import every_version, hurt


def test_a_restore_never_empties_a_lake_even_if_the_mark_of_its_creation_came_back(old: Lake, tmp_path: Path) -> None:
    backup(old, tmp_path / "safe")
    (old.path / ".creating").touch()
    rows = old.rows(MARKET_PRICES)
    with pytest.raises(NotALakeError, match="is not empty"):
        restore(tmp_path / "safe", old.path)
    assert Lake.open(old.path).rows(MARKET_PRICES) == rows


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
