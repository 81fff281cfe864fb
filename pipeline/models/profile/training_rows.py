"""What the rows that a model was trained on look like: how far a row lies from them, and which features put it there.

Each feature's values are kept as quantiles of the training rows. A value's deviation is its distance from the median,
in units that make the 1 % and the 99 % quantile those of a normal distribution, each side by its own: volumes, counts
and flags have one long side, and a median deviation of 0 where most values are equal. Deviations count up to
MAX_DEVIATION, so that one wrong number cannot hide the others. A row's distance is the root mean square of them, and
its strangeness the share of training rows that lie nearer: correlated features count several times on both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.models.dataset import Examples, Floats, Index

LEVELS = (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0)
"""Shares of the training rows at which a feature's quantiles are kept; in the order of the list in the registry."""
MEDIAN = 8
"""Place of the median in LEVELS."""
TAILS = (((2, 14), 2.3263478740408408), ((1, 15), 3.090232306167813), ((0, 16), 4.0))
"""Places in LEVELS of a tail on either side, with a normal distribution's deviation there; the first that is not at the
median counts. Beyond 1 in 1,000 the extremes stand in, as of some ten thousand rows."""
DISTANCE_LEVELS = (*(step / 20 for step in range(20)), 0.98, 0.99, 0.995, 0.999, 1.0)
"""Shares at which the distances of the training rows are kept."""
MAX_DEVIATION = 8.0
"""Deviation beyond which a value counts no more: it is absurd already."""
STRETCH = 20
"""Sessions that are compared with the training rows at a time: a trading month."""
MIN_GAP = 1e-4
"""Distance of two distributions that counts as none."""


@dataclass(frozen=True)
class TrainingProfile:
    """F features of a model's training rows, in the order of its inputs."""

    features: tuple[str, ...]
    quantiles: Floats
    """[F, LEVELS] of the training rows."""
    below: Floats
    """[F, LEVELS] share of the training rows at or below each of them: more than its level where values repeat."""
    distances: Floats
    """[DISTANCE_LEVELS] of the training rows' distances."""
    gap_mean: Floats
    """[F] mean of ln(gap) over the training rows' own stretches; NaN where there are too few. See `measure_gaps`."""
    gap_deviation: Floats
    """[F] standard deviation of the same."""
    stretches: Floats
    """[F] how many stretches there are whose windows share no session."""

    def deviations(self, rows: npt.NDArray[np.floating]) -> Floats:
        """How far each value of rows [n, F] lies from the median of the training rows: [n, F], with its sign."""
        return np.column_stack([_deviate(rows[:, at], self.quantiles[at]) for at in range(len(self.features))])

    def rank(self, distances: Floats) -> Floats:
        """Strangeness of distances [n]: the share of training rows that lie nearer, 0 to 1."""
        return np.asarray(np.interp(distances, self.distances, DISTANCE_LEVELS), dtype=np.float64)


def measure_distance(deviations: Floats) -> Floats:
    """Distance of rows whose deviations are [n, F]: [n]."""
    return np.asarray(np.sqrt(np.square(deviations).sum(axis=1) / deviations.shape[1]), dtype=np.float64)


def describe_training(examples: Examples, rows: Index, warm_ups: Mapping[str, int]) -> TrainingProfile:
    """The profile of these examples' last rows.

    Args:
        examples: what the model was trained on.
        rows: which of them, ordered by session.
        warm_ups: feature -> sessions that it looks back on: stretches closer than that share what they saw.
    """
    index = examples.index
    place = index.starts[examples.number[rows]] + index.length - 1
    columns = (index.base[place, at].astype(np.float64) for at in range(len(examples.features)))
    looks_back = {name: warm_ups.get(name, 0) for name in examples.features}
    return describe_rows(columns, examples.session[rows], looks_back)


def describe_rows(columns: Iterable[Floats], session: Index, warm_ups: Mapping[str, int]) -> TrainingProfile:
    """The profile of n rows.

    Args:
        columns: F columns [n], in the order of the features.
        session: [n] the position of each row's session, in order.
        warm_ups: F features -> sessions that each looks back on.
    """
    stretch, sessions = _number_stretches(session), len(np.unique(session))
    quantiles, below, gaps = [], [], []
    squares = np.zeros(len(session))
    for values in columns:
        quantiles.append(read_quantiles(values, LEVELS))
        squares += np.square(_deviate(values, quantiles[-1]))
        shares, apart = _measure_stretches(values, stretch, quantiles[-1])
        below.append(shares)
        gaps.append(apart)
    whole = np.log(np.maximum(np.array(gaps)[:, : sessions // STRETCH], MIN_GAP))
    lacking = np.full(len(quantiles), np.nan)
    return TrainingProfile(
        features=tuple(warm_ups),
        quantiles=np.array(quantiles),
        below=np.array(below),
        distances=read_quantiles(np.sqrt(squares / len(quantiles)), DISTANCE_LEVELS),
        gap_mean=whole.mean(axis=1) if whole.shape[1] > 1 else lacking,
        gap_deviation=whole.std(axis=1, ddof=1) if whole.shape[1] > 1 else lacking,
        stretches=np.array([sessions / (STRETCH + looks_back) for looks_back in warm_ups.values()]),
    )


def read_quantiles(values: Floats, levels: Sequence[float]) -> Floats:
    """Values of a sample at shares of it, by straight lines between them."""
    return np.asarray(np.quantile(values, levels), dtype=np.float64)


def count_below(values: npt.NDArray[np.floating], quantiles: Floats) -> Floats:
    """Share of values [n] at or below each of the quantiles: [LEVELS]."""
    return np.asarray(np.searchsorted(np.sort(values), quantiles, side="right") / len(values), dtype=np.float64)


def measure_gap(below: Floats, trained: Floats) -> float:
    """Largest difference of two distributions at the training rows' quantiles (Kolmogorov and Smirnov's distance)."""
    return float(np.abs(below - trained).max())


def _measure_stretches(values: Floats, stretch: Index, quantiles: Floats) -> tuple[Floats, Floats]:
    """Share of all values at or below each quantile, and how far each stretch's values lie from all others."""
    bins = len(LEVELS) + 1
    places = stretch * bins + np.searchsorted(quantiles, values, side="left")
    counts = np.bincount(places, minlength=(stretch[-1] + 1) * bins).reshape(-1, bins)
    below = counts.cumsum(axis=1)[:, : len(LEVELS)]
    size = counts.sum(axis=1)
    whole = below.sum(axis=0) / len(values)
    # A stretch is a part of the whole: what is left of it without the stretch lies further away by that share.
    apart = np.abs(below / size[:, None] - whole).max(axis=1) / np.maximum(1 - size / len(values), 0.5)
    return whole, np.asarray(apart, dtype=np.float64)


def _number_stretches(session: Index) -> Index:
    """The stretch of each row: STRETCH sessions with examples after the other, from 0."""
    return (np.cumsum(np.diff(session, prepend=session[:1]) != 0) // STRETCH).astype(np.int64)


def _deviate(values: npt.NDArray[np.floating], quantiles: Floats) -> Floats:
    away = values - quantiles[MEDIAN]
    low, high = (_unit(quantiles, side) for side in (0, 1))
    return np.asarray(np.clip(away / np.where(away < 0, low, high), -MAX_DEVIATION, MAX_DEVIATION))


def _unit(quantiles: Floats, side: int) -> float:
    """What counts as one deviation on a side; next to nothing where the training rows have no other value there."""
    middle = quantiles[MEDIAN]
    for places, deviation in TAILS:
        if (apart := abs(float(quantiles[places[side]] - middle))) > 0:
            return apart / deviation
    return 1e-9 * max(1.0, abs(float(middle)))
