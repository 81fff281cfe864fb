"""Counts tickers and days of rows while they are at hand, so that what files hold is known without their rows."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.ingestion.sources.files.dates import correct_days, parse_days
from pipeline.ingestion.sources.files.params import FilesParams


@dataclass(frozen=True)
class Survey:
    """What was seen of some rows."""

    day_form: str
    """The form in which their days were read."""
    tickers: pl.DataFrame
    """ticker, file (the number of the first it is in), rows, first and last (Date); in the order they come."""
    days: pl.DataFrame
    """written (the cell), benchmark (whether it is the benchmark's), day (Date) and rows."""


def read_days(written: pl.Series, *, form: str, zone: str, params: FilesParams) -> pl.Series:
    """Return the trading day of each cell, those that are off set right; null where it cannot be read.

    Args:
        written: the cells.
        form: how the files write their days.
        zone: of moments.
        params: what the operator says of dates.
    """
    days = parse_days(written, form=form, zone=zone, date_format=params.date_format)
    return correct_days(days, params.dates) if params.interval == "1d" else days


def survey_rows(rows: pl.DataFrame, *, form: str, benchmark: str) -> Survey:
    """Count the tickers and days of rows.

    Args:
        rows: written (the cell that says when each was), ticker, day (its trading day, as read in the form) and file.
        form: how the days are written.
        benchmark: the benchmark's ticker.
    """
    tickers = rows.group_by("ticker", maintain_order=True).agg(
        pl.col("file").first(), rows=pl.len(), first=pl.col("day").min(), last=pl.col("day").max()
    )
    own = (pl.col("ticker") == benchmark).fill_null(False)
    several = bool(tickers.select(own.any()).item()) and tickers.height > 1
    marked = rows.with_columns(benchmark=own) if several else rows
    key = ["written", "benchmark"] if several else ["written"]
    days = marked.group_by(key, maintain_order=True).agg(pl.col("day").first(), rows=pl.len())
    if not several:
        days = days.with_columns(benchmark=pl.lit(bool(tickers.select(own.any()).item())))
    return Survey(form, tickers, days.select("written", "benchmark", "day", "rows"))
