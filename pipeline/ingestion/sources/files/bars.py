"""Reads the operator's price files into bars: each file recognised by itself, those that are alike put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pipeline.ingestion.actions.actions_in_price_files import ToldActions, tell_actions
from pipeline.ingestion.actions.unadjusted_closes import tell_from_unadjusted
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.columns import TOLD_ACTIONS, list_columns, recognise
from pipeline.ingestion.sources.files.dates import (
    EPOCH_FORM,
    ISO_FORM,
    correct_days,
    is_iso,
    iso_times,
    read_dates,
    read_instants,
)
from pipeline.ingestion.sources.files.layouts.field_tables import join_field_tables
from pipeline.ingestion.sources.files.layouts.find_files import find_files, read_partitions
from pipeline.ingestion.sources.files.layouts.groups import PriceGroup, group_files
from pipeline.ingestion.sources.files.layouts.number_forms import Mark, read_numbers
from pipeline.ingestion.sources.files.layouts.price_file import PRICES, PricesOfFile, has_prices, recognise_prices
from pipeline.ingestion.sources.files.layouts.tables import PriceTable, read_tables
from pipeline.ingestion.sources.files.memberships import identify_tickers
from pipeline.ingestion.sources.files.params import FilesParams

NUMBERS = (*PRICES, "adj_close")


@dataclass(frozen=True)
class Bars:
    """The bars of files with equal columns."""

    lines: pl.DataFrame
    """All columns String, as landed."""
    fields: dict[str, str]
    """Canonical field -> column."""
    symbol: pl.Series
    day: pl.Series
    """The trading day; null where it cannot be read."""
    places: pl.DataFrame
    """file (Categorical) and line (UInt32) that each row stands at."""
    layout: str = "long"
    """What the files were recognised as."""
    written: Mapping[str, str] = field(default_factory=dict)
    """Canonical field -> the file's own column, where `fields` has one that was added beside it."""
    told: ToldActions | None = None
    """The splits and dividends that the files' columns tell; None where they have none, or say when each was seen."""
    told_by: tuple[str, ...] = ()
    """The columns that tell them."""

    def filter(self, wanted: pl.Series) -> Bars:
        """The rows that are wanted."""
        return Bars(
            self.lines.filter(wanted),
            self.fields,
            self.symbol.filter(wanted),
            self.day.filter(wanted),
            self.places.filter(wanted),
            self.layout,
            self.written,
            self.told,
            self.told_by,
        )


@dataclass
class BarReader:
    """Reads price files as the parameters say."""

    params: FilesParams
    zone: str
    overrides: Mapping[str, str]
    identities: pl.DataFrame | None = None
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    """Files of folders that hold no prices, each with the reason."""

    def read(self, path: Path) -> list[Bars]:
        """Return the bars of a file, or of all files in a folder and below.

        Raises:
            SourceError: for a file that is missing, unreadable or empty, or a column that cannot be found; and for a
                folder none of whose files holds prices.
        """
        files = self._folder(path) if path.is_dir() else self._file(path)
        return [self._bars(group) for group in group_files(files)]

    def read_benchmark(self, path: Path) -> Bars:
        """Return the benchmark's own bars of a file.

        Raises:
            SourceError: if it has none, naming what it has.
        """
        wanted = self.params.benchmark_ticker
        table = read_tables(path)[0]
        bars = self._bars(group_files([self._recognise(table, ticker=wanted, strict=False)])[0])
        own = (bars.symbol == wanted).fill_null(False)
        if not own.any():
            there = ", ".join(repr(symbol) for symbol in bars.symbol.unique().sort()[:5])
            raise SourceError(
                f"{path} has no bars of the benchmark {wanted!r}, but of {there}; set benchmark_ticker to one of them"
            )
        return bars.filter(own)

    def _file(self, path: Path) -> list[PricesOfFile]:
        tables = read_tables(path)
        if len(tables) == 1:
            return [self._recognise(tables[0])]
        found = [table for table in tables if self._is_of_prices(table)]
        if not found:
            shown = ", ".join(table.file for table in tables[:5])
            raise SourceError(f"{path} holds {len(tables)} tables, and none of them has prices: {shown}")
        return [self._recognise(table, folder=True) for table in found]

    def _folder(self, folder: Path) -> list[PricesOfFile]:
        paths = find_files(folder)
        if not paths:
            raise SourceError(f"the folder {folder} contains no CSV or Parquet file; give one file per ticker")
        tables = [(path, table) for path in paths for table in self._tables(path)]
        joined = join_field_tables([table for _, table in tables], str(folder))
        if joined is not None:
            return [self._recognise(joined)]
        if not tables:
            raise SourceError(
                f"none of the {len(paths)} files in the folder {folder} holds prices; the first is {paths[0].name}: "
                f"{self.passed_over[0][1]}; say which is which, as in --column close=COLUMN"
            )
        return [self._recognise(table, partitions=read_partitions(path, folder), folder=True) for path, table in tables]

    def _tables(self, path: Path) -> list[PriceTable]:
        """The tables with prices of one of a folder's files."""
        try:
            tables = read_tables(path)
        except SourceError as error:
            if _is_empty(path, str(error)):
                self.passed_over.append((str(path), "it has no rows"))
                return []
            if path.name.lower().startswith(("readme", "license", "licence", "notice", "changelog")):
                self.passed_over.append((str(path), "it is no table"))
                return []
            raise
        return [table for table in tables if self._is_of_prices(table)]

    def _is_of_prices(self, table: PriceTable) -> bool:
        if has_prices(table, self.overrides):
            return True
        there = list_columns(table.lines.columns)
        self.passed_over.append((table.file, f"it has no columns of prices, but {there}"))
        return False

    def _recognise(
        self,
        table: PriceTable,
        *,
        partitions: Mapping[str, str] | None = None,
        folder: bool = False,
        ticker: str | None = None,
        strict: bool = True,
    ) -> PricesOfFile:
        return recognise_prices(
            table, self.params, self.overrides, partitions=partitions, folder=folder, ticker=ticker, strict=strict
        )

    def _bars(self, group: PriceGroup) -> Bars:
        daily = self.params.interval == "1d"
        lines, fields, places = group.lines, dict(group.fields), group.places
        clock, where = fields["session" if daily else "ts"], _where(group)
        written = lines[clock]
        day = read_dates(
            written,
            date_format=self.params.date_format,
            zone=self.zone,
            where=f"column {clock!r} of {where}",
            form=group.day_form,
        )
        if daily:
            day = correct_days(day, self.params.dates)
        if self.identities is not None:
            lines, fields["ticker"] = identify_tickers(lines, lines[fields["ticker"]], day, self.identities)
        if daily and (not is_iso(written) or self.params.dates != "right"):
            lines, fields["session"] = with_column(lines, day.dt.to_string("%Y-%m-%d"), "trading_day")
        if not daily:
            lines, fields["ts"] = self._with_instants(lines, clock, day, group.day_form)
        if group.mark:
            lines = _with_plain_numbers(lines, fields, group)
        symbol = lines[fields["ticker"]]
        columns_told, told = self._tell(lines, fields, symbol, day, group)
        if told is not None and told.later_ratio is not None:
            lines = _as_traded(lines, fields, told)
        as_written = {name: column for name, column in group.fields.items() if fields[name] != column}
        return Bars(lines, fields, symbol, day, places, group.members[0].layout, as_written, told, columns_told)

    def _tell(
        self, lines: pl.DataFrame, fields: Mapping[str, str], symbol: pl.Series, day: pl.Series, group: PriceGroup
    ) -> tuple[tuple[str, ...], ToldActions | None]:
        """The columns that tell of actions, and what they tell of daily bars."""
        found = recognise(lines.columns, TOLD_ACTIONS, {}, required=(), file="", strict=False)
        if "adj_close" in fields:
            found["adjusted"] = fields["adj_close"]
        if not found or self.params.interval != "1d" or "available_at" in fields:
            return (), None
        rows = pl.DataFrame({"ticker": symbol, "day": day, "close": lines[fields["close"]]}).with_columns(
            pl.col("close").cast(pl.Float64, strict=False),
            *(
                _plain(lines[found[name]], group.mark).alias(name)
                if name in found
                else pl.lit(None, pl.String).alias(name)
                for name in ("split", "dividend", "adjusted", "unadjusted")
            ),
        )
        if (told := tell_from_unadjusted(rows)) is not None:
            return tuple(found.values()), told
        found.pop("unadjusted", "")
        return tuple(found.values()), tell_actions(rows)

    def _with_instants(self, lines: pl.DataFrame, clock: str, day: pl.Series, form: str) -> tuple[pl.DataFrame, str]:
        """Add the moments where the file writes them in another way than ingestion reads, or its zone was told."""
        written = lines[clock]
        if form == EPOCH_FORM:
            at = read_instants(written, zone=self.zone)
        elif form == ISO_FORM and not self.params.zone:
            return lines, clock
        else:
            told = written if form == ISO_FORM else iso_times(written, day)
            if not self.params.zone:
                return with_column(lines, told, "bar_time")
            at = read_instants(told, zone=self.zone)
        text = at.dt.to_string("%Y-%m-%dT%H:%M:%S%.f%:z")
        return with_column(lines, text.fill_null(written), "bar_time")


def with_column(lines: pl.DataFrame, values: pl.Series, name: str) -> tuple[pl.DataFrame, str]:
    """Add values in the form that ingestion reads beside what the file says; return the lines and the column's name."""
    while name in lines.columns:
        name += "_"
    return lines.with_columns(values.alias(name)), name


def _with_plain_numbers(lines: pl.DataFrame, fields: dict[str, str], group: PriceGroup) -> pl.DataFrame:
    for name in NUMBERS:
        if name in fields:
            plain = read_numbers(lines[fields[name]], group.mark)
            if not plain.equals(lines[fields[name]], null_equal=True):
                lines, fields[name] = with_column(lines, plain, f"{name}_number")
    return lines


def _plain(text: pl.Series, mark: Mark) -> pl.Series:
    return read_numbers(text, mark) if mark else text


def _as_traded(lines: pl.DataFrame, fields: dict[str, str], told: ToldActions) -> pl.DataFrame:
    """Add the prices and volumes as they were before the splits that the file has adjusted them for."""
    assert told.later_ratio is not None
    ratio, adjusted = told.later_ratio.fill_null(1.0), dict(fields)
    for name in PRICES:
        number = lines[adjusted[name]].cast(pl.Float64, strict=False)
        traded = (number / ratio).round(0) if name == "volume" else _round_price(number * ratio)
        if told.traded_close is not None and name != "volume":
            traded = _beside_close(number, lines[adjusted["close"]], traded, told.traded_close, name)
        text = traded.cast(pl.String).zip_with(ratio != 1.0, lines[adjusted[name]])
        lines, fields[name] = with_column(lines, text, f"{name}_as_traded")
    return lines


def _beside_close(
    number: pl.Series, adjusted_close: pl.Series, traded: pl.Series, traded_close: pl.Series, name: str
) -> pl.Series:
    """A price as traded that agrees with the close that the file states as traded.

    The close is that one. What equals the adjusted close equals it too, and no high lies below it or low above it for
    the rounding of the adjusted prices alone.
    """
    written = traded_close.str.extract(r"\.(\d+)$").str.len_chars().max()
    decimals = min(max(int(written or 0), 2), 4)  # type: ignore[arg-type]  # what the file's own quotes have
    close, beside = traded_close.cast(pl.Float64, strict=False), adjusted_close.cast(pl.Float64, strict=False)
    prices = pl.DataFrame({"number": number, "beside": beside, "traded": traded.round(decimals), "close": close})
    same = pl.lit(True) if name == "close" else pl.col("number") == pl.col("beside")
    crossed = {
        "high": (pl.col("number") > pl.col("beside")) & (pl.col("traded") < pl.col("close")),
        "low": (pl.col("number") < pl.col("beside")) & (pl.col("traded") > pl.col("close")),
    }.get(name, pl.lit(False))
    told = pl.when((same | crossed) & pl.col("close").is_not_null()).then("close").otherwise("traded")
    return prices.select(price=told)["price"]


def _round_price(price: pl.Series) -> pl.Series:
    """Without what the vendor's arithmetic left: exchanges quote in four decimals, below 1 in more."""
    return price.round(4).zip_with(price >= 1, price.round(8))


def _where(group: PriceGroup) -> str:
    files: Sequence[str] = [member.file for member in group.members]
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more files"


def _is_empty(path: Path, said: str) -> bool:
    return said.startswith((f"{path} has no rows", f"{path} is empty"))
