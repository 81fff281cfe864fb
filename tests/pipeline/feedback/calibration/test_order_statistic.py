"""The rank of past scores that is taken covers the next one as stated: every case for every number of scores."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nextafter

import pytest

from pipeline.feedback.calibration.order_statistic import conformal_quantile, conformal_rank, conformal_share

LEVELS = (Fraction(1, 2), Fraction(4, 5), Fraction(9, 10), Fraction(19, 20))


def coverage(n: int, level: float) -> Fraction:
    """Of n + 1 different scores each is as likely to come last: in which of all cases it is covered by the others."""
    scores = [float(one) for one in range(n + 1)]
    covered = [last <= conformal_quantile(scores[:at] + scores[at + 1 :], level) for at, last in enumerate(scores)]
    return Fraction(sum(covered), n + 1)


@pytest.mark.parametrize("level", LEVELS)
def test_coverage_is_exact_for_every_number_of_scores(level: Fraction) -> None:
    for n in range(1, 201):
        found = coverage(n, float(level))
        assert level <= found <= level + Fraction(1, n + 1), f"{n} scores cover {found}"


@pytest.mark.parametrize("level", LEVELS)
def test_the_rule_for_weighted_scores_takes_the_same_rank(level: Fraction) -> None:
    for n in range(1, 201):
        share = conformal_share(n, float(level))
        taken = next((k for k in range(1, n + 1) if k / n >= nextafter(share, 0) - 1e-12), n + 1)
        assert taken == min(conformal_rank(n, float(level)), n + 1)


def test_too_few_scores_bound_nothing() -> None:
    assert conformal_quantile([1.0] * 8, 0.9) == inf
    assert conformal_quantile([1.0] * 8 + [2.0], 0.9) == 2.0
    assert conformal_quantile([], 0.9) == inf
    assert conformal_share(0.0, 0.9) == inf


def test_ties_are_covered_as_well() -> None:
    assert conformal_quantile([1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 3.0], 0.5) == 2.0
