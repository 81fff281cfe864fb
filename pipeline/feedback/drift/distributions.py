"""How far two distributions lie apart, and how often a month like those of training would lie as far."""

from __future__ import annotations

import numpy as np

from pipeline.feedback.statistics import Floats, student_p
from pipeline.models.profile.training_rows import LEVELS, MIN_GAP

TENTHS = [at for at, level in enumerate(LEVELS) if 0.1 <= level <= 0.9]
"""Places in LEVELS of the tenths, between which shares are compared."""
MIN_SHARE = 1e-4
"""A tenth that holds less counts as holding this much: the index would be endless."""
MIN_DEVIATION = 0.05
"""Smallest deviation of ln gap among months: features that never change would make every change a wonder."""
MIN_STRETCHES = 3.0
"""Months without a common look-back that a test needs."""


def measure_stability(below: Floats, trained: Floats) -> float:
    """The population stability index of shares at or below the tenths: the sum of (now - then) ln(now / then)."""
    now, then = (np.diff(np.concatenate([[0.0], shares, [1.0]])) for shares in (below, trained))
    used = (now > 0) | (then > 0)
    now, then = np.maximum(now[used], MIN_SHARE), np.maximum(then[used], MIN_SHARE)
    return float(((now - then) * np.log(now / then)).sum())


def compare_gap(gap: float, mean: float, deviation: float, stretches: float) -> float | None:
    """The probability that a month like those of training has a gap as large; None where there are too few of them."""
    if not np.isfinite(mean) or stretches < MIN_STRETCHES:
        return None
    spread = max(float(deviation), MIN_DEVIATION) * np.sqrt(1 + 1 / stretches)
    t = (np.log(max(gap, MIN_GAP)) - mean) / spread
    both = float(student_p(np.array([t]), np.array([stretches - 1.0]))[0])
    return both / 2 if t > 0 else 1 - both / 2
