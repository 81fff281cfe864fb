"""Small files are kept at hand as long as somebody asks for them."""

import gc
from pathlib import Path

import polars as pl
import pytest

from lake.storage.memory import file_cache
from lake.storage.memory.file_cache import FileCache
from lake.storage.snapshot import FileSpan
from lake.store import Lake
from lake.tables.control import RUNS
from tests.frames.published import publish_sessions
from tests.new_lake import new_lake

SCHEMA = pl.Schema({"x": pl.Int64})


def written(folder: Path, name: str) -> FileSpan:
    pl.DataFrame({"x": [len(name)]}).write_parquet(folder / name)
    return FileSpan(name, 1, None, None)


def read(reader: FileCache, folder: Path, *files: FileSpan) -> list[int]:
    return reader.scan(folder, files, SCHEMA).collect()["x"].to_list()


def test_a_small_file_is_read_from_disk_once(tmp_path: Path) -> None:
    reader, file = FileCache(), written(tmp_path, "one")
    assert read(reader, tmp_path, file) == [3]
    (tmp_path / "one").unlink()
    assert read(reader, tmp_path, file) == [3]


def test_what_no_read_asks_for_any_more_is_evicted_and_what_they_ask_for_stays(tmp_path: Path) -> None:
    reader, old, asked = FileCache(), written(tmp_path, "old"), written(tmp_path, "asked")
    read(reader, tmp_path, old, asked)
    for name in ("old", "asked"):
        (tmp_path / name).unlink()
    for number in range(file_cache.MAX_IDLE_READS + 1):
        # Every time another list, as when a session's file is added to those of the sessions before it.
        assert read(reader, tmp_path, asked, written(tmp_path, f"f{number}"))[0] == 5
    with pytest.raises(FileNotFoundError):
        read(reader, tmp_path, old)


def test_what_takes_too_much_is_evicted_least_recently_used_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_cache, "MAX_BYTES", 2 * file_cache.MIN_FRAME_BYTES)
    monkeypatch.setattr(file_cache, "MAX_JOINED_FILES", 1)
    reader = FileCache()
    files = [written(tmp_path, name) for name in ("a", "bb", "ccc")]
    for file in files:
        read(reader, tmp_path, file)
        (tmp_path / file.path).unlink()
    assert read(reader, tmp_path, files[2]) == [3]
    assert read(reader, tmp_path, files[1]) == [2]
    with pytest.raises(FileNotFoundError):
        read(reader, tmp_path, files[0])


def test_frames_of_small_files_are_extended_and_the_files_no_longer_cached_singly(tmp_path: Path) -> None:
    reader, files = FileCache(), [written(tmp_path, "first")]
    for number in range(file_cache.MAX_IDLE_READS + 1):
        files.append(written(tmp_path, f"f{number}"))
        assert len(read(reader, tmp_path, *files)) == len(files)
    for file in files:
        (tmp_path / file.path).unlink()
    assert sorted(read(reader, tmp_path, *files, written(tmp_path, "x")))[:2] == [1, 2]
    with pytest.raises(FileNotFoundError):
        read(reader, tmp_path, files[0])


def test_the_columns_of_many_files_are_stored_once(tmp_path: Path) -> None:
    publish_sessions(new_lake(tmp_path / "lake"), 12)
    lake = Lake.open(tmp_path / "lake")
    before = schemas()
    assert lake.read(RUNS).height == 24
    assert schemas() - before < 6


def schemas() -> int:
    gc.collect()
    return sum(type(one) is pl.Schema for one in gc.get_objects())
