"""Reads the two files of a published study: raw prices, and the features and labels that were made of them.

Files differ in form and not in content: Parquet or CSV, names in any case (`Adj Close`), dates as dates, instants or
text, rows in any order, missing values as nothing, NaN or the mark -123321 of one study's authors. All come out as
one layout; what could mean two things is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from pipeline.text_format import counted

PRICES = ("open", "high", "low", "close", "adj_close")
"""The columns that raw prices have to have, in the listing's currency."""
ORIGINAL_OPEN = "original_open"
"""Where the open was restated later than high, low and close, the one that fits them."""
FEATURES = ("c_open", "c_high", "c_low", "n_close", "n_adj_close", "ma5", "ma10", "ma15", "ma20", "ma25", "ma30")
"""The inputs of Feng et al. (2019), table 1, in percent."""
REFERENCE = (*FEATURES, "label", "close")
"""The columns that a reference has to have."""
ALIASES = {"symbol": "ticker", "adjclose": "adj_close", "adjusted_close": "adj_close", "day": "date"}
MISSING_MARK = -123_320.0
"""What lies at or below is the mark of a missing value."""
DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%m/%d/%Y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
MISSING_WORDS = ("", "nan", "null", "none", "na", "n/a", "-")


class StudyError(ValueError):
    """A study that cannot be taken as it is, in words for whoever ran the command."""


def read_prices(path: Path) -> pl.DataFrame:
    """Raw prices: ticker, date, open, high, low, close, adj_close and, where the file has it, original_open.

    Rows that lack a price are no bars and left out.

    Returns:
        Sorted by ticker and date.

    Raises:
        StudyError: if the file cannot be read, lacks a column, repeats a bar or has prices that are none.
    """
    table = _read(path, PRICES, optional=(ORIGINAL_OPEN,))
    bars = table.drop_nulls(PRICES)
    columns = [name for name in (*PRICES, ORIGINAL_OPEN) if name in bars.columns]
    for name in columns:
        if (wrong := bars.filter(pl.col(name) <= 0)).height:
            raise StudyError(
                f"{path}: {counted(wrong.height, 'value')} of {name!r} not above 0, the first is "
                f"{_first(wrong, name)}; leave empty what is not known"
            )
    return bars


def read_reference(path: Path) -> pl.DataFrame:
    """What a study made of its prices: ticker, date, the features in percent, label (+1, 0, -1) and close.

    Returns:
        Sorted by ticker and date; null where a value is missing.

    Raises:
        StudyError: if the file cannot be read, lacks a column, repeats a row or has labels that are none.
    """
    table = _read(path, REFERENCE)
    wrong = table.filter(~pl.col("label").is_in([-1.0, 0.0, 1.0]))
    if wrong.height:
        raise StudyError(
            f"{path}: {counted(wrong.height, 'label')} other than 1, 0 and -1, the first is {_first(wrong, 'label')}"
        )
    sides = table["label"].value_counts().drop_nulls().filter(pl.col("label") != 0)
    if sides.height < 2:
        told = f"all {sides['label'][0]:g}" if sides.height else "none of them 1 or -1"
        raise StudyError(f"{path}: the labels are of one class only, {told}; nothing can be learned of them")
    return table


def _read(path: Path, needed: Iterable[str], optional: Iterable[str] = ()) -> pl.DataFrame:
    table = _name_columns(path, _load(path))
    needed = ("ticker", "date", *needed)
    if lacking := [name for name in needed if name not in table.columns]:
        raise StudyError(
            f"{path} lacks {counted(len(lacking), 'column')}: {', '.join(lacking)}; it has {', '.join(table.columns)}"
        )
    numbers = [name for name in (*needed[2:], *optional) if name in table.columns]
    table = table.select(_ticker(path, table), _dates(path, table), *(_numbers(path, table, name) for name in numbers))
    if table.is_empty():
        raise StudyError(f"{path} has no rows")
    return _each_once(path, table)


def _load(path: Path) -> pl.DataFrame:
    """The file as it is; of a CSV every cell as text, so that a ticker `TRUE` or `1E5` stays one."""
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pl.read_parquet(path)
        if path.suffix.lower() in (".csv", ".txt", ".tsv"):
            separator = "\t" if path.suffix.lower() == ".tsv" else ","
            return pl.read_csv(path, infer_schema=False, separator=separator)
    except FileNotFoundError:
        raise StudyError(f"there is no file {path}") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StudyError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    raise StudyError(f"{path} is neither a Parquet file nor a CSV by its name; end it in .parquet or .csv")


def _name_columns(path: Path, table: pl.DataFrame) -> pl.DataFrame:
    names: dict[str, str] = {}
    for column in table.columns:
        name = re.sub(r"[^a-z0-9]+", "_", column.strip().lower()).strip("_")
        name = ALIASES.get(name, name)
        if name in names.values():
            twice = next(one for one, known in names.items() if known == name)
            raise StudyError(f"{path} has {name!r} twice, as {twice!r} and {column!r}; leave one of them out")
        if name:
            names[column] = name
    return table.select(list(names)).rename(names)


def _ticker(path: Path, table: pl.DataFrame) -> pl.Series:
    tickers = table["ticker"].cast(pl.String).str.strip_chars()
    lacking = (tickers.is_null() | (tickers == "")).sum()
    if lacking:
        raise StudyError(f"{path}: {counted(int(lacking), 'row')} without a ticker")
    return tickers


def _dates(path: Path, table: pl.DataFrame) -> pl.Series:
    """As days, whatever form they have; an instant counts for the day it is written with."""
    column = table["date"]
    if not isinstance(column.dtype, pl.String):
        if column.dtype.is_integer():
            column = column.cast(pl.String)
        elif not column.dtype.is_temporal() or isinstance(column.dtype, pl.Time | pl.Duration):
            raise StudyError(f"{path}: the column 'date' holds {column.dtype}, no dates; write them as 2014-01-02")
        else:
            return column.cast(pl.Date).rename("date")
    text = column.str.strip_chars()
    found = pl.select(pl.coalesce(text.str.to_date(form, strict=False) for form in DATE_FORMATS).alias("date"))["date"]
    if (unread := text.filter(found.is_null())).len():
        first = unread[0]
        raise StudyError(
            f"{path}: {counted(unread.len(), 'date')} cannot be read, the first is {first!r}; write them as 2014-01-02"
        )
    return found


def _numbers(path: Path, table: pl.DataFrame, name: str) -> pl.Series:
    """As numbers; null where one is missing by any of its signs."""
    column = table[name]
    if isinstance(column.dtype, pl.String):
        text = column.str.strip_chars()
        empty = text.is_null() | text.str.to_lowercase().is_in(MISSING_WORDS)
        values = text.cast(pl.Float64, strict=False)
        unread = text.filter(values.is_null() & ~empty)
        if unread.len():
            raise StudyError(
                f"{path}: {counted(unread.len(), 'value')} of {name!r} that are no number, the first is {unread[0]!r}"
            )
    elif column.dtype.is_numeric() or isinstance(column.dtype, pl.Null):
        values = column.cast(pl.Float64)
    else:
        raise StudyError(f"{path}: the column {name!r} holds {column.dtype}, no numbers")
    return pl.select(pl.when(values.is_finite() & (values > MISSING_MARK)).then(values).alias(name))[name]


def _each_once(path: Path, table: pl.DataFrame) -> pl.DataFrame:
    """Sorted, identical repeats dropped."""
    rows = table.unique(maintain_order=True).sort("ticker", "date")
    twice = rows.filter(pl.struct("ticker", "date").is_duplicated())
    if twice.height:
        ticker, day = twice.row(0)[:2]
        count = twice.select("ticker", "date").n_unique()
        raise StudyError(
            f"{path}: {counted(count, 'day')} of a ticker with several values, the first is {ticker} at {day}; leave "
            "the wrong rows out"
        )
    return rows


def _first(rows: pl.DataFrame, name: str) -> str:
    first = rows.row(0, named=True)
    return f"{first['ticker']} at {first['date']}: {first[name]:g}"
