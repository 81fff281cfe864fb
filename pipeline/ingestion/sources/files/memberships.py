"""Reads files of membership intervals: who was in the index when, and which company a symbol meant when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from pipeline.ingestion.parse_values import day
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.columns import Usual, recognise
from pipeline.ingestion.sources.files.file_text import read_text

USUAL: Usual = {
    "ticker": ("ticker", "symbol"),
    "start": ("start", "start_date", "from", "added", "date_added", "joined"),
    "end": ("end", "end_date", "until", "to", "removed", "date_removed", "left"),
}
IDENTITIES: Usual = {
    "symbol": ("symbol", "vendor_symbol", "mapped_ticker"),
    "ticker": ("ticker", "identity", "listing", "file"),
    "start": USUAL["start"],
    "end": USUAL["end"],
}
IDENTITY = "listed_ticker"
"""Column added to a price file: the ticker of the company that the line's symbol meant on its day."""


@dataclass(frozen=True)
class Memberships:
    """The file's lines as they are landed, and what they say."""

    fields: dict[str, str]
    """ticker, start and, if the file has it, end -> the file's column."""
    lines: pl.DataFrame
    """All columns String."""
    members: pl.DataFrame
    """ticker (String), start and end (Date): a member from start on, up to but without end; no end is no end."""

    def within(self, first: date, last: date) -> tuple[str, ...]:
        """Whoever was a member on any of these days, in order."""
        there = (pl.col("start") <= last) & (pl.col("end").is_null() | (pl.col("end") > first))
        return tuple(self.members.filter(there)["ticker"].drop_nulls().unique().sort())


def cut_memberships(
    lines: pl.DataFrame, fields: Mapping[str, str], low: date, session: date, *, history: bool
) -> pl.DataFrame:
    """The lines to land: with `history` every spell that had begun, else those that begin or end in these days.

    A day that cannot be read is landed with the history, so that it is seen.
    """
    edges = [day(fields[name]).is_between(low, session) for name in ("start", "end") if name in fields]
    begun = (day(fields["start"]) <= session).fill_null(True)
    return lines.filter(begun if history else pl.any_horizontal(edges).fill_null(False))


def read_memberships(name: str) -> Memberships:
    """Read the file.

    Raises:
        SourceError: if it is missing, or has no column for the ticker or the first day.
    """
    path = Path(name).expanduser()
    lines = read_text(path)
    fields = recognise(lines.columns, USUAL, {}, required=("ticker", "start"), file=str(path), strict=True)
    texts = lines.select(pl.col(column).alias(field) for field, column in fields.items())
    if "end" not in fields:
        texts = texts.with_columns(end=pl.lit(None, dtype=pl.String))
    members = texts.select("ticker", start=day("start"), end=day("end"))
    if members["start"].is_null().all():
        raise SourceError(f"{path}: none of {lines.height} values of {fields['start']!r} is a date like 2018-01-02")
    return Memberships(fields, lines, members)


def read_identities(name: str) -> pl.DataFrame:
    """Read a file of listing spells: symbol, ticker (String), start and end (Date, the end no longer in it).

    Raises:
        SourceError: if it is missing, or has no column for symbol, ticker or start.
    """
    path = Path(name).expanduser()
    lines = read_text(path)
    required = ("symbol", "ticker", "start")
    fields = recognise(lines.columns, IDENTITIES, {}, required=required, file=str(path), strict=True)
    texts = lines.select(pl.col(column).alias(field) for field, column in fields.items())
    if "end" not in fields:
        texts = texts.with_columns(end=pl.lit(None, dtype=pl.String))
    spells = texts.select("symbol", "ticker", start=day("start"), end=day("end"))
    unread = spells.filter(pl.col("start").is_null())
    if not unread.is_empty():
        raise SourceError(
            f"{path}: {unread.height} memberships have no first day, the first is {unread.row(0)}; add it"
        )
    return spells.sort("start", "symbol", "ticker")


def identify_tickers(
    lines: pl.DataFrame, symbol: pl.Series, days: pl.Series, identities: pl.DataFrame
) -> tuple[pl.DataFrame, str]:
    """Add the ticker that each line's symbol meant on its day; return the lines and the column's name.

    A symbol without any spell is its own ticker; one whose spells do not hold the day has none that day.
    """
    placed = pl.DataFrame({"symbol": symbol, "day": days}).with_row_index("number")
    last = placed.sort("day").join_asof(
        identities.rename({"ticker": "meant"}).sort("start"),
        left_on="day",
        right_on="start",
        by="symbol",
        strategy="backward",
        check_sortedness=False,
    )
    inside = pl.col("meant").is_not_null() & (pl.col("end").is_null() | (pl.col("day") < pl.col("end")))
    known = pl.col("symbol").is_in(identities["symbol"].unique().implode())
    ticker = pl.when(~known).then("symbol").when(inside).then("meant")
    found = last.with_columns(ticker=ticker).sort("number")["ticker"]
    column = IDENTITY
    while column in lines.columns:
        column += "_"
    return lines.with_columns(found.alias(column)), column
