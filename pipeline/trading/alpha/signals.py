"""Turns forecasts of several horizons into one expected return over the holding period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from typing import Literal, NamedTuple

import numpy as np

from pipeline.trading.alpha.skill import Skill
from pipeline.trading.construction.problem import Floats

MAX_SCORE = 3.0
"""Deviations beyond which a forecast does not count for more: its tail is the least certain part of it."""
MIN_HALF_LIFE, MAX_HALF_LIFE = 1.0, 250.0
"""Sessions."""
DELAY = 0.5
"""Sessions from the close of a forecast to where it is traded on: the night, and what the open costs of the day."""
MIN_NAMES = 5
"""Names below which a rank among them says nothing."""


class Signal(NamedTuple):
    """What one horizon says of every name."""

    horizon: int
    skill: Skill
    scores: Floats
    """[N] deviations from the mean of the names, 0 where there is no forecast."""
    sigmas: Floats
    """[N] fraction over the horizon."""
    half_life: float
    """Sessions after which half of the signal is gone."""
    weight: float
    alphas: Floats
    """[N] expected return over the holding period, fraction."""


def score_names(points: Floats, sigmas: Floats) -> Floats:
    """Return how far each forecast stands out, in deviations of all names: [N], 0 where there is none.

    Args:
        points: [N] forecasts, fraction; NaN where there is none.
        sigmas: [N] deviation of the return that is forecast.
    """
    known = np.isfinite(points) & np.isfinite(sigmas) & (sigmas > 0)
    scores = np.zeros(len(points))
    if known.sum() < MIN_NAMES:
        return scores
    ratios = points[known] / sigmas[known]
    spread = ratios.std()
    if not spread > 1e-9 * max(np.abs(ratios).max(), 1e-9):  # all forecasts alike: nothing stands out
        return scores
    scores[known] = np.clip((ratios - ratios.mean()) / spread, -MAX_SCORE, MAX_SCORE)
    return scores


def measure_half_life(scores: Sequence[tuple[int, Floats]], now: Floats, horizon: int) -> float:
    """Return after how many sessions half of a signal is gone, from how alike it is to itself some sessions ago.

    The correlation over a lag of k sessions is 2^(-k / half-life); the median over the lags counts. Where no earlier
    scores are known, the signal is taken to live as long as it forecasts.

    Args:
        scores: lag in sessions and the scores then, [N].
        now: [N]
        horizon: sessions.
    """
    pairs = [(lag, _correlate(then, now)) for lag, then in scores]
    found = [_decay(lag, alike) for lag, alike in pairs if alike is not None]
    return float(np.median(found)) if found else float(horizon)


def _decay(lag: int, alike: float) -> float:
    """The half-life of a signal that is so alike to itself over a lag."""
    if not 0 < alike < 1:
        return MIN_HALF_LIFE if alike <= 0 else MAX_HALF_LIFE
    return min(max(lag * log(0.5) / log(alike), MIN_HALF_LIFE), MAX_HALF_LIFE)


def _correlate(one: Floats, other: Floats) -> float | None:
    """The correlation of two scores where both are known; None where that is too few, or one says nothing."""
    both = (one != 0) & (other != 0)
    if both.sum() < MIN_NAMES or one[both].std() == 0 or other[both].std() == 0:
        return None
    product = ((one[both] - one[both].mean()) * (other[both] - other[both].mean())).mean()
    return float(product / (one[both].std() * other[both].std()))


def carry(horizon: int, holding: int, half_life: float) -> float:
    """Return the share of what is expected over a horizon that is earned in the holding period; more than 1 if longer.

    A signal that decays by half in each half-life earns (1 - 2^(-t / half-life)) of its whole worth in t sessions
    (Grinold and Kahn, Active Portfolio Management, 1999, chapter 13, on information horizons). What it earns until the
    next open, at which it is traded on, is not the book's.
    """
    missed = 2 ** (-DELAY / half_life)
    return missed * (1 - 2 ** (-holding / half_life)) / (1 - 2 ** (-horizon / half_life))


def combine_signals(
    scores: Mapping[int, Floats],
    sigmas: Mapping[int, Floats],
    half_lives: Mapping[int, float],
    skills: Mapping[int, Skill],
    holding: int,
    version: Literal[1, 2] = 2,
) -> list[Signal]:
    """Return what each horizon expects over the holding period, with weights that sum to 1, or to 0 without skill.

    alpha = IC x sigma x score (Grinold 1994), carried over to the holding period. All horizons estimate the same
    return, so they are averaged, each by the evidence for it: the square of its skill over that skill's error. What a
    skill at one horizon says of another period is worth the squared correlation of the two returns, which is the
    shorter one over the longer; version 1 took all evidence for evidence of the holding period.
    """
    evidence = {
        horizon: (skill.ic / skill.error) ** 2 * (_overlap(horizon, holding) if version == 2 else 1.0)
        for horizon, skill in skills.items()
    }
    total = sum(evidence.values())
    signals = []
    for horizon in sorted(scores):
        skill, half_life, sigma = skills[horizon], half_lives[horizon], np.nan_to_num(sigmas[horizon])
        alphas = skill.ic * sigma * scores[horizon] * carry(horizon, holding, half_life)
        weight = evidence[horizon] / total if total > 0 else 0.0
        signals.append(Signal(horizon, skill, scores[horizon], sigma, half_life, weight, alphas))
    return signals


def _overlap(horizon: int, holding: int) -> float:
    """The squared correlation of the returns over two periods that begin together, of independent sessions."""
    return min(horizon, holding) / max(horizon, holding)
