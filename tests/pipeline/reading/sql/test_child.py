"""A question that takes too long or too much ends, and costs whoever asked nothing but a sentence."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from lake.sql.statement import SqlError
from lake.store import Lake
from lake.tables.market import MARKET_PRICES, RAW_PRICES
from pipeline.reading.sql.child import SqlQuestion, ask
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import bars, land, publish, rows

FOR_EVER = "SELECT count(*) AS n FROM " + " CROSS JOIN ".join(f"market_prices {name}" for name in "abcdefg")
CUBE = "market_prices a CROSS JOIN market_prices b CROSS JOIN market_prices c"
VALUE = f"concat('{'x' * 200}', CAST(a.close * 1000000 + b.close * 1000 + c.close AS VARCHAR))"
MUCH = f"SELECT count(DISTINCT {VALUE}) AS n FROM {CUBE}"
"""Has to hold 216 million long texts that differ, so that memory is short soon; an order of as many rows is cut short
where ten are wanted."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = new_lake(tmp_path_factory.mktemp("sql") / "lake")
    publish(lake, MARKET_PRICES, rows(MARKET_PRICES, *bars("ACME", [100.0 + n for n in range(600)])), name="prices")
    return lake.path


def question(text: str, limit: int = 10) -> SqlQuestion:
    return SqlQuestion(text=text, limit=limit)


def test_one_row_more_than_asked_for_says_that_there_are_more(path: Path) -> None:
    assert ask(path, question("SELECT close FROM market_prices")).height == 11
    assert ask(path, question("SELECT close FROM market_prices LIMIT 3")).height == 3
    assert ask(path, question("SELECT close FROM market_prices WHERE close < 0")).columns == ["close"]


def test_what_takes_too_long_is_ended_and_told(path: Path) -> None:
    with pytest.raises(SqlError, match="no answer after 2 seconds"):
        ask(path, question(FOR_EVER), seconds=2.0)


def test_what_needs_too_much_memory_is_ended_and_told(path: Path) -> None:
    assert ask(path, question("SELECT close FROM market_prices LIMIT 3"), memory=2_000_000_000).height == 3
    with pytest.raises(SqlError, match=r"more than 2.0 GB of memory"):
        ask(path, question(MUCH), seconds=120.0, memory=2_000_000_000)


def test_what_the_child_refuses_is_told_in_its_words(path: Path) -> None:
    with pytest.raises(SqlError, match="did you mean 'close'"):
        ask(path, question("SELECT clse FROM market_prices"))


def test_a_past_moment_has_its_own_versions_and_what_no_run_publishes_is_cut_by_time(path: Path) -> None:
    lake = Lake.open(path)
    then = lake.published_versions()
    publish(lake, MARKET_PRICES, rows(MARKET_PRICES, *bars("ZETA", [1.0], date(2022, 3, 1))), name="later")
    landed = [
        {"payload_id": name * 64, "session": day, "kind": "bars", "source": "simulated", "format": "ndjson"}
        for name, day in (("a", date(2022, 2, 1)), ("b", date(2022, 4, 1)))
    ]
    land(lake, RAW_PRICES, rows(RAW_PRICES, *landed), "raw")
    past = {"versions": then, "as_of": "2022-03-01T21:20:00+00:00"}
    prices, raw = "SELECT count(*) AS n FROM market_prices", "SELECT count(*) AS n FROM raw_prices"
    assert ask(path, SqlQuestion(text=prices, limit=10, **past))["n"][0] == 600
    assert ask(path, question(prices))["n"][0] == 601
    assert (ask(path, SqlQuestion(text=raw, limit=10, **past))["n"][0], ask(path, question(raw))["n"][0]) == (1, 2)
