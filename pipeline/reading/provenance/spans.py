"""Which sessions a fact can bear on: those after it that features look back from, as far as there are feature rows."""

from __future__ import annotations

from datetime import date

import polars as pl

from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from pipeline.features.panel import DEPTH, MARGIN
from pipeline.market.sessions import Sessions


def find_span(lake: Lake, calendar: Sessions, days: pl.Series) -> tuple[date, date] | None:
    """The first and last session whose features can be made of facts of these days; None where there is none."""
    there = lake.clock_span(FEATURE_ROWS, until=date.max)
    first, last = days.min(), days.max()
    if there is None or not isinstance(first, date) or not isinstance(last, date):
        return None
    near = [day for day in calendar.between(last, there[1])[: DEPTH + MARGIN] if day >= there[0]]
    return (max(calendar.at_or_after(first), there[0]), near[-1]) if near else None
