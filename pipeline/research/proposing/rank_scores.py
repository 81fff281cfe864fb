"""Judges factors by sessions that did not choose them: direction from other folds, an error that knows of overlap.

The first part of history is in sample: what scores well there has offspring. The rest is out of sample: a factor's
score there is a test, since nothing there decided what was proposed; and because every proposal ever made counts
as a test, what is kept has to be unlikely even as the best of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MIN_NAMES = 8
"""Names with a value and an outcome, below which a session says nothing."""
MIN_SESSIONS = 60
"""Sessions out of sample, below which no factor is kept."""
NOTHING_LEFT = 1e-9
"""Of ranks from -1 to 1: what is smaller is rounding."""
FOLDS = 5
SEARCH = 0.6
"""Share of history that is for the search."""


@dataclass(frozen=True, kw_only=True)
class ForwardReturns:
    """What came of holding each name for some sessions from each session's close."""

    horizon: int
    returns: Floats
    """[S, N] log return over `horizon` sessions from the next on, less the members' mean; NaN where not known."""
    member: npt.NDArray[np.bool_]
    """[S, N]"""

    @property
    def in_sample(self) -> slice:
        """Sessions that the search may use: their outcomes end before those out of sample begin."""
        return slice(0, max(int(SEARCH * len(self.returns)) - self.horizon, 0))

    @property
    def out_of_sample(self) -> slice:
        """Sessions that judge."""
        return slice(int(SEARCH * len(self.returns)), len(self.returns))


@dataclass(frozen=True, kw_only=True)
class RankScore:
    """How a factor ranked outcomes over some sessions."""

    ic: float
    """Mean rank correlation a session, in the direction that other sessions told; NaN where nothing is known."""
    t: float
    """That over its standard error, which knows that outcomes overlap."""
    sessions: int

    @property
    def p(self) -> float:
        """The chance that a factor without any worth scores as high; 1 where nothing is known."""
        return 1 - NormalDist().cdf(self.t) if np.isfinite(self.t) else 1.0


def correlate_ranks(values: Floats, outcomes: ForwardReturns) -> Floats:
    """Return the rank correlation of a factor with the outcomes among the members: [S], NaN where too few have both."""
    both = outcomes.member & np.isfinite(values) & np.isfinite(outcomes.returns)
    ranks = [_rank(one, both) for one in (values, outcomes.returns)]
    return _correlate(ranks[0], ranks[1], both.sum(axis=1) >= MIN_NAMES)


def correlate_beyond(values: Floats, kept: Sequence[Floats], outcomes: ForwardReturns) -> Floats:
    """Return the correlation of what is left of a factor's ranks beside those of kept ones: [S], NaN as above.

    A factor that says what kept ones say leaves nothing, or noise.
    """
    both = outcomes.member & np.isfinite(values) & np.isfinite(outcomes.returns)
    for one in kept:
        both &= np.isfinite(one)
    known = np.stack([both.astype(np.float64), *(_rank(one, both) for one in kept)], axis=-1)
    ranks = _rank(values, both)
    slopes = np.linalg.pinv(known) @ ranks[..., None]
    left = np.where(both, ranks - (known @ slopes)[..., 0], 0.0)
    left[np.abs(left).max(axis=1) < NOTHING_LEFT] = 0.0
    return _correlate(left, _rank(outcomes.returns, both), both.sum(axis=1) >= MIN_NAMES + len(kept))


def _rank(values: Floats, among: npt.NDArray[np.bool_]) -> Floats:
    """Ranks from -1 to 1 among some names of each session, equals at their mean rank: [S, N], 0 elsewhere."""
    from pipeline.features.engine.cross_sections import rank  # compiles what it runs

    found = np.empty(values.shape)
    rank(np.where(among, values, np.nan), among, np.zeros(values.shape, dtype=np.int64), found)
    return np.where(among, found, 0.0)


def _correlate(one: Floats, other: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """The correlation of each session's values, whose means are 0; NaN where one does not vary or is not known."""
    norm = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
    found = np.full(len(one), np.nan)
    np.divide((one * other).sum(axis=1), norm, out=found, where=known & (norm > 0))
    return found


def score_in_sample(ics: Floats, outcomes: ForwardReturns) -> RankScore:
    """Score a factor in sample, by purged folds: each fold's direction is that of the others."""
    series = ics[outcomes.in_sample]
    return _score(_direct(series, outcomes.horizon), outcomes.horizon)


def score_out_of_sample(ics: Floats, outcomes: ForwardReturns) -> RankScore:
    """Score a factor out of sample, in the direction that it had in sample."""
    told = np.nanmean(ics[outcomes.in_sample]) if np.isfinite(ics[outcomes.in_sample]).any() else np.nan
    return _score(np.sign(told) * ics[outcomes.out_of_sample], outcomes.horizon)


def _direct(series: Floats, horizon: int) -> Floats:
    """The series of each fold times the sign of the others' mean, those left out that overlap with it."""
    edges = np.linspace(0, len(series), FOLDS + 1).astype(int)
    directed = np.full(len(series), np.nan)
    for first, last in pairwise(edges.tolist()):
        others = np.concatenate([series[: max(first - horizon, 0)], series[last + horizon :]])
        if np.isfinite(others).any():
            directed[first:last] = np.sign(np.nanmean(others)) * series[first:last]
    return directed


def _score(series: Floats, horizon: int) -> RankScore:
    known = series[np.isfinite(series)]
    if len(known) < MIN_SESSIONS:
        return RankScore(ic=float("nan"), t=float("nan"), sessions=len(known))
    error = measure_error(known, horizon)
    mean = float(known.mean())
    return RankScore(ic=mean, t=mean / error if error > 0 else float("nan"), sessions=len(known))


def measure_error(series: Floats, overlap: int) -> float:
    """Return the standard error of the mean of a series whose neighbours share outcomes (Hansen and Hodrick 1980).

    Outcomes over h sessions that are made fewer than h sessions apart share some, those further apart none, so each
    covariance up to h - 1 counts in full. Weights that fall with the distance, as Newey and West's, would leave a third
    of the variance out. It is no less than the error of a series without overlap.

    Args:
        series: n values in their order, n > overlap.
        overlap: h.
    """
    n = len(series)
    centred = series - series.mean()
    alone = float((centred * centred).sum()) / n
    shared = sum(float((centred[step:] * centred[:-step]).sum()) / n for step in range(1, overlap))
    return sqrt(max(alone + 2 * shared, alone) / max(n - overlap, 1))


def largest_p(rate: float, tests: int) -> float:
    """Return the p-value up to which a proposal is kept, so that any is kept falsely at that rate (Bonferroni)."""
    return rate / max(tests, 1)


def order_by_score(scores: Sequence[RankScore]) -> list[int]:
    """Places from the highest t to the lowest, unknown ones last."""
    return sorted(range(len(scores)), key=lambda at: -scores[at].t if np.isfinite(scores[at].t) else np.inf)
