"""Which statement of an action is which fact: by content where that stands, else as a further revision."""

from __future__ import annotations

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS

CONTENT = (
    *("numerator", "denominator", "amount", "pay_date", "successor"),
    *("nature", "currency", "cash", "cost_share"),
)
GROUP = ("ticker", "ex_date", "kind")
SAME = (*GROUP, *CONTENT, "copy")
"""What makes two statements one: of equal ones in one answer, the first, the second, ..."""


def select_last(known: pl.DataFrame) -> pl.DataFrame:
    """The last revision of each fact."""
    return known.sort(CORPORATE_ACTIONS.key).unique(CORPORATE_ACTIONS.entity, keep="last", maintain_order=True)


def select_standing(last: pl.DataFrame) -> pl.DataFrame:
    """Those of last revisions that were not taken back."""
    return last.filter(~pl.col("withdrawn").fill_null(False))


def number_copies(known: pl.DataFrame) -> pl.DataFrame:
    """Add copy (UInt32): the facts of equal content, numbered as the lines of a payload are."""
    return known.with_columns(copy=pl.int_range(pl.len(), dtype=pl.UInt32).over([*GROUP, *CONTENT]))


def number_revisions(landing: pl.DataFrame, known: pl.DataFrame, standing: pl.DataFrame) -> pl.DataFrame:
    """The rows whose content does not stand, with sequence and revision (Int32).

    A changed row takes the number of a known one of its kind and day that the landing no longer holds, or that was
    taken back; a row too many gets the next number.

    Args:
        landing: what is stated, its copies numbered.
        known: the last revision of each fact.
        standing: those of them that were not taken back, their copies numbered.
    """
    rank = pl.int_range(pl.len()).over(GROUP).alias("rank")
    fresh = landing.join(standing, on=SAME, how="anti", nulls_equal=True, maintain_order="left").with_columns(rank)
    kept = standing.join(landing, on=SAME, how="semi", nulls_equal=True)
    gone = known.join(kept, on=CORPORATE_ACTIONS.entity, how="anti", maintain_order="left")
    gone = gone.select(*GROUP, "sequence", "revision", rank)
    counts = known.select(GROUP).with_columns(known=pl.len().over(GROUP)).unique()
    left = gone.select(GROUP).with_columns(gone=pl.len().over(GROUP)).unique()
    numbered = fresh.join(gone, on=[*GROUP, "rank"], how="left", maintain_order="left")
    numbered = numbered.join(counts, on=GROUP, how="left", maintain_order="left")
    numbered = numbered.join(left, on=GROUP, how="left", maintain_order="left")
    further = pl.col("known").fill_null(0) + pl.col("rank") - pl.col("gone").fill_null(0)
    return numbered.with_columns(
        sequence=pl.coalesce("sequence", further.cast(pl.Int32)), revision=(pl.col("revision") + 1).fill_null(0)
    )
