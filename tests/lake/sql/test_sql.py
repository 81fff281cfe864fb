"""SQL answers from what is published and known at a moment, reads no file, changes nothing, and says what is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lake as lakes
from lake.errors import LakeError
from lake.published import PublishedLake
from lake.sql.answer import find_columns
from lake.sql.statement import SqlError, check_statement, choose_columns, find_names
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.market import MARKET_PRICES
from lake.tables.predictions import PREDICTIONS
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import bars, forecast, publish, rows

FIRST = date(2022, 3, 1)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = new_lake(tmp_path_factory.mktemp("sql") / "lake")
    closes = [100.0, 101.0, 102.0]
    publish(lake, MARKET_PRICES, rows(MARKET_PRICES, *bars("ACME", closes), *bars("ZETA", [5.0, 6.0])), name="prices")
    made = [forecast("ACME", 1, point=0.01), forecast("ACME", 5, point=0.03), forecast("ZETA", 5, point=-0.02)]
    publish(lake, PREDICTIONS, rows(PREDICTIONS, *made), name="predict")
    return lake.path


@pytest.fixture
def book(path: Path) -> PublishedLake:
    return lakes.open(path)


def test_a_question_is_answered_by_the_tables(book: PublishedLake) -> None:
    found = book.sql(
        "SELECT ticker, count(*) AS n, avg(point) AS mean FROM predictions GROUP BY ticker ORDER BY ticker;"
    )
    assert found.columns == ["ticker", "n", "mean"]
    assert found["ticker"].to_list() == ["ACME", "ZETA"] and found["n"].to_list() == [2, 1]
    assert found["mean"].to_list() == pytest.approx([0.02, -0.02])


def test_tables_are_joined_and_a_subquery_has_a_name(book: PublishedLake) -> None:
    question = """
        -- the last close beside the longest forecast
        WITH last AS (SELECT ticker, max(session) AS session FROM market_prices GROUP BY ticker)
        SELECT p.ticker, m.close, p.point FROM predictions p
        JOIN last ON last.ticker = p.ticker
        JOIN market_prices m ON m.ticker = p.ticker AND m.session = last.session
        WHERE p.horizon = 5 ORDER BY p.ticker"""
    assert book.sql(question).rows() == [("ACME", 102.0, 0.03), ("ZETA", 6.0, -0.02)]


@pytest.mark.parametrize("star", ["SELECT *", "SELECT/**/*", "SELECT m.*", "SELECT DISTINCT *"])
def test_a_star_stands_for_every_column(book: PublishedLake, star: str) -> None:
    assert book.sql(f"{star} FROM market_prices m").columns == list(MARKET_PRICES.stored_schema)
    assert book.sql("FROM market_prices").columns == list(MARKET_PRICES.stored_schema)


def test_only_the_columns_that_are_named_are_read() -> None:
    schema = MARKET_PRICES.stored_schema
    assert choose_columns("SELECT close FROM market_prices", schema, ("ticker",)) == ("ticker", "close")
    assert choose_columns("SELECT count(*) FROM market_prices", schema, ("ticker",)) == ("ticker",)
    assert choose_columns("SELECT CLOSE*2 FROM market_prices", schema, ("ticker",)) == tuple(schema)


def test_a_question_of_the_past_is_answered_by_what_was_known_then(book: PublishedLake) -> None:
    question = "SELECT count(*) AS n FROM market_prices"
    whole, then = book.sql(question)["n"][0], book.sql(question, as_of="2021-12-31")["n"][0]
    kept = book.read("market_prices", as_of="2021-12-31").height
    assert (whole, then) == (5, kept) and kept < 5
    with pytest.raises(LakeError, match="no time zone"):
        book.sql(question, as_of="2022-03-01T10:00")


def test_each_fact_is_there_once_in_its_last_revision(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    publish(lake, MARKET_PRICES, rows(MARKET_PRICES, *bars("ACME", [100.0])), name="prices")
    later = [{**one, "revision": 1, "close": 90.0, "low": 80.0} for one in bars("ACME", [100.0])]
    publish(lake, MARKET_PRICES, rows(MARKET_PRICES, *later), name="again")
    assert lakes.open(lake.path).sql("SELECT close FROM market_prices").rows() == [(90.0,)]


HOSTILE = (
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM READ_PARQUET('{file}')",
    "SELECT * FROM Read_Csv ('{file}')",
    "SELECT * FROM \"read_csv\"('{file}')",
    "SELECT * FROM `read_csv`('{file}')",
    "SELECT * FROM read_csv/**/('{file}')",
    "SELECT * FROM read_csv -- x\n ('{file}')",
    "SELECT * FROM market_prices, read_csv('{file}')",
    "SELECT * FROM market_prices m JOIN read_csv('{file}') c ON c.a = m.ticker",
    "SELECT (SELECT count(*) FROM read_csv('{file}')) AS n FROM market_prices",
    "SELECT ticker FROM market_prices WHERE EXISTS (SELECT 1 FROM read_csv('{file}'))",
    "WITH w AS (SELECT * FROM read_csv('{file}')) SELECT * FROM w",
    "SELECT ticker FROM market_prices UNION ALL SELECT * FROM read_csv('{file}')",
    "FROM read_csv('{file}')",
    "SELECT * FROM scan_csv('{file}')",
    "SELECT * FROM '{file}'",
    'SELECT * FROM "{file}"',
    "SELECT * FROM `{file}`",
    "SELECT * FROM read_ipc('{file}')",
    "SELECT * FROM read_json('{file}')",
    "/* */ SELECT * FROM read_ndjson('{file}')",
)


@pytest.mark.parametrize("question", HOSTILE)
def test_no_file_is_read(book: PublishedLake, tmp_path: Path, question: str) -> None:
    file = tmp_path / "passwords.csv"
    file.write_text("a\nhunter2\n")
    with pytest.raises(SqlError) as caught:
        book.sql(question.format(file=file))
    assert "hunter2" not in str(caught.value)


CHANGES = (
    "DROP TABLE market_prices",
    "DELETE FROM market_prices",
    "TRUNCATE market_prices",
    "CREATE TABLE x AS SELECT * FROM market_prices",
    "INSERT INTO market_prices VALUES (1)",
    "UPDATE market_prices SET close = 1",
    "COPY market_prices TO '/tmp/x.csv'",
    "SELECT * INTO x FROM market_prices",
    "SELECT ticker FROM market_prices; DROP TABLE market_prices",
    "SET x = 1",
    "",
    "   ;",
    "-- only a comment",
    "/* SELECT */ DROP TABLE market_prices",
)


@pytest.mark.parametrize("statement", CHANGES)
def test_nothing_is_changed(path: Path, statement: str) -> None:
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*") if file.is_file()}
    with pytest.raises(SqlError):
        lakes.open(path).sql(statement)
    assert {file: file.stat().st_mtime_ns for file in path.rglob("*") if file.is_file()} == before


def test_what_is_not_there_is_told_with_the_nearest_that_is(book: PublishedLake) -> None:
    for question, told in (
        ("SELECT close FROM market_prices; SELECT 1", "one question at a time; drop what follows the first semicolon"),
        ("SELECT close FROM market_price", "there is no table 'market_price'; did you mean 'market_prices'?"),
        ("SELECT clsoe FROM market_prices", "there is no column 'clsoe'; did you mean 'close'?"),
        ("SELECT p.poin FROM predictions p", "there is no column 'poin'; did you mean 'point'?"),
        ("SELECT close FROM qqqqqq", "there is no table 'qqqqqq'; `nextgen tables` lists them"),
        ("SELECT close FROM market_prices WHERE", "Expected: an expression"),
        ("SELECT nosuch(close) FROM market_prices", "unsupported function 'nosuch'"),
        ("SHOW TABLES", "begins with 'SHOW'; begin with SELECT or WITH"),
    ):
        with pytest.raises(SqlError) as caught:
            book.sql(question)
        assert told in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(SqlError, match=r"there is no column 'zzzzzz'; market_prices has ticker, interval, session"):
        book.sql("SELECT zzzzzz FROM market_prices")


def test_a_question_of_megabytes_is_refused_before_it_is_read() -> None:
    with pytest.raises(SqlError, match="it may have 20,000"):
        check_statement("SELECT " + "1," * 1_000_000)


def test_a_name_counts_in_any_case() -> None:
    assert find_names("select CLOSE from Market_Prices", TABLES) == ["market_prices"]


@given(st.text(alphabet="selctfromwih read_csv()*/-'\"`;,\n", max_size=60))
def test_whatever_passes_begins_as_a_question_and_names_no_reader(text: str) -> None:
    try:
        passed = check_statement(text)
    except SqlError:
        return
    assert "read_" not in passed.lower() and "scan_" not in passed.lower()


def test_versions_and_moments_of_decisions_are_those_of_the_lake(book: PublishedLake, path: Path) -> None:
    made = datetime(2022, 3, 1, 21, 20, tzinfo=UTC)
    assert book.sql("SELECT count(*) AS n FROM predictions", as_of=made)["n"][0] == 3
    assert book.sql("SELECT count(*) AS n FROM predictions", as_of=made - timedelta(minutes=1))["n"][0] == 0
    more = rows(PREDICTIONS, forecast("ACME", 20, session=date(2022, 3, 2)))
    publish(Lake.open(path), PREDICTIONS, more, name="later")
    assert book.sql("SELECT count(*) AS n FROM predictions")["n"][0] == 3, "it stays at its publication"
    assert book.refresh().sql("SELECT count(*) AS n FROM predictions")["n"][0] == 4


def test_every_table_can_be_asked(book: PublishedLake) -> None:
    for name, table in TABLES.items():
        found = book.sql(f"SELECT * FROM {name} LIMIT 1")
        assert set(table.stored_schema) <= set(found.columns) and isinstance(found, pl.DataFrame)


def test_a_column_of_an_answer_has_the_unit_of_its_table_where_that_is_one() -> None:
    units = find_columns("SELECT session, drawdown, nav FROM portfolio_value")
    assert units["drawdown"].unit.startswith("fraction") and units["nav"].unit.startswith("currency")
    both = find_columns("SELECT * FROM portfolio_value JOIN predictions")
    different = {
        name
        for name in TABLES["portfolio_value"].columns
        if name in PREDICTIONS.columns
        and TABLES["portfolio_value"].columns[name].unit != PREDICTIONS.columns[name].unit
    }
    assert not different & set(both) and find_columns("SELECT 1") == {}
