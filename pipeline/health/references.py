"""Judges the book by what a textbook would have made of its own forecasts."""

from __future__ import annotations

from math import prod

import numpy as np
import polars as pl

from pipeline.feedback.statistics import mean_test
from pipeline.health.checks import Check, Status
from pipeline.health.params import HealthParams
from pipeline.text_format import counted, percent

LOOKBACK = 250
"""Sessions of the book that can be looked back on."""
MIN_SESSIONS = 20
"""Below it nothing is said: a month tells no portfolio from another."""
ERRORS = 2.0
"""Standard errors on each side of a mean, within which it may be noise."""


def check_references(portfolio_value: pl.DataFrame, params: HealthParams) -> list[Check]:
    """Whether the book lost to top-k dropout on the same forecasts by more than noise.

    Returns of the same sessions are paired, and the error of their mean difference allows for its neighbours (Newey and
    West 1987). Nothing is said where top-k has not traded yet.

    Args:
        portfolio_value: rows of consecutive sessions, oldest first.
        params: over how many sessions; 0 says nothing.
    """
    began = portfolio_value.filter(pl.col("top_k_cost") > 0).tail(params.compared_sessions + 1)
    if not params.compared_sessions or began.height <= MIN_SESSIONS:
        return []
    levels = began["top_k"].to_numpy()
    ours, other = began["session_return"].to_numpy()[1:], levels[1:] / levels[:-1] - 1
    test = mean_test((ours - other)[:, np.newaxis], 1)
    mean, error = float(test.mean[0]), float(test.standard_error[0])
    low, high = mean - ERRORS * error, mean + ERRORS * error
    status: Status = "warn" if high < 0 else "ok"
    totals = [percent(prod(1 + gain for gain in each.tolist()) - 1, 1) for each in (ours, other)]
    told = (
        f"over the last {counted(len(ours), 'session')} the book earned {totals[0]}, and top-k dropout on the same"
        f" forecasts {totals[1]}"
    )
    between = f"{1e4 * low:+.1f} to {1e4 * high:+.1f} basis points a session"
    less = "the book lost to it by more than noise" if status == "warn" else "noise alone can explain the difference"
    if low > 0:
        less = "the book beat it by more than noise"
    way_out = "; `nextgen report` sets them side by side" if status == "warn" else ""
    return [Check("book", "top-k", status, mean, 0.0, f"{told}: {less} ({between}){way_out}")]
