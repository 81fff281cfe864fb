"""Whether the mean of a measure of overlapping outcomes is 0, where it is known how much of them is shared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.feedback.statistics import multiply_counts, student_p

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MeanOfShared:
    """Arrays [columns]."""

    mean: Floats
    """NaN where nothing was scored."""
    standard_error: Floats
    t: Floats
    p: Floats
    """Two-sided, from Student's t; 1 where nothing can be tested."""
    sessions: NDArray[np.int64]


@dataclass(frozen=True)
class Sharing:
    """What the outcomes in a column have in common by when their forecasts were made; arrays [columns].

    Outcomes made d sessions apart share 1 - d / h of their moves. A measure that is linear in the outcome is correlated
    by as much, one of its size by the square of that at most, if moves are normal. With these correlations K and M what
    takes out the mean, the sum of squared deviations is tr(MK) times the variance, and has
    tr(MK)^2 / tr(MKMK) degrees of freedom (Satterthwaite, 1946).
    """

    total: Floats
    """Sum of the correlations of all pairs."""
    trace: Floats
    """tr(MK)."""
    freedom: Floats

    @classmethod
    def of(cls, present: Mask, positions: NDArray[np.int64], horizon: int, power: int) -> Sharing:
        """Work it out for a few columns.

        Args:
            present: [sessions, columns] in order of time.
            positions: [sessions] when the forecasts were made, as numbers of sessions.
            horizon: sessions a forecast spans.
            power: of the share; 1 or 2.
        """
        held = present.astype(np.float64)
        shared = np.maximum(0.0, 1 - np.abs(positions[:, None] - positions[None, :]) / horizon) ** power
        return cls._add_up(held, shared @ held, (shared * shared) @ held)

    @classmethod
    def count(cls, present: Mask, positions: NDArray[np.int64], horizon: int, power: int) -> Sharing:
        """The same for many columns, from the numbers of sessions that are shared: exact sums, in whatever order."""
        held = present.astype(np.float64)
        shared = np.maximum(0, horizon - np.abs(positions[:, None] - positions[None, :])).astype(np.float64) ** power
        whole = float(horizon) ** power
        with_each, squares = (multiply_counts(one, held) for one in (shared, shared * shared))
        return cls._add_up(held, with_each / whole, squares / whole**2)

    @classmethod
    def _add_up(cls, held: Floats, with_each: Floats, squares_with_each: Floats) -> Sharing:
        """From what each outcome shares with all others, and the squares of it."""
        n = np.maximum(held.sum(axis=0), 1)
        with_each = held * with_each
        total = with_each.sum(axis=0)
        trace = n - total / n
        squares = (held * squares_with_each).sum(axis=0)
        trace_of_square = squares - 2 / n * (with_each**2).sum(axis=0) + (total / n) ** 2
        return cls(total, trace, _ratio(trace**2, trace_of_square))


def measure_mean(values: Floats, positions: NDArray[np.int64], horizon: int, power: int) -> MeanOfShared:
    """Test each column's mean against 0; NaN is missing among values, all else as in `Sharing.of`."""
    present = ~np.isnan(values)
    return judge_mean(values, present, Sharing.count(present, positions, horizon, power))


def judge_mean(values: Floats, present: Mask, sharing: Sharing) -> MeanOfShared:
    """Test each column's mean against 0.

    Args:
        values: [sessions, columns] in order of time; NaN is missing.
        present: the same shape: which are not.
        sharing: of each column, or of one where all are alike.
    """
    count = present.sum(axis=0).astype(np.int64)
    n = np.maximum(count, 1)
    mean = np.where(present, values, 0.0).sum(axis=0) / n
    deviations = (np.where(present, values - mean, 0.0) ** 2).sum(axis=0)
    error = np.sqrt(_ratio(deviations, sharing.trace) * sharing.total) / n
    t = _ratio(mean, error)
    testable = (sharing.freedom >= 2) & (error > 0)
    p = np.where(testable, student_p(t, np.where(testable, sharing.freedom, 2.0)), 1.0)
    return MeanOfShared(np.where(count > 0, mean, np.nan), error, t, p, count)


def _ratio(above: Floats, below: Floats) -> Floats:
    found: Floats = np.divide(above, below, out=np.zeros_like(above, dtype=np.float64), where=below > 1e-12)
    return found
