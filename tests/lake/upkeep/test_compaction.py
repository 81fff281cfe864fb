"""Compaction beside processes that append: what another wrote in the meantime is never written over."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lake.errors import OvertakenError
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS, TASK_REQUESTS
from lake.tables.market import MARKET_PRICES
from lake.upkeep.compaction import compact_tables
from tests.frames.published import publish_sessions, request_rows
from tests.new_lake import new_lake


@pytest.fixture
def asked(tmp_path: Path) -> Lake:
    """A lake with six requests, each in a file of its own."""
    lake = new_lake(tmp_path / "lake")
    lake.durable = False
    for number in range(6):
        lake.commit(TASK_REQUESTS, request_rows(number), f"request {number}", {})
    return lake


def test_rows_read_before_another_appended_cannot_replace_the_table(asked: Lake) -> None:
    before = asked.newest(TASK_REQUESTS)
    rows = asked.read(TASK_REQUESTS)
    Lake.open(asked.path).commit(TASK_REQUESTS, request_rows(6), "request 6", {})
    with asked.lock("compact"), pytest.raises(OvertakenError, match="task_requests"):
        asked.rewrite(TASK_REQUESTS, rows, rows["requested_at"][0], "compact", {}, before=before)
    assert Lake.open(asked.path).rows(TASK_REQUESTS) == 7


def test_no_acknowledged_append_is_lost_to_compactions_beside_it(asked: Lake) -> None:
    acknowledged = 6
    done = threading.Event()

    def append() -> None:
        nonlocal acknowledged
        other = Lake.open(asked.path)
        other.durable = False
        for number in range(6, 46):
            other.commit(TASK_REQUESTS, request_rows(number), f"request {number}", {})
            acknowledged += 1
        done.set()

    beside = threading.Thread(target=append)
    beside.start()
    while not done.is_set():
        compact_tables(asked, min_files=2)
    beside.join()
    compacted = compact_tables(asked, min_files=2)
    whole = Lake.open(asked.path)
    assert acknowledged == whole.rows(TASK_REQUESTS) == 46
    assert whole.read(TASK_REQUESTS)["request_id"].n_unique() == 46
    assert len(compacted) <= 2
    assert len(whole.files(TASK_REQUESTS, whole.newest(TASK_REQUESTS))) < 46


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
