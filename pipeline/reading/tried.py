"""How much was tried on a lake's past, and how often what was put aside was looked at."""

from __future__ import annotations

import polars as pl

from lake.store import Lake
from lake.tables.research import EXPERIMENTS, HOLDOUT_OPENINGS, WHAT_IFS


def count_trials(lake: Lake) -> int:
    """Return how many variants were ever tried: of experiments as registered, and of what-ifs each once."""
    tried = 0
    if lake.has_table(EXPERIMENTS):
        tried += int(lake.read(EXPERIMENTS, columns=("experiment_id", "variants"))["variants"].sum())
    return tried + (lake.rows(WHAT_IFS) if lake.has_table(WHAT_IFS) else 0)


def count_openings(lake: Lake) -> int:
    """Return how often somebody looked at the holdout."""
    return lake.rows(HOLDOUT_OPENINGS) if lake.has_table(HOLDOUT_OPENINGS) else 0


def read_trials(trials: pl.DataFrame) -> pl.DataFrame:
    """Return rows of `trials`, the last session and the highest gain first, with `added_up`: advantages summed so far.

    added_up (List of Float64) is in the pinball loss of `advantages`, a value for each of `days`.
    """
    summed = pl.col("advantages").list.eval(pl.element().cum_sum())
    return trials.with_columns(added_up=summed).sort(
        "session", "gain", "model_id", "candidate", descending=[True, True, False, False]
    )
