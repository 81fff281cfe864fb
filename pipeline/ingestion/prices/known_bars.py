"""Holds delivered bars against those that are known."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from lake.engine import collect
from pipeline.engine.stage import Moment
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices.bar_rules import COMPARED
from pipeline.ingestion.prices.jumps import BAR


def stand_as_known(group: pl.DataFrame, known: pl.DataFrame, moment: Moment, params: IngestionParams) -> bool:
    """Whether all of the bars arrived at once, and are all that is known of their tickers.

    Then none comes twice, and none is new, so that none is held back.
    """
    if group.height != known.height or group.is_empty() or group["arrival"].n_unique() > 1:
        return False
    public = moment.calendar.close_at(group["arrival"][0]) + params.publication_lag(moment.calendar)
    last = known["available_at"].max()
    return isinstance(last, datetime) and last <= public and _is_alike(group, known)


def _is_alike(group: pl.DataFrame, known: pl.DataFrame) -> bool:
    """Whether two frames in the order of their bars hold the same bars with the same values."""
    return all(group[name].equals(known[name], null_equal=True) for name in (*BAR, *COMPARED))


def compare_with_known(batch: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Add the revision the bar is (Int32), and `new`: whether it differs from what is known, bit for bit."""
    if known.is_empty():
        return batch.with_columns(revision=pl.lit(0, pl.Int32), new=pl.lit(True))
    beside = batch.lazy().join(
        known.lazy().select(*BAR, *(pl.col(name).alias(f"known_{name}") for name in (*COMPARED, "revision"))),
        on=BAR,
        how="left",
        maintain_order="left",
    )
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"known_{name}")) for name in COMPARED)
    revision = (pl.col("known_revision") + (~same).cast(pl.Int32)).fill_null(0).cast(pl.Int32)
    return collect(beside.with_columns(revision=revision, new=~same), batch.height + known.height)
