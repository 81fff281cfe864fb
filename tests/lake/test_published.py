"""From a notebook a lake is one publication, read by names, in words when something is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import lake
from lake.errors import LakeError, NoSuchError, NotALakeError
from lake.published import PublishedLake
from lake.store import Lake
from lake.tables.market import MARKET_PRICES
from lake.tables.predictions import PREDICTIONS
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import MOMENT, SESSION, bars, forecast, publish, rows


def bar(close: float, revision: int) -> dict[str, object]:
    """A bar, or a later statement of it."""
    (made,) = bars("ACME", [close])
    return made | {"revision": revision, "available_at": MOMENT + timedelta(hours=revision)}


@pytest.fixture
def made(tmp_path: Path) -> Lake:
    """A lake with one bar, restated an hour later."""
    own = new_lake(tmp_path / "lake")
    publish(own, MARKET_PRICES, rows(MARKET_PRICES, bar(100.0, 0), bar(50.0, 1)), name="prices")
    return own


@pytest.fixture
def book(made: Lake) -> PublishedLake:
    return lake.open(str(made.path))


def test_each_fact_comes_in_its_last_revision_unless_all_are_asked_for(book: PublishedLake) -> None:
    assert book.read("market_prices", columns=["close"])["close"].to_list() == [50.0]
    assert book.read("market_prices", every_revision=True)["close"].to_list() == [100.0, 50.0]


def test_a_past_moment_knows_what_was_public_then(book: PublishedLake) -> None:
    for moment in (MOMENT, f"{SESSION}T21:20Z"):
        assert book.read("market_prices", as_of=moment)["close"].to_list() == [100.0]
    assert book.read("market_prices", as_of=SESSION.isoformat())["close"].to_list() == [50.0]
    assert book.read("market_prices", as_of=datetime(2000, 1, 1, tzinfo=UTC)).is_empty()


def test_a_forecast_is_not_known_before_it_was_made(made: Lake, book: PublishedLake) -> None:
    publish(made, PREDICTIONS, rows(PREDICTIONS, forecast("ACME")), name="predict")
    book.refresh()
    assert book.read("predictions", as_of=MOMENT, columns=["ticker"]).height == 1
    assert book.read("predictions", as_of=MOMENT - timedelta(microseconds=1)).is_empty()


def test_rows_are_chosen_by_ticker_day_and_value(book: PublishedLake) -> None:
    assert book.read("market_prices", tickers="ACME").height == 1
    assert book.read("market_prices", tickers=["ZETA"]).is_empty()
    assert book.read("market_prices", since=SESSION + timedelta(days=1)).is_empty()
    assert book.read("market_prices", where={"revision": 0}).is_empty()  # the last revision is another


def test_days_are_dates_or_text_and_one_column_needs_no_list(book: PublishedLake) -> None:
    day = SESSION.isoformat()
    for told in (SESSION, day):
        assert book.read("market_prices", as_of=told, since=told, until=told, columns="close")["close"].to_list() == [
            50.0
        ]


def test_a_simulated_market_that_is_run_ahead_of_the_clock_has_moments_there(made: Lake, book: PublishedLake) -> None:
    publish(
        made, PREDICTIONS, rows(PREDICTIONS, forecast("ACME")), name="ahead", as_of=datetime(2999, 1, 2, tzinfo=UTC)
    )
    assert book.refresh().read("market_prices", as_of="2999-01-01", columns="close")["close"].to_list() == [50.0]


def test_what_is_not_published_is_not_seen(made: Lake, book: PublishedLake) -> None:
    with made.lock("a test"):
        made.commit(MARKET_PRICES, MARKET_PRICES.check(rows(MARKET_PRICES, *bars("ZETA", [1.0]))), "unpublished", {})
    assert made.newest(MARKET_PRICES) > lake.open(made.path).versions["market_prices"]
    assert book.refresh().read("market_prices")["ticker"].to_list() == ["ACME"]


def test_an_open_lake_stays_at_its_publication_until_it_is_refreshed(made: Lake, book: PublishedLake) -> None:
    publish(made, MARKET_PRICES, rows(MARKET_PRICES, *bars("ZETA", [1.0])), name="more")
    assert book.read("market_prices").height == 1
    assert len(book.files("market_prices")) == 1
    assert book.refresh().read("market_prices").height == 2
    assert len(book.files("market_prices")) == 2


def test_tables_and_columns_say_what_they_hold(book: PublishedLake) -> None:
    tables = {row["table"]: row for row in book.tables().to_dicts()}
    assert tables["market_prices"]["rows"] == 2
    assert tables["market_prices"]["version"] == book.versions["market_prices"]
    close = book.columns("market_prices").filter(column="close").to_dicts()
    assert close[0]["unit"] == "currency per share"


def test_whatever_is_wrong_is_told_in_words(book: PublishedLake, tmp_path: Path) -> None:
    with pytest.raises(NoSuchError, match="did you mean 'predictions'"):
        book.read("prediction")
    with pytest.raises(LakeError, match="has no column 'clse'"):
        book.read("market_prices", columns=["clse"])
    with pytest.raises(LakeError, match="has no time zone; add Z"):
        book.read("market_prices", as_of="2022-03-01T10:00")
    with pytest.raises(LakeError, match="time zone"):
        book.read("market_prices", as_of=datetime(2022, 3, 1))  # noqa: DTZ001
    with pytest.raises(LakeError, match="as_of is 5, which is no moment"):
        book.read("market_prices", as_of=5)  # type: ignore[arg-type]
    with pytest.raises(LakeError, match="2999-01-01 23:59 UTC has not come yet"):
        book.read("market_prices", as_of="2999-01-01")
    with pytest.raises(LakeError, match="since is 2022-03-02 and until is 2022-03-01, which is before it"):
        book.read("market_prices", since="2022-03-02", until="2022-03-01")
    with pytest.raises(LakeError, match="'March' is no day"):
        book.read("market_prices", since="March")
    with pytest.raises(LakeError, match="where is 'close > 1'; give columns and values"):
        book.read("market_prices", where="close > 1")  # type: ignore[arg-type]
    with pytest.raises(NotALakeError, match="there is no lake at"):
        lake.open(tmp_path / "nowhere")
