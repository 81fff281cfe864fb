"""What the operator's files hold: read as text, columns recognised, days found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.ingestion.sources.files import columns
from pipeline.ingestion.sources.files.bar_reader import BarReader
from pipeline.ingestion.sources.files.bars import PriceFiles, with_column
from pipeline.ingestion.sources.files.dates import has_plain_moments, is_iso, read_dates, state_moments
from pipeline.ingestion.sources.files.file_text import read_text
from pipeline.ingestion.sources.files.fx_file import read_fx_file
from pipeline.ingestion.sources.files.layouts.find_files import find_files
from pipeline.ingestion.sources.files.memberships import read_identities, read_memberships
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.ticker_history import (
    find_identifier,
    read_ticker_history,
    spells_of_lines,
    tell_renames,
)
from pipeline.market.currencies import currency_of
from pipeline.market.sessions import Sessions


@dataclass(frozen=True)
class Dated:
    """The lines of another file, all columns String."""

    lines: pl.DataFrame
    fields: dict[str, str]


@dataclass(frozen=True)
class Content:
    """All files."""

    bars: tuple[PriceFiles, ...]
    listings: Dated
    actions: Dated | None
    news: Dated | None
    members: Dated | None = None
    """Membership spells."""
    rates: Dated | None = None
    """Exchange rates; `session` is always in ISO 8601."""
    renames: pl.DataFrame | None = None
    """Lines of actions told by identifiers: ticker, ex_date, kind, successor; None without identifiers."""
    passed_over: tuple[tuple[str, str], ...] = ()
    """Files in folders that hold no prices, each with the reason."""


def paths_of(params: FilesParams) -> list[Path]:
    """Every file the parameters name, those in folders included; a path that is not there is listed as well."""
    named = [
        *params.prices,
        params.benchmark,
        params.actions,
        params.listings,
        params.news,
        params.constituents,
        params.fx,
        params.identities,
        params.ticker_history,
    ]
    paths = [_path(name) for name in named if name]
    return [file for path in paths for file in (find_files(path) if path.is_dir() else [path])]


def read_content(params: FilesParams, calendar: Sessions) -> Content:
    """Read all files; what they leave open of exchange, currency and zone is the market's.

    Raises:
        SourceError: for a file that is missing, unreadable or empty, or a column that cannot be found.
    """
    return _Reader(params, calendar).content()


class _Reader:
    def __init__(self, params: FilesParams, calendar: Sessions) -> None:
        self.params = params
        self.calendar = calendar
        self.exchange = calendar.exchange
        self.currency = params.currency or currency_of(calendar.exchange)
        self.zone = params.zone or calendar.zone
        self.overrides = columns.parse_overrides(params.columns)
        identities = read_identities(params.identities) if params.identities else None
        self.reader = BarReader(params, calendar, self.zone, self.overrides, identities)

    def content(self) -> Content:
        bars = [files for name in self.params.prices for files in self.reader.read(_path(name))]
        if self.params.benchmark:
            bars.append(self.reader.read_benchmark(_path(self.params.benchmark)))
        listings = self._listings(tuple(bars))
        renames = self._renames(tuple(bars), listings)
        others = self._actions(), self._news(), self._members(), self._rates()
        return Content(tuple(bars), listings, *others, renames, tuple(self.reader.passed_over))

    def _listings(self, bars: tuple[PriceFiles, ...]) -> Dated:
        """The listings file, what it leaves open filled in; without one, every ticker that has bars."""
        known = self._known_by_bars(bars)
        if not self.params.listings:
            return Dated(known, {name: name for name in known.columns})
        path = _path(self.params.listings)
        lines = read_text(path)
        fields = self._recognise(lines, columns.LISTINGS, ("ticker",), path)
        if "listed_on" in fields and not is_iso(lines[fields["listed_on"]]):
            day = self._days(lines, fields["listed_on"], path)
            lines, fields["listed_on"] = with_column(lines, day.dt.to_string("%Y-%m-%d"), "listed_day")
        ticker = fields["ticker"]
        open_fields = [name for name in known.columns if name not in fields]
        filled = {name: f"listing_{name}" for name in open_fields}
        defaults = known.select(pl.col("ticker").alias(ticker), *(pl.col(f).alias(to) for f, to in filled.items()))
        usual = {"name": pl.col(ticker), "sector": pl.lit("unknown"), "role": pl.lit("stock")}
        usual |= {"exchange": pl.lit(self.exchange), "currency": pl.lit(self.currency)}
        lines = lines.join(defaults, on=ticker, how="left", maintain_order="left").with_columns(
            pl.col(filled[name]).fill_null(value) for name, value in usual.items() if name in filled
        )
        fields |= filled
        return Dated(pl.concat([lines, _missing_benchmark(known, lines, fields)], how="diagonal"), fields)

    def _known_by_bars(self, bars: tuple[PriceFiles, ...]) -> pl.DataFrame:
        """One row per ticker that has a bar: ticker, name, sector, role, exchange, currency, listed_on."""
        seen = pl.concat([files.tickers.select("ticker", day="first") for files in bars])
        benchmark = pl.col("ticker") == self.params.benchmark_ticker
        return (
            seen.drop_nulls()
            .group_by("ticker")
            .agg(pl.col("day").min())
            .sort("ticker")
            .select(
                "ticker",
                name="ticker",
                sector=pl.lit("unknown"),
                role=pl.when(benchmark).then(pl.lit("benchmark")).otherwise(pl.lit("stock")),
                exchange=pl.lit(self.exchange),
                currency=pl.lit(self.currency),
                listed_on=pl.col("day").dt.to_string("%Y-%m-%d"),
            )
        )

    def _actions(self) -> Dated | None:
        if not self.params.actions:
            return None
        path = _path(self.params.actions)
        lines = read_text(path)
        fields = self._recognise(lines, columns.ACTIONS, ("ticker", "ex_date", "kind"), path)
        if fields.get("cash") == fields.get("amount"):  # a file of dividends calls their amount so
            fields.pop("cash", None)
        for field in ("ex_date", "pay_date"):
            column = fields.get(field)
            # a column without any value, such as the pay-dates of splits, has no form to find out
            if column is not None and lines[column].count() and not is_iso(lines[column]):
                day = self._days(lines, column, path)
                lines, fields[field] = with_column(lines, day.dt.to_string("%Y-%m-%d"), f"{field}_day")
        if "available_at" in fields and not has_plain_moments(announced := lines[fields["available_at"]]):
            at = state_moments(announced, self.calendar, self.zone)
            lines, fields["available_at"] = with_column(lines, at, "announced_moment")
        return Dated(lines, fields)

    def _news(self) -> Dated | None:
        if not self.params.news:
            return None
        path = _path(self.params.news)
        lines = read_text(path)
        return Dated(lines, self._recognise(lines, columns.NEWS, ("published_at", "title"), path))

    def _members(self) -> Dated | None:
        if not self.params.constituents:
            return None
        spells = read_memberships(self.params.constituents)
        return Dated(spells.lines, spells.fields)

    def _rates(self) -> Dated | None:
        if not self.params.fx:
            return None
        return Dated(
            *read_fx_file(
                _path(self.params.fx), date_format=self.params.date_format, calendar=self.calendar, zone=self.zone
            )
        )

    def _renames(self, bars: tuple[PriceFiles, ...], listings: Dated) -> pl.DataFrame | None:
        """What identifiers tell: those of a file of their own, else of the listings, else of the price files."""
        if self.params.ticker_history:
            spells, for_life = read_ticker_history(self.params.ticker_history)
            return tell_renames(spells, for_life=for_life)
        own = self.params.listings and find_identifier(listings.lines.columns)
        if own:
            listed = listings.lines[listings.fields["listed_on"]].str.to_date("%Y-%m-%d", strict=False)
            symbol = listings.lines[listings.fields["ticker"]]
            return tell_renames(spells_of_lines(own[0], listings.lines, symbol, listed), for_life=own[1])
        named = [(files, found) for files in bars if (found := find_identifier(list(files.columns)))]
        if not named:
            return None
        spells = pl.concat([spells_of_lines(*_identified(files, found[0])) for files, found in named])
        return tell_renames(spells, for_life=all(found[1] for _, found in named))

    def _recognise(
        self, lines: pl.DataFrame, usual: columns.Usual, required: tuple[str, ...], path: Path
    ) -> dict[str, str]:
        """Overrides that bars know too may be meant for the price files alone; the others have to fit."""
        own = {
            field: column
            for field, column in self.overrides.items()
            if field in usual and (column in lines.columns or field not in columns.DAILY_BARS)
        }
        return columns.recognise(lines.columns, usual, own, required=required, file=str(path), strict=True)

    def _days(self, lines: pl.DataFrame, column: str, path: Path) -> pl.Series:
        params, where = self.params, f"column {column!r} of {path}"
        return read_dates(lines[column], date_format=params.date_format, zone=self.zone, where=where)


def _identified(files: PriceFiles, identifier: str) -> tuple[str, pl.DataFrame, pl.Series, pl.Series]:
    """The identifier's column, and of every bar the identifier, the ticker and the day: all tickers are compared."""
    parts = [(bars.lines.select(identifier), bars.symbol, bars.day) for bars in files.blocks()]
    lines, symbols, days = zip(*parts, strict=True)
    return identifier, pl.concat(lines), pl.concat(symbols), pl.concat(days)


def _missing_benchmark(known: pl.DataFrame, lines: pl.DataFrame, fields: Mapping[str, str]) -> pl.DataFrame:
    """The benchmark's own row, where it has bars but the listings file leaves it out."""
    listed = lines[fields["ticker"]].to_list()
    row = known.filter((pl.col("role") == "benchmark") & ~pl.col("ticker").is_in(listed))
    return row.select(pl.col(field).alias(fields[field]) for field in known.columns)


def _path(name: str) -> Path:
    return Path(name).expanduser()
