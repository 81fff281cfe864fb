"""The order statistic of past scores that covers the next one with a stated probability, however few they are."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf

SLACK = 1e-9
"""What rounding may add to a product of a level and a count."""


def conformal_rank(n: int, level: float) -> int:
    """Return which of n past scores, in rising order, the next one stays below with probability `level` at least.

    Of n + 1 exchangeable scores the last is as likely to have any rank, so that it lies at or below the k-th of the
    others with probability k / (n + 1), exactly where there are no ties: k = ceil((n + 1) level) covers it with
    `level` at least and less than `level + 1 / (n + 1)` (split conformal prediction: Papadopoulos et al., 2002; Lei et
    al., 2018). n + 1 says that no k is enough: so few scores bound nothing.

    Args:
        n: past scores, 0 or more.
        level: the probability, 0 to 1.
    """
    return ceil((n + 1) * level - SLACK)


def conformal_quantile(scores: Sequence[float], level: float) -> float:
    """Return the score of that rank; infinite where the scores are too few to bound the next one."""
    rank = conformal_rank(len(scores), level)
    return inf if rank > len(scores) else sorted(scores)[max(rank, 1) - 1]


def conformal_share(units: float, level: float) -> float:
    """Return the share of past scores that has to lie below, where they count like so many independent ones.

    The same rule for scores with weights: the least value at or below which lie `level (units + 1)` of `units`. Above 1
    where they are too few.
    """
    return level * (units + 1) / units if units > 0 else inf
