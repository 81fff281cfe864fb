"""Writes one true market in the layouts that vendors and people have."""

from __future__ import annotations

import gzip
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from tests.price_files.json_layouts import JSON_LAYOUTS
from tests.price_files.true_market import TrueMarket

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
Writer = Callable[[TrueMarket, Path], Path]


@dataclass(frozen=True)
class Layout:
    """A way of writing prices."""

    write: Writer
    """Writes the market below the folder, and returns the path to import."""
    actions: bool = False
    """Whether the files tell of splits and dividends."""
    splits: bool = True
    """Whether they tell of splits, where they tell of anything."""
    volume: int = 0
    """How far a volume may be off: some sites round it."""
    spelt: Mapping[str, str] = field(default_factory=dict)
    """Setting -> value, where the files need one: what a refusal without it advises."""
    advice: str = ""
    """What the refusal without those settings has to say."""


def _text(frame: pl.DataFrame, form: str = "%Y-%m-%d") -> pl.DataFrame:
    return frame.with_columns(pl.col("session").dt.strftime(form), *(pl.col(c).cast(pl.String) for c in PRICES))


PRICES = ("open", "high", "low", "close", "volume")


def _own_files(columns: Mapping[str, str], ending: str = ".csv", form: str = "%Y-%m-%d", **csv: Any) -> Writer:
    """One file a ticker, with these columns: theirs -> ours."""

    def write(market: TrueMarket, folder: Path) -> Path:
        for (ticker,), rows in _everything(market).group_by("ticker", maintain_order=True):
            text = _text(rows, form).select(pl.col(ours).alias(theirs) for theirs, ours in columns.items())
            text.write_csv(folder / f"{ticker}{ending}", **csv)
        return folder

    return write


def _one_file(columns: Mapping[str, str], name: str = "all.csv", form: str = "%Y-%m-%d", **csv: Any) -> Writer:
    def write(market: TrueMarket, folder: Path) -> Path:
        text = _text(_everything(market), form)
        text.select(pl.col(ours).alias(theirs) for theirs, ours in columns.items()).write_csv(folder / name, **csv)
        return folder / name

    return write


def _json(write: Callable[[pl.DataFrame, Path], Path]) -> Writer:
    return lambda market, folder: write(_everything(market), folder)


def _everything(market: TrueMarket) -> pl.DataFrame:
    """Bars and all that vendors put beside them."""
    full = market.adjusted(dividends=True)
    split = market.splits.select("ticker", "session", split=pl.col("numerator") / pl.col("denominator"))
    rows = full.join(split, on=["ticker", "session"], how="left").sort("ticker", "session")
    return rows.with_columns(
        pl.col("split").fill_null(1.0),
        split_or_0=pl.col("split").fill_null(0.0),
        amount=pl.col("amount").fill_null(0.0),
        adj_close=(pl.col("close") * pl.col("factor")).round(6),
        adj_close_4=(pl.col("close") * pl.col("factor")).round(4),
        adj_open=(pl.col("open") * pl.col("factor")).round(6),
        back_open=pl.col("open") * pl.col("ratio"),
        back_high=pl.col("high") * pl.col("ratio"),
        back_low=pl.col("low") * pl.col("ratio"),
        back_close=pl.col("close") * pl.col("ratio"),
        back_volume=pl.col("volume") / pl.col("ratio"),
        back_amount=pl.col("amount").fill_null(0.0) * pl.col("ratio"),
        nothing=pl.lit("0"),
    )


LONG = {
    "date": "session",
    "ticker": "ticker",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volume": "volume",
}
OWN = {"Date": "session", "Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume"}


def _yfinance(order: tuple[str, str], *, index_row: bool = True) -> Writer:
    """`yfinance.download(...).to_csv()`: two header rows, and one with the name of the index."""

    def write(market: TrueMarket, folder: Path) -> Path:
        fields, wide = _wide(market)
        first = [field if order[0] == "Price" else ticker for field, ticker in fields]
        second = [ticker if order[0] == "Price" else field for field, ticker in fields]
        lines = [",".join([order[0], *first]), ",".join([order[1], *second])]
        if index_row:
            lines.append("Date" + "," * len(fields))
        path = folder / "prices.csv"
        path.write_text("\n".join(lines) + "\n" + wide.write_csv(include_header=False))
        return path

    return write


def _wide(market: TrueMarket) -> tuple[list[tuple[str, str]], pl.DataFrame]:
    names = {"Close": "close", "High": "high", "Low": "low", "Open": "open", "Volume": "volume"}
    tickers = market.bars["ticker"].unique(maintain_order=True).to_list()
    fields = [(field, ticker) for field in names for ticker in tickers]
    wide = market.bars.select("session").unique().sort("session")
    for name, ticker in fields:
        own = market.bars.filter(pl.col("ticker") == ticker)
        own = own.select("session", pl.col(names[name]).alias(f"{name}|{ticker}"))
        wide = wide.join(own, on="session", how="left")
    return fields, wide


def _yfinance_single(market: TrueMarket, folder: Path) -> Path:
    for (ticker,), rows in market.bars.group_by("ticker", maintain_order=True):
        text = rows.select("session", "close", "high", "low", "open", "volume").write_csv(include_header=False)
        head = f"Price,Close,High,Low,Open,Volume\nTicker{f',{ticker}' * 5}\nDate,,,,,\n"
        (folder / f"download_{ticker}.csv").write_text(head + text)
    return folder


def _yfinance_parquet(market: TrueMarket, folder: Path) -> Path:
    import pandas as pd

    fields, wide = _wide(market)
    frame = pd.DataFrame({pair: wide[f"{pair[0]}|{pair[1]}"].to_list() for pair in fields})
    frame.columns = pd.MultiIndex.from_tuples(fields, names=["Price", "Ticker"])
    frame.index = pd.DatetimeIndex(wide["session"].to_list(), name="Date")
    frame.to_parquet(folder / "prices.parquet")
    return folder / "prices.parquet"


def _pandas_index_parquet(market: TrueMarket, folder: Path) -> Path:
    import pandas as pd

    for (ticker,), rows in market.bars.group_by("ticker", maintain_order=True):
        frame = pd.DataFrame({name.title(): rows[name].to_list() for name in PRICES})
        frame.index = pd.DatetimeIndex(rows["session"].to_list(), name="Date")
        frame.to_parquet(folder / f"{ticker}.parquet")
    return folder


def _flat_columns(form: str) -> Writer:
    def write(market: TrueMarket, folder: Path) -> Path:
        fields, wide = _wide(market)
        names = [form.format(field=field, ticker=ticker) for field, ticker in fields]
        wide.rename(dict(zip(wide.columns, ["Date", *names], strict=True))).write_csv(folder / "wide.csv")
        return folder / "wide.csv"

    return write


def _table_for_each_value(market: TrueMarket, folder: Path) -> Path:
    for name in PRICES:
        market.bars.pivot("ticker", index="session", values=name).rename({"session": "Date"}).write_csv(
            folder / f"{name}.csv"
        )
    return folder


def _tidy(market: TrueMarket, folder: Path) -> Path:
    long = market.bars.with_columns(pl.col("volume").cast(pl.Float64)).unpivot(
        PRICES, index=["ticker", "session"], variable_name="field", value_name="value"
    )
    long.rename({"session": "date"}).write_csv(folder / "tidy.csv")
    return folder / "tidy.csv"


def _hive(market: TrueMarket, folder: Path) -> Path:
    rows = market.bars.with_columns(year=pl.col("session").dt.year()).rename({"session": "date"})
    for (ticker, year), part in rows.group_by("ticker", "year", maintain_order=True):
        place = folder / f"year={year}" / f"ticker={ticker}"
        place.mkdir(parents=True)
        part.drop("ticker", "year").write_parquet(place / "part-0.parquet")
    return folder


def _folders_in_folders(market: TrueMarket, folder: Path) -> Path:
    for number, ((ticker,), rows) in enumerate(market.bars.group_by("ticker", maintain_order=True)):
        place = folder / "data" / "daily" / f"stocks {number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        rows.drop("ticker").rename({"session": "Date"}).write_csv(place / f"{ticker.lower()}.csv")
    (folder / "README.txt").write_text("What this is.\nTwo lines, with commas, of it.\n")
    (folder / "data" / "EMPTY.csv").write_text("Date,open,high,low,close,volume\n")
    return folder


def _mixed_folder(market: TrueMarket, folder: Path) -> Path:
    """Two names for the columns, and two forms of dates."""
    for number, ((ticker,), rows) in enumerate(market.bars.group_by("ticker", maintain_order=True)):
        names = OWN if number % 2 else {name.lower(): ours for name, ours in OWN.items()}
        text = _text(rows, "%m/%d/%Y" if number % 2 else "%Y-%m-%d")
        text.select(pl.col(ours).alias(theirs) for theirs, ours in names.items()).write_csv(folder / f"{ticker}.csv")
    return folder


def _binance(unit: int, *, header: bool = False) -> Writer:
    def write(market: TrueMarket, folder: Path) -> Path:
        rows = market.bars.with_columns(pl.col("session").dt.epoch("ms") * unit)
        day = 86_400_000 * unit
        for (ticker,), own in rows.group_by("ticker", maintain_order=True):
            text = own.select(
                *(pl.col(name) for name in ("session", *PRICES)),
                close_time=pl.col("session") + day - 1,
                quote_volume=pl.col("volume") * pl.col("close"),
                count=pl.lit(5),
                taker_buy_volume=pl.lit("1.0"),
                taker_buy_quote_volume=pl.lit("2.0"),
                ignore=pl.lit(0),
            ).rename({"session": "open_time"})
            text.write_csv(folder / f"{str(ticker).replace('.', '')}USDT-1d-2021.csv", include_header=header)
        return folder

    return write


def _polygon(market: TrueMarket, folder: Path) -> Path:
    zone = ZoneInfo(market.calendar.zone)
    for (session,), rows in market.bars.group_by("session", maintain_order=True):
        at = int(datetime.combine(session, time(0), zone).timestamp()) * 1_000_000_000
        text = rows.select(
            "ticker", "volume", "open", "close", "high", "low", window_start=pl.lit(at), transactions=pl.lit(9)
        )
        place = folder / f"{session.year}"
        place.mkdir(exist_ok=True)
        (place / f"{session}.csv.gz").write_bytes(gzip.compress(text.write_csv().encode(), 1))
    return folder


def _lean(market: TrueMarket, folder: Path) -> Path:
    for (ticker,), rows in market.bars.group_by("ticker", maintain_order=True):
        scaled = rows.select(
            pl.col("session").dt.strftime("%Y%m%d 00:00"),
            *((pl.col(name) * 10_000).round().cast(pl.Int64) for name in PRICES[:4]),
            "volume",
        )
        with zipfile.ZipFile(folder / f"{str(ticker).lower()}.zip", "w") as archive:
            archive.writestr(f"{str(ticker).lower()}.csv", scaled.write_csv(include_header=False))
    return folder


def _nasdaq(market: TrueMarket, folder: Path) -> Path:
    """nasdaq.com: dollars, American dates, the newest first."""
    for (ticker,), rows in market.bars.group_by("ticker", maintain_order=True):
        text = rows.sort("session", descending=True).select(
            pl.col("session").dt.strftime("%m/%d/%Y").alias("Date"),
            pl.format("${}", "close").alias("Close/Last"),
            pl.col("volume").alias("Volume"),
            *(pl.format("${}", name).alias(name.title()) for name in ("open", "high", "low")),
        )
        text.write_csv(folder / f"{ticker}.csv")
    return folder


def _grouped(number: float | int, between: str, mark: str) -> str:
    return f"{number:,}".translate(str.maketrans({",": between, ".": mark}))


def _written(between: str, mark: str, separator: str, form: str) -> Writer:
    """Numbers with thousands and a decimal mark of their own."""

    def write(market: TrueMarket, folder: Path) -> Path:
        rows = market.bars.with_columns(
            pl.col("session").dt.strftime(form),
            *(
                pl.col(name).map_elements(lambda n: _grouped(n, between, mark), return_dtype=pl.String)
                for name in PRICES
            ),
        )
        rows.rename({"session": "Date"}).write_csv(folder / "all.csv", separator=separator)
        return folder / "all.csv"

    return write


def _investing(market: TrueMarket, folder: Path) -> Path:
    for (ticker,), rows in market.bars.group_by("ticker", maintain_order=True):
        text = rows.sort("session", descending=True).select(
            pl.col("session").dt.strftime("%b %d, %Y").alias("Date"),
            pl.col("close").map_elements(lambda n: f"{n:,.2f}", return_dtype=pl.String).alias("Price"),
            *(
                pl.col(name).map_elements(lambda n: f"{n:,.2f}", return_dtype=pl.String).alias(name.title())
                for name in ("open", "high", "low")
            ),
            pl.col("volume").map_elements(lambda n: f"{n / 1e6:.2f}M", return_dtype=pl.String).alias("Vol."),
            pl.lit("0.12%").alias("Change %"),
        )
        text.write_csv(folder / f"{ticker} Historical Data.csv", quote_style="always")
    return folder


def _stooq(market: TrueMarket, folder: Path) -> Path:
    for (ticker,), rows in market.bars.group_by("ticker", maintain_order=True):
        text = rows.select(
            pl.col("ticker").alias("<TICKER>"),
            pl.lit("D").alias("<PER>"),
            pl.col("session").dt.strftime("%Y%m%d").alias("<DATE>"),
            pl.lit("000000").alias("<TIME>"),
            *(pl.col(name).alias(f"<{name.upper()}>") for name in PRICES[:4]),
            pl.col("volume").alias("<VOL>"),
            pl.lit(0).alias("<OPENINT>"),
        )
        text.write_csv(folder / f"{str(ticker).lower()}.txt")
    return folder


def _metatrader(market: TrueMarket, folder: Path) -> Path:
    for (ticker,), rows in market.bars.group_by("ticker", maintain_order=True):
        text = rows.select(
            pl.col("session").dt.strftime("%Y.%m.%d").alias("<DATE>"),
            *(pl.col(name).alias(f"<{name.upper()}>") for name in PRICES[:4]),
            pl.lit(7).alias("<TICKVOL>"),
            pl.col("volume").alias("<VOL>"),
            pl.lit(1).alias("<SPREAD>"),
        )
        text.write_csv(folder / f"{ticker}.csv", separator="\t")
    return folder


def _alpha_vantage(market: TrueMarket, folder: Path) -> Path:
    names = {"timestamp": "session", **{name: name for name in PRICES[:4]}, "adjusted_close": "adj_close_4"}
    names |= {"volume": "volume", "dividend_amount": "amount", "split_coefficient": "split"}
    for (ticker,), rows in _everything(market).group_by("ticker", maintain_order=True):
        text = rows.sort("session", descending=True).select(pl.col(o).alias(t) for t, o in names.items())
        text.write_csv(folder / f"daily_adjusted_{ticker}.csv")
    return folder


def _alpha_vantage_numbered(market: TrueMarket, folder: Path) -> Path:
    for (ticker,), rows in market.bars.group_by("ticker", maintain_order=True):
        named = {name: f"{n}. {name}" for n, name in enumerate(PRICES, 1)}
        rows.drop("ticker").rename({"session": "date", **named}).write_csv(folder / f"{ticker}.csv")
    return folder


def _kind_of_file(ending: str) -> Writer:
    def write(market: TrueMarket, folder: Path) -> Path:
        frame, path = market.bars.rename({"session": "date"}), folder / f"bars{ending}"
        if ending in (".feather", ".arrow"):
            frame.write_ipc(path)
        elif ending == ".zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("README.md", "prices")
                archive.writestr("prices/all.csv", frame.write_csv())
        elif ending == ".sqlite":
            with sqlite3.connect(path) as connection:
                connection.execute("CREATE TABLE notes (text TEXT)")
                connection.execute(
                    "CREATE TABLE bars (date TEXT, ticker TEXT, open REAL, high REAL, low REAL, close REAL, volume INT)"
                )
                rows = frame.with_columns(pl.col("date").cast(pl.String)).select("date", "ticker", *PRICES).rows()
                connection.executemany("INSERT INTO bars VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            connection.close()
        elif ending == ".duckdb":
            import duckdb

            with duckdb.connect(str(path)) as connection:
                connection.register("frame", frame)
                connection.execute("CREATE TABLE bars AS SELECT * FROM frame")
        elif ending == ".xlsx":
            write_workbook(frame, path)
        else:
            path.write_bytes(gzip.compress(frame.write_csv().encode()))
        return path

    return write


def write_workbook(frame: pl.DataFrame, path: Path) -> None:
    """The smallest workbook that has dates, numbers and texts."""
    rows = ["".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in frame.columns)]
    for row in frame.iter_rows():
        rows.append("".join(_cell(value) for value in row))
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="'
        'application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": _relations(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        '<sheet name="Bars" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _relations(("worksheet", "worksheets/sheet1.xml"), ("styles", "styles.xml")),
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
        "</styleSheet>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>'
        + "".join(f"<row>{row}</row>" for row in rows)
        + "</sheetData></worksheet>",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)


def _relations(*targets: tuple[str, str]) -> str:
    links = "".join(
        f'<Relationship Id="r{number}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>'


def _cell(value: object) -> str:
    if isinstance(value, date):
        return f'<c s="1"><v>{(value - date(1899, 12, 30)).days}</v></c>'
    return f'<c t="inlineStr"><is><t>{value}</t></is></c>' if isinstance(value, str) else f"<c><v>{value}</v></c>"


def _stamped(stamp: Callable[[TrueMarket], pl.Expr], name: str = "timestamp") -> Writer:
    def write(market: TrueMarket, folder: Path) -> Path:
        rows = market.bars.with_columns(stamp(market)).rename({"session": name})
        rows.write_csv(folder / "all.csv")
        return folder / "all.csv"

    return write


def _local_midnight(market: TrueMarket) -> pl.Expr:
    return pl.col("session").cast(pl.Datetime("us")).dt.replace_time_zone(market.calendar.zone)


def _titled(market: TrueMarket, folder: Path) -> Path:
    (folder / "all.csv").write_text(
        "Prices, downloaded from somewhere\n\n" + market.bars.rename({"session": "Date"}).write_csv(separator=";")
    )
    return folder / "all.csv"


def _sharadar(market: TrueMarket, folder: Path) -> Path:
    """SEP: prices and volumes adjusted for splits, closes adjusted for all and as traded beside them."""
    rows = _everything(market)
    prices = [(pl.col(f"back_{name}").round(4)).alias(name) for name in ("open", "high", "low", "close")]
    rows.select(
        "ticker",
        pl.col("session").alias("date"),
        *prices,
        pl.col("back_volume").round(1).alias("volume"),
        pl.col("adj_close").alias("closeadj"),
        pl.col("close").alias("closeunadj"),
        pl.lit("2024-02-01").alias("lastupdated"),
    ).write_csv(folder / "SEP.csv")
    return folder / "SEP.csv"


YAHOO = {**{k: v for k, v in OWN.items() if k != "Volume"}, "Adj Close": "adj_close", "Volume": "volume"}
BACK = {"Date": "session", "Open": "back_open", "High": "back_high", "Low": "back_low", "Close": "back_close"}
TIINGO = {
    "date": "session",
    "close": "close",
    "high": "high",
    "low": "low",
    "open": "open",
    "volume": "volume",
    "adjClose": "adj_close",
    "adjOpen": "adj_open",
    "divCash": "amount",
    "splitFactor": "split",
}
EODHD = {**{k: v for k, v in OWN.items() if k != "Volume"}, "Adjusted_close": "adj_close_4", "Volume": "volume"}
LAYOUTS: Mapping[str, Layout] = {
    "long": Layout(_one_file(LONG)),
    "long with semicolons": Layout(_one_file(LONG, separator=";")),
    "long with tabs": Layout(_one_file(LONG, "all.tsv", separator="\t")),
    "a title above the header": Layout(_titled),
    "kaggle": Layout(_one_file({**{k: v for k, v in LONG.items() if k != "ticker"}, "Name": "ticker"})),
    "one file a ticker": Layout(_own_files(OWN)),
    "folders in folders": Layout(_folders_in_folders),
    "two layouts in a folder": Layout(_mixed_folder),
    "hive partitions": Layout(_hive),
    "yahoo": Layout(_own_files(YAHOO), actions=True),
    "yahoo history with actions": Layout(
        _own_files({**BACK, "Volume": "back_volume", "Dividends": "back_amount", "Stock Splits": "split_or_0"}),
        actions=True,
    ),
    "yfinance": Layout(_yfinance(("Price", "Ticker"))),
    "yfinance by ticker": Layout(_yfinance(("Ticker", "Price"))),
    "yfinance without index row": Layout(_yfinance(("Price", "Ticker"), index_row=False)),
    "yfinance single": Layout(_yfinance_single),
    "yfinance parquet": Layout(_yfinance_parquet),
    "pandas index parquet": Layout(_pandas_index_parquet),
    "Close_AAPL": Layout(_flat_columns("{field}_{ticker}")),
    "AAPL Close": Layout(_flat_columns("{ticker} {field}")),
    "quantmod": Layout(_flat_columns("{ticker}.{field}")),
    "a table for each value": Layout(_table_for_each_value),
    "a row for each value": Layout(_tidy),
    "sharadar": Layout(_sharadar, actions=True, volume=20),
    "tiingo": Layout(_own_files(TIINGO), actions=True),
    "eodhd": Layout(_own_files(EODHD), actions=True),
    "alpha vantage": Layout(_alpha_vantage, actions=True),
    "alpha vantage numbered": Layout(_alpha_vantage_numbered),
    "nasdaq": Layout(_nasdaq),
    "investing.com": Layout(_investing, volume=5_000),
    "stooq": Layout(_stooq),
    "metatrader": Layout(_metatrader),
    "polygon": Layout(_polygon),
    "lean": Layout(_lean),
    "binance": Layout(_binance(1)),
    "binance microseconds": Layout(_binance(1000)),
    "binance with header": Layout(_binance(1, header=True)),
    "1,234.50": Layout(_written(",", ".", ";", "%Y-%m-%d")),
    "1.234,50": Layout(_written(".", ",", ";", "%d.%m.%Y")),
    "1 234,50": Layout(_written(" ", ",", "\t", "%d.%m.%Y")),
    "american dates": Layout(_own_files(OWN, form="%m/%d/%Y")),
    "european dates": Layout(_own_files(OWN, form="%d/%m/%Y")),
    "two-digit years": Layout(_own_files(OWN, form="%d-%b-%y")),
    "midnights": Layout(_stamped(_local_midnight)),
    "midnights in utc": Layout(_stamped(lambda market: _local_midnight(market).dt.convert_time_zone("UTC"))),
    "epoch seconds": Layout(
        _stamped(lambda market: _local_midnight(market).dt.convert_time_zone("UTC").dt.epoch("s").alias("session"))
    ),
    "epoch nanoseconds": Layout(
        _stamped(lambda market: _local_midnight(market).dt.convert_time_zone("UTC").dt.epoch("ns").alias("session"))
    ),
    **{
        f"file {ending}": Layout(_kind_of_file(ending))
        for ending in (".feather", ".arrow", ".zip", ".sqlite", ".csv.gz", ".duckdb", ".xlsx")
    },
} | {name: Layout(_json(write), actions=actions) for name, (write, actions) in JSON_LAYOUTS.items()}
