"""Dates as files have them: found out once for a whole column, never guessed row by row."""

from __future__ import annotations

import polars as pl

from lake.contract import UTC
from pipeline.ingestion.sources.errors import SourceError

ISO_DATE = r"^\d{4}-\d{2}-\d{2}$"
ISO_TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"
MIDNIGHT = r"^.{10}[T ]00:00(:00(\.0+)?)?( ?(Z|UTC|[+-]\d{2}:?\d{2}))?$"
OFFSET = r"(Z|UTC|[+-]\d{2}:?\d{2})$"
FORMATS = ("%Y%m%d", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%b-%Y", "%b %d, %Y")


def is_iso(text: pl.Series) -> bool:
    """Whether every cell that is filled is a date like 2026-01-31, as ingestion reads it."""
    return bool(text.str.contains(ISO_DATE).all())


def read_dates(text: pl.Series, *, date_format: str, zone: str, where: str) -> pl.Series:
    """Return the trading day of each cell; null where it cannot be read.

    A timestamp at midnight, as written, is a date; any other one with an offset belongs to its day in `zone`, and
    one without to the day it states.

    Args:
        text: cells as they stand in the file.
        date_format: strptime format; if empty, ISO 8601 and the usual forms are tried, and one has to fit best.
        where: file and column, for errors.

    Raises:
        SourceError: if no cell is a date, or day and month cannot be told apart.
    """
    if date_format:
        days = text.str.to_date(date_format, strict=False)
    elif text.str.contains(ISO_DATE[:-1]).sum() >= text.is_not_null().sum() / 2:
        days = iso_days(text, zone)
    else:
        days = _usual_days(text, where)
    if days.null_count() == len(days):
        first = next((cell for cell in text if cell is not None), None)
        form = f"in the form {date_format!r}" if date_format else "a date"
        raise SourceError(
            f"{where}: none of {len(text)} values is {form}, the first is {first!r}; "
            "map another column, or set date_format, such as %d/%m/%Y"
        )
    return days


def read_instants(text: pl.Series, *, zone: str) -> pl.Series:
    """Return each cell's moment in UTC; one without an offset is read in `zone`; null where it cannot be read."""
    frame = pl.DataFrame({"text": text.str.strip_chars().str.replace(" ", "T", literal=True)})
    plain = pl.col("text").str.replace(r" ?(Z|UTC)$", "+00:00").str.replace(r"([+-]\d{2})(\d{2})$", "$1:$2")
    zoned = pl.col("text").str.contains(OFFSET) & pl.col("text").str.contains(ISO_TIME)
    formats = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")
    with_offset = pl.coalesce(
        pl.when(zoned).then(plain).str.to_datetime(f"{form}%:z", time_zone="UTC", time_unit="us", strict=False)
        for form in formats
    )
    without = pl.coalesce(
        pl.when(~zoned).then("text").str.to_datetime(form, time_unit="us", strict=False) for form in formats
    ).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return frame.select(at=pl.coalesce(with_offset, without.dt.convert_time_zone("UTC")).cast(UTC)).to_series()


def iso_days(text: pl.Series, zone: str) -> pl.Series:
    """Return the day of each ISO 8601 cell as Date; one with a time and an offset belongs to its day in `zone`."""
    frame = pl.DataFrame({"text": text.str.strip_chars()})
    written = pl.col("text").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    plain = pl.col("text").str.contains(ISO_DATE) | pl.col("text").str.contains(MIDNIGHT)
    timed = pl.col("text").str.contains(ISO_TIME) & ~plain
    if not frame.select(timed.any()).item():
        return frame.select(day=pl.when(plain).then(written)).to_series()
    at = read_instants(text, zone=zone).dt.convert_time_zone(zone).dt.date()
    return frame.with_columns(at=at).select(day=pl.when(plain).then(written).when(timed).then("at")).to_series()


def _usual_days(text: pl.Series, where: str) -> pl.Series:
    head = text.str.strip_chars()
    compact = head.str.replace(r"^(\d{8}) .*$", "$1")
    tries = {form: (compact if form == "%Y%m%d" else head).str.to_date(form, strict=False) for form in FORMATS}
    hits = {form: len(days) - days.null_count() for form, days in tries.items()}
    best = max(FORMATS, key=lambda form: hits[form])
    american, european = hits["%m/%d/%Y"], hits["%d/%m/%Y"]
    if american and american == european and hits[best] == american:
        raise SourceError(
            f"{where}: day and month cannot be told apart, the first value is {text.drop_nulls()[0]!r}; "
            "set date_format to %m/%d/%Y or %d/%m/%Y"
        )
    return tries[best]
