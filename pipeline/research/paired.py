"""The difference of two series over the same sessions, and how far chance may have made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite

import numpy as np
import numpy.typing as npt

from pipeline.trading.review.performance import stationary_indices

Floats = npt.NDArray[np.float64]
RESAMPLES = 2_000
MIN_SESSIONS = 20
"""Fewer sessions give no interval."""
DETECTED = 2.8
"""Standard errors that a difference has to be away from 0 for a test at 5 % to find it in four of five cases."""


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """One figure of two runs, session by session, and their difference."""

    name: str
    unit: str
    better: int
    """1 where more is better, -1 where less is, 0 where neither."""
    one: float
    """Mean over the sessions, in `unit`."""
    other: float
    difference: float
    """`other` less `one`."""
    low: float | None
    """Lower end of the difference's interval of 95 %; None where there are too few sessions."""
    high: float | None
    sessions: int
    needed: int | None
    """Sessions after which a true difference of this size would probably be told from chance; None where it is 0."""

    @property
    def certain_gain(self) -> float | None:
        """The least improvement that the interval leaves; None where there is no interval, or no better and worse."""
        if self.low is None or self.high is None or not self.better:
            return None
        return self.low if self.better > 0 else -self.high

    @property
    def verdict(self) -> str:
        """helped, hurt, or cannot be told; equal where no session differs."""
        if self.difference == 0 and self.low == self.high == 0:
            return "equal"
        if self.low is None or self.high is None or not self.better or self.low <= 0 <= self.high:
            return "cannot be told"
        return "helped" if self.difference * self.better > 0 else "hurt"


def compare_pairs(
    name: str,
    one: Sequence[float],
    other: Sequence[float],
    *,
    unit: str,
    scale: float = 1.0,
    better: int = 1,
    overlap: int = 1,
    seed: int = 0,
) -> PairedDifference:
    """Return the difference of two series' means with a stationary-bootstrap interval of 95 %.

    The same sessions are drawn for both, in blocks that keep their serial dependence (Politis and Romano 1994).

    Args:
        name: of the figure.
        one: a value for each session, oldest first; those that are not finite in either series are left out of both.
        other: the same sessions.
        unit: of the means after scaling.
        scale: what means are multiplied by, such as the sessions of a year.
        better: 1 where more is better, -1 where less is, 0 where neither.
        overlap: sessions that neighbouring values share, such as the horizon of forecasts; blocks are no shorter.
        seed: of the draws.
    """
    pairs = np.array([one, other], dtype=np.float64).reshape(2, -1)
    pairs = pairs[:, np.isfinite(pairs).all(axis=0)]
    size = pairs.shape[1]
    means = (scale * pairs.mean(axis=1)).tolist() if size else [float("nan")] * 2
    low, high, error = _interval(pairs[1] - pairs[0], max(ceil(size ** (1 / 3)), 2 * overlap), seed)
    difference = means[1] - means[0]
    found = error is not None and difference != 0 and isfinite(difference)
    return PairedDifference(
        name=name,
        unit=unit,
        better=better,
        one=means[0],
        other=means[1],
        difference=difference,
        low=None if low is None else scale * low,
        high=None if high is None else scale * high,
        sessions=size,
        needed=ceil(size * (DETECTED * scale * (error or 0.0) / difference) ** 2) if found else None,
    )


def _interval(differences: Floats, block: int, seed: int) -> tuple[float | None, float | None, float | None]:
    """Both ends, and the standard error."""
    size = differences.size
    if size < MIN_SESSIONS:
        return None, None, None
    means = differences[stationary_indices(size, RESAMPLES, min(block, size), seed)].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high), float(means.std(ddof=1))
