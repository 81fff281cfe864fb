"""The lake keeps every version, writes each run once, and never changes what was written once."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lake.errors import BusyError, ConflictError, LakeError, NotALakeError
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import SYSTEM_HEALTH
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from tests.frames.bars import bar_rows
from tests.frames.control import health_rows
from tests.frames.market import actions
from tests.frames.trading import dividend

FIRST, SECOND = date(2021, 3, 1), date(2021, 3, 2)


@pytest.mark.parametrize("columns", [None, ("ticker", "amount")])
def test_a_fact_that_was_taken_back_is_seen_by_nobody_who_came_later(
    lake: Lake, columns: tuple[str, ...] | None
) -> None:
    told = dividend("AAA", SECOND, 1.0, available_at=datetime(2021, 2, 1, tzinfo=UTC))
    back = told | {"revision": 1, "withdrawn": True, "available_at": datetime(2021, 2, 3, tzinfo=UTC)}
    again = told | {"revision": 2, "amount": 2.0, "available_at": datetime(2021, 2, 5, tzinfo=UTC)}
    with lake.lock("test"):
        lake.commit(CORPORATE_ACTIONS, actions(told, back, again), "run", {})

    def seen(day: int) -> list[float]:
        as_of = datetime(2021, 2, day, tzinfo=UTC)
        rows = lake.read(CORPORATE_ACTIONS, version=1, as_of=as_of, columns=columns, every_revision=False)
        assert columns is None or set(rows.columns) == set(columns)
        return rows["amount"].to_list()

    assert [seen(day) for day in (1, 2, 3, 4, 5)] == [[1.0], [1.0], [], [], [2.0]]


def test_a_fact_that_never_was_is_seen_by_nobody(lake: Lake) -> None:
    with lake.lock("test"):
        lake.commit(CORPORATE_ACTIONS, actions(dividend("AAA", SECOND, 1.0) | {"withdrawn": True}), "run", {})
    assert lake.read(CORPORATE_ACTIONS, version=1, every_revision=False).is_empty()
    assert lake.read(CORPORATE_ACTIONS, version=1, every_revision=True).height == 1


def test_a_new_lake_has_every_table_empty_with_its_contracts_columns(lake: Lake) -> None:
    for table in TABLES.values():
        assert lake.read(table).schema == table.stored_schema
        assert lake.newest(table) == 0


def test_creating_a_lake_where_there_is_one_opens_it(lake: Lake) -> None:
    lake.commit(SYSTEM_HEALTH, health_rows({}), "run", {})
    assert Lake.create(lake.path).rows(SYSTEM_HEALTH) == 1


def test_a_lake_works_under_odd_paths(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "John Smith" / "ünï #1" / "what?" / "100 $")
    lake.commit(SYSTEM_HEALTH, health_rows({"value": float("inf")}).fill_null(0), "run", {})
    assert Lake.open(lake.path).read(SYSTEM_HEALTH, where=pl.col("value") > 0).height == 1


@pytest.mark.parametrize("name", ["a%20b", "a[1]", "a*"])
def test_a_path_the_storage_library_misreads_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotALakeError, match="choose another folder"):
        Lake.create(tmp_path / name)


def test_a_folder_with_other_things_in_it_does_not_become_a_lake(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(NotALakeError, match="neither empty nor a lake"):
        Lake.create(tmp_path)


def test_a_missing_lake_is_answered_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotALakeError, match="nextgen init"):
        Lake.open(tmp_path / "nowhere")


def test_a_lake_of_a_newer_program_is_left_alone(lake: Lake) -> None:
    (lake.path / "lake.json").write_text('{"format": 99}')
    with pytest.raises(NotALakeError, match="upgrade the program"):
        Lake.open(lake.path)


def test_the_same_rows_again_make_no_new_version(lake: Lake) -> None:
    first = lake.commit(SYSTEM_HEALTH, health_rows({}), "one", {})
    again = lake.commit(SYSTEM_HEALTH, health_rows({}), "two", {})
    assert (first.version, first.rows) == (1, 1)
    assert (again.version, again.rows) == (1, 0)


def test_the_same_run_writes_once_whatever_it_brings(lake: Lake) -> None:
    lake.commit(SYSTEM_HEALTH, health_rows({}), "one", {})
    again = lake.commit(SYSTEM_HEALTH, health_rows({"check": "other"}), "one", {})
    assert (again.version, again.rows) == (1, 0)
    assert lake.rows(SYSTEM_HEALTH) == 1


def test_a_merge_table_takes_the_new_value_and_keeps_the_old_version(lake: Lake) -> None:
    lake.commit(SYSTEM_HEALTH, health_rows({"value": 1.0}, {"check": "other"}), "one", {})
    written = lake.commit(SYSTEM_HEALTH, health_rows({"value": 2.0}, {"session": SECOND}), "two", {})
    assert written.rows == 2
    now = lake.read(SYSTEM_HEALTH, where=pl.col("check") == "last run")
    assert now.select("session", "value", "run_id").rows() == [(FIRST, 2.0, "two"), (SECOND, 1.0, "two")]
    assert lake.read(SYSTEM_HEALTH, version=1)["value"].to_list() == [1.0, 1.0]
    assert lake.read(SYSTEM_HEALTH).filter(check="other")["run_id"].to_list() == ["one"]


def test_an_append_table_refuses_to_change_a_row_and_writes_nothing(lake: Lake) -> None:
    with lake.lock("test"):
        lake.commit(MARKET_PRICES, bar_rows({"close": 10.0}), "one", {})
        changed = bar_rows({"close": 10.5}, {"ticker": "NEW"})
        with pytest.raises(ConflictError, match=r"1 rows already exist.*'ticker': 'AAA'"):
            lake.commit(MARKET_PRICES, changed, "two", {})
        assert lake.newest(MARKET_PRICES) == 1


def test_a_table_that_runs_publish_is_written_only_under_the_lock(lake: Lake) -> None:
    with pytest.raises(LakeError, match="writer lock"):
        lake.commit(MARKET_PRICES, bar_rows({}), "one", {})


def test_readers_do_not_see_what_is_not_published(lake: Lake) -> None:
    with lake.lock("test"):
        lake.commit(MARKET_PRICES, bar_rows({}), "one", {})
    assert lake.newest(MARKET_PRICES) == 1
    assert lake.version(MARKET_PRICES) == 0
    assert lake.read(MARKET_PRICES).is_empty()


def test_a_second_writer_learns_who_holds_the_lock(lake: Lake) -> None:
    other = (
        "import sys; from lake.store import Lake; from pathlib import Path\n"
        "with Lake.open(Path(sys.argv[1])).lock('mine'): pass"
    )
    with lake.lock("a long replay"):
        result = subprocess.run(
            [sys.executable, "-c", other, str(lake.path)], capture_output=True, text=True, check=False
        )
    assert result.returncode == 1
    assert BusyError.__name__ in result.stderr
    assert "a long replay" in result.stderr
    again = subprocess.run([sys.executable, "-c", other, str(lake.path)], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr


def test_reading_as_of_a_time_shows_the_revision_known_then(lake: Lake) -> None:
    first = bar_rows({"close": 10.0})
    known = first["available_at"][0]
    later = known.replace(day=known.day + 1)
    with lake.lock("test"):
        lake.commit(MARKET_PRICES, first, "one", {})
        lake.commit(MARKET_PRICES, bar_rows({"close": 10.1, "revision": 1, "available_at": later}), "two", {})

    def closes(**at: object) -> list[float]:
        return lake.read(MARKET_PRICES, version=2, every_revision=False, **at)["close"].to_list()  # type: ignore[arg-type]

    assert closes(as_of=known) == [10.0]
    assert closes(as_of=later) == [10.1]
    assert closes() == [10.1]
    assert lake.read(MARKET_PRICES, version=2)["close"].to_list() == [10.0, 10.1]


def test_a_span_of_the_clock_reads_only_its_rows(lake: Lake) -> None:
    for number, day in enumerate((FIRST, SECOND, date(2021, 3, 3))):
        lake.commit(SYSTEM_HEALTH, health_rows({"session": day}), f"run {number}", {})
    assert lake.read(SYSTEM_HEALTH, since=SECOND, until=SECOND)["session"].to_list() == [SECOND]


def test_the_last_value_of_a_clock_is_found_however_long_ago_it_was(lake: Lake) -> None:
    days = [FIRST - timedelta(days=back) for back in (0, 3, 100, 1_000, 3_000)]
    rows = [{"session": day, "ticker": "AAA" if back else "BBB"} for back, day in enumerate(days)]
    with lake.lock("test"):
        for number, row in enumerate(rows):
            lake.commit(MARKET_PRICES, bar_rows(row), f"run-{number}", {})
    own = pl.col("ticker") == "AAA"
    assert [lake.last_clock(MARKET_PRICES, until=day) for day in days] == days
    assert lake.last_clock(MARKET_PRICES, until=date.max, where=own) == days[1]
    assert lake.last_clock(MARKET_PRICES, until=days[4] - timedelta(days=1)) is None
    assert lake.last_clock(MARKET_PRICES, until=date.max, version=0) is None
    assert lake.last_clock(MARKET_PRICES, until=date.max, where=pl.col("ticker") == "NONE") is None


def test_the_recipe_lies_in_the_commit_with_the_rows(lake: Lake) -> None:
    lake.commit(SYSTEM_HEALTH, health_rows({}), "one", {"seed": 7})
    newest = lake.history(SYSTEM_HEALTH)[0]
    assert (newest["version"], newest["run_id"], newest["recipe"]["seed"]) == (1, "one", 7)


def test_a_version_that_does_not_exist_is_named(lake: Lake) -> None:
    with pytest.raises(LakeError, match="system_health has no version 9, the newest is 0"):
        lake.read(SYSTEM_HEALTH, version=9)


def test_a_lake_is_opened_by_its_path_as_text_too(lake: Lake) -> None:
    assert Lake.open(str(lake.path)).path == lake.path
    with pytest.raises(NotALakeError, match="no-such-lake"):
        Lake.open("no-such-lake")
