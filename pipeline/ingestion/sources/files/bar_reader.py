"""Reads the operator's price files into bars: each file recognised by itself, those that are alike put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path

import polars as pl

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.bars import PriceFiles
from pipeline.ingestion.sources.files.blocks.price_files import read_price_files
from pipeline.ingestion.sources.files.blocks.rows import RowReader
from pipeline.ingestion.sources.files.blocks.spool import Spool
from pipeline.ingestion.sources.files.columns import list_columns, plain
from pipeline.ingestion.sources.files.file_text import stem
from pipeline.ingestion.sources.files.layouts.containers import list_names
from pipeline.ingestion.sources.files.layouts.field_tables import join_field_tables
from pipeline.ingestion.sources.files.layouts.find_files import (
    find_files,
    find_unread,
    read_partitions,
    refuse_older_versions,
)
from pipeline.ingestion.sources.files.layouts.groups import group_files
from pipeline.ingestion.sources.files.layouts.portions import read_portions
from pipeline.ingestion.sources.files.layouts.price_file import PricesOfFile, Recogniser, has_prices
from pipeline.ingestion.sources.files.layouts.tables import PriceTable, name_days, read_tables
from pipeline.ingestion.sources.files.layouts.wide import FIELDS
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.market.sessions import Sessions

Table = tuple[PriceTable, Iterable[PriceTable]]
"""A table's first portion, by which it is judged, and all of them; of a short one the table itself."""


@dataclass
class BarReader:
    """Reads price files as the parameters say."""

    params: FilesParams
    calendar: Sessions
    zone: str
    overrides: Mapping[str, str]
    identities: pl.DataFrame | None = None
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    """Files of folders that hold no prices, each with the reason."""
    spool: Spool = field(default_factory=Spool)

    def read(self, path: Path) -> list[PriceFiles]:
        """Return the bars of a file, or of all files in a folder and below.

        Raises:
            SourceError: for a file that is missing, unreadable or empty, or a column that cannot be found; and for a
                folder none of whose files holds prices.
        """
        return self._put_together(self._folder(path) if path.is_dir() else self._file(path))

    def read_benchmark(self, path: Path) -> PriceFiles:
        """Return the benchmark's own bars of a file.

        Raises:
            SourceError: if it has none, naming what it has.
        """
        wanted = self.params.benchmark_ticker
        _, portions = next(self._read_tables(path))
        found = self._put_together([self.recogniser.recognise(portions, ticker=wanted, strict=False)])[0]
        own = found.only_benchmark(wanted)
        if own.tickers.is_empty():
            there = ", ".join(repr(symbol) for symbol in found.tickers["ticker"].sort()[:5])
            raise SourceError(
                f"{path} has no bars of the benchmark {wanted!r}, but of {there}; set benchmark_ticker to one of them"
            )
        return own

    @cached_property
    def recogniser(self) -> Recogniser:
        """What recognises tables."""
        return Recogniser(params=self.params, zone=self.zone, overrides=self.overrides, spool=self.spool)

    def _put_together(self, files: Sequence[PricesOfFile]) -> list[PriceFiles]:
        readers = (
            RowReader(
                params=self.params, calendar=self.calendar, zone=self.zone, identities=self.identities, group=group
            )
            for group in group_files(files)
        )
        return [read_price_files(reader, self.spool) for reader in readers]

    def _read_tables(self, path: Path) -> Iterator[Table]:
        """The tables of a file, a long one in portions; where its columns do not show that each row is a bar, whole."""
        portions = read_portions(path, self.recogniser.find_typed_prices)
        if portions is not None:
            first = next(portions)
            if self.recogniser.is_plain(first):
                yield first, chain([first], portions)
                return
        named = (name_days(table, self.overrides.values()) for table in read_tables(path))
        yield from ((table, [table]) for table in named)

    def _file(self, path: Path) -> list[PricesOfFile]:
        tables = list(self._read_tables(path))
        if len(tables) == 1:
            return [self.recogniser.recognise(tables[0][1])]
        found = [portions for first, portions in tables if self._is_of_prices(first)]
        if not found:
            shown = ", ".join(first.file for first, _ in tables[:5])
            raise SourceError(f"{path} holds {len(tables)} tables, and none of them has prices: {shown}")
        return [self.recogniser.recognise(portions, folder=True) for portions in found]

    def _folder(self, folder: Path) -> list[PricesOfFile]:
        paths = find_files(folder)
        refuse_older_versions(folder)
        self.passed_over += find_unread(folder)
        if not paths:
            raise SourceError(f"the folder {folder} contains no CSV or Parquet file; give one file per ticker")
        tables: Iterator[tuple[Path, PriceTable, Iterable[PriceTable]]]
        tables = ((path, *table) for path in paths for table in self._tables(path))
        if _may_be_tables_of_fields(paths):
            held = list(tables)
            joined = join_field_tables([first for _, first, _ in held], str(folder))
            if joined is not None:
                return [self.recogniser.recognise([joined])]
            tables = iter(held)
        found = [
            self.recogniser.recognise(portions, partitions=read_partitions(path, folder), folder=True)
            for path, _, portions in tables
        ]
        if not found:
            raise SourceError(
                f"none of the {len(paths)} files in the folder {folder} holds prices; the first is {paths[0].name}: "
                f"{self.passed_over[0][1]}; say which is which, as in --column close=COLUMN"
            )
        return found

    def _tables(self, path: Path) -> Iterator[Table]:
        """The tables with prices of one of a folder's files."""
        try:
            tables = list(self._read_tables(path))
        except SourceError as error:
            if _is_empty(path, str(error)):
                self.passed_over.append((str(path), "it has no rows"))
                return
            if str(error).startswith(f"{path} holds no table in a form"):
                self.passed_over.append((str(path), "it holds no table"))
                return
            if path.name.lower().startswith(("readme", "license", "licence", "notice", "changelog")):
                self.passed_over.append((str(path), "it is no table"))
                return
            raise
        yield from (table for table in tables if self._is_of_prices(table[0]))

    def _is_of_prices(self, table: PriceTable) -> bool:
        if has_prices(table, self.overrides):
            return True
        there = list_columns(table.lines.columns)
        self.passed_over.append((table.file, f"it has no columns of prices, but {there}"))
        return False


def _may_be_tables_of_fields(paths: Sequence[Path]) -> bool:
    """Whether files are named after the values of a bar, so that they have to be looked at together."""
    names = [name for path in paths for name in list_names(path)]
    return sum(plain(stem(name)) in FIELDS for name in names) > 1


def _is_empty(path: Path, said: str) -> bool:
    return said.startswith((f"{path} has no rows", f"{path} is empty"))
