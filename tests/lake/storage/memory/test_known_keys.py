"""A key that is in a table is always known, whatever was added, discarded or compacted; each file is read once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import ConflictError
from lake.storage.memory import known_keys
from lake.storage.memory.known_keys import KnownKeys
from lake.storage.snapshot import FileSpan, Snapshot
from lake.store import Lake
from lake.tables.market import MARKET_PRICES
from lake.upkeep.compaction import compact_tables
from tests.frames.bars import bar_rows
from tests.frames.published import FIRST, publish_sessions

COLUMNS = tuple(MARKET_PRICES.stored_schema)


def bars(*tickers: str) -> pl.DataFrame:
    return bar_rows(*({"ticker": ticker, "session": FIRST} for ticker in tickers)).select(MARKET_PRICES.key)


class Files:
    """A table whose files hold the bars of some tickers each, and how often one was read."""

    def __init__(self) -> None:
        self.tickers: dict[str, list[str]] = {}
        self.read = 0

    def snapshot(self, names: Sequence[str]) -> Snapshot:
        spans = {name: FileSpan(name, len(self.tickers[name]), FIRST, FIRST) for name in names}
        return Snapshot(len(names), COLUMNS, spans)

    def keys(self, files: Sequence[FileSpan]) -> pl.DataFrame:
        self.read += len(files)
        return bars(*(ticker for file in files for ticker in self.tickers[file.path]))


TICKERS = st.lists(st.sampled_from("ABCDEFGHIJ"), min_size=1, max_size=4, unique=True)


@given(st.lists(st.tuples(TICKERS, st.integers(0, 2)), min_size=1, max_size=6), st.data())
def test_no_key_of_the_version_is_missed_and_none_is_known_that_was_never_there(
    versions: list[tuple[list[str], int]], data: st.DataObject
) -> None:
    files, known, there, ever = Files(), KnownKeys(), [], set[str]()
    for number, (tickers, taken) in enumerate(versions):
        files.tickers[str(number)] = tickers
        there = [*there[taken:], str(number)]
        ever |= set(tickers)
        asked = data.draw(TICKERS)
        may = known.may_have(MARKET_PRICES, files.snapshot(there), bars(*asked), files.keys)
        if {ticker for name in there for ticker in files.tickers[name]} & set(asked):
            assert may
        if not ever & set(asked):
            assert not may
    assert files.read == len(versions), "a file was read twice"


def test_more_keys_than_are_kept_are_looked_up_in_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    files, known = Files(), KnownKeys()
    files.tickers = {"one": ["A", "B"], "two": ["C"]}
    assert not known.may_have(MARKET_PRICES, files.snapshot(["one"]), bars("D"), files.keys)
    monkeypatch.setattr(known_keys, "MAX_KEYS", 2)
    assert known.may_have(MARKET_PRICES, files.snapshot(["one", "two"]), bars("D"), files.keys)
    assert files.read == 1


def write(lake: Lake, close: float, run: str, day: int = 9) -> int:
    rows = bar_rows({"session": FIRST + timedelta(days=day), "close": close})
    return lake.commit(MARKET_PRICES, rows, run, {"run": {}}).rows


@pytest.mark.parametrize("compacted", [False, True])
def test_a_row_that_is_there_is_written_once_and_with_no_other_content(lake: Lake, *, compacted: bool) -> None:
    publish_sessions(lake, 2)
    with lake.lock("a test"):
        assert write(lake, 10.0, "first") == 1
    if compacted:
        assert compact_tables(lake, min_files=2)
    with lake.lock("again"):
        assert write(lake, 10.0, "the same") == 0
        assert write(lake, 10.0, "another day", day=10) == 1
        with pytest.raises(ConflictError, match="market_prices: 1 rows already exist"):
            write(lake, 11.0, "other")


def test_what_a_discarded_attempt_wrote_can_be_written_otherwise(lake: Lake) -> None:
    publish_sessions(lake, 2)
    with lake.lock("an attempt that fails"):
        assert write(lake, 10.0, "failed") == 1
        lake.discard_unpublished()
        assert write(lake, 11.0, "again") == 1
        with pytest.raises(ConflictError):
            write(lake, 12.0, "other")
