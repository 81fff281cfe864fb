"""What a writer keeps of tables is what a reader with nothing in memory finds in the files, whatever came before."""

from __future__ import annotations

import random
import weakref
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake.contract import Table
from lake.storage.memory import kept_rows
from lake.storage.memory.kept_rows import KeptRows, add_rows
from lake.storage.snapshot import FileSpan, Snapshot
from lake.store import Lake
from lake.tables.market import MARKET_PRICES, TICKER_UNIVERSE
from lake.upkeep.compaction import compact_tables
from tests.frames.bars import bar_rows
from tests.frames.published import FIRST, publish_sessions


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test reaches."""
    monkeypatch.setattr(kept_rows, "FEW_ROWS", 5)
    monkeypatch.setattr(kept_rows, "READS_OF_A_ROUND", 6)


def bars(chance: random.Random, day: int) -> pl.DataFrame:
    """Bars of a session, some of which are further revisions of an earlier session's."""
    rows: list[dict[str, Any]] = []
    for ticker in chance.sample("ABCDEFG", chance.randint(1, 6)):
        back = chance.choice([0, 0, 0, 1, 5]) if day > 5 else 0
        session = FIRST + timedelta(days=day - back)
        known = datetime.combine(FIRST + timedelta(days=day), time(22), UTC)
        price = round(chance.uniform(5, 50), 2)
        rows.append({"ticker": ticker, "session": session, "revision": day if back else 0, "close": price,
                     "available_at": known})  # fmt: skip
    return bar_rows(*rows)


def members(chance: random.Random, day: int) -> pl.DataFrame:
    """Rows of the universe, some of which restate those of a session that is there."""
    rows = [
        {"session": FIRST + timedelta(days=max(day - back, 0)), "ticker": ticker, "member": chance.random() < 0.5}
        for ticker, back in {ticker: chance.choice([0, 0, 3]) for ticker in chance.sample("ABCDE", 3)}.items()
    ]
    return universe_rows(rows)


def universe_rows(rows: list[dict[str, Any]]) -> pl.DataFrame:
    legal = {"reason": "member", "sector": "unknown", "close": None, "dollar_volume": None, "history": 1, "stale": 0}
    return pl.DataFrame([legal | row for row in rows], schema=TICKER_UNIVERSE.schema)


def asks(chance: random.Random, table: Table, day: int) -> Iterator[dict[str, Any]]:
    """Reads as stages make them."""
    for _ in range(chance.randint(1, 5)):
        since = chance.choice([None, FIRST + timedelta(days=max(day - chance.randint(0, 30), 0))])
        until = chance.choice([None, FIRST + timedelta(days=max(day - chance.randint(0, 3), 0))])
        as_of = datetime.combine(FIRST + timedelta(days=day - chance.randint(0, 4)), time(23), UTC)
        yield {
            "since": since,
            "until": until,
            "as_of": chance.choice([None, as_of]),
            "where": chance.choice([None, pl.col("ticker") > "B"]),
            "columns": chance.choice([None, ("ticker", "session"), tuple(reversed(table.columns))]),
            "every_revision": chance.random() < 0.5,
        }


@pytest.mark.parametrize("few", [0, kept_rows.FEW_ROWS], ids=["many", "few"])
@pytest.mark.parametrize(
    ("seed", "days"), [(0, 20), *(pytest.param(seed, 40, marks=pytest.mark.slow) for seed in range(6))]
)
def test_every_read_is_that_of_a_reader_without_memory(
    lake: Lake, seed: int, days: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_rows, "FEW_ROWS", few)
    chance = random.Random(seed)
    with lake.lock("a test"):
        for day in range(days):
            for table, rows in ((MARKET_PRICES, bars(chance, day)), (TICKER_UNIVERSE, members(chance, day))):
                lake.commit(table, rows, f"{table.name} {day}", {"run": {}})
                for asked in asks(chance, table, day):
                    version = lake.newest(table) - chance.choice([0, 0, 0, 1])
                    expected = Lake.open(lake.path).read(table, version=version, **asked)
                    assert_frame_equal(lake.read(table, version=version, **asked), expected)


def test_what_an_attempt_wrote_that_was_discarded_is_forgotten(lake: Lake) -> None:
    publish_sessions(lake, 2)
    with lake.lock("an attempt that fails"):
        lake.commit(
            MARKET_PRICES, bar_rows({"session": FIRST + timedelta(days=7), "close": 1.0}), "failed", {"run": {}}
        )
        assert lake.read(MARKET_PRICES, version=3, since=FIRST).height == 3
        lake.discard_unpublished()
        assert lake.read(MARKET_PRICES, version=2, since=FIRST)["close"].to_list() == [10.0, 10.01]
        lake.commit(MARKET_PRICES, bar_rows({"session": FIRST + timedelta(days=7), "close": 2.0}), "again", {"run": {}})
        assert lake.read(MARKET_PRICES, version=3, since=FIRST)["close"].to_list() == [10.0, 10.01, 2.0]


def test_what_another_process_wrote_and_compacted_in_between_is_seen(lake: Lake) -> None:
    publish_sessions(lake, 2)
    with lake.lock("look"):
        assert lake.read(MARKET_PRICES, since=FIRST).height == 2
    theirs = Lake.open(lake.path)
    publish_sessions(theirs, 2, start=2)
    assert compact_tables(theirs, min_files=2)
    with lake.lock("look again"):
        assert_frame_equal(lake.read(MARKET_PRICES, since=FIRST), Lake.open(lake.path).read(MARKET_PRICES, since=FIRST))
        assert lake.read(MARKET_PRICES, since=FIRST).height == 4


class Files:
    """Days of rows as a table's files, and how many of them were read."""

    def __init__(self, days: int) -> None:
        self.days = [FIRST + timedelta(days=number) for number in range(days)]
        self.read = 0

    def snapshot(self, days: int) -> Snapshot:
        spans = {str(day): FileSpan(str(day), 1, day, day) for day in self.days[:days]}
        return Snapshot(days, tuple(MARKET_PRICES.stored_schema), spans)

    def scan(self, files: Any) -> pl.LazyFrame:
        self.read += len(files)
        rows = bar_rows(*({"session": date.fromisoformat(file.path)} for file in files))
        return rows.with_columns(run_id=pl.lit("somebody")).select(list(MARKET_PRICES.stored_schema)).lazy()


def test_a_file_is_read_once_and_what_nobody_asks_for_is_dropped() -> None:
    files, kept = Files(30), KeptRows()
    for days in range(1, 31):
        since = files.days[max(days - 4, 0)]
        for _ in range(3):
            rows = kept.find(MARKET_PRICES, files.snapshot(days), since, files.scan)
            assert rows is not None
            assert rows.filter(pl.col("session") >= since).height == min(days, 4)
            assert rows.height < 10
    assert files.read == 30


def test_too_much_is_not_kept_and_asking_for_it_does_not_drop_what_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_rows, "MAX_TABLE_BYTES", 2_000)
    files, kept = Files(30), KeptRows()
    assert kept.find(MARKET_PRICES, files.snapshot(30), files.days[27], files.scan) is not None
    assert kept.find(MARKET_PRICES, files.snapshot(30), None, files.scan) is None
    before = files.read
    assert kept.find(MARKET_PRICES, files.snapshot(30), files.days[28], files.scan) is not None
    assert files.read == before


def test_what_turned_out_to_be_too_much_is_not_read_for_it_again_a_day_later(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = 20 * len(MARKET_PRICES.stored_schema)
    monkeypatch.setattr(kept_rows, "MAX_TABLE_BYTES", cells * kept_rows.CELL_BYTES + 1)
    files, kept = Files(30), KeptRows()
    assert kept.find(MARKET_PRICES, files.snapshot(28), files.days[8], files.scan) is None
    assert files.read == 20, "their ids are longer than cells are thought to be"
    assert kept.find(MARKET_PRICES, files.snapshot(29), files.days[9], files.scan) is None
    assert files.read == 20


def test_what_is_read_in_turn_stays_and_what_finds_no_room_is_read_from_files(monkeypatch: pytest.MonkeyPatch) -> None:
    files, kept = Files(3), KeptRows()
    first, second = MARKET_PRICES, replace(MARKET_PRICES, name="other_prices")
    assert kept.find(first, files.snapshot(3), files.days[0], files.scan) is not None
    size = kept._kept[first.name].size
    monkeypatch.setattr(kept_rows, "MAX_BYTES", size + size // 2)
    before = files.read
    for _ in range(3):
        assert kept.find(second, files.snapshot(3), files.days[0], files.scan) is None
        assert kept.find(first, files.snapshot(3), files.days[0], files.scan) is not None
    assert files.read - before <= 3, "a guess of what it takes may be wrong once"
    monkeypatch.setattr(kept_rows, "STALE_READS", 2)
    for known in (None, kept_rows):
        found = kept.find(second, files.snapshot(3), files.days[0], files.scan)
        assert (found is None) == (known is None), "the first goes when two reads have passed it by"


def test_a_table_that_grows_is_kept_though_it_was_read_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    files, kept = Files(5), KeptRows()
    other = replace(MARKET_PRICES, name="other_prices")
    for table in (MARKET_PRICES, other):
        assert kept.find(table, files.snapshot(3), files.days[0], files.scan) is not None
    monkeypatch.setattr(kept_rows, "STALE_READS", 0)
    monkeypatch.setattr(kept_rows, "MAX_BYTES", 2 * kept._kept[other.name].size)
    rows = kept.find(MARKET_PRICES, files.snapshot(4), files.days[0], files.scan)
    assert rows is not None and rows.height == 4
    before = files.read
    assert kept.find(MARKET_PRICES, files.snapshot(5), files.days[0], files.scan) is not None
    assert files.read == before + 1, "it went on from what was kept"


def test_a_table_that_outgrows_what_is_kept_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    files, kept = Files(30), KeptRows()
    assert kept.find(MARKET_PRICES, files.snapshot(9), files.days[0], files.scan) is not None
    monkeypatch.setattr(kept_rows, "MAX_TABLE_BYTES", 2_000)
    grown = files.snapshot(29)
    for snapshot in (grown, grown, files.snapshot(30)):
        assert kept.find(MARKET_PRICES, snapshot, files.days[0], files.scan) is None


@pytest.mark.parametrize("few", [0, kept_rows.FEW_ROWS], ids=["many", "few"])
@pytest.mark.parametrize("seed", range(20))
def test_rows_that_are_added_come_where_sorting_all_would_put_them(
    seed: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_rows, "FEW_ROWS", few)
    chance = random.Random(seed)
    names = [None, "A", "B", "C", "D"][seed % 2 :]
    keys = list({(chance.choice(names), chance.randint(0, 30), chance.choice(["x", "y"])) for _ in range(60)})
    frame = pl.DataFrame(keys, schema={"a": pl.String, "b": pl.Int64, "c": pl.String}, orient="row")
    cut = chance.randint(6, 55)
    rows, added = frame[:cut].sort("a", "b", "c"), frame[cut:]
    if seed % 3 == 0:  # each behind those of the same beginning
        added = added.with_columns(pl.col("b") + 100)
    if seed % 4 == 1:  # all behind what is there, as a later session's rows are
        added = added.with_columns(pl.lit("E").alias("a"))
    expected = pl.concat([rows, added]).sort("a", "b", "c")
    assert_frame_equal(add_rows(rows, added.lazy(), ("a", "b", "c")), expected)


def test_the_same_question_is_answered_once_and_rows_that_are_replaced_are_let_go() -> None:
    files, kept = Files(30), KeptRows()
    by_session = replace(MARKET_PRICES, key=("session", "ticker", "revision"))
    asked = ([pl.col("close") > 0], ["session", "close"])
    snapshot = files.snapshot(29)
    rows = kept.find(by_session, snapshot, files.days[9], files.scan)
    part = kept.find(by_session, snapshot, files.days[19], files.scan)
    assert rows is not None and part is not None and (rows.height, part.height) == (20, 10)
    found = kept.select(part, *asked)
    again = kept.find(by_session, snapshot, files.days[19], files.scan)
    assert again is not None and kept.select(again, *asked) is found
    old = weakref.ref(part)
    del rows, part, again, found
    assert kept.find(by_session, files.snapshot(30), files.days[19], files.scan) is not None
    assert old() is None, "an answer keeps them"
