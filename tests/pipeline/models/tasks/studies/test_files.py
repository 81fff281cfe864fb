"""A study's files: every form they come in is read alike, and what cannot be meant is refused by name."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.models.tasks.studies.files import StudyError, read_prices, read_reference
from tests.frames import studies

BARS = studies.prices(tickers=3, days=50)
TOLD = studies.reference(BARS)


def saved(folder: Path, table: pl.DataFrame, name: str = "it.parquet") -> Path:
    path = folder / name
    if path.suffix == ".csv":
        table.write_csv(path)
    else:
        table.write_parquet(path)
    return path


def as_vendors_write(table: pl.DataFrame) -> pl.DataFrame:
    """Newest first, days as Americans write them, other names, and a nameless column."""
    names = {"ticker": "Symbol", "date": "Date", "adj_close": "Adj Close", "open": " OPEN", "high": "High"}
    days = pl.col("date").dt.strftime("%-m/%-d/%Y")
    return table.sort("date", descending=True).with_columns(days).rename(names).with_columns(pl.lit(None).alias(""))


def test_a_csv_of_a_vendor_is_read_as_the_parquet_file_is(tmp_path: Path) -> None:
    there = read_prices(saved(tmp_path, BARS))
    assert_frame_equal(read_prices(saved(tmp_path, as_vendors_write(BARS), "vendor.csv")), there)
    assert there.height == BARS.height
    assert there.columns == ["ticker", "date", "open", "high", "low", "close", "adj_close"]


@pytest.mark.parametrize(
    "days",
    [
        pl.col("date").cast(pl.Datetime("us")),
        pl.col("date").cast(pl.Datetime("ms")).dt.replace_time_zone("America/New_York"),
        pl.col("date").dt.strftime("%Y-%m-%d 00:00:00"),
        pl.col("date").dt.strftime("%Y%m%d").cast(pl.Int64),
    ],
    ids=["instants", "zoned", "text", "numbers"],
)
def test_dates_are_read_in_every_form(tmp_path: Path, days: pl.Expr) -> None:
    there = read_prices(saved(tmp_path, BARS))
    assert_frame_equal(read_prices(saved(tmp_path, BARS.with_columns(days), "other.parquet")), there)


def test_a_ticker_that_looks_like_another_thing_stays_a_ticker(tmp_path: Path) -> None:
    names = pl.col("ticker").replace_strict({"T00": "TRUE", "T01": "NA", "T02": "1E5"})
    read = read_prices(saved(tmp_path, BARS.with_columns(names), "odd.csv"))
    assert read["ticker"].unique().sort().to_list() == ["1E5", "NA", "TRUE"]


@pytest.mark.parametrize("missing", [None, float("nan"), -123321.0, float("inf")])
def test_a_missing_value_is_one_by_every_sign(tmp_path: Path, missing: float | None) -> None:
    first = (pl.col("ticker") == "T01") & (pl.col("date") == pl.lit(TOLD["date"][40]))
    marked = TOLD.with_columns(pl.when(first).then(pl.lit(missing)).otherwise(pl.col("ma5")).alias("ma5"))
    for name in ("marked.parquet", "marked.csv"):
        read = read_reference(saved(tmp_path, marked, name))
        assert read.filter(first)["ma5"].to_list() == [None]
        assert read["ma5"].null_count() == 3 * 29 + 1


def test_rows_without_a_price_are_no_bars_and_an_original_open_may_be_missing(tmp_path: Path) -> None:
    holes = BARS.with_columns(
        pl.when(pl.int_range(pl.len()) == 7).then(None).otherwise(pl.col("close")).alias("close"),
        pl.when(pl.col("ticker") == "T00").then(pl.col("open")).alias("Original_Open"),
    )
    read = read_prices(saved(tmp_path, holes))
    assert read.height == BARS.height - 1
    assert read.filter(pl.col("ticker") != "T00")["original_open"].null_count() == 2 * 50


def test_identical_repeats_are_dropped_and_contradictions_refused(tmp_path: Path) -> None:
    assert read_prices(saved(tmp_path, pl.concat([BARS, BARS.head(5)]))).height == BARS.height
    twice = pl.concat([BARS, BARS.head(2).with_columns(pl.col("close") + 1)])
    with pytest.raises(StudyError, match=r"2 days of a ticker with several values, the first is T00 at 2014-01-01"):
        read_prices(saved(tmp_path, twice))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.drop("adj_close", "low"), r"lacks 2 columns: low, adj_close; it has ticker, date, open"),
        (lambda table: table.clear(), "has no rows"),
        (
            lambda table: table.with_columns(pl.col("close") * -1),
            r"150 values of 'close' not above 0, the first is T00 at",
        ),
        (lambda table: table.with_columns(ticker=pl.lit(" ")), "150 rows without a ticker"),
        (lambda table: table.with_columns(date=pl.lit("soon")), r"150 dates cannot be read, the first is 'soon'"),
        (lambda table: table.with_columns(date=pl.lit(True)), r"column 'date' holds Boolean, no dates"),
        (lambda table: table.with_columns(open=pl.lit("high")), r"150 values of 'open' that are no number, .* 'high'"),
        (lambda table: table.with_columns(open=pl.lit(True)), r"column 'open' holds Boolean, no numbers"),
        (lambda table: table.with_columns(Close=pl.col("close")), r"has 'close' twice, as 'close' and 'Close'"),
    ],
)
def test_prices_that_cannot_be_meant_are_refused_by_name(tmp_path: Path, change: object, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        read_prices(saved(tmp_path, change(BARS)))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.drop("label"), r"lacks 1 column: label"),
        (
            lambda table: table.with_columns(label=2 * pl.col("label")),
            r"labels other than 1, 0 and -1, the first is T0",
        ),
        (lambda table: table.with_columns(label=pl.lit(1.0)), r"labels are of one class only, all 1; nothing"),
        (lambda table: table.with_columns(label=pl.lit(0.0)), r"of one class only, none of them 1 or -1"),
    ],
)
def test_references_that_cannot_be_meant_are_refused_by_name(tmp_path: Path, change: object, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        read_reference(saved(tmp_path, change(TOLD)))  # type: ignore[operator]


def test_files_that_are_not_there_or_nothing_known_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="there is no file"):
        read_prices(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(StudyError, match="cannot be read"):
        read_prices(tmp_path / "text.parquet")
    (tmp_path / "it.xlsx").write_text("")
    with pytest.raises(StudyError, match="neither a Parquet file nor a CSV"):
        read_prices(tmp_path / "it.xlsx")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(StudyError, match="cannot be read"):
        read_prices(tmp_path / "empty.csv")
