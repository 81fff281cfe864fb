"""Few rows are appended without the Delta library, and no other program sees a difference."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from lake.errors import ContractError
from lake.storage import appending, delta_log
from lake.store import Lake
from lake.tables.control import TASK_REQUESTS
from lake.tables.market import MARKET_PRICES
from tests.frames.bars import bar_rows
from tests.frames.published import FIRST, publish_sessions, request_rows


def opened(lake: Lake, name: str) -> DeltaTable:
    return DeltaTable(str(lake.path / "tables" / name))


def made_by(lake: Lake, name: str) -> list[str]:
    """Who made each commit, the newest last."""
    return [str(entry["engineInfo"]).split(":")[0] for entry in reversed(opened(lake, name).history())]


def test_the_library_reads_what_was_appended_without_it_and_appends_after_it(lake: Lake) -> None:
    publish_sessions(lake, 3)
    assert made_by(lake, "market_prices")[1:] == ["nextgen"] * 3
    theirs = pl.DataFrame(opened(lake, "market_prices").to_pyarrow_table())
    assert_frame_equal(theirs.sort("session"), lake.read(MARKET_PRICES).sort("session"), check_column_order=False)
    lake.checkpoint(MARKET_PRICES)
    publish_sessions(lake, 1, start=3)
    assert opened(lake, "market_prices").version() == 4
    assert pl.DataFrame(opened(lake, "market_prices").to_pyarrow_table()).height == 4


def test_many_rows_are_one_commit_of_several_files_that_the_library_reads(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("MAX_ROWS", "BLOCK"):
        monkeypatch.setattr(f"lake.storage.writer.{limit}", 2)
    for first, count in ((0, 2), (2, 3), (5, 1)):
        lake.commit(TASK_REQUESTS, pl.concat(map(request_rows, range(first, first + count))), f"from {first}", {})
    assert made_by(lake, "task_requests")[1:] == ["nextgen"] * 3
    assert [len(one["files"]) for one in lake.history(TASK_REQUESTS)][:3] == [1, 2, 1]
    theirs = pl.DataFrame(opened(lake, "task_requests").to_pyarrow_table())
    assert_frame_equal(theirs.sort("request_id"), lake.read(TASK_REQUESTS), check_column_order=False)
    assert sorted(lake.read(TASK_REQUESTS)["request_id"]) == [f"request {number}" for number in range(6)]


def test_a_table_that_another_tool_gave_a_newer_protocol_is_left_to_the_library(lake: Lake) -> None:
    lake.commit(TASK_REQUESTS, request_rows(1), "one", {})
    opened(lake, "task_requests").alter.add_constraint({"named": "request_id <> ''"})
    lake.commit(TASK_REQUESTS, request_rows(2), "two", {})
    assert made_by(lake, "task_requests")[-1] == "delta-rs"
    lake.checkpoint(TASK_REQUESTS)
    again = Lake.open(lake.path)
    again.commit(TASK_REQUESTS, request_rows(3), "three", {})
    assert made_by(lake, "task_requests")[-1] == "delta-rs", "a checkpoint says which protocol it is, too"
    assert again.read(TASK_REQUESTS).height == 3


def test_the_entry_says_which_rows_the_file_can_hold(lake: Lake) -> None:
    days = [FIRST + timedelta(days=number) for number in range(3)]
    rows = bar_rows(*({"session": day, "ticker": name} for day, name in zip(days, "CAB", strict=True)))
    with lake.lock("a test"):
        lake.commit(MARKET_PRICES, rows, "somebody", {})
    (added,) = (
        one["add"] for one in delta_log.read_actions(delta_log.entry_path(lake.uri(MARKET_PRICES), 1)) if "add" in one
    )
    told = json.loads(added["stats"])
    assert told["numRecords"] == 3
    assert (told["minValues"]["session"], told["maxValues"]["session"]) == (str(days[0]), str(days[2]))
    assert (told["minValues"]["ticker"], told["maxValues"]["ticker"]) == ("A", "C")
    assert told["maxValues"]["ts"].endswith("Z")
    assert added["size"] == (Path(lake.uri(MARKET_PRICES)) / added["path"]).stat().st_size


def test_a_value_that_may_not_be_missing_is_asked_for_as_the_library_does(lake: Lake) -> None:
    rows = request_rows(1).with_columns(action=pl.lit(None, dtype=pl.String))
    with pytest.raises(ContractError, match=r"task_requests: 1 of 1 rows have no action; nothing was written"):
        lake.commit(TASK_REQUESTS, rows, "one", {})
    assert lake.newest(TASK_REQUESTS) == 0


def test_of_blocks_that_cannot_all_be_written_no_file_is_left(lake: Lake) -> None:
    rows = request_rows(1).with_columns(run_id=pl.lit("somebody"))
    blocks = (rows, rows.with_columns(action=pl.lit(None, dtype=pl.String)))
    with pytest.raises(ContractError, match="have no action"):
        appending.append_files(lake.uri(TASK_REQUESTS), TASK_REQUESTS, 1, blocks, {})
    assert list(Path(lake.uri(TASK_REQUESTS)).glob("*.parquet")) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
def test_a_disk_that_is_full_leaves_no_view_of_a_buffer_to_be_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view of a buffer, kept by a traceback, ends the process where Python collects the buffer first."""
    monkeypatch.setattr(appending, "uuid4", lambda: "1")
    (tmp_path / "part-00000-1-c000.zstd.parquet").symlink_to("/dev/full")
    rows = bar_rows({"session": FIRST}).with_columns(run_id=pl.lit("somebody"))
    with pytest.raises(OSError, match="No space left") as caught:
        appending.write_file(str(tmp_path), MARKET_PRICES, "00000", rows)
    held = [value for one in caught.traceback for value in one.frame.f_locals.values()]
    assert any(isinstance(value, BytesIO) for value in held), "the traceback keeps the buffer"
    assert not any(isinstance(value, memoryview) and isinstance(value.obj, BytesIO) for value in held)


def test_of_two_that_make_one_version_the_second_is_told_and_leaves_nothing(lake: Lake) -> None:
    uri, rows = lake.uri(TASK_REQUESTS), request_rows(1).with_columns(run_id=pl.lit("somebody"))
    told: list[object] = []

    def make() -> None:
        try:
            told.append(appending.append_files(uri, TASK_REQUESTS, 1, [rows], {}))
        except FileExistsError as error:
            told.append(error)

    racers = [threading.Thread(target=make) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    names = [name for one in told if isinstance(one, list) for name in one]
    assert len(told) == 4
    assert [path.name for path in Path(uri).glob("*.parquet")] == names
    assert len(names) == 1
    assert sorted(path.name for path in (Path(uri) / "_delta_log").iterdir()) == [
        f"{version:020d}.json" for version in range(2)
    ]


def test_what_the_writer_kept_of_its_own_appends_is_what_the_files_hold(lake: Lake) -> None:
    publish_sessions(lake, 3)
    assert_frame_equal(lake.read(MARKET_PRICES), Lake.open(lake.path).read(MARKET_PRICES))
