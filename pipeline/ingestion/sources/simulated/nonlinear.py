"""Drift of the simulated market that no line can see: last week's return counts for or against, by what else is so."""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

from pipeline.ingestion.sources.simulated.params import Strengths

Floats = npt.NDArray[np.float64]

MONTHS_FROM, MONTHS_TO = 60, 6
"""Momentum sums idiosyncratic returns over sessions t-60..t-6."""
WEEK = 5
"""The week sums them over t-5..t-1."""
MAX_DEVIATIONS = 3.0
"""Standardised sums count no further: a crash must not plant a drift of its own size."""
LARGE = 1.0
"""Standard deviations from which momentum of either sign is large: a third of the time."""
TURNED = 0.5
"""What a week turns back, per unit, where momentum is not large, so that on average it neither goes on nor turns."""


def is_planted(strengths: Strengths) -> bool:
    """Whether there is any of it."""
    return max(strengths.interaction, strengths.threshold, strengths.switching) > 0


def nonlinear_drift(surprise: Floats, mood: float, volatility: Floats, strengths: Strengths) -> Floats:
    """Expected idiosyncratic return of the session after the last row, as fractions: [names].

    It follows from what nobody expected, never from what it brought about itself, so that no move feeds on itself.

    Args:
        surprise: [at least 60 rows, names] idiosyncratic returns less their drift, the latest session last; 0 where
            they are still to come.
        mood: above 0 in the calm regime, 0 in the normal one, -1 in the stressed one; of a session to come, its mean.
        volatility: [names] idiosyncratic sigma per session.
        strengths: what is planted.
    """
    rows = surprise.shape[0]
    months = _standardise(surprise[rows - MONTHS_FROM : rows - MONTHS_TO + 1], volatility)
    week = _standardise(surprise[rows - WEEK :], volatility)
    gate = np.where(np.abs(months) > LARGE, 1.0, -TURNED)
    share = strengths.interaction * months + strengths.threshold * gate + strengths.switching * mood
    drift: Floats = volatility * week * share
    return drift


def _standardise(returns: Floats, volatility: Floats) -> Floats:
    total = returns.sum(axis=0) / (volatility * sqrt(len(returns)))
    held: Floats = np.clip(total, -MAX_DEVIATIONS, MAX_DEVIATIONS)
    return held
