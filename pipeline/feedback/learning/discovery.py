"""The probability of error that each new hypothesis is granted, so that few of all discoveries ever made are false."""

from __future__ import annotations

from collections.abc import Sequence

EXPONENT = 1.6
"""How fast what is granted falls from one hypothesis to the next: slow enough to find something years later."""
_TOTAL = 2.285765665677
"""Riemann's zeta at that exponent: the shares sum to 1."""


def grant_level(number: int, confirmed_before: Sequence[int], rate: float) -> float:
    """Return the level at which a hypothesis of a family is tested: LORD++ in its asynchronous form.

    Ramdas, Yang, Wainwright and Jordan (2017) for LORD++; Zrnic, Ramdas and Jordan (2021, JMLR 22) for tests that run
    while others are begun: what a test is granted depends on those alone that were decided when it began, so that it
    can be written down beforehand. With g(i) = i^-1.6 / zeta(1.6) and W = rate / 2,

        level(i) = g(i) W + g(i - t1) (rate - W) + sum over j > 1 of g(i - tj) rate

    where t1, t2 ... are the numbers of hypotheses begun when the first, second ... was confirmed. Of all hypotheses
    of the family that are ever confirmed then at most `rate` are expected to be false.

    Args:
        number: 1 for the family's first hypothesis ever, and so on.
        confirmed_before: for each one confirmed before this began, how many had begun by then; in that order.
        rate: the family's false discovery rate.
    """
    wealth = rate / 2
    returned = [(rate - wealth) if first else rate for first in (True, *([False] * len(confirmed_before)))]
    earned = sum(gain * _share(number - begun) for gain, begun in zip(returned, confirmed_before, strict=False))
    return _share(number) * wealth + earned


def _share(place: int) -> float:
    return float(place) ** -EXPONENT / _TOTAL if place > 0 else 0.0


def plan_looks(horizon: int, scored: int) -> tuple[int, ...]:
    """Return after how many scored sessions a hypothesis is looked at; after the last it is confirmed or dropped.

    Half, three quarters and all of its span, which is `scored` sessions or four times the horizon, whichever is more.
    Each look has a third of the level (Bonferroni), so that looking early costs no error.
    """
    span = max(scored, 4 * horizon)
    return (span // 2, span * 3 // 4, span)
