"""Counts tickers and days of rows while they are at hand, so that what files hold is known without their rows."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.ingestion.sources.files.blocks.spool import Place
from pipeline.ingestion.sources.files.dates import correct_days, parse_once
from pipeline.ingestion.sources.files.distinct_cells import DistinctCells
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
    place: Place | None = None
    """Where on the spool the day of each row lies; None where the rows themselves have it."""


def read_days(cells: DistinctCells, *, form: str, zone: str, params: FilesParams) -> pl.Series:
    """Return the trading day of each distinct cell, those that are off set right; null where it cannot be read.

    Args:
        cells: the cells.
        form: how the files write their days.
        zone: of moments.
        params: what the operator says of dates.
    """
    days = parse_once(cells.once, form=form, zone=zone, date_format=params.date_format)
    return correct_days(days, params.dates) if params.interval == "1d" else days


def survey_rows(rows: pl.DataFrame, cells: DistinctCells, days: pl.Series, *, form: str, benchmark: str) -> Survey:
    """Count the tickers and days of rows.

    Args:
        rows: ticker, day (its trading day, as read in the form) and file.
        cells: those that say when each was.
        days: the trading day of each distinct one.
        form: how they are written.
        benchmark: the benchmark's ticker.
    """
    tickers = rows.group_by("ticker", maintain_order=True).agg(
        pl.col("file").first(), rows=pl.len(), first=pl.col("day").min(), last=pl.col("day").max()
    )
    own = (pl.col("ticker") == benchmark).fill_null(False)
    there = bool(tickers.select(own.any()).item())
    if there and tickers.height > 1:
        marked = rows.select("day", written=cells.spread(cells.once), benchmark=own)
        grouped = marked.group_by("written", "benchmark", maintain_order=True)
        counted = grouped.agg(pl.col("day").first(), rows=pl.len())
    else:
        counted = pl.DataFrame([cells.once.alias("written"), days.alias("day"), cells.rows])
        counted = counted.with_columns(benchmark=pl.lit(there))
    return Survey(form, tickers, counted.select("written", "benchmark", "day", "rows"))
