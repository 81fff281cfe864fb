"""What another program does to a table is told with the way out, and set aside without a loss of what is published."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import deltalake
import polars as pl
import pytest

from lake.errors import LakeError
from lake.foreign import discard_foreign_commits, find_foreign_commits, find_missing_files
from lake.publication import find_unpublished
from lake.store import Lake
from lake.tables.control import TASK_REQUESTS
from lake.tables.market import MARKET_PRICES
from nextgen_tui.cli.main import outcome
from pipeline.reading.health_verdict import judge_health
from tests.copies import copy_lake
from tests.frames.published import publish_sessions
from tests.new_lake import new_lake


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = new_lake(tmp_path_factory.mktemp("published") / "lake")
    publish_sessions(lake, 4)
    return lake.path


@pytest.fixture
def path(published: Path, tmp_path: Path) -> Path:
    copy_lake(published, tmp_path / "lake")
    return tmp_path / "lake"


def opened(path: Path, name: str = MARKET_PRICES.name) -> deltalake.DeltaTable:
    return deltalake.DeltaTable(str(path / "tables" / name))


def add_column(table: deltalake.DeltaTable) -> None:
    rows = pl.from_arrow(table.to_pyarrow_table())
    assert isinstance(rows, pl.DataFrame)
    deltalake.write_deltalake(
        table, rows.head(2).with_columns(foreign=pl.lit(1)).to_arrow(), mode="append", schema_mode="merge"
    )


def overwrite(table: deltalake.DeltaTable) -> None:
    deltalake.write_deltalake(table, table.to_pyarrow_table().slice(0, 1), mode="overwrite")


def restore(table: deltalake.DeltaTable) -> None:
    table.restore(table.version() - 1)


CHANGES: dict[str, Callable[[deltalake.DeltaTable], object]] = {
    "OPTIMIZE": lambda table: table.optimize.compact(),
    "DELETE": lambda table: table.delete(),
    "UPDATE": lambda table: table.update(updates={"close": "close * 2"}),
    "RESTORE": restore,
    "WRITE": overwrite,
    "ADD COLUMN": add_column,
}
LIKE_A_WRITE = ("DELETE", "UPDATE", "RESTORE")
"""Commits that, as one of WRITE does, leave other rows than were published."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LIKE_A_WRITE else name for name in CHANGES]
)
def test_a_commit_on_top_of_what_is_published_is_told_and_set_aside(path: Path, name: str) -> None:
    before = Lake.open(path).read(MARKET_PRICES)
    CHANGES[name](opened(path))
    opened(path).create_checkpoint()
    lake = Lake.open(path)
    assert [commit.table for commit in find_foreign_commits(lake)] == ["market_prices"]
    assert lake.read(MARKET_PRICES).equals(before), "readers stay at what is published"
    health = judge_health(lake, datetime(2026, 1, 5, 22, tzinfo=UTC))
    told = next(problem for problem in health.problems if problem.part == "tables")
    assert (told.status, told.what.startswith("market_prices was changed by another program: ")) == ("fail", True)
    assert "recover --discard-foreign" in told.fix
    with pytest.raises(LakeError, match="recover --discard-foreign"):
        find_unpublished(lake)
    with lake.lock("test"):
        assert discard_foreign_commits(lake)
    lake = Lake.open(path)
    assert find_foreign_commits(lake) == []
    assert find_unpublished(lake) == []
    assert lake.read(MARKET_PRICES).equals(before)
    assert opened(path).version() == lake.published_versions()["market_prices"]
    publish_sessions(lake, 5, 4)


def test_a_vacuum_that_took_published_files_is_told_before_a_cycle_needs_them(path: Path) -> None:
    opened(path).optimize.compact()
    opened(path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    lake = Lake.open(path)
    assert len(find_missing_files(lake)) == 4
    told = next(
        one for one in judge_health(lake, datetime(2026, 1, 5, 22, tzinfo=UTC)).problems if one.part == "tables"
    )
    assert "4 data files of what is published are gone" in told.what
    assert "restore" in told.fix


def test_the_daemons_tables_are_read_on_beside_foreign_rows_and_columns(path: Path) -> None:
    before = Lake.open(path).read(TASK_REQUESTS)["request_id"].to_list()
    assert find_foreign_commits(Lake.open(path)) == []
    add_column(opened(path, TASK_REQUESTS.name))
    lake = Lake.open(path)
    assert set(lake.read(TASK_REQUESTS)["request_id"]) == set(before)
    assert lake.read(TASK_REQUESTS).height == len(before) + 2
    (found,) = find_foreign_commits(lake)
    assert (found.table, found.stops) == ("task_requests", False)
    told = next(
        one for one in judge_health(lake, datetime(2026, 1, 5, 22, tzinfo=UTC)).problems if one.part == "tables"
    )
    assert (told.status, "task_requests" in told.what) == ("warn", True)
    publish_sessions(lake, 1, 4)
    assert Lake.open(path).read(TASK_REQUESTS).height == len(before) + 3


def test_recover_discards_what_is_foreign_only_where_it_is_asked_to(path: Path) -> None:
    opened(path).delete()
    assert outcome(["recover", "--lake", str(path)]) != 0
    assert outcome(["recover", "--discard-foreign", "--lake", str(path)]) == 0
    assert outcome(["recover", "--lake", str(path)]) == 0
