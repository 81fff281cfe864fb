"""Brings a table of prices into the plain layout and recognises its columns, or says why it cannot be one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import polars as pl

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files import columns
from pipeline.ingestion.sources.files.blocks.spool import Place, Spool
from pipeline.ingestion.sources.files.blocks.survey import Survey, read_days, survey_rows
from pipeline.ingestion.sources.files.dates import find_form, once_each
from pipeline.ingestion.sources.files.distinct_cells import DistinctCells
from pipeline.ingestion.sources.files.file_text import as_text, is_exact
from pipeline.ingestion.sources.files.layouts.names import find_ticker, find_year
from pipeline.ingestion.sources.files.layouts.number_forms import Mark, find_mark, is_plain
from pipeline.ingestion.sources.files.layouts.tables import DATE, PriceTable
from pipeline.ingestion.sources.files.layouts.wide import (
    find_odd_columns,
    find_table_of_one_field,
    pivot_tidy,
    unstack,
)
from pipeline.ingestion.sources.files.params import FilesParams

TICKER_COLUMN = "ticker"
"""Added where a file does not say whose bars it holds."""
PRICES = ("open", "high", "low", "close", "volume")
LINE = "\0line"
"""The column with the place in the file; no file has one of this name."""
DAY = "\0day"
"""That with the trading day, where it was read already."""
TWICE = re.compile(r"_duplicated_\d+$")
"""What is added to a column's name that is there already."""
DECI_CENTS = "_e4"
"""The end of a column's name whose numbers are ten-thousandths."""

Completed = tuple[pl.DataFrame, dict[str, str], str]
"""Rows as they are kept, their fields and the layout they had."""


@dataclass(frozen=True)
class PricesOfFile:
    """The rows of one table, recognised; they lie on a spool."""

    file: str
    layout: str
    places: tuple[Place, ...]
    """Where on the spool its portions are: the columns as they are landed, all String but for the numbers of a typed
    file, and LINE."""
    surveys: tuple[Survey | None, ...]
    """What was seen of each portion; None of one that is looked at together with others."""
    rows: tuple[int, ...]
    """How many rows each portion has."""
    columns: tuple[str, ...]
    fields: dict[str, str]
    """Canonical field -> column."""
    day_form: str
    """How its days are written: iso, or a form of `dates`; empty where it cannot be told."""
    mark: Mark
    """The decimal mark; empty where its numbers are plain."""


@dataclass(frozen=True, kw_only=True)
class Recogniser:
    """Recognises tables of prices as the parameters say."""

    params: FilesParams
    zone: str
    overrides: Mapping[str, str]
    """Columns that the operator names."""
    spool: Spool

    @property
    def required(self) -> tuple[str, ...]:
        """The fields that a bar needs, the time first, its ticker aside."""
        return ("session" if self.params.interval == "1d" else "ts", *PRICES)

    @property
    def usual(self) -> columns.Usual:
        """The usual names of the fields."""
        return columns.DAILY_BARS if self.params.interval == "1d" else columns.INTRADAY_BARS

    def is_plain(self, table: PriceTable) -> bool:
        """Whether the columns alone show that each row is a bar, so that one portion shows what all are."""
        found = columns.recognise(table.lines.columns, self.usual, self.overrides, required=(), file="", strict=False)
        return set(self.required) <= found.keys() and not any(found[name].endswith(DECI_CENTS) for name in PRICES)

    def find_typed_prices(self, schema: Mapping[str, pl.DataType]) -> frozenset[str]:
        """Return the columns with the numbers of bars of a typed file: there is nothing to find out about them."""
        found = columns.recognise(list(schema), self.usual, self.overrides, required=(), file="", strict=False)
        prices = {found[name] for name in PRICES if name in found and is_exact(schema[found[name]])}
        return frozenset(prices - _used_otherwise(found))

    def recognise(
        self,
        portions: Iterable[PriceTable],
        *,
        partitions: Mapping[str, str] | None = None,
        folder: bool = False,
        ticker: str | None = None,
        strict: bool = True,
    ) -> PricesOfFile:
        """Put the rows in the plain layout on the spool.

        Args:
            portions: a table as it was read; or portions of it, whose columns are equal.
            partitions: what the folders above say, as columns.
            folder: whether it is one of a folder's files.
            ticker: whose bars these are, where no column says it; None to look at the file's name.
            strict: a column that the operator names and the file lacks is an error.

        Raises:
            SourceError: naming what could not be found, what the file has, and the way out.
        """
        complete = partial(self._complete, partitions=partitions or {}, folder=folder, ticker=ticker, strict=strict)
        places, texts, heights = [], [], []
        surveys: list[Survey | None] = []
        plain = self.params.decimal != ","
        for table in portions:
            rows, fields, layout = complete(table)
            numeric = [fields[name] for name in PRICES if fields[name] not in table.numeric]
            plain = plain and all(is_plain(rows[column]) for column in numeric)
            written, again = rows[fields[self.required[0]]], _rereader(complete, table)
            if again is None:
                texts.append(once_each(written))
                surveys.append(None)
            else:
                cells = DistinctCells.of(written)
                texts.append(cells.count())
                surveys.append(self._survey(rows, cells, fields, find_form(texts[-1])))
            heights.append(rows.height)
            lacks_numbers = bool(table.numeric)  # a long typed file is looked at without them
            places.append(self.spool.refer(again) if again and lacks_numbers else self.spool.put(rows, again))
        mark: Mark = ""
        if numeric and not plain:
            mark = find_mark(map(self.spool.get, places), numeric, self.params.decimal, table.file)
        day_form = self.params.date_format or find_form(pl.concat(texts))
        names = tuple(name for name in rows.columns if name != LINE)
        portions_seen = tuple(places), tuple(surveys), tuple(heights)
        return PricesOfFile(table.file, layout, *portions_seen, names, fields, day_form, mark)

    def _survey(self, rows: pl.DataFrame, cells: DistinctCells, fields: Mapping[str, str], form: str) -> Survey | None:
        """What is seen of the rows at once; None where what they are depends on other files."""
        form = self.params.date_format or form
        if ("|" in form and not self.params.date_format) or self.params.identities:
            return None
        days = read_days(cells, form=form, zone=self.zone, params=self.params)
        day = cells.spread(days)
        seen = rows.select(day.alias("day"), ticker=fields["ticker"], file=pl.lit(0, pl.UInt32))
        survey = survey_rows(seen, cells, days, form=form, benchmark=self.params.benchmark_ticker)
        return replace(survey, place=self.spool.put(day.alias(DAY).to_frame()))

    def _complete(
        self,
        table: PriceTable,
        *,
        partitions: Mapping[str, str],
        folder: bool,
        ticker: str | None,
        strict: bool,
    ) -> Completed:
        """The rows as they are kept, their fields and the layout they had."""
        lines, numbers, layout = self._plain_rows(table)
        lines = self._name_ticker(lines, table, partitions, folder, ticker)
        required = ("ticker", *self.required)
        fields = columns.recognise(
            lines.columns, self.usual, self.overrides, required=required, file=table.file, strict=strict
        )
        if not (ticker or partitions) and TICKER_COLUMN not in table.lines.columns and layout == table.layout:
            _refuse_year(lines[fields["ticker"]], lines[fields[self.required[0]]], table)
        _refuse_two_columns(lines, fields, self.overrides, table.file)
        lines = _whole_counts(lines, fields[self.required[0]])
        text = as_text(lines, table.file, kept=self._kept(fields, lines))
        bare = text[fields["ticker"]].str.strip_chars()  # no ticker has spaces around it
        return text.with_columns(bare, numbers.alias(LINE)), fields, layout

    def _kept(self, fields: Mapping[str, str], lines: pl.DataFrame) -> set[str]:
        """The columns that need not be text before they land: those of prices, and of days known to be days."""
        kept = {fields[name] for name in PRICES} - _used_otherwise(fields)
        clock = fields[self.required[0]]
        alone = [column for column in fields.values() if column == clock] == [clock]
        daily = self.params.interval == "1d" and not self.params.date_format and lines[clock].dtype == pl.Date
        return kept | {clock} if daily and alone else kept

    def _name_ticker(
        self, lines: pl.DataFrame, table: PriceTable, partitions: Mapping[str, str], folder: bool, ticker: str | None
    ) -> pl.DataFrame:
        """Add what folders and the file's name say, and join date and time of day."""
        missing = {name: text for name, text in partitions.items() if name not in lines.columns}
        if missing:
            lines = lines.with_columns(pl.lit(text).alias(name) for name, text in missing.items())
        if not names_ticker(lines, self.overrides):
            named = ticker or find_ticker(table.stem, folder=folder)
            lines = lines if named is None else lines.with_columns(pl.lit(named).alias(TICKER_COLUMN))
        lines = _join_day(lines, self.overrides)
        if self.params.interval != "1d":
            lines = _join_clock(lines)
        _refuse_one_field(lines, table)
        return lines

    def _plain_rows(self, table: PriceTable) -> tuple[pl.DataFrame, pl.Series, str]:
        """The rows with a column for each value, where in the file each stands, and the layout they had."""
        end = table.first_line + table.lines.height
        numbers = pl.int_range(table.first_line, end, dtype=pl.UInt32, eager=True).alias("line")
        if self.is_plain(table):
            daily = self.params.interval == "1d"
            return (table if daily else table.text()).lines, numbers, table.layout
        lines = table.text().lines
        found = columns.recognise(lines.columns, self.usual, self.overrides, required=(), file="", strict=False)
        if set(self.required) <= found.keys():
            return _undo_deci_cents(lines, found), numbers, table.layout
        for layout, spread in (("a column for each ticker", unstack), ("a row for each value", pivot_tidy)):
            rows = spread(lines)
            if rows is not None and not rows.is_empty():
                return rows.drop("row"), rows["row"].cast(pl.UInt32) + table.first_line, layout
        if odd := find_odd_columns(lines.columns):
            raise SourceError(
                f"{table.file} has a column for each ticker and value, and {columns.list_columns(odd)} beside them; "
                "leave that out"
            )
        return lines, numbers, table.layout


def _rereader(complete: Callable[[PriceTable], Completed], table: PriceTable) -> Callable[[], pl.DataFrame] | None:
    """What reads the rows of a portion again without holding them; None where they have to be kept."""
    read = table.read_again
    if read is None:
        return None
    bare = replace(table, lines=table.lines.clear())
    return lambda: complete(replace(bare, lines=read()))[0]


def has_prices(table: PriceTable, overrides: Mapping[str, str]) -> bool:
    """Whether a table shows any sign of being one of prices: a README and a list of names do not."""
    found = columns.recognise(table.lines.columns, columns.DAILY_BARS, overrides, required=(), file="", strict=False)
    named = sum(name in found for name in ("open", "high", "low", "close"))
    if named >= 2:
        return True
    lines = replace(table, lines=table.lines.head(50)).text().lines
    return unstack(lines.head(1)) is not None or find_table_of_one_field(lines) is not None


def names_ticker(lines: pl.DataFrame, overrides: Mapping[str, str]) -> bool:
    """Whether a column says whose bars these are."""
    if overrides.get("ticker") in lines.columns:
        return True
    usual = {"ticker": columns.TICKER}
    return bool(columns.recognise(lines.columns, usual, {}, required=(), file="", strict=False))


def _used_otherwise(fields: Mapping[str, str]) -> set[str]:
    return {column for name, column in fields.items() if name not in PRICES}


def _undo_deci_cents(lines: pl.DataFrame, found: Mapping[str, str]) -> pl.DataFrame:
    scaled = [found[name] for name in PRICES if found[name].endswith(DECI_CENTS)]
    return lines.with_columns(
        (pl.col(column).cast(pl.Float64, strict=False) / 10_000)
        .cast(pl.String)
        .fill_null(pl.col(column))
        .alias(column.removesuffix(DECI_CENTS))
        for column in scaled
    )


def _whole_counts(lines: pl.DataFrame, clock: str) -> pl.DataFrame:
    """Write counts since 1970 that a typed file has as floats in full: 1.6097184e18 tells no length."""
    counts = lines[clock]
    whole = counts.dtype.is_float() and bool((counts.drop_nulls() == counts.drop_nulls().round()).all())
    return lines.with_columns(pl.col(clock).cast(pl.Int64, strict=False)) if whole else lines


def _join_day(lines: pl.DataFrame, overrides: Mapping[str, str]) -> pl.DataFrame:
    """Put year, month and day together, where they are all that says when a bar was."""
    names = {columns.plain(column): column for column in lines.columns}
    parts = [names.get(part) for part in ("year", "month", "day")]
    others = set(columns.DAY) & names.keys() - {"day"}
    if None in parts or others or not overrides.keys().isdisjoint(("session", "ts")):
        return lines
    year, month, day = (pl.col(str(part)).cast(pl.String).str.strip_chars().str.pad_start(2, "0") for part in parts)
    return lines.with_columns(pl.concat_str(year, month, day, separator="-").alias(DATE))


def _join_clock(lines: pl.DataFrame) -> pl.DataFrame:
    """Put date and time of day together, where an intraday file has them apart."""
    names = {columns.plain(column): column for column in lines.columns}
    day, clock = names.get("date") or names.get("dtyyyymmdd"), names.get("time")
    if day is None or clock is None or "timestamp" in names or "ts" in names or "datetime" in names:
        return lines
    hours = pl.col(clock).str.strip_chars().str.replace(r"^(\d{2})(\d{2})(\d{2})?$", "$1:$2")
    date = pl.col(day).str.strip_chars().str.replace(r"^(\d{4})[./]?(\d{2})[./]?(\d{2})$", "$1-$2-$3")
    return lines.with_columns(ts=pl.concat_str(date, hours, separator="T"))


def _refuse_two_columns(
    lines: pl.DataFrame, fields: Mapping[str, str], overrides: Mapping[str, str], file: str
) -> None:
    """Refuse columns of one name and different values, of which the operator does not say which counts."""
    names = {column: columns.plain(TWICE.sub("", column)) for column in lines.columns}
    for name in PRICES:
        own = fields[name]
        for other in (column for column in names if column != own and names[column] == names[own]):
            if name not in overrides and not lines[own].equals(lines[other], null_equal=True):
                raise SourceError(
                    f"{file} has two columns for {name!r} with other values, {own!r} and {other!r}; say which with "
                    f"--column {name}={own} or --column '{name}={other}'"
                )


def _refuse_year(ticker: pl.Series, written: pl.Series, table: PriceTable) -> None:
    """Refuse a file named after the year that all its days are in: AAPL/2021.csv has no bars of a ticker 2021."""
    year = find_year(table.stem)
    if year and ticker.name == TICKER_COLUMN and written.cast(pl.String).str.contains(year, literal=True).all():
        raise SourceError(
            f"{table.file} is named after the year that all its days are in, and no column says whose bars these are; "
            f"put it into a folder named after its ticker, as in ticker=AAPL/{table.stem}, or name it "
            f"AAPL_{table.stem}"
        )


def _refuse_one_field(lines: pl.DataFrame, table: PriceTable) -> None:
    one = find_table_of_one_field(lines.drop(TICKER_COLUMN, strict=False))
    if one is not None and len(one[1]) > 1:
        raise SourceError(
            f"{table.file} has one value a day for each of {len(one[1])} tickers, the first is {one[1][0]!r}; a bar "
            "needs open, high, low, close and volume: put a table of this form for each of them into a folder, named "
            "open.csv, high.csv, low.csv, close.csv and volume.csv, and give the folder"
        )
