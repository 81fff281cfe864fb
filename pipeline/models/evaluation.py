"""How good a forecast was, and how sure one can be of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.models.dataset import session_means, session_sums

Floats = npt.NDArray[np.float64]
MIN_NAMES = 5
"""Names a session needs for a rank correlation to mean anything."""


def pinball(outcome: Floats, forecast: Floats, quantiles: Sequence[float]) -> Floats:
    """Mean quantile loss over the stated quantiles (Koenker and Bassett 1978).

    Args:
        outcome: [n, H].
        forecast: [n, H, Q] in the same unit.
        quantiles: Q probabilities.

    Returns:
        [n, H] float64 in the unit of the outcome.
    """
    level = np.asarray(quantiles, dtype=np.float64)
    total = np.zeros_like(outcome)
    for number, q in enumerate(level):
        error = outcome - forecast[:, :, number]
        total += np.maximum(q * error, (q - 1) * error)
    return total / len(level)


def newey_west_error(series: Floats, lag: int) -> float:
    """Standard error of the mean of a series whose neighbours overlap up to `lag` steps (Newey and West 1987).

    Bartlett weights; multiplied by sqrt(n / (n - 1)). NaN below two values.
    """
    n = len(series)
    if n < 2:
        return float("nan")
    centred = series - series.mean()
    variance = float((centred * centred).sum()) / n
    for step in range(1, min(lag, n - 1) + 1):
        weight = 1 - step / (lag + 1)
        variance += 2 * weight * float((centred[step:] * centred[:-step]).sum()) / n
    return float(np.sqrt(max(variance, 0.0) / (n - 1)))


def estimate_trust(
    forecast: Floats, outcome: Floats, session: npt.NDArray[np.int64], horizons: Sequence[int]
) -> Floats:
    """Share of a forecast's amplitude that outcomes it was not fitted on confirm: [H] within 0..1.

    The slope of outcome on forecast through the origin is what over-fitting left of the amplitude. The slope itself is
    only known within its error, and is shrunk for that by max(0, 1 - (error / slope)^2), the positive part of James and
    Stein (1961): nothing is left of a slope within one error of 0, and 96 % of one at five.

    Args:
        forecast, outcome: [n, H].
        session: [n] positions, never decreasing; a session is one observation.
        horizons: sessions ahead, the overlap of the outcomes.
    """
    products, squares = session_sums(forecast * outcome, session), session_sums(forecast * forecast, session)
    shares = np.zeros(len(horizons))
    for number, horizon in enumerate(horizons):
        product, own = products[:, number], squares[:, number]
        if not own.sum() > 0:
            continue
        slope = float(product.sum() / own.sum())
        error = newey_west_error(product - slope * own, horizon - 1) / float(own.mean())
        error *= _inflation(len(own) / horizon - 1)
        if slope > 0 and error < slope:
            shares[number] = min(slope, 1.0) * (1 - (error / slope) ** 2)
    return shares


def _inflation(freedom: float) -> float:
    """Standard deviation of Student's t: an error measured on few independent observations is larger than it looks."""
    return float(np.sqrt(freedom / (freedom - 2))) if freedom > 2 else float("inf")


def rank_correlations(point: Floats, outcome: Floats, session: npt.NDArray[np.int64]) -> Floats:
    """Spearman correlation of forecast and outcome in each session with enough names that differ: [sessions]."""
    starts = np.flatnonzero(np.diff(session, prepend=session[0] - 1)) if len(session) else session
    ends = np.append(starts[1:], len(session))
    values = [_spearman(point[low:high], outcome[low:high]) for low, high in zip(starts, ends, strict=True)]
    return np.array([value for value in values if value is not None], dtype=np.float64)


def mean_rank_correlation(
    point: Floats, outcome: Floats, session: npt.NDArray[np.int64], horizon: int
) -> tuple[float, float]:
    """Mean rank correlation within a session and its Newey-West error; 0 and 0 where fewer than two sessions rank."""
    series = rank_correlations(point, outcome, session)
    return (float(series.mean()), newey_west_error(series, horizon - 1)) if len(series) > 1 else (0.0, 0.0)


def coverage(outcome: Floats, low: Floats, high: Floats) -> float:
    """Share of outcomes within their interval, ends included."""
    return float(np.mean((outcome >= low) & (outcome <= high)))


def compute_figures(
    outcome: Floats,
    forecast: Floats,
    naive: Floats,
    session: npt.NDArray[np.int64],
    horizons: Sequence[int],
    quantiles: Sequence[float],
) -> dict[str, dict[str, Any]]:
    """Return the figures of a forecast per horizon: losses, skill, rank correlation and coverage.

    Losses are in units of sigma x sqrt(h), averaged within a session first: a session is one observation. `*_error` are
    Newey-West standard errors over sessions with lag h - 1. A figure that is not defined is None.
    """
    losses = session_means(pinball(outcome, forecast, quantiles), session)
    base = session_means(pinball(outcome, naive, quantiles), session)
    middle = list(quantiles).index(0.5)
    result: dict[str, dict[str, Any]] = {}
    for number, horizon in enumerate(horizons):
        loss, reference = float(losses[:, number].mean()), float(base[:, number].mean())
        gain = base[:, number] - losses[:, number]
        ic = rank_correlations(forecast[:, number, middle], outcome[:, number], session)
        at = forecast[:, number]
        result[str(horizon)] = {
            "pinball": loss,
            "naive_pinball": reference,
            "skill": 1 - loss / reference,
            "skill_error": _finite_or_none(newey_west_error(gain, horizon - 1) / reference),
            "ic": _finite_or_none(float(ic.mean())) if len(ic) else None,
            "ic_error": _finite_or_none(newey_west_error(ic, horizon - 1)),
            **{
                f"coverage_{percent}": coverage(outcome[:, number], at[:, low], at[:, high])
                for percent, low, high in _intervals(quantiles)
            },
            "rows": len(outcome),
            "sessions": len(losses),
        }
    return result


def _intervals(quantiles: Sequence[float]) -> list[tuple[int, int, int]]:
    """(stated coverage in percent, lower, upper position) of the central intervals among the quantiles."""
    half = len(quantiles) // 2
    return [(round(100 * (quantiles[-1 - k] - quantiles[k])), k, len(quantiles) - 1 - k) for k in range(half)]


def _spearman(a: Floats, b: Floats) -> float | None:
    if len(a) < MIN_NAMES or a.min() == a.max() or b.min() == b.max():
        return None
    x, y = _ranks(a), _ranks(b)
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()))


def _ranks(values: Floats) -> Floats:
    """Ranks from 1, ties sharing their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Floats = ((2 * ends - counts + 1) / 2)[inverse]
    return ranks


def _finite_or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
