"""What was learned: each insight and hypothesis where it stands, and how sure a mean error is."""

from __future__ import annotations

import polars as pl

INSIGHT_STATES = {"open": 0, "acted": 1, "measured": 2, "retired": 3}
"""State of an insight -> its place in a list: those that wait for something first."""

NOT_MEASURED = ("pending", "on trial")
"""Effects of what nobody has measured yet."""
HYPOTHESIS_STATES = {"confirmed": 0, "looked": 1, "registered": 2, "ended": 3, "dropped": 4}
"""State of a hypothesis -> its place in a list."""


def insight_rows(steps: pl.DataFrame) -> pl.DataFrame:
    """Each insight at the last step of its life, with what it was measured to do; those that wait for something first.

    `measured` has every effect it was measured to have, in order: one that helped and was retired later did help.
    """
    last = steps.unique(subset=["insight_id"], keep="last", maintain_order=True)
    rank = pl.col("status").replace_strict(INSIGHT_STATES, return_dtype=pl.Int8)
    errors = {f"{name}_error": pl.struct("kind", name) for name in ("before", "after")}
    told = steps.filter(~pl.col("effect").is_in(NOT_MEASURED)).sort("session", maintain_order=True)
    effects = pl.col("effect").rle().struct.field("value")
    named = told.group_by("insight_id", maintain_order=True).agg(measured=effects)
    joined = last.join(named, on="insight_id", how="left", maintain_order="left")
    ordered = joined.with_columns(pl.col("measured").fill_null([]), rank=rank, **errors)
    return ordered.sort("rank", "session", "insight_id", descending=[False, True, False])


def ever_measured(steps: pl.DataFrame, effect: str) -> int:
    """How many insights were measured so at any step of their life: one that helped did, though retired since."""
    return steps.filter(pl.col("effect") == effect)["insight_id"].n_unique()


def hypothesis_rows(steps: pl.DataFrame) -> pl.DataFrame:
    """Each hypothesis at its last step: those acted on first, then those at work; `about` holds scope and slice."""
    last = steps.sort("session", "hypothesis_id").unique("hypothesis_id", keep="last", maintain_order=True)
    rank = pl.col("status").replace_strict(HYPOTHESIS_STATES, return_dtype=pl.Int8)
    return last.with_columns(rank=rank, about=pl.struct("scope", "slice")).sort(
        "rank", "session", "hypothesis_id", descending=[False, True, False]
    )


def confidence_interval(mean: float, standard_error: float) -> tuple[float, float]:
    """The 95 % confidence interval of a mean."""
    return mean - 1.96 * standard_error, mean + 1.96 * standard_error
