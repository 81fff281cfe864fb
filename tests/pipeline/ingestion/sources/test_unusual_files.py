"""Files in forms that programs have now and then are read bar by bar, or refused with a way out that works."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.source import FilesSource
from tests.price_files.layouts import LAYOUTS, write_workbook
from tests.price_files.outcome import find_wrong_bars, import_files
from tests.price_files.true_market import true_market

MARKET = true_market("XNYS", tickers=2, months=4)
BARS = MARKET.bars.rename({"session": "date"})
APPLE = MARKET.bars.filter(pl.col("ticker") == "AAPL")
OWN = BARS.filter(pl.col("ticker") == "AAPL").drop("ticker")
TEXT = BARS.write_csv()
DAY = pl.col("date").cast(pl.Datetime("us"))
PRICES = ("open", "high", "low", "close")


def check(path: Path, truth: pl.DataFrame = MARKET.bars, **settings: object) -> None:
    """Every bar is read right."""
    wrong = find_wrong_bars(import_files(path, MARKET.calendar, **settings).bars, truth)
    assert wrong.is_empty(), f"{wrong.height} bars differ, the first is {wrong.row(0, named=True)}"


def written(path: Path, text: str) -> Path:
    """A file with this text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def refusal(path: Path, **settings: object) -> str:
    """The words with which files are refused."""
    with pytest.raises(SourceError) as caught:
        import_files(path, MARKET.calendar, **settings)
    return str(caught.value)


@pytest.mark.parametrize(
    "form",
    (
        *("%Y-%-m-%-d", "%d-%B-%Y", "%b-%d-%Y", "%a %b %d %Y", "%A, %d %B %Y", "%y-%m-%d", "%y.%m.%d", "%d.%m.%y"),
        *("%m/%d/%y", "%Y%m%d.0", "%Y%m%dT000000", " %Y-%m-%d ", " %d.%m.%Y", "%s.5"),
    ),
)
def test_days_are_read_in_the_forms_that_programs_have_too(tmp_path: Path, form: str) -> None:
    check(written(tmp_path / "all.csv", BARS.with_columns(DAY.dt.strftime(form)).write_csv()))


def test_days_without_noughts_are_read_beside_full_ones(tmp_path: Path) -> None:
    mixed = (
        pl.when(pl.col("date").dt.day() < 10).then(DAY.dt.strftime("%Y-%m-%-d")).otherwise(DAY.dt.strftime("%Y-%m-%d"))
    )
    check(written(tmp_path / "all.csv", BARS.with_columns(date=mixed).write_csv()))


def test_year_month_and_day_apart_are_a_day(tmp_path: Path) -> None:
    parts = [getattr(pl.col("date").dt, part)().alias(part) for part in ("year", "month", "day")]
    check(written(tmp_path / "all.csv", BARS.select(*parts, pl.exclude("date")).write_csv()))
    for (year, month, day), rows in OWN.select(*parts, pl.exclude("date")).group_by("year", "month", "day"):
        folder = tmp_path / "hive" / "ticker=AAPL" / f"year={year}" / f"month={month:02d}" / f"day={day:02d}"
        folder.mkdir(parents=True)
        rows.drop("year", "month", "day").write_parquet(folder / "part-0.parquet")
    check(tmp_path / "hive", APPLE)


@pytest.mark.parametrize("name", ["", "index", "__index_level_0__"])
def test_the_days_of_an_index_without_a_name_are_found(tmp_path: Path, name: str) -> None:
    OWN.rename({"date": name}).write_csv(tmp_path / "AAPL.csv")
    check(tmp_path / "AAPL.csv", APPLE)
    stamped = OWN.with_columns(DAY.dt.replace_time_zone("America/New_York")).rename({"date": name})
    stamped.select(pl.exclude(name), name).write_parquet(tmp_path / "AAPL.parquet")
    check(tmp_path / "AAPL.parquet", APPLE)
    check(tmp_path / "AAPL.parquet", APPLE, **({"columns": (f"session={name}",)} if name else {}))


def spread(name: Callable[[str, str], str], ticker: str = "LOW", *, alone: bool = False) -> pl.DataFrame:
    """A column for each ticker and value; the second ticker is called otherwise."""
    named = BARS.with_columns(pl.col("ticker").replace("MSFT", ticker))
    named = named.filter(pl.col("ticker") == ticker) if alone else named
    parts = [
        rows.select("date", *(pl.col(value).alias(name(value.title(), str(own))) for value in (*PRICES, "volume")))
        for (own,), rows in named.group_by("ticker", maintain_order=True)
    ]
    return parts[0] if alone else parts[0].join(parts[1], on="date")


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("ticker", ["LOW", "OPEN"])
@pytest.mark.parametrize("form", ["{0}_{1}", "{1}.{0}", "('{0}', '{1}')", "('{1}', '{0}')"])
def test_tickers_that_are_called_as_a_value_of_a_bar_are_tickers(
    tmp_path: Path, form: str, ticker: str, alone: bool
) -> None:
    spread(form.format, ticker, alone=alone).write_parquet(tmp_path / "all.parquet")
    truth = MARKET.bars.with_columns(pl.col("ticker").replace("MSFT", ticker))
    check(tmp_path / "all.parquet", truth.filter(pl.col("ticker") == ticker) if alone else truth)


def test_a_table_of_one_value_may_have_a_ticker_that_is_called_as_another(tmp_path: Path) -> None:
    names = {"AAPL": "AAPL", "MSFT": "LOW", "THIRD": "IBM"}
    rows = pl.concat([BARS, BARS.filter(pl.col("ticker") == "MSFT").with_columns(ticker=pl.lit("THIRD"))])
    rows = rows.with_columns(pl.col("ticker").replace(names))
    for value in (*PRICES, "volume"):
        rows.pivot("ticker", index="date", values=value).write_csv(tmp_path / f"{value}.csv")
    check(tmp_path, rows.rename({"date": "session"}))


def test_of_two_names_for_one_value_of_a_ticker_the_likelier_counts(tmp_path: Path) -> None:
    frame = spread("{1}.{0}".format, "MSFT")
    last = [(pl.col(f"{own}.Close") * 0.999).round(2).alias(f"{own}.Last") for own in ("AAPL", "MSFT")]
    frame.with_columns(last).write_csv(tmp_path / "all.csv")
    check(tmp_path / "all.csv")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ", "),
        lambda text: text.replace("AAPL", " AAPL ").replace("MSFT", "MSFT "),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("\n", ",\n").replace("volume,", "volume", 1),
        lambda text: "".join(f"{n}," * (n > 0) + line for n, line in enumerate(text.splitlines(keepends=True))),
    ],
    ids=["spaces", "spaces around tickers", "carriage returns", "separators at the end", "row names of R"],
)
def test_text_tables_are_read_as_programs_write_them(tmp_path: Path, change: Callable[[str], str]) -> None:
    check(written(tmp_path / "all.csv", change(TEXT)))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("all.csv", change(TEXT))
    check(tmp_path / "all.zip")


@pytest.mark.parametrize("form", ["{} kr", "SEK {}", "US${}", "{} zł", "R$ {}", "Rs. {}", "₺{}"])
def test_signs_of_currencies_are_no_part_of_a_number(tmp_path: Path, form: str) -> None:
    marked = BARS.with_columns(pl.format(form, name).alias(name) for name in PRICES)
    check(written(tmp_path / "all.csv", marked.write_csv()))


def test_numbers_are_grouped_as_in_india(tmp_path: Path) -> None:
    def grouped(number: int) -> str:
        head, rest = str(number)[:-3], str(number)[-3:]
        pairs = [head[max(end - 2, 0) : end] for end in range(len(head), 0, -2)]
        return ",".join([*reversed(pairs), rest])

    assert grouped(12345678) == "1,23,45,678"
    volumes = pl.col("volume").map_elements(grouped, return_dtype=pl.String)
    check(written(tmp_path / "all.csv", BARS.with_columns(volumes).write_csv()))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64])
def test_counts_of_typed_files_are_days(tmp_path: Path, unit: pl.datatypes.TimeUnit, dtype: type[pl.DataType]) -> None:
    count = pl.col("date").cast(pl.Datetime("ns")).dt.epoch(unit).cast(dtype)
    BARS.with_columns(count).write_parquet(tmp_path / "all.parquet")
    check(tmp_path / "all.parquet")


def test_a_typed_file_may_have_prices_as_text_beside_volumes_as_numbers(tmp_path: Path) -> None:
    BARS.with_columns(pl.format("${}", name).alias(name) for name in PRICES).write_parquet(tmp_path / "all.parquet")
    check(tmp_path / "all.parquet")


@pytest.mark.parametrize("name", ["AAPL.parquet", "AAPL.feather", "AAPL.csv"])
def test_stars_and_brackets_in_a_path_are_signs_like_any_other(tmp_path: Path, name: str) -> None:
    folder = tmp_path / 'it\'s "a" [1] *b ? 100% #x'
    folder.mkdir()
    write = {"parquet": OWN.write_parquet, "feather": OWN.write_ipc, "csv": OWN.write_csv}[name.split(".")[1]]
    write(folder / name)
    check(folder, APPLE)
    check(folder / name, APPLE)


def test_columns_of_one_name_and_different_values_are_asked_about(tmp_path: Path) -> None:
    path = written(tmp_path / "all.csv", BARS.with_columns(CLOSE=pl.col("close") * 2).write_csv())
    assert "--column close=close or --column 'close=CLOSE'" in refusal(path)
    check(path, columns=("close=close",))
    check(written(tmp_path / "same.csv", BARS.with_columns(CLOSE="close").write_csv()))
    twice = BARS.with_columns(second=pl.col("close") * 2).write_csv().replace("second", "close", 1)
    assert "'close_duplicated_0'" in refusal(written(tmp_path / "twice.csv", twice))
    check(tmp_path / "twice.csv", columns=("close=close",))


def test_archives_with_tables_that_would_be_lost_are_refused_and_read_unpacked(tmp_path: Path) -> None:
    other = BARS.filter(pl.col("ticker") == "MSFT").drop("ticker")
    held = io.BytesIO()
    other.write_parquet(held)
    for name, data in (("MSFT.parquet", held.getvalue()), ("MSFT.csv.gz", gzip.compress(other.write_csv().encode()))):
        path = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("in/AAPL.csv", OWN.write_csv())
            archive.writestr("in/._AAPL.csv", b"\0\5\26\7")
            archive.writestr("in/README.md", "Prices.")
            archive.writestr(f"in/{name}", data)
        assert f"in/{name} in {path} is no text table; unpack the archive, and give the folder" in refusal(path)
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / name)
        check(tmp_path / name)


def test_what_is_left_out_of_a_folder_is_named(tmp_path: Path) -> None:
    inside, elsewhere = tmp_path / "prices", tmp_path / "elsewhere"
    for path in (
        inside / "AAPL.csv",
        inside / "MSFT.pkl",
        inside / "IBM",
        inside / "_new" / "T.csv",
        elsewhere / "X.csv",
    ):
        written(path, OWN.write_csv())
    written(inside / "_SUCCESS", "")
    written(inside / ".hidden.csv", "")
    (inside / "link").symlink_to(elsewhere)
    (inside / "self.csv").symlink_to("self.csv")
    found = FilesSource(FilesParams(prices=(str(inside),)), MARKET.calendar).understand()
    assert {Path(path).name: reason for path, reason in found.passed_over} == {
        "MSFT.pkl": "files .pkl are not read",
        "IBM": "files without an ending are not read",
        "_new": "its name begins with _",
        "link": "links to folders are not followed",
        "self.csv": "it is no file, or a link to none",
    }


def test_a_delta_table_is_refused_once_files_of_earlier_versions_lie_in_it(tmp_path: Path) -> None:
    table = tmp_path / "table"
    BARS.filter(pl.col("ticker") == "MSFT").write_delta(table)
    BARS.filter(pl.col("ticker") == "AAPL").write_delta(table, mode="append")
    check(table)
    BARS.filter(pl.col("ticker") == "AAPL").write_delta(table, mode="overwrite")
    assert "is a Delta table" in refusal(table)
    pl.read_delta(str(table)).write_parquet(tmp_path / "prices.parquet")
    check(tmp_path / "prices.parquet", APPLE)


def test_files_named_after_their_years_are_of_no_ticker_called_so(tmp_path: Path) -> None:
    for month in (1, 2):
        part = OWN.filter(pl.col("date").dt.month() == month).write_csv()
        written(tmp_path / "AAPL" / f"2021-{month:02d}.csv", part)
        written(tmp_path / "ticker=AAPL" / f"2021-{month:02d}.csv", part)
        written(tmp_path / "named" / f"AAPL_2021-{month:02d}.csv", part)
    said = refusal(tmp_path / "AAPL")
    assert "put it into a folder named after its ticker, as in ticker=AAPL/2021-01, or name it AAPL_2021-01" in said
    truth = APPLE.filter(pl.col("session") < date(2021, 3, 1))
    check(tmp_path / "named", truth)
    (tmp_path / "whole").mkdir()
    (tmp_path / "ticker=AAPL").rename(tmp_path / "whole" / "ticker=AAPL")
    check(tmp_path / "whole", truth)
    years = OWN.with_columns(pl.col("date") + pl.duration(days=364 * 2))
    found = import_files(written(tmp_path / "2002.csv", years.write_csv()), MARKET.calendar).bars
    assert found["ticker"].unique().to_list() == ["2002"], "a ticker in Tokyo"


def test_parts_of_a_table_are_of_no_ticker_called_so(tmp_path: Path) -> None:
    written(tmp_path / "part-0.csv", OWN.write_csv())
    assert "name the file after its ticker, as in AAPL.csv" in refusal(tmp_path)


def test_a_line_of_endless_length_is_no_table(tmp_path: Path) -> None:
    long = "date,open\n" + "x" * (csv.field_size_limit() + 1) + "\n"
    assert "is not a text file" in refusal(written(tmp_path / "AAPL.csv", long))


def test_all_schemas_of_a_database_are_read(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(str(tmp_path / "all.duckdb")) as connection:
        connection.register("bars", BARS.to_arrow())
        connection.execute("CREATE SCHEMA us")
        connection.execute("CREATE TABLE prices AS SELECT * FROM bars WHERE ticker = 'AAPL'")
        connection.execute("CREATE TABLE us.\"MSFT\" AS SELECT * EXCLUDE ticker FROM bars WHERE ticker = 'MSFT'")
    check(tmp_path / "all.duckdb")


def test_titles_above_the_header_of_a_sheet_are_left_out(tmp_path: Path) -> None:
    pytest.importorskip("fastexcel")
    path = LAYOUTS["file .xlsx"].write(MARKET, tmp_path)
    check(path)
    cells = pl.concat([pl.DataFrame([BARS.columns], schema=BARS.columns, orient="row"), BARS.cast(pl.String)])
    titled = cells.rename({name: "Prices" if not n else " " * n for n, name in enumerate(cells.columns)})
    write_workbook(titled, tmp_path / "titled.xlsx")
    check(tmp_path / "titled.xlsx")


def test_a_column_that_is_no_ticker_s_in_a_wide_table_is_named(tmp_path: Path) -> None:
    spread("{1}.{0}".format, "MSFT").with_columns(Total=1).write_csv(tmp_path / "all.csv")
    assert "and 'Total' beside them; leave that out" in refusal(tmp_path / "all.csv")
    pl.read_csv(tmp_path / "all.csv").drop("Total").write_csv(tmp_path / "all.csv")
    check(tmp_path / "all.csv")
