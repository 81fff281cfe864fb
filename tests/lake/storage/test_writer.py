"""Several writers at once lose and double nothing, and what is not ours to write is left alone."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake
from polars.testing import assert_frame_equal

from lake.contract import Table
from lake.errors import NotALakeError, StorageError
from lake.storage import writer
from lake.storage.disk import as_storage_error, require_free_space
from lake.store import Lake
from lake.tables.control import TASK_REQUESTS
from lake.tables.feedback import SESSION_SCORES
from lake.tables.market import INSTRUMENTS, MARKET_PRICES
from lake.upkeep.vacuum import vacuum
from tests.frames.published import FIRST, publish_sessions, request_rows, write_session
from tests.new_lake import new_lake

ROOT = Path(__file__).parents[3]
WRITER = """
import sys
from pathlib import Path
from lake.store import Lake
from lake.tables.control import TASK_REQUESTS
from tests.frames.published import request_rows
lake = Lake.open(Path(sys.argv[1])); lake.durable = False
for number in range(int(sys.argv[2])):
    lake.commit(TASK_REQUESTS, request_rows(number), f"request {number}", {})
"""


def race(lake: Path, processes: int, commits: int) -> list[str]:
    """The same commits from several processes at once; the request ids that are there afterwards."""
    started = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(lake), str(commits)], cwd=ROOT) for _ in range(processes)
    ]
    assert [process.wait() for process in started] == [0] * processes
    ids: list[str] = Lake.open(lake).read(TASK_REQUESTS)["request_id"].to_list()
    return ids


def test_processes_that_commit_the_same_write_it_once_even_to_a_table_not_yet_there(lake: Lake) -> None:
    shutil.rmtree(lake.uri(TASK_REQUESTS))
    assert sorted(race(lake.path, 3, 8)) == sorted(f"request {number}" for number in range(8))


@pytest.mark.torture
def test_a_thousand_commits_from_four_processes_are_each_there_once(lake: Lake) -> None:
    shutil.rmtree(lake.uri(TASK_REQUESTS))
    assert sorted(race(lake.path, 4, 1_000)) == sorted(f"request {number}" for number in range(1_000))


def any_rows(table: Table, count: int) -> pl.DataFrame:
    """Rows of a table, in no order, whatever they mean."""

    def value(dtype: pl.DataType, number: int) -> object:
        if dtype == pl.Date:
            return FIRST + timedelta(days=number % 5)
        if dtype == pl.Datetime:
            return datetime(2021, 3, 1, tzinfo=UTC) + timedelta(microseconds=number)
        if dtype == pl.String:
            return f"{number * 7 % count:03}"
        return [number] * (number % 3) if dtype.is_nested() else number

    schema = table.schema
    return pl.DataFrame([{name: value(schema[name], n) for name in schema} for n in range(count)], schema=schema)


@pytest.mark.parametrize("table", [MARKET_PRICES, SESSION_SCORES], ids=lambda table: table.name)
def test_many_rows_are_written_a_block_at_a_time_as_they_would_be_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: Table
) -> None:
    rows, stored = any_rows(table, 100), []
    for blocks in (1_000, 7):
        monkeypatch.setattr(writer, "BLOCK", blocks)
        lake = new_lake(tmp_path / f"in blocks of {blocks}")
        with lake.lock("a test"):
            assert lake.commit(table, rows, "many", {}).rows == 100
        (file,) = Path(lake.uri(table)).glob("*.parquet")
        stored.append(pl.read_parquet(file))
        assert_frame_equal(lake.read(table, version=1).drop("run_id"), rows.sort(table.key))
    assert stored[0][table.clock].is_sorted()
    assert_frame_equal(stored[1], stored[0])


def test_a_foreign_table_of_the_same_name_is_left_alone(lake: Lake) -> None:
    folder = Path(lake.uri(MARKET_PRICES))
    shutil.rmtree(folder)
    write_deltalake(str(folder), pl.DataFrame({"isin": ["DE000"], "close": [1.0]}))
    before = sorted(folder.rglob("*"))
    with pytest.raises(NotALakeError, match=r"market_prices.*'isin'.*use that program"):
        publish_sessions(Lake.open(lake.path), 1)
    assert sorted(folder.rglob("*")) == before


def test_a_full_disk_is_refused_before_the_first_write(lake: Lake) -> None:
    with pytest.raises(StorageError, match="free some space, nothing was written"):
        require_free_space(lake.path, min_free=1 << 60)


def test_on_a_full_disk_a_request_is_refused_in_words_alone_and_gc_still_gives_room_back(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    orphan = Path(lake.uri(TASK_REQUESTS)) / "part-orphan.parquet"
    orphan.write_bytes(b"half")
    os.utime(orphan, (0, 0))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(1 << 30, 1 << 30, 4096))
    with pytest.raises(StorageError, match=r"0 MB are free .* writing task_requests needs 1 MB; free some space"):
        lake.commit(TASK_REQUESTS, request_rows(1), "request 1", {})
    assert [one.file for one in vacuum(lake)] == [str(orphan.relative_to(lake.path))]
    assert capfd.readouterr() == ("", ""), "the storage library had no reason to panic"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EROFS, "Read-only file system"), "make it writable"),
        (OSError(errno.ENOSPC, "No space left on device"), "free some space"),
        (RuntimeError("Generic LocalFileSystem error: No space left on device (os error 28)"), "free some space"),
    ],
)
def test_what_a_disk_refuses_is_an_error_that_says_what_to_do(error: Exception, words: str) -> None:
    told = as_storage_error(error, "the rows could not be written")
    assert isinstance(told, StorageError)
    assert words in str(told)


@pytest.mark.parametrize("name", ["new\nline", "tab\t", "no\udcfftext"])
def test_a_path_that_cannot_be_read_back_is_refused_before_anything_is_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotALakeError, match="the path has a control character; choose another folder"):
        Lake.create(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_lake_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("mine")
    with pytest.raises(NotALakeError, match="is a file"):
        Lake.create(tmp_path / "lake")


def test_a_writer_that_comes_back_goes_on_from_what_another_wrote_in_between(lake: Lake) -> None:
    theirs = Lake.open(lake.path)
    publish_sessions(lake, 2)
    publish_sessions(theirs, 2, start=2)
    publish_sessions(lake, 1, start=4)
    seen = Lake.open(lake.path)
    assert seen.read(MARKET_PRICES)["close"].sort().to_list() == [10.0, 10.01, 10.02, 10.03, 10.04]
    assert seen.read(INSTRUMENTS)["name"].to_list() == ["name 4"]


def test_a_writer_that_comes_back_sees_what_took_the_place_of_its_own_unpublished_commit(lake: Lake) -> None:
    theirs = Lake.open(lake.path)
    with lake.lock("cut off before its publication"):
        write_session(lake, 0)
    with theirs.lock("take back what is not published"):
        theirs.discard_unpublished()
    publish_sessions(theirs, 1, start=1)
    publish_sessions(lake, 1, start=2)
    seen = Lake.open(lake.path)
    assert seen.version(MARKET_PRICES) == 2
    assert seen.read(MARKET_PRICES)["close"].sort().to_list() == [10.01, 10.02]
    assert seen.read(INSTRUMENTS)["name"].to_list() == ["name 2"]
