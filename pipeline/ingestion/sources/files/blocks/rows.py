"""Turns rows of price files with equal columns into bars: days, symbols, and what ingestion needs beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from pipeline.ingestion.actions.actions_in_price_files import ToldActions
from pipeline.ingestion.sources.files.bars import Bars, with_column
from pipeline.ingestion.sources.files.blocks.survey import read_days
from pipeline.ingestion.sources.files.dates import (
    EPOCH_FORM,
    ISO_FORM,
    has_plain_moments,
    iso_times,
    read_instants,
    state_moments,
)
from pipeline.ingestion.sources.files.distinct_cells import DistinctCells
from pipeline.ingestion.sources.files.layouts.groups import PriceGroup
from pipeline.ingestion.sources.files.layouts.number_forms import Mark, read_numbers
from pipeline.ingestion.sources.files.layouts.price_file import DAY, LINE, PRICES
from pipeline.ingestion.sources.files.memberships import identify_tickers
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.market.sessions import Sessions

FILE = "\0file"
"""The column with the number of the file; no file has one of this name."""
NUMBERS = (*PRICES, "adj_close")


@dataclass(frozen=True, kw_only=True)
class RowReader:
    """Makes bars of rows; what it adds is decided by all rows of the files together."""

    params: FilesParams
    calendar: Sessions
    zone: str
    identities: pl.DataFrame | None
    group: PriceGroup
    adds_day: bool = True
    """Whether any cell is no ISO date, so that the day stands beside it."""
    adds_numbers: frozenset[str] = frozenset(NUMBERS)
    """Fields of which any cell is not written plainly, so that the number stands beside it."""
    told: ToldActions | None = None
    """What the files tell of actions, once that is known: prices may be adjusted for them."""
    told_by: Mapping[str, str] = field(default_factory=dict)
    """What tells it -> its column."""

    @property
    def daily(self) -> bool:
        """Whether they are daily bars."""
        return self.params.interval == "1d"

    @property
    def clock(self) -> str:
        """The column that says when a bar was."""
        return self.group.fields["session" if self.daily else "ts"]

    def stack(self, portions: Sequence[tuple[int, pl.DataFrame]]) -> pl.DataFrame:
        """Return rows of several files in one frame, with FILE and LINE; a column that a file lacks is null.

        DAY is there if all have it.
        """
        names = self.group.columns
        known = [DAY] if all(DAY in rows.columns for _, rows in portions) else []
        frames = [
            rows.select(
                *(name if name in rows.columns else pl.lit(None, pl.String).alias(name) for name in names),
                LINE,
                pl.lit(number, pl.UInt32).alias(FILE) if FILE not in rows.columns else FILE,
                *known,
            )
            for number, rows in portions
        ]
        types = [dict(frame.schema) for frame in frames]
        mixed = [name for name in names if len({dtypes[name] for dtypes in types}) > 1]
        if mixed:
            frames = [frame.with_columns(pl.col(mixed).cast(pl.String)) for frame in frames]
        return pl.concat(frames)

    def read_days(self, cells: DistinctCells) -> pl.Series:
        """Return the trading day of each distinct cell."""
        return read_days(cells, form=self.group.day_form, zone=self.zone, params=self.params)

    def date(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str], pl.Series]:
        """Return the rows with the ticker that each symbol meant, the fields, and the trading days."""
        fields = dict(self.group.fields)
        if DAY in rows.columns:
            day, rows = rows[DAY].alias("day"), rows.drop(DAY)
        else:
            cells = DistinctCells.of(rows[self.clock])
            day = cells.spread(self.read_days(cells))
        if self.identities is not None:
            rows, fields["ticker"] = identify_tickers(rows, rows[fields["ticker"]], day, self.identities)
        return rows, fields, day

    def symbols(self, rows: pl.DataFrame) -> pl.Series:
        """Return the ticker of each row."""
        if self.identities is None:
            return rows[self.group.fields["ticker"]]
        lines, fields, _ = self.date(rows)
        return lines[fields["ticker"]]

    def read(self, rows: pl.DataFrame) -> Bars:
        """Return the bars of rows as `stack` gives them."""
        lines, fields, day = self.date(rows)
        file, line = lines[FILE], lines[LINE]
        lines = lines.drop(FILE, LINE)
        if self.daily and self.adds_day:
            lines, fields["session"] = with_column(lines, day.dt.to_string("%Y-%m-%d"), "trading_day")
        if not self.daily:
            lines, fields["ts"] = self._with_instants(lines, day)
        if "available_at" in fields and not has_plain_moments(seen := lines[fields["available_at"]]):
            lines, fields["available_at"] = with_column(lines, state_moments(seen, self.calendar, self.zone), "seen_at")
        for name in NUMBERS:
            if self.group.mark and name in fields and name in self.adds_numbers:
                plain = read_numbers(lines[fields[name]], self.group.mark)
                lines, fields[name] = with_column(lines, plain, f"{name}_number")
        symbol = lines[fields["ticker"]]
        if self.told is not None and self.told.later_splits is not None:
            later = self.told.later_ratio(pl.DataFrame({"ticker": symbol, "day": day}))
            beside = None
            if self.told.to_come is not None:
                closes = _plain(lines[self.told_by["unadjusted"]], self.group.mark).cast(pl.Float64, strict=False)
                beside = closes, min(max(self.told.decimals, 2), 4)  # what the file's own quotes have
            lines = _as_traded(lines, fields, later, beside)
        return Bars(lines, fields, symbol, day, file, line)

    def tell(self, bars: Bars) -> pl.DataFrame:
        """Return what of bars of whole tickers tells of actions."""
        found = self.told_by
        return pl.DataFrame(
            {"ticker": bars.symbol, "day": bars.day, "close": bars.lines[bars.fields["close"]]}
        ).with_columns(
            pl.col("close").cast(pl.Float64, strict=False),
            *(
                _plain(bars.lines[found[name]], self.group.mark).alias(name)
                if name in found
                else pl.lit(None, pl.String).alias(name)
                for name in ("split", "dividend", "adjusted", "unadjusted")
            ),
        )

    def _with_instants(self, lines: pl.DataFrame, day: pl.Series) -> tuple[pl.DataFrame, str]:
        """Add the moments where the file writes them in another way than ingestion reads, or its zone was told."""
        written, form = lines[self.clock], self.group.day_form
        if form == EPOCH_FORM:
            at = read_instants(written, zone=self.zone)
        elif form == ISO_FORM and not self.params.zone:
            return lines, self.clock
        else:
            told = written if form == ISO_FORM else iso_times(written, day)
            if not self.params.zone:
                return with_column(lines, told, "bar_time")
            at = read_instants(told, zone=self.zone)
        text = at.dt.to_string("%Y-%m-%dT%H:%M:%S%.f%:z")
        return with_column(lines, text.fill_null(written), "bar_time")


def _plain(text: pl.Series, mark: Mark) -> pl.Series:
    return read_numbers(text, mark) if mark else text


def _as_traded(
    lines: pl.DataFrame, fields: dict[str, str], later: pl.Series, traded_close: tuple[pl.Series, int] | None
) -> pl.DataFrame:
    """Add the prices and volumes as they were before the splits that the file has adjusted them for."""
    ratio, adjusted = later.fill_null(1.0), dict(fields)
    for name in PRICES:
        number = lines[adjusted[name]].cast(pl.Float64, strict=False)
        traded = (number / ratio).round(0) if name == "volume" else _round_price(number * ratio)
        if traded_close is not None and name != "volume":
            traded = _beside_close(number, lines[adjusted["close"]], traded, *traded_close, name)
        text = traded.cast(pl.String).zip_with(ratio != 1.0, lines[adjusted[name]].cast(pl.String))
        lines, fields[name] = with_column(lines, text, f"{name}_as_traded")
    return lines


def _beside_close(
    number: pl.Series, adjusted_close: pl.Series, traded: pl.Series, close: pl.Series, decimals: int, name: str
) -> pl.Series:
    """A price as traded that agrees with the close that the file states as traded.

    The close is that one. What equals the adjusted close equals it too, and no high lies below it or low above it for
    the rounding of the adjusted prices alone.
    """
    beside = adjusted_close.cast(pl.Float64, strict=False)
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
