"""A question in a table's own terms gets the right rows, out of the fewest files, whatever stands in them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from lake.errors import DamageError, LakeError, NotALakeError
from lake.queries import Query, compare, query
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.control import RUNS, TASK_REQUESTS
from lake.tables.market import MARKET_PRICES
from lake.tables.news import NEWS_ARTICLES
from tests.copies import copy_lake
from tests.frames.bars import bar_rows
from tests.frames.published import request_rows
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import SESSION, publish, rows

DAYS = [date(2021, 3, 1) + timedelta(days=n) for n in range(5)]


def bars(*rows: dict[str, Any]) -> pl.DataFrame:
    return bar_rows(*rows)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with five sessions of two tickers, a file for each; AAA's first bar was restated on the fourth."""
    lake = new_lake(tmp_path_factory.mktemp("asked") / "lake")
    with lake.lock("a test"):
        for number, day in enumerate(DAYS):
            rows = [{"ticker": ticker, "session": day, "close": 10.0 + number} for ticker in ("AAA", "BBB")]
            lake.commit(MARKET_PRICES, bars(*rows), f"day {number}", {})
        seen = datetime(2021, 3, 4, 22, tzinfo=UTC)
        again = {"session": DAYS[0], "revision": 1, "close": 99.0, "available_at": seen}
        lake.commit(MARKET_PRICES, bars(again), "again", {})
    return lake.path


@pytest.fixture
def lake(template: Path, tmp_path: Path) -> Lake:
    return Lake.open(copy_lake(template, tmp_path / "lake"))


@pytest.fixture
def asked(lake: Lake) -> Query:
    return query(lake, MARKET_PRICES).at(lake.newest(MARKET_PRICES))


def told(rows: pl.DataFrame) -> list[tuple[Any, ...]]:
    return rows.select("ticker", "session", "close").rows()


def test_by_ticker_and_by_session(asked: Query) -> None:
    assert told(asked.of("BBB").between(DAYS[1], DAYS[2]).read()) == [("BBB", DAYS[1], 11.0), ("BBB", DAYS[2], 12.0)]
    assert told(asked.on(DAYS[4]).read()) == [("AAA", DAYS[4], 14.0), ("BBB", DAYS[4], 14.0)]
    assert asked.of("BBB", "AAA").on(DAYS[3]).read().height == 2
    assert asked.of().read().is_empty() and asked.of("ZZZ").read().is_empty()
    assert asked.between(last=DAYS[0]).read().height == 3  # with the restated one
    assert asked.of("BBB").only("close", "ticker").on(DAYS[1]).read().rows() == [(11.0, "BBB")]


def test_as_of_a_moment_each_fact_is_what_it_was_then(asked: Query) -> None:
    first = asked.of("AAA").on(DAYS[0])
    assert told(first.as_of(datetime(2021, 3, 2, tzinfo=UTC)).read()) == [("AAA", DAYS[0], 10.0)]
    assert told(first.as_of(datetime(2021, 3, 5, tzinfo=UTC)).read()) == [("AAA", DAYS[0], 99.0)]
    assert first.as_of(datetime(2021, 3, 1, 21, 14, tzinfo=UTC)).read().is_empty()
    assert first.read().height == 2


def test_a_superseded_value_meets_no_condition_for_the_one_that_took_its_place(asked: Query) -> None:
    late = asked.of("AAA").on(DAYS[0]).as_of(datetime(2021, 3, 5, tzinfo=UTC))
    assert late.having("close", "=", 10.0).read().is_empty()  # it was 10 once
    assert told(late.having("close", ">", 50).read()) == [("AAA", DAYS[0], 99.0)]
    assert told(late.having("close", ">", 50).only("ticker", "session", "close").read()) == [("AAA", DAYS[0], 99.0)]


def test_the_latest_of_all_and_of_a_ticker_that_stopped(lake: Lake) -> None:
    with lake.lock("a test"):
        lake.commit(MARKET_PRICES, bars({"ticker": "OLD", "session": DAYS[1]}), "old", {})
    asked = query(lake, MARKET_PRICES).at(lake.newest(MARKET_PRICES))
    assert told(asked.latest()) == [("AAA", DAYS[4], 14.0), ("BBB", DAYS[4], 14.0)]
    assert told(asked.of("OLD").latest()) == [("OLD", DAYS[1], 10.0)]
    assert told(asked.between(last=DAYS[2]).of("AAA").latest()) == [("AAA", DAYS[2], 12.0)]
    assert asked.of("AAA").as_of(datetime(2021, 3, 3, tzinfo=UTC)).latest()["session"].to_list() == [DAYS[1]]
    assert asked.only("close").latest().rows() == [(14.0,), (14.0,)]
    assert asked.of("ZZZ").latest().is_empty()
    assert query(lake, TASK_REQUESTS).latest().is_empty()


def remove_files_of(lake: Lake, *days: date) -> int:
    """Take the data files away that hold only these sessions."""
    gone = 0
    for span in lake.files(MARKET_PRICES, lake.newest(MARKET_PRICES)):
        if span.first in days and span.last in days:
            (Path(lake.uri(MARKET_PRICES)) / span.path).unlink()
            gone += 1
    return gone


def test_files_that_cannot_hold_an_answer_are_never_opened(lake: Lake) -> None:
    version = lake.newest(MARKET_PRICES)
    assert remove_files_of(lake, *DAYS[:3]) == 4
    asked = query(Lake.open(lake.path), MARKET_PRICES).at(version)
    assert asked.between(DAYS[3], DAYS[4]).read().height == 4
    assert asked.on(DAYS[3]).of("AAA").read().height == 1
    assert asked.latest().height == 2
    assert [span.rows for span in asked.on(DAYS[3]).files()] == [2]
    with pytest.raises(DamageError, match="missing"):  # and the files are really gone
        asked.read()


def test_an_as_of_read_of_prices_opens_no_file_of_later_days(lake: Lake) -> None:
    version = lake.newest(MARKET_PRICES)
    assert remove_files_of(lake, *DAYS[2:]) == 3
    asked = query(Lake.open(lake.path), MARKET_PRICES).at(version)
    assert asked.as_of(datetime(2021, 3, 2, 23, tzinfo=UTC)).read().height == 4
    assert asked.as_of(datetime(2021, 3, 2, 23, tzinfo=UTC)).latest()["session"].unique().to_list() == [DAYS[1]]


def test_a_condition_is_pushed_down_into_a_large_file(lake: Lake) -> None:
    tickers = [f"T{n:05d}" for n in range(6_000)]
    with lake.lock("a test"):
        lake.commit(MARKET_PRICES, bars(*({"ticker": one, "session": DAYS[4]} for one in tickers)), "many", {})
    asked = query(lake, MARKET_PRICES).at(lake.newest(MARKET_PRICES))
    assert asked.of("T00007").latest()["ticker"].to_list() == ["T00007"]
    (large,) = [span for span in asked.files() if span.rows == 6_000]
    scan = pl.scan_parquet(Path(lake.uri(MARKET_PRICES)) / large.path, glob=False)
    plan = scan.filter(pl.col("ticker").is_in(["T00007"])).select("close").explain()
    assert "SELECTION" in plan and "PROJECT 2/" in plan  # the filter is the scan's, and two columns are read


# ---- pitfalls


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_an_infinite_value_costs_no_other_row_its_place(lake: Lake, value: float) -> None:
    """A reader that trusts statistics broken by an infinity gives 0 of 3 rows."""
    with lake.lock("a test"):
        rows = bars(*({"ticker": one, "session": DAYS[4], "close": 5.0} for one in ("X1", "X2", "X3")))
        broken = rows.with_columns(close=pl.Series([5.0, value, 7.0]))
        lake.commit(MARKET_PRICES, broken, "infinite", {})
    asked = query(lake, MARKET_PRICES).at(lake.newest(MARKET_PRICES)).of("X1", "X2", "X3")
    assert asked.having("close", ">", 0).read().height == (3 if value > 0 else 2)
    assert asked.having("close", "<", 1e300).read().height == (2 if value > 0 else 3)
    assert asked.having("close", "=", value).read()["ticker"].to_list() == ["X2"]


def test_no_number_is_neither_above_nor_below_anything(lake: Lake) -> None:
    with lake.lock("a test"):
        rows = bars(*({"ticker": one, "session": DAYS[4]} for one in ("X1", "X2")))
        lake.commit(MARKET_PRICES, rows.with_columns(close=pl.Series([5.0, float("nan")])), "no number", {})
    asked = query(lake, MARKET_PRICES).at(lake.newest(MARKET_PRICES)).of("X1", "X2")
    for sign in (">", ">=", "<", "<="):
        assert set(asked.having("close", sign, 5.0 if "=" in sign else 0.0).read()["ticker"]) <= {"X1"}, sign
    assert asked.having("close", ">", -1e308).read()["ticker"].to_list() == ["X1"]
    assert asked.having("close", "!=", 5.0).read()["ticker"].to_list() == ["X2"]
    assert asked.read().height == 2


@pytest.mark.parametrize("name", ["John Smith", "ünï #1", "what?", "100 $", "a+b=c&d", "日本"])
def test_questions_are_answered_under_odd_paths(template: Path, tmp_path: Path, name: str) -> None:
    lake = Lake.open(copy_lake(template, tmp_path / name / "lake"))
    asked = query(lake, MARKET_PRICES).at(lake.newest(MARKET_PRICES))
    assert told(asked.of("AAA").on(DAYS[4]).read()) == [("AAA", DAYS[4], 14.0)]
    assert asked.latest().height == 2


@pytest.mark.parametrize(("name", "sign"), [("100%", "%"), ("[x]", r"\[")])
def test_a_path_that_the_storage_library_mistakes_is_refused_with_its_sign(
    tmp_path: Path, name: str, sign: str
) -> None:
    with pytest.raises(NotALakeError, match=sign):
        Lake.create(tmp_path / name / "lake")


def test_a_moment_without_a_zone_is_refused_and_one_of_any_zone_is_the_same_moment(asked: Query) -> None:
    naive = datetime(2021, 3, 5)  # noqa: DTZ001 - that is the test
    with pytest.raises(LakeError, match="has no time zone; add one"):
        asked.as_of(naive)
    moment = datetime(2021, 3, 4, 22, 0, tzinfo=UTC)
    for zone in (ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo"), timezone(timedelta(hours=-12))):
        there = moment.astimezone(zone)
        assert asked.as_of(there).read().equals(asked.as_of(moment).read())
        assert told(asked.of("AAA").on(DAYS[0]).as_of(there).read()) == [("AAA", DAYS[0], 99.0)]


def test_a_day_is_not_a_moment_and_a_moment_not_a_day(asked: Query, lake: Lake) -> None:
    with pytest.raises(LakeError, match=r"session is a day, and .* is a moment; give a date"):
        asked.between(datetime(2021, 3, 1, 23, tzinfo=UTC))
    for column, value in (("session", datetime(2021, 3, 1, tzinfo=UTC)), ("ts", date(2021, 3, 1)), ("close", "10")):
        with pytest.raises(LakeError, match=f"{column} is "):
            asked.having(column, "=", value)
    with pytest.raises(LakeError, match=r"requested_at .* has no time zone"):
        query(lake, TASK_REQUESTS).between(datetime(2021, 3, 1))  # noqa: DTZ001 - that is the test


def test_a_day_of_instants_is_a_whole_day_in_utc(lake: Lake) -> None:
    moments = [datetime(2021, 3, 1, tzinfo=UTC), datetime(2021, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)]
    moments.append(datetime(2021, 3, 2, tzinfo=UTC))
    for number, moment in enumerate(moments):
        rows = request_rows(number).with_columns(requested_at=pl.lit(moment))
        lake.commit(TASK_REQUESTS, rows, f"request {number}", {})
    asked = query(lake, TASK_REQUESTS)
    assert asked.on(date(2021, 3, 1)).read()["requested_at"].to_list() == moments[:2]
    assert asked.latest()["requested_at"].to_list() == moments[2:]
    assert asked.as_of(moments[1]).read().height == 2  # its clock says what was known


@pytest.mark.parametrize(
    ("column", "sign", "value", "said"),
    [
        ("clsoe", "=", 1.0, r"has no column 'clsoe'; did you mean 'close'\?"),
        ("close", "<", None, r"close < null is never true"),
        ("volume", "=", 1.5, r"volume is Int64, and 1\.5 is not"),
        ("volume", "=", True, r"volume is Int64, and True is not"),
        ("ticker", "=", 1, r"ticker is String, and 1 is not"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused(
    asked: Query, column: str, sign: Any, value: Any, said: str
) -> None:
    with pytest.raises(LakeError, match=said):
        asked.having(column, sign, value)


def test_a_value_from_outside_is_a_value_and_no_question_of_its_own(asked: Query) -> None:
    assert asked.of("x' OR '1'='1").read().is_empty()
    assert asked.having("ticker", "=", "x' OR '1'='1").read().is_empty()


def test_a_version_that_is_not_there_is_named_with_those_that_are(asked: Query) -> None:
    with pytest.raises(LakeError, match="market_prices has versions 0 to 6; there is no version 7"):
        asked.at(7)
    assert asked.at(1).read()["session"].unique().to_list() == [DAYS[0]]


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_table_can_be_asked_in_every_way_it_has(template: Path, table: Any) -> None:
    asked = query(Lake.open(template), table).between(DAYS[0], DAYS[4]).as_of(datetime(2021, 3, 9, tzinfo=UTC))
    assert asked.only(*table.key).read().columns == list(table.key)
    assert asked.latest().height <= 2
    if {"ticker", "tickers"} & table.columns.keys():
        assert asked.of("NOBODY").read().is_empty()
    else:
        with pytest.raises(LakeError, match=f"{table.name} has no tickers"):
            asked.of("NOBODY")


def test_articles_are_asked_by_the_tickers_they_are_about(lake: Lake) -> None:
    row = {
        "article_id": "0" * 64,
        "session": DAYS[0],
        "published_at": datetime(2021, 3, 1, 12, tzinfo=UTC),
        "available_at": datetime(2021, 3, 1, 12, tzinfo=UTC),
        "title": "news",
        "body": None,
        "url": None,
        "tickers": ["AAA", "BBB"],
        "source": "test",
        "payload_id": "0" * 64,
    }
    with lake.lock("a test"):
        lake.commit(NEWS_ARTICLES, pl.DataFrame([row], schema=NEWS_ARTICLES.schema), "news", {})
    asked = query(lake, NEWS_ARTICLES).at(lake.newest(NEWS_ARTICLES))
    assert asked.of("BBB").read().height == asked.of("ZZZ", "AAA").read().height == 1
    assert asked.of("AA").read().is_empty() and asked.of().read().is_empty()


def test_a_condition_is_sound_outside_a_query_as_well() -> None:
    frame = pl.DataFrame({"close": [1.0, float("nan"), None, float("inf")]})
    found = [frame.filter(compare(MARKET_PRICES, "close", sign, 1.0)).height for sign in ("=", "!=", ">", ">=", "<")]
    assert found == [1, 2, 1, 2, 0]


def test_within_a_day_only_what_was_decided_by_the_moment_is_known(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    for day in (SESSION, SESSION + timedelta(days=1)):
        at = datetime.combine(day, time(20, 20), UTC)
        publish(lake, PORTFOLIO_VALUE, rows(PORTFOLIO_VALUE, {"session": day}), name="value", session=day, as_of=at)
    asked = query(lake, PORTFOLIO_VALUE)
    day = SESSION + timedelta(days=1)
    for hour, known in ((10, [SESSION]), (20, [SESSION]), (21, [SESSION, day])):
        moment = datetime.combine(day, time(hour), UTC)
        assert asked.as_of(moment).read()["session"].to_list() == known, hour
        assert query(lake, RUNS).as_of(moment).only("session").read()["session"].to_list() == known, hour
    assert asked.as_of(datetime.combine(day, time(10), UTC)).latest()["session"].to_list() == [SESSION]
