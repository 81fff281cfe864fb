"""Files land as they are, whatever their columns are called, and what cannot be landed is refused in words."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.tables.market import CORPORATE_ACTIONS, RAW_PRICES
from lake.tables.news import RAW_NEWS
from pipeline.ingestion.actions.validate_actions import validate_actions
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.source import FilesSource
from tests.frames.market import instruments
from tests.frames.sessions import weekday_sessions
from tests.pipeline.ingestion.sources.markets import bars, lines
from tests.real_data import REAL_DATA

CALENDAR = weekday_sessions(date(2020, 1, 1), date(2020, 12, 31))
HEADER = "Date,Symbol,Open,High,Low,Close,Volume"
MONDAY, FRIDAY = date(2020, 6, 1), date(2020, 6, 5)
NEXT = date(2020, 6, 8)


def csv(path: Path, *rows: str, header: str = HEADER) -> str:
    """Write a CSV file and return its path as text."""
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return str(path)


def week(ticker: str, start: int = 1, days: int = 7) -> list[str]:
    """Rows of consecutive days of June 2020."""
    return [f"2020-06-{start + n:02d},{ticker},10,11,9,10.{n},1000" for n in range(days)]


def files(*prices: str, **changes: Any) -> FilesSource:
    """A source over these price files."""
    return FilesSource(FilesParams(prices=prices, **changes), CALENDAR)


def history(source: FilesSource) -> pl.DataFrame:
    """All bars, as text."""
    return bars(source.prices(date(2020, 1, 1), date(2020, 12, 31), history=True))


def refusal(*prices: str, **changes: Any) -> str:
    """The words a source refuses its files with."""
    with pytest.raises(SourceError) as caught:
        files(*prices, **changes).coverage()
    return str(caught.value)


def test_cells_land_verbatim(tmp_path: Path) -> None:
    path = csv(tmp_path / "p.csv", '2020-06-01,AAA,"12,3x",011.50,9,nan,1e3', "2020-06-02,../x,,11,9,10,")
    raw = files(path).prices(MONDAY, FRIDAY, history=True)
    RAW_PRICES.check(raw)
    payloads = raw.filter(pl.col("kind") == "bars")["payload"].to_list()
    assert [json.loads(text) for text in payloads] == [
        {
            "Date": "2020-06-01",
            "Symbol": "AAA",
            "Open": "12,3x",
            "High": "011.50",
            "Low": "9",
            "Close": "nan",
            "Volume": "1e3",
        },
        {"Date": "2020-06-02", "Symbol": "../x", "Open": None, "High": "11", "Low": "9", "Close": "10", "Volume": None},
    ]


def test_parquet_values_become_text_that_reads_back_the_same(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "date": [date(2020, 6, 1), date(2020, 6, 2)],
            "ticker": ["AAA", "AAA"],
            "open": [0.1 + 0.2, float("nan")],
            "high": [1e-7, 12.0],
            "low": [9.0, None],
            "close": pl.Series([10, 11], dtype=pl.Float32),
            "volume": [5, 6],
            "seen": pl.Series(["2020-06-01T16:00:00", None]).str.to_datetime(),
            "at": pl.Series([datetime(2020, 6, 1, 16, tzinfo=UTC), None]),
        }
    )
    frame.write_parquet(tmp_path / "p.parquet")
    raw = files(str(tmp_path / "p.parquet")).prices(MONDAY, FRIDAY, history=True)
    first, second = (json.loads(line) for line in raw["payload"][0].split("\n"))
    assert (float(first["open"]), float(first["high"]), first["close"]) == (0.1 + 0.2, 1e-7, "10.0")
    assert (first["date"], first["seen"], first["at"]) == (
        "2020-06-01",
        "2020-06-01T16:00:00",
        "2020-06-01T16:00:00+00:00",
    )
    assert (second["open"], second["low"], second["seen"]) == ("NaN", None, None)


@pytest.mark.parametrize(
    "header",
    [
        "date,ticker,open,high,low,close,volume",
        "Date,Name,OPEN,HIGH,LOW,CLOSE,VOL",
        "timestamp,act_symbol,Open,High,Low,Close/Last,Volume",
        " Trade Date ,SYMBOL,open_price,high price,low-price,px_last,total volume",
        "Datum,Symbol,Eröffn.,Hoch,Tief,Zuletzt,Vol.",
        "Date,Symbol,Ouv.,Plus Haut,Plus Bas,Dernier,Vol.",
        "Fecha,Symbol,Apertura,Máximo,Mínimo,Último,Vol.",
        "DATE,TICKER,OPENPRC,ASKHI,BIDLO,PRC,VOL",
    ],
)
def test_usual_column_names_are_recognised(tmp_path: Path, header: str) -> None:
    told = history(files(csv(tmp_path / "p.csv", "2020-06-01,AAA,1,2,0.5,1.5,7", header=header)))
    assert told.rows() == [("AAA", "2020-06-01", "1", "2", "0.5", "1.5", "7")]


def test_an_adjusted_close_is_never_taken_for_the_close(tmp_path: Path) -> None:
    header = "Unnamed: 0,Date,Symbol,Open,High,Low,Adj Close,Volume,Close"
    path = csv(tmp_path / "p.csv", "0,2020-06-01,AAA,1,2,0.5,77,9,1.5", header=header)
    assert history(files(path))["close"].to_list() == ["1.5"]
    header = header.removesuffix(",Close")
    said = refusal(csv(tmp_path / "p.csv", "0,2020-06-01,AAA,1,2,0.5,77,9", header=header))
    assert "no column for 'close'" in said
    assert "'Adj Close'" in said
    assert "--column close=COLUMN" in said


def test_a_mapping_says_what_cannot_be_recognised(tmp_path: Path) -> None:
    header = "WHEN,WHO,Open,High,Low,LAST,Close,Volume"
    path = csv(tmp_path / "p.csv", "2020-06-01,AAA,1,2,0.5,1.5,99,7", header=header)
    told = history(files(path, columns=("session=WHEN", "ticker=WHO", "close=LAST")))
    assert told.rows() == [("AAA", "2020-06-01", "1", "2", "0.5", "1.5", "7")]


def test_a_file_of_closes_is_read_with_the_other_prices_mapped_to_them(tmp_path: Path) -> None:
    path = csv(tmp_path / "p.csv", "2020-06-01,AAA,1.5,7", header="Date,Symbol,Close,Volume")
    told = history(files(path, columns=("date=Date", "open=Close", "high=Close", "low=Close")))
    assert told.rows() == [("AAA", "2020-06-01", "1.5", "1.5", "1.5", "1.5", "7")]


def test_a_folder_of_unknown_headers_is_refused_with_its_columns_and_how_to_map_them(tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    folder.mkdir()
    csv(folder / "AAA.csv", "2020-06-01,1,2,1,1.5,7", header="When,P1,P2,P3,P4,P5")
    said = refusal(str(folder))
    assert "'P1', 'P2', 'P3', 'P4'" in said
    assert "--column close=COLUMN" in said
    mapped = ("date=When", "open=P1", "high=P2", "low=P3", "close=P4", "volume=P5")
    assert history(files(str(folder), columns=mapped))["ticker"].to_list() == ["AAA"]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (("close",), "not of the form canonical=column"),
        (("clsoe=LAST",), "did you mean 'close'"),
        (("close=LAST",), "no column 'LAST'"),
        (("close=Close", "close=Open"), "mapped twice"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(tmp_path: Path, mapping: tuple[str, ...], said: str) -> None:
    assert said in refusal(csv(tmp_path / "p.csv", *week("AAA")), columns=mapping)


def test_what_cannot_be_read_is_refused_in_words(tmp_path: Path) -> None:
    assert "there is no file" in refusal(str(tmp_path / "none.csv"))
    (tmp_path / "empty.csv").write_text("")
    assert "is empty" in refusal(str(tmp_path / "empty.csv"))
    assert "has no rows" in refusal(csv(tmp_path / "bare.csv"))
    (tmp_path / "p.docx").write_text("x")
    assert "unsupported extension '.docx'" in refusal(str(tmp_path / "p.docx"))
    (tmp_path / "p.parquet").write_text("this is no parquet file")
    assert "cannot be read" in refusal(str(tmp_path / "p.parquet"))
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"\n2020-06-01,\xe9\xe8,1,2,1,1,1\n")
    assert "save it as UTF-8" in refusal(str(tmp_path / "latin.csv"))
    for content in (
        b"PAR1\x15\x04\x15\x80,Close\n",
        b"\x00\x01\x02\x03\n\x04",
        HEADER.encode() + b"\n\x00\x93\xff\xfe,1\n",
    ):
        (tmp_path / "binary.csv").write_bytes(content)
        told = refusal(str(tmp_path / "binary.csv"))
        assert f"{tmp_path / 'binary.csv'} is not a text file" in told and "codec" not in told
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(HEADER.encode())[:15])
    assert "cannot be read" in refusal(str(tmp_path / "cut.csv.gz"))
    (tmp_path / "folder").mkdir()
    assert "contains no CSV or Parquet file" in refusal(str(tmp_path / "folder"))
    assert "has no price file" in refusal()
    pl.DataFrame({"date": ["x"], "bytes": [b"x"]}).write_parquet(tmp_path / "b.parquet")
    assert "column 'bytes'" in refusal(str(tmp_path / "b.parquet"))


@pytest.mark.parametrize(
    ("ending", "separator"), [("csv", ","), ("csv", ";"), ("tsv", "\t"), ("txt", "|"), ("csv.gz", ",")]
)
def test_every_usual_kind_of_text_table_is_read(tmp_path: Path, ending: str, separator: str) -> None:
    text = "\n".join([HEADER, *week("AAA", days=2)]).replace(",", separator)
    path = tmp_path / f"p.{ending}"
    path.write_bytes(gzip.compress(text.encode()) if ending.endswith("gz") else b"\xef\xbb\xbf" + text.encode())
    assert history(files(str(path)))["close"].to_list() == ["10.0", "10.1"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ending", ["csv", "csv.gz", "zip"])
def test_the_unicode_text_of_spreadsheets_is_read(tmp_path: Path, ending: str, encoding: str) -> None:
    text = "\n".join([HEADER.replace(",", "\t"), *(row.replace(",", "\t") for row in week("AAA", days=2))])
    mark = b"" if encoding == "utf-16" else "\ufeff".encode(encoding)
    path, data = tmp_path / f"p.{ending}", mark + text.encode(encoding)
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("AAA.csv", data)
    else:
        path.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    assert history(files(str(path)))["close"].to_list() == ["10.0", "10.1"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2020-06-03", "2020-06-03"),
        ("2020-06-03 00:00:00", "2020-06-03"),
        ("2020-06-03T00:00:00+00:00", "2020-06-03"),
        ("2020-06-03T20:00:00Z", "2020-06-03"),
        ("2020-06-04T02:00:00+00:00", "2020-06-03"),
        ("2020-06-03 16:00", "2020-06-03"),
        ("20200603", "2020-06-03"),
        ("20200603 00:00", "2020-06-03"),
        ("06/23/2020", "2020-06-23"),
        ("23/06/2020", "2020-06-23"),
        ("23.06.2020", "2020-06-23"),
        ("2020/06/23", "2020-06-23"),
        ("23-Jun-2020", "2020-06-23"),
        ("43985", "2020-06-03"),
        ("43985.6875", "2020-06-03"),
    ],
)
def test_days_are_found_out_however_they_are_written(tmp_path: Path, written: str, read: str) -> None:
    path = csv(tmp_path / "p.csv", f"{written},AAA,1,2,1,1,1")
    raw = files(path).prices(date(2020, 6, 1), date(2020, 6, 30), history=True)
    assert bars(raw)["session"].to_list() == [read]
    assert json.loads(raw["payload"][0])["Date"] == written


def test_day_and_month_are_not_guessed(tmp_path: Path) -> None:
    path = csv(tmp_path / "p.csv", "03/06/2020,AAA,1,2,1,1,1", "04/06/2020,AAA,1,2,1,1,1")
    assert "day and month cannot be told apart" in refusal(path)
    assert history(files(path, date_format="%d/%m/%Y"))["session"].to_list() == ["2020-06-03", "2020-06-04"]


def test_a_column_without_a_single_date_is_refused(tmp_path: Path) -> None:
    path = csv(tmp_path / "p.csv", "soon,AAA,1,2,1,1,1", "later,AAA,1,2,1,1,1")
    said = refusal(path)
    assert "none of 2 values is a date" in said
    assert "'soon'" in said
    assert "in the form '%Y'" in refusal(path, date_format="%Y")
    old = csv(tmp_path / "old.csv", "1890-01-02,AAA,1,2,1,1,1")
    assert "no day of a stock from 2020-01-01" in refusal(old)


def test_history_lands_unreadable_days_and_daily_fetches_the_last_five_sessions(tmp_path: Path) -> None:
    path = csv(tmp_path / "p.csv", *week("AAA", days=12), "someday,AAA,1,2,1,1,1", ",AAA,1,2,1,1,1")
    source = files(path)
    told = bars(source.prices(MONDAY, FRIDAY, history=True))
    assert told.filter(~pl.col("session").str.contains("2020").fill_null(False)).height == 2
    assert told.height == 5 + 2
    daily = bars(source.prices(NEXT, NEXT, history=False))
    # the first Saturday and Sunday lie within the five sessions and are delivered, for ingestion to refuse
    assert daily["session"].to_list() == [f"2020-06-{day:02d}" for day in range(2, 9)]


def test_coverage_spans_the_stocks_and_not_the_longer_benchmark(tmp_path: Path) -> None:
    stocks = csv(tmp_path / "p.csv", *week("AAA", start=6, days=6))
    benchmark = csv(tmp_path / "b.csv", *week("SPY", start=1, days=25))
    assert files(stocks, benchmark=benchmark).coverage() == (NEXT, date(2020, 6, 11))


def test_one_payload_per_ticker_and_rows_without_one_stay_visible(tmp_path: Path) -> None:
    path = csv(tmp_path / "p.csv", *week("BBB", days=2), *week("AAA", days=2), "2020-06-01,,1,2,1,1,1")
    raw = files(path).prices(MONDAY, FRIDAY, history=True).filter(pl.col("kind") == "bars")
    assert raw["ticker"].to_list() == ["BBB", "AAA", ""]
    assert len(lines(raw)) == 5


def test_a_folder_holds_one_file_per_ticker(tmp_path: Path) -> None:
    header = "Date,Open,High,Low,Close,Volume"
    folder = tmp_path / "bars"
    folder.mkdir()
    csv(folder / "aaa.csv", "2020-06-01,1,2,1,1.5,7", header=header)
    csv(folder / "BRK.B.csv", "2020-06-01,3,4,3,3.5,8", header=header)
    (folder / "readme.md").write_text("not a price file")
    assert history(files(str(folder)))["ticker"].to_list() == ["BRK.B", "AAA"]
    single = history(files(str(folder / "BRK.B.csv")))
    assert single["ticker"].to_list() == ["BRK.B"]


def test_a_file_that_does_not_say_whose_bars_it_holds_is_refused(tmp_path: Path) -> None:
    path = csv(tmp_path / "prices.csv", "2020-06-01,1,2,1,1.5,7", header="Date,Open,High,Low,Close,Volume")
    assert "no column for 'ticker'" in refusal(path)


def test_the_benchmark_is_listed_as_one_and_never_as_a_stock(tmp_path: Path) -> None:
    path = csv(tmp_path / "p.csv", *week("AAA"))
    bare = csv(tmp_path / "index.csv", "2020-06-02,1,2,1,1.5,7", header="Date,Open,High,Low,Close,Volume")
    raw = files(path, benchmark=bare, benchmark_ticker="IDX").prices(MONDAY, FRIDAY, history=True)
    roles = {row["ticker"]: (row["role"], row["listed_on"]) for row in lines(raw, "listings")}
    assert roles == {"AAA": ("stock", "2020-06-01"), "IDX": ("benchmark", "2020-06-02")}
    assert "no bars of the benchmark 'QQQ', but of 'AAA'" in refusal(path, benchmark=path, benchmark_ticker="QQQ")


def test_listings_come_from_their_file_with_what_it_lacks_filled_in(tmp_path: Path) -> None:
    prices = csv(tmp_path / "p.csv", *week("AAA"), *week("BBB", start=2), *week("SPY"))
    named = csv(tmp_path / "l.csv", "AAA,Alpha Inc.,Energy", "BBB,Beta Ltd.,", header="Symbol,Security,GICS Sector")
    raw = files(prices, listings=named).prices(MONDAY, FRIDAY, history=True)
    listed = {row["ticker"]: row for row in lines(raw, "listings")}
    assert listed["AAA"] == {
        "ticker": "AAA",
        "name": "Alpha Inc.",
        "sector": "Energy",
        "role": "stock",
        "exchange": "XNYS",
        "currency": "USD",
        "listed_on": "2020-06-01",
    }
    assert (listed["BBB"]["sector"], listed["BBB"]["listed_on"]) == (None, "2020-06-02")
    assert listed["SPY"]["role"] == "benchmark"


def test_a_daily_fetch_lists_only_newcomers(tmp_path: Path) -> None:
    path = csv(tmp_path / "p.csv", *week("AAA", days=20), *week("NEW", start=12, days=9))
    source = files(path)
    day = date(2020, 6, 15)
    assert [row["ticker"] for row in lines(source.prices(day, day, history=False), "listings")] == ["NEW"]
    assert lines(source.prices(date(2020, 6, 11), date(2020, 6, 11), history=False), "listings") == []


@pytest.mark.parametrize(
    ("header", "cells", "fields"),
    [
        ("amount,cash", "9,2", ("amount", "cash")),
        ("cash", "2", ("cash", None)),
        ("cash,cash_part", "9,2", ("cash", "cash_part")),
    ],
)
def test_the_cash_of_a_merger_stands_beside_its_value_and_alone_is_the_amount(
    tmp_path: Path, header: str, cells: str, fields: tuple[str, str | None]
) -> None:
    prices = csv(tmp_path / "p.csv", *week("AAA"))
    told = csv(tmp_path / "a.csv", f"AAA,2020-06-05,merger,{cells}", header=f"ticker,ex_date,kind,{header}")
    landed = files(prices, actions=told).prices(FRIDAY, FRIDAY, history=False).filter(kind="actions")
    known = json.loads(landed["request"][0])["fields"]
    assert (known["amount"], known.get("cash")) == fields


def test_history_brings_what_precedes_a_listing_so_that_it_is_told(tmp_path: Path) -> None:
    prices = csv(tmp_path / "p.csv", *week("AAA"))
    rows = ("AAA,2019-06-05,dividend,1", "ZZZ,2019-06-05,dividend,1")
    told = csv(tmp_path / "a.csv", *rows, header="ticker,ex_date,kind,amount")
    landed = files(prices, actions=told).prices(MONDAY, FRIDAY, history=True)
    assert [(row["ticker"], row["ex_date"]) for row in lines(landed, "actions")] == [("AAA", "2019-06-05")]
    listed = instruments("AAA", listed_on=MONDAY)
    bad = validate_actions(landed, listed, CORPORATE_ACTIONS.empty(), CALENDAR).bad
    assert bad["rule"].to_list() == ["no earlier than the ticker's first session"]


def test_actions_come_when_ex_or_announced(tmp_path: Path) -> None:
    prices = csv(tmp_path / "p.csv", *week("AAA", days=20))
    told = csv(
        tmp_path / "a.csv",
        "AAA,2020-06-05,split,2,1,,2020-05-20T21:00:00Z",
        "AAA,2020-06-12,dividend,,,0.5,2020-06-05T20:05:00Z",
        "AAA,2020-06-19,dividend,,,0.6,2020-06-09T20:05:00Z",
        header="ticker,ex_date,kind,numerator,denominator,amount,announced_at",
    )
    source = files(prices, actions=told)
    known = lines(source.prices(FRIDAY, FRIDAY, history=False), "actions")
    assert [(row["kind"], row["ex_date"]) for row in known] == [("split", "2020-06-05"), ("dividend", "2020-06-12")]
    later = date(2020, 6, 15)
    known = lines(source.prices(later, later, history=False), "actions")
    assert [row["amount"] for row in known] == [None, "0.5", "0.6"], "a quarter is asked for again"


def test_an_old_action_that_is_announced_now_comes_and_one_that_nobody_knows_yet_does_not(tmp_path: Path) -> None:
    prices = csv(tmp_path / "p.csv", *week("AAA", days=20))
    told = csv(
        tmp_path / "a.csv",
        "AAA,2019-06-05,split,2,1,,2020-06-05T19:00:00Z",
        "AAA,2020-06-04,dividend,,,0.5,2020-06-08T20:05:00Z",
        header="ticker,ex_date,kind,numerator,denominator,amount,announced_at",
    )
    source = files(prices, actions=told)
    landed = source.prices(FRIDAY, FRIDAY, history=False).filter(pl.col("kind") == "actions")
    assert [row["ex_date"] for row in lines(landed, "actions")] == ["2019-06-05"]
    monday = date(2020, 6, 8)
    assert [row["ex_date"] for row in lines(source.prices(monday, monday, history=False), "actions")] == ["2020-06-04"]
    assert json.loads(landed["request"][0])["covers"]["until"] is None


def test_a_file_without_an_action_of_the_days_says_so(tmp_path: Path) -> None:
    prices = csv(tmp_path / "p.csv", *week("AAA", days=20))
    told = csv(tmp_path / "a.csv", "AAA,2018-06-05,split,2,1", header="ticker,ex_date,kind,numerator,denominator")
    landed = files(prices, actions=told).prices(FRIDAY, FRIDAY, history=False).filter(pl.col("kind") == "actions")
    assert landed["payload"].to_list() == [""]


def test_news_come_on_the_day_they_are_published(tmp_path: Path) -> None:
    prices = csv(tmp_path / "p.csv", *week("AAA", days=20))
    news = csv(
        tmp_path / "n.csv",
        "1,2020-06-04T21:00:00-04:00,After the close,AAA",
        "2,2020-06-05 10:00:00-0400,In the session,AAA BBB",
        "3,2020-06-05T17:00:00-04:00,After the next close,AAA",
        "4,yesterday,Undated,AAA",
        header="id,published,headline,symbols",
    )
    source = files(prices, news=news)
    daily = source.news(FRIDAY, FRIDAY, history=False)
    RAW_NEWS.check(daily)
    assert [row["id"] for row in lines(daily)] == ["1", "2"]
    assert [row["id"] for row in lines(source.news(MONDAY, FRIDAY, history=True))] == ["1", "2", "4"]
    assert source.news(MONDAY, MONDAY, history=False).is_empty()
    assert files(prices).news(MONDAY, FRIDAY, history=True).is_empty()


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    source = files(csv(path, "2020-06-01,AAA,1,2,1,1.5,7"))
    assert history(source)["close"].to_list() == ["1.5"]
    csv(path, "2020-06-01,AAA,1,2,1,1.75,7")
    os.utime(path, ns=(1, 1))
    assert history(source)["close"].to_list() == ["1.75"]


DATA = REAL_DATA


@pytest.mark.parametrize(
    ("file", "rows", "tickers"),
    [
        ("us_markets/us_sp500_daily_2018_2023.parquet", 341_041, None),
        ("lean_us_equity/daily_unadjusted.parquet", 70_025, 21),
        ("stocknet_acl18/price_raw.parquet", 108_592, 88),
    ],
)
def test_real_files_land_whole(file: str, rows: int, tickers: int | None) -> None:
    path = DATA / file
    if not path.exists():
        pytest.skip(f"{path} is not here")
    calendar = weekday_sessions(date(1990, 1, 1), date(2026, 1, 1))
    source = FilesSource(FilesParams(prices=(str(path),)), calendar)
    raw = source.prices(*source.coverage(), history=True).filter(pl.col("kind") == "bars")
    assert int(raw["payload"].str.count_matches("\n").sum()) + raw.height == rows
    assert tickers is None or raw.height == tickers
