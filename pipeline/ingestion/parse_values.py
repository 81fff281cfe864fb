"""Reads typed values out of delivered text, and names the first rule a row breaks."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from lake.contract import UTC

DAY_FORMATS = ("%Y-%m-%d", "%Y-%m-%d 00:00:00", "%Y-%m-%dT00:00:00", "%Y/%m/%d", "%Y%m%d")
"""Ways of writing a day that cannot be mistaken for each other; day and month are never guessed."""
INSTANT_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%z")
SHARE_CLASS = r"\b([A-Z]{1,5})[_/]([A-Z])\b"
NAIVE_INSTANT = r"^\d{4}-\d{2}-\d{2}[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$"


def present(name: str) -> pl.Expr:
    """Whether the text column holds anything but blanks."""
    return (pl.col(name).str.strip_chars() != "").fill_null(False)


def normalize_ticker(name: str) -> pl.Expr:
    """The text column of tickers with a point before the class of a share, as in BRK.B, where it has a _ or a /."""
    return pl.col(name).str.replace_all(SHARE_CLASS, "$1.$2")


def number(name: str) -> pl.Expr:
    """The text column as Float64; null where it is no number, NaN and infinities as they are."""
    return pl.col(name).cast(pl.Float64, strict=False)


def whole(name: str) -> pl.Expr:
    """The text column as Int64, rounded half to even; null where it is no number or does not fit."""
    value = number(name)
    return pl.when(value.is_finite()).then(value.round(mode="half_to_even")).cast(pl.Int64, strict=False)


def day(name: str) -> pl.Expr:
    """The text column as Date; null where it is written in no way we know."""
    return pl.coalesce(pl.col(name).str.to_date(form, strict=False) for form in DAY_FORMATS)


def instant(name: str) -> pl.Expr:
    """The text column, ISO 8601 with an offset, as UTC microseconds; null without an offset."""
    text = pl.col(name).str.replace(r"^(\S+) (\d)", "${1}T${2}").str.replace(r"\s*[Zz]$", "+00:00")
    read = [text.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False) for form in INSTANT_FORMATS]
    return pl.coalesce(read).cast(UTC)


def naive(name: str) -> pl.Expr:
    """Whether the text column holds a time without an offset."""
    return pl.col(name).str.contains(NAIVE_INSTANT)


def first_broken(rules: Mapping[str, pl.Expr]) -> pl.Expr:
    """The name of the first rule whose condition is not met; null where all are. A null condition counts as met."""
    return pl.coalesce(pl.when(~holds.fill_null(True)).then(pl.lit(name)) for name, holds in rules.items())
