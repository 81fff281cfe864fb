"""Which engine of polars answers a query: the streaming one takes longer to start than small ones take to answer."""

from __future__ import annotations

import polars as pl

MAX_IN_MEMORY_ROWS = 50_000
"""Rows up to which a query runs in memory."""


def collect(query: pl.LazyFrame, rows: int) -> pl.DataFrame:
    """The result of a query; both engines give the same where an order is asked for.

    Args:
        query: any.
        rows: how many it looks at, roughly.
    """
    return query.collect(engine="in-memory" if rows <= MAX_IN_MEMORY_ROWS else "streaming")
