"""Brings one table of prices into the plain layout and recognises its columns, or says why it cannot be one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files import columns
from pipeline.ingestion.sources.files.dates import find_form
from pipeline.ingestion.sources.files.layouts.names import find_ticker
from pipeline.ingestion.sources.files.layouts.number_forms import Mark, find_mark
from pipeline.ingestion.sources.files.layouts.tables import PriceTable
from pipeline.ingestion.sources.files.layouts.wide import find_table_of_one_field, pivot_tidy, unstack
from pipeline.ingestion.sources.files.params import FilesParams

TICKER_COLUMN = "ticker"
"""Added where a file does not say whose bars it holds."""
PRICES = ("open", "high", "low", "close", "volume")
DECI_CENTS = "_e4"
"""The end of a column's name whose numbers are ten-thousandths."""


@dataclass(frozen=True)
class PricesOfFile:
    """The rows of one table, recognised."""

    file: str
    layout: str
    lines: pl.DataFrame
    """All columns String, as they are landed."""
    numbers: pl.Series
    """Where in the file each row stands, UInt32."""
    fields: dict[str, str]
    """Canonical field -> column."""
    day_form: str
    """How its days are written: iso, or a form of `dates`; empty where it cannot be told."""
    mark: Mark
    """The decimal mark; empty where its numbers are plain."""


def recognise_prices(
    table: PriceTable,
    params: FilesParams,
    overrides: Mapping[str, str],
    *,
    partitions: Mapping[str, str] | None = None,
    folder: bool = False,
    ticker: str | None = None,
    strict: bool = True,
) -> PricesOfFile:
    """Return the table's rows in the plain layout.

    Args:
        table: as it was read.
        params: the interval decides which column is the time.
        overrides: columns that the operator names.
        partitions: what the folders above say, as columns.
        folder: whether it is one of a folder's files.
        ticker: whose bars these are, where no column says it; None to look at the file's name.
        strict: a column that the operator names and the file lacks is an error.

    Raises:
        SourceError: naming what could not be found, what the file has, and the way out.
    """
    daily = params.interval == "1d"
    usual = columns.DAILY_BARS if daily else columns.INTRADAY_BARS
    required = ("ticker", "session" if daily else "ts", *PRICES)
    lines, numbers, layout = _plain_rows(table, usual, overrides, required[1:])
    missing = {name: text for name, text in (partitions or {}).items() if name not in lines.columns}
    lines = lines.with_columns(pl.lit(text).alias(name) for name, text in missing.items())
    if not names_ticker(lines, overrides):
        named = ticker or find_ticker(table.stem, folder=folder)
        lines = lines if named is None else lines.with_columns(pl.lit(named).alias(TICKER_COLUMN))
    if not daily:
        lines = _join_clock(lines)
    _refuse_one_field(lines, table)
    fields = columns.recognise(lines.columns, usual, overrides, required=required, file=table.file, strict=strict)
    texts = [fields[name] for name in PRICES if fields[name] not in table.numeric]
    mark = find_mark(lines, texts, params.decimal, table.file) if texts else ""
    day_form = params.date_format or find_form(lines[fields[required[1]]])
    return PricesOfFile(table.file, layout, lines, numbers, fields, day_form, mark)


def has_prices(table: PriceTable, overrides: Mapping[str, str]) -> bool:
    """Whether a table shows any sign of being one of prices: a README and a list of names do not."""
    found = columns.recognise(table.lines.columns, columns.DAILY_BARS, overrides, required=(), file="", strict=False)
    named = sum(name in found for name in ("open", "high", "low", "close"))
    return named >= 2 or unstack(table.lines.head(1)) is not None or _is_one_field(table.lines)


def names_ticker(lines: pl.DataFrame, overrides: Mapping[str, str]) -> bool:
    """Whether a column says whose bars these are."""
    if overrides.get("ticker") in lines.columns:
        return True
    usual = {"ticker": columns.TICKER}
    return bool(columns.recognise(lines.columns, usual, {}, required=(), file="", strict=False))


def _plain_rows(
    table: PriceTable, usual: columns.Usual, overrides: Mapping[str, str], required: tuple[str, ...]
) -> tuple[pl.DataFrame, pl.Series, str]:
    """The rows with a column for each value, where in the file each stands, and the layout they had."""
    lines = table.lines
    found = columns.recognise(lines.columns, usual, overrides, required=(), file="", strict=False)
    numbers = pl.Series("line", range(table.first_line, table.first_line + lines.height), dtype=pl.UInt32)
    if set(required) <= found.keys():
        return _undo_deci_cents(lines, found), numbers, table.layout
    for layout, spread in (("a column for each ticker", unstack), ("a row for each value", pivot_tidy)):
        rows = spread(lines)
        if rows is not None and not rows.is_empty():
            return rows.drop("row"), rows["row"].cast(pl.UInt32) + table.first_line, layout
    return lines, numbers, table.layout


def _undo_deci_cents(lines: pl.DataFrame, found: Mapping[str, str]) -> pl.DataFrame:
    scaled = [found[name] for name in PRICES if found[name].endswith(DECI_CENTS)]
    return lines.with_columns(
        (pl.col(column).cast(pl.Float64, strict=False) / 10_000)
        .cast(pl.String)
        .fill_null(pl.col(column))
        .alias(column.removesuffix(DECI_CENTS))
        for column in scaled
    )


def _join_clock(lines: pl.DataFrame) -> pl.DataFrame:
    """Put date and time of day together, where an intraday file has them apart."""
    names = {columns.plain(column): column for column in lines.columns}
    day, clock = names.get("date") or names.get("dtyyyymmdd"), names.get("time")
    if day is None or clock is None or "timestamp" in names or "ts" in names or "datetime" in names:
        return lines
    hours = pl.col(clock).str.strip_chars().str.replace(r"^(\d{2})(\d{2})(\d{2})?$", "$1:$2")
    date = pl.col(day).str.strip_chars().str.replace(r"^(\d{4})[./]?(\d{2})[./]?(\d{2})$", "$1-$2-$3")
    return lines.with_columns(ts=pl.concat_str(date, hours, separator="T"))


def _is_one_field(lines: pl.DataFrame) -> bool:
    return find_table_of_one_field(lines.head(50)) is not None


def _refuse_one_field(lines: pl.DataFrame, table: PriceTable) -> None:
    one = find_table_of_one_field(lines.drop(TICKER_COLUMN, strict=False))
    if one is not None and len(one[1]) > 1:
        raise SourceError(
            f"{table.file} has one value a day for each of {len(one[1])} tickers, the first is {one[1][0]!r}; a bar "
            "needs open, high, low, close and volume: put a table of this form for each of them into a folder, named "
            "open.csv, high.csv, low.csv, close.csv and volume.csv, and give the folder"
        )
