"""What a worker does for a task, on real lakes."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.errors import LakeError
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS
from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.market import INSTRUMENTS, MARKET_PRICES
from lake.tables.news import RAW_NEWS
from pipeline.config.loading import load
from pipeline.control.workers.job import Job
from pipeline.control.workers.market_moment import find_market_moment
from pipeline.control.workers.task_actions import perform
from pipeline.engine.runner import Runner
from pipeline.market.sessions import exchange_sessions
from tests.frames.published import publish_sessions
from tests.new_lake import new_lake
from tests.pipeline.ingestion.intraday.five_minutes import at, write_bars

MAINTAIN = ("maintain",)


def order(*run: str, **given: Any) -> Job:
    """An order due now."""
    legal: dict[str, Any] = {
        "task": "upkeep",
        "slot": "2026-01-05",
        "attempt": 0,
        "run": run,
        "session": None,
        "due_at": datetime(2026, 1, 5, 11, tzinfo=UTC),
        "timeout": timedelta(hours=1),
        "grace": timedelta(seconds=10),
    }
    return Job(**(legal | given))


@pytest.fixture(scope="module")
def worn(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of 52 sessions, each with its own small files, and a file that nothing names."""
    lake = new_lake(tmp_path_factory.mktemp("worn") / "lake")
    lake.durable = False
    publish_sessions(lake, 52)
    orphan = Path(lake.uri(INSTRUMENTS)) / "part-orphan.parquet"
    orphan.write_bytes(b"half")
    os.utime(orphan, (0, 0))
    return lake


def test_upkeep_compacts_what_is_due_gives_back_what_nothing_needs_and_keeps_every_version_of_every_run(
    worn: Lake,
) -> None:
    named = worn.read(RUNS).select("output_table", "output_version").unique(maintain_order=True).rows()
    before = {(name, version): worn.read(TABLES[name], version=version) for name, version in named}
    reader = Lake.open(worn.path)
    reader.read(MARKET_PRICES)
    assert perform(worn, order(*MAINTAIN), {"NEXTGEN_RUNTIME__DURABLE": "false"}).ok
    fresh = Lake.open(worn.path)
    assert len(fresh.files(MARKET_PRICES, fresh.newest(MARKET_PRICES))) == 1
    assert fresh.read(RUNS, where=pl.col("stage") == "compact").height >= 1
    assert not (Path(worn.uri(INSTRUMENTS)) / "part-orphan.parquet").exists()
    for (name, version), rows in before.items():
        assert fresh.read(TABLES[name], version=version).equals(rows)
    assert reader.read(MARKET_PRICES).equals(before["market_prices", 52]), "who was reading goes on reading"


def test_upkeep_of_a_tidy_lake_changes_nothing(worn: Lake) -> None:
    perform(worn, order(*MAINTAIN), {"NEXTGEN_RUNTIME__DURABLE": "false"})
    versions = {name: worn.newest(table) for name, table in TABLES.items()}
    perform(worn, order(*MAINTAIN), {"NEXTGEN_RUNTIME__DURABLE": "false"})
    assert {name: worn.newest(table) for name, table in TABLES.items()} == versions


def test_a_cycle_that_nobody_bounded_does_not_make_up_years_and_says_how_to(worn: Lake) -> None:
    given = {"NEXTGEN_SOURCE__NAME": "files", "NEXTGEN_SOURCE__FILES__PRICES": str(worn.path)}
    before = worn.newest(RUNS)
    for asked_for, session in ((True, None), (False, date(2026, 1, 5))):
        with pytest.raises(LakeError, match=r"up to 2021-04-21, 1,7\d\d days before 2026-01-0\d.*replay --to"):
            perform(worn, order("cycle", session=session, requested=asked_for), given)
    assert worn.newest(RUNS) == before


def test_a_snapshot_is_taken_as_of_the_moment_its_slot_was_due_and_not_again_where_a_later_one_is_there(
    tmp_path: Path,
) -> None:
    write_bars(tmp_path / "bars.csv", {at(end): 100.0 for end in range(5, 65, 5)})
    lake = new_lake(tmp_path / "lake")
    given = {f"NEXTGEN_SOURCE__FILES__{name}": str(tmp_path / "bars.csv") for name in ("PRICES", "INTRADAY")}
    given |= {"NEXTGEN_SOURCE__NAME": "files", "NEXTGEN_SOURCE__FILES__INTERVALS": "1d,5m"}
    report = perform(lake, order("snapshot", due_at=at(32), session=at(0).date()), given)
    assert report.cycle_id == "snapshot-20250602T140200Z"
    assert Lake.open(lake.path).read(INTRADAY_PRICES)["ts"].max() == at(30)
    before = lake.newest(RUNS)
    assert perform(lake, order("snapshot", due_at=at(20), session=at(0).date()), given).cycle_id == report.cycle_id
    assert lake.newest(RUNS) == before


def test_news_is_landed_up_to_the_moment_its_slot_was_due_for_the_session_to_come(tmp_path: Path) -> None:
    (tmp_path / "news.csv").write_text(f"published_at,title,tickers\n{at(20)},early,AAA\n{at(40)},late,AAA\n")
    write_bars(tmp_path / "bars.csv", {at(5): 100.0})
    lake = new_lake(tmp_path / "lake")
    given = {"NEXTGEN_SOURCE__NAME": "files", "NEXTGEN_SOURCE__FILES__NEWS": str(tmp_path / "news.csv")}
    given |= {"NEXTGEN_SOURCE__FILES__PRICES": str(tmp_path / "bars.csv"), "NEXTGEN_SOURCE__FILES__INTERVAL": "5m"}
    report = perform(lake, order("news", due_at=at(32), session=at(0).date()), given)
    assert report.cycle_id == "news-20250602T140200Z"
    (landed,) = Lake.open(lake.path).read(RAW_NEWS).to_dicts()
    assert landed["session"] == at(0).date() and "early" in landed["payload"] and "late" not in landed["payload"]


def test_a_snapshot_of_a_simulated_market_is_as_far_into_its_session_to_come_as_the_clock_is_into_its_own(
    worn: Lake, tmp_path: Path
) -> None:
    settings = load(None, {"NEXTGEN_SOURCE__NAME": "simulated"}).settings
    runner, calendar = Runner(worn, settings), exchange_sessions()
    now = calendar.open_at(date(2026, 1, 5)) + timedelta(minutes=45)
    ahead = date(2021, 4, 22)
    assert find_market_moment(runner, now + timedelta(microseconds=7)) == calendar.open_at(ahead) + timedelta(
        minutes=45
    )
    assert find_market_moment(runner, now + timedelta(hours=20)) == calendar.close_at(ahead), "it has no later moment"
    caught_up = calendar.open_at(ahead) - timedelta(hours=1)
    assert find_market_moment(runner, caught_up) == caught_up
    assert find_market_moment(Runner(new_lake(tmp_path / "lake"), settings), now) == now, "no session is to come"
