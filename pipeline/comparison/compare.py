"""Compares all that an older system brought with what the lake holds for the same sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from lake.errors import NoSuchError
from lake.store import Lake
from lake.tables.imports import RAW_IMPORTS
from lake.tables.market import MARKET_PRICES, RAW_PRICES
from pipeline.comparison.closes import closes
from pipeline.comparison.figure import Figure
from pipeline.comparison.forecasts import forecasts
from pipeline.comparison.trades import trades
from pipeline.market.sessions import Sessions


@dataclass(frozen=True)
class Comparison:
    """How far two systems agree."""

    source: str
    first: date
    last: date
    figures: tuple[Figure, ...]

    @property
    def within(self) -> bool:
        """Whether every figure that is judged agrees."""
        return all(figure.within for figure in self.figures)


@dataclass(frozen=True, kw_only=True)
class Tolerances:
    """How far two values may lie apart and still agree."""

    relative: float = 1e-4
    """Fraction of a close, a fill's price, or the realised profit."""
    forecast: float | None = None
    """Fraction of the price, for forecasts; None tells their differences and judges none."""


def compare(
    lake: Lake,
    calendar: Sessions,
    tolerances: Tolerances,
    *,
    source: str | None = None,
    first: date | None = None,
    last: date | None = None,
) -> Comparison:
    """Compare closes, forecasts, fills, positions and profit over the sessions that both could know.

    Args:
        lake: to look in; only what is published, and raw landings at their newest.
        calendar: the exchange's sessions.
        tolerances: how far apart is agreement.
        source: the older system, `import-NAME` or its name; may be left out where there is one.
        first: first session; the first that was imported where None.
        last: last session; the last one that both have where None.

    Raises:
        NoSuchError: if nothing was imported, or it is not clear what is to be compared.
    """
    landed = _read_landed_days(lake)
    source = _chosen(landed, source)
    since, until = landed[source]
    span = lake.clock_span(MARKET_PRICES, until=until)
    first = first or since
    last = last or (min(until, span[1]) if span else until)
    if last < first:
        raise NoSuchError(
            f"{source} begins at {since}, after {last}, the last session of the lake; there is no overlap"
        )
    closed = closes(lake, source, first, last, calendar, tolerances.relative)
    figures = [closed] if closed is not None else []
    figures += forecasts(lake, source, first, last, calendar, tolerances.forecast)
    figures += trades(lake, source, first, last, tolerances.relative)
    return Comparison(source, first, last, tuple(figures))


def _read_landed_days(lake: Lake) -> dict[str, tuple[date, date]]:
    """Older system -> first and last day that its landings speak of."""
    mine = pl.col("source").str.starts_with("import-")
    parts = [lake.read(of, where=mine, columns=("source", "session", "request")) for of in (RAW_PRICES, RAW_IMPORTS)]
    begins = pl.col("request").str.extract(r'"since": ?"(\d{4}-\d{2}-\d{2})"').str.to_date()
    both = pl.concat(parts).group_by("source").agg(begins.min().alias("first"), pl.col("session").max())
    return {source: (first, last) for source, first, last in both.sort("source").iter_rows()}


def _chosen(landed: dict[str, tuple[date, date]], source: str | None) -> str:
    if not landed:
        raise NoSuchError(
            "there is nothing to compare, for no older system has been imported; import one with "
            "`nextgen import sqlite FILE` or `nextgen import parquet FOLDER`, then compare"
        )
    if source is None and len(landed) == 1:
        return next(iter(landed))
    for name in landed:
        if source in (name, name.removeprefix("import-")):
            return name
    wanted = "name the older system to compare" if source is None else f"there is no older system {source!r}"
    raise NoSuchError(f"{wanted}; imported systems: {', '.join(name.removeprefix('import-') for name in landed)}")
