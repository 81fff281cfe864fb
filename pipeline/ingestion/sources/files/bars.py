"""Bars of price files: a block of them in memory, and files with equal columns that give one block after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import polars as pl

from pipeline.ingestion.actions.actions_in_price_files import ToldActions
from pipeline.ingestion.sources.files.typed_text import write_out


@dataclass(frozen=True)
class Bars:
    """A block of bars of files with equal columns."""

    lines: pl.DataFrame
    """As landed: all columns String, but for the numbers of a typed file, which `text` writes out."""
    fields: dict[str, str]
    """Canonical field -> column."""
    symbol: pl.Series
    day: pl.Series
    """The trading day; null where it cannot be read."""
    file: pl.Series
    """The number of the file that each row stands in."""
    line: pl.Series
    """The line there, UInt32."""

    @property
    def text(self) -> pl.DataFrame:
        """The lines, all columns String."""
        return pl.DataFrame([column if column.dtype == pl.String else write_out(column) for column in self.lines])

    @cached_property
    def numbers(self) -> pl.DataFrame:
        """open, high, low, close and volume as Float64; null where the cell is no number."""
        names = ("open", "high", "low", "close", "volume")
        return self.lines.select(pl.col(self.fields[name]).cast(pl.Float64, strict=False).alias(name) for name in names)

    def filter(self, wanted: pl.Series) -> Bars:
        """The rows that are wanted."""
        if wanted.all():
            return self
        parts = (self.symbol, self.day, self.file, self.line)
        return Bars(self.lines.filter(wanted), self.fields, *(part.filter(wanted) for part in parts))

    def slice(self, start: int, rows: int) -> Bars:
        """Some rows in a row."""
        parts = (self.symbol, self.day, self.file, self.line)
        return Bars(self.lines.slice(start, rows), self.fields, *(part.slice(start, rows) for part in parts))


@dataclass(frozen=True)
class PriceFiles:
    """Files with equal columns: what is known of all their bars, and the bars a block at a time."""

    files: Sequence[str]
    columns: tuple[str, ...]
    fields: dict[str, str]
    """Canonical field -> column."""
    tickers: pl.DataFrame
    """ticker, rows, first and last (Date), and file, the first one it is in; in the order they come."""
    days: pl.DataFrame
    """written (the cell), day (Date), benchmark (whether it is the benchmark's) and rows."""
    read_blocks: Callable[[], Iterator[Bars]] = field(repr=False)
    layout: str = "long"
    """What the files were recognised as."""
    day_form: str = ""
    """How the days are written."""
    written: Mapping[str, str] = field(default_factory=dict)
    """Canonical field -> the file's own column, where `fields` has one that was added beside it."""
    told: ToldActions | None = None
    """The splits and dividends that the files' columns tell; None where they have none, or say when each was seen."""
    told_by: tuple[str, ...] = ()
    """The columns that tell them."""

    @property
    def rows(self) -> int:
        """How many bars there are."""
        return int(self.tickers["rows"].sum())

    @property
    def clock(self) -> str:
        """The column of the file that says when a bar was."""
        columns = {**self.fields, **self.written}
        return columns.get("session") or columns["ts"]

    def blocks(self) -> Iterator[Bars]:
        """The bars, all those of a ticker in one block."""
        return self.read_blocks()

    def places(self, bars: Bars) -> pl.DataFrame:
        """file (String) and line (UInt32) of each bar of a block."""
        return pl.DataFrame([pl.Series("file", self.files)[bars.file], bars.line.alias("line")])

    def file_of(self, ticker: str) -> str:
        """The first file that has bars of a ticker."""
        return str(self.tickers.filter(pl.col("ticker") == ticker)["file"][0])

    def only_benchmark(self, ticker: str) -> PriceFiles:
        """The benchmark's bars alone."""
        return replace(
            self,
            tickers=self.tickers.filter(pl.col("ticker") == ticker),
            days=self.days.filter("benchmark"),
            read_blocks=lambda: (bars.filter((bars.symbol == ticker).fill_null(False)) for bars in self.blocks()),
        )


def with_column(lines: pl.DataFrame, values: pl.Series, name: str) -> tuple[pl.DataFrame, str]:
    """Add values in the form that ingestion reads beside what the file says; return the lines and the column's name."""
    while name in lines.columns:
        name += "_"
    return lines.with_columns(values.alias(name)), name
