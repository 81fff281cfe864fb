"""How good forecasts of a task are: accuracy, Matthews' correlation, rank correlation, each with an honest interval.

Names move together within a day, so that a day is nearer to one observation than its names are to many. Beside the
binomial interval, which takes every example for a draw of its own, stands one that takes days for the draws; it is
the one to believe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from pipeline.models.evaluation import rank_correlations
from pipeline.models.tasks.labels import Kind
from pipeline.models.tasks.losses import Loss

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Z = 1.959964
"""Standard errors of a two-sided 95 % interval."""
RESAMPLES = 2_000
"""Resampled sets of days behind an interval of the correlation."""


@dataclass(frozen=True)
class Told:
    """Labels and what was forecast of them: n examples."""

    label: Floats
    """[n]"""
    forecast: Floats
    """[n] of classes, above 0 says up and anything else down."""
    session: Index
    """[n] the day of each label, never decreasing."""


def accuracy(told: Told) -> float:
    """Share of forecasts on the right side."""
    return float(np.mean((told.forecast > 0) == (told.label > 0)))


def matthews(told: Told) -> float:
    """Matthews' (1975) correlation of sides forecast and come true, -1 to 1; 0 where either has one side only."""
    return float(_matthews(counts_by_day(told).sum(axis=0)))


def information_coefficient(told: Told) -> float:
    """Mean rank correlation within a session; NaN where no session has enough names that differ."""
    found = rank_correlations(told.forecast, told.label, told.session)
    return float(found.mean()) if len(found) else float("nan")


@dataclass(frozen=True)
class Score:
    """A figure of merit, and which labels it is for."""

    name: str
    kinds: frozenset[Kind]
    of: Callable[[Told], float]
    more_is_better: bool = True

    def merit(self, value: float) -> float:
        """The same so that more is better."""
        return value if self.more_is_better else -value


ACCURACY = Score("accuracy", frozenset({"class"}), accuracy)
MATTHEWS = Score("mcc", frozenset({"class"}), matthews)
IC = Score("ic", frozenset({"class", "amount"}), information_coefficient)


def mean_loss(loss: Loss) -> Score:
    """The mean of a loss as a score: less of it is better."""
    return Score(
        f"mean {loss.name} loss",
        frozenset({loss.kind}),
        lambda told: float(np.mean(loss.of(told.label, told.forecast))),
        more_is_better=False,
    )


@dataclass(frozen=True)
class Judged:
    """Forecasts of classes by one or several seeds of a model, judged: means over the seeds, and how sure they are."""

    accuracy: float
    """Mean over the seeds, as a fraction."""
    accuracy_spread: float
    """Standard deviation over the seeds; 0 of a single one."""
    mcc: float
    mcc_spread: float
    binomial: tuple[float, float]
    """95 % interval of the accuracy were all examples independent (Wilson 1927)."""
    by_day: tuple[float, float]
    """95 % interval of the accuracy with days as the draws."""
    mcc_by_day: tuple[float, float]
    """95 % interval of the correlation with days as the draws, by resampling them."""
    seeds: int
    examples: int
    days: int


def judge(label: Floats, forecasts: Floats, session: Index, seed: int = 0) -> Judged:
    """Judge forecasts of classes.

    Args:
        label: [n] of +1 and -1.
        forecasts: [seeds, n]; above 0 says up.
        session: [n] the day of each label.
        seed: of the resampling of days.

    Raises:
        ValueError: if there is no example.
    """
    if not len(label):
        raise ValueError("there is no example to judge forecasts by")
    told = [Told(label, forecast, session) for forecast in forecasts]
    hits, correlations = np.array([accuracy(one) for one in told]), np.array([matthews(one) for one in told])
    right = np.mean((forecasts > 0) == (label > 0), axis=0)
    return Judged(
        float(hits.mean()),
        _spread(hits),
        float(correlations.mean()),
        _spread(correlations),
        wilson(float(hits.mean()), len(label)),
        clustered(right, session),
        _resampled(told, seed),
        len(forecasts),
        len(label),
        len(np.unique(session)),
    )


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share of `n` independent draws (Wilson 1927)."""
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return centre - half, centre + half


def clustered(right: Floats, session: Index) -> tuple[float, float]:
    """95 % interval of a mean whose draws are whole days (Liang and Zeger 1986, with D / (D - 1)); NaN of one day."""
    total = np.bincount(np.unique(session, return_inverse=True)[1], weights=right - right.mean())
    days = len(total)
    if days < 2:
        return float("nan"), float("nan")
    error = sqrt(float(total @ total) * days / (days - 1)) / len(right)
    return float(right.mean()) - Z * error, float(right.mean()) + Z * error


def counts_by_day(told: Told) -> Floats:
    """Per day how many ups and downs were told right, and falsely told: [days, 4] right up, right down, up, down."""
    day = np.unique(told.session, return_inverse=True)[1]
    up, came = told.forecast > 0, told.label > 0
    cells = (up & came, ~up & ~came, up & ~came, ~up & came)
    return np.stack([np.bincount(day, weights=cell) for cell in cells], axis=1)


def _resampled(told: Sequence[Told], seed: int) -> tuple[float, float]:
    """95 % interval of the mean correlation over the seeds, days drawn with replacement."""
    random = np.random.Generator(np.random.PCG64(seed))
    cells = [counts_by_day(one) for one in told]
    days = len(cells[0])
    times = random.multinomial(days, np.full(days, 1 / days), size=RESAMPLES).astype(np.float64)
    drawn = [_matthews(np.einsum("rd,dc->rc", times, one)) for one in cells]
    low, high = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975])
    return float(low), float(high)


def _matthews(cells: Floats) -> Floats:
    """[..., 4] of right ups, right downs, wrong ups, wrong downs -> [...]; 0 where it is undefined."""
    up, down, false_up, false_down = np.moveaxis(cells, -1, 0)
    scale = np.sqrt((up + false_up) * (up + false_down) * (down + false_up) * (down + false_down))
    product = up * down - false_up * false_down
    correlation: Floats = np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
    return correlation


def _spread(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
