"""Reads the operator's file of exchange rates, and cuts it to the days asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

import polars as pl

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.columns import DAY, Usual, recognise
from pipeline.ingestion.sources.files.dates import is_iso, read_dates, read_instants, state_moments
from pipeline.ingestion.sources.files.file_text import read_text
from pipeline.market.sessions import Sessions

USUAL: Usual = {
    "session": DAY,
    "base": ("base", "base_currency", "from", "from_currency"),
    "quote": ("quote", "quote_currency", "to", "to_currency"),
    "pair": ("pair", "currency_pair", "symbol", "ticker"),
    "rate": ("rate", "fx_rate", "exchange_rate", "close", "value", "mid"),
    "available_at": ("available_at", "published_at"),
}


def read_fx_file(path: Path, *, date_format: str, calendar: Sessions, zone: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return the lines (all columns String) and {our field: column}; days and instants are there in ISO 8601.

    Raises:
        SourceError: if the file is missing, lacks the day, the rate, or the pair, or states no day that can be read.
    """
    lines = read_text(path)
    fields = recognise(lines.columns, USUAL, {}, required=("session", "rate"), file=str(path), strict=True)
    if "pair" not in fields and not {"base", "quote"} <= fields.keys():
        raise SourceError(
            f"{path} does not say of which currencies its rates are; it needs the columns base and quote, or pair"
        )
    column = fields["session"]
    if not is_iso(lines[column]):
        days = read_dates(lines[column], date_format=date_format, zone=zone, where=f"column {column!r} of {path}")
        lines, fields["session"] = _add_column(lines, "rate_day", days.dt.to_string("%Y-%m-%d"))
    if "available_at" in fields:
        at = state_moments(lines[fields["available_at"]], calendar, zone)
        lines, fields["available_at"] = _add_column(lines, "rate_available_at", at)
    return lines, fields


def cut_rates(
    lines: pl.DataFrame,
    fields: Mapping[str, str],
    days: tuple[date, date],
    closings: tuple[datetime, datetime],
    history: bool,
    zone: str,
) -> pl.DataFrame:
    """Return the lines to land: of the days asked for, and of earlier ones what was published since the last fetch.

    Args:
        days: the first and the last day asked for.
        closings: after and until which instant something was published since the last fetch.
        history: True also takes days before the first, and lines whose day or instant cannot be read.
        zone: of instants without an offset.
    """
    low, high = days
    day = lines[fields["session"]].str.to_date("%Y-%m-%d", strict=False)
    inside = (day.is_between(low, high) | (history & (day <= high))).fill_null(history)
    if "available_at" not in fields:
        return lines.filter(inside)
    published = read_instants(lines[fields["available_at"]], zone=zone)
    after, until = closings
    later = (published > until).fill_null(False)
    just_now = ((day <= high) & (published > after) & ~later).fill_null(False)
    return lines.filter((inside & ~later) | just_now)


def _add_column(lines: pl.DataFrame, name: str, values: pl.Series) -> tuple[pl.DataFrame, str]:
    """Add a column beside what the file says; return the lines and its name."""
    while name in lines.columns:
        name += "_"
    return lines.with_columns(values.alias(name)), name
