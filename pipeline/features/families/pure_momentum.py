"""Momentum and reversal of what beta and sector leave of the return."""

from __future__ import annotations

from pipeline.features.engine.expressions import cross_rank, deviation, lag, total
from pipeline.features.families.factors import RESIDUAL, RESIDUAL_RISK
from pipeline.features.feature import Feature

FAMILY = "pure momentum"
MOMENTUM = "Blitz, Huij and Martens 2011, Residual momentum, Journal of Empirical Finance 18"
REVERSAL = "Blitz, Huij, Lansdorp and Verbeek 2013, Short-term residual reversal, Journal of Financial Markets 16"


def _summed(sessions: int, till: int) -> Feature:
    """Residual returns from `sessions` before to `till` before, in units of their own deviation."""
    past, number = lag(RESIDUAL, till), sessions - till
    scaled = total(past, number) / deviation(past, number)
    return Feature.express(f"pure_momentum_{sessions}_{till}", FAMILY, "standard deviations", scaled, MOMENTUM)


FEATURES = (
    Feature.express("pure_return_1", FAMILY, "log return", RESIDUAL, REVERSAL),
    *(
        Feature.express(f"pure_return_{n}", FAMILY, "log return", total(RESIDUAL, n), REVERSAL)
        for n in (3, 5, 10, 20, 60)
    ),
    Feature.express("pure_reversal_5", FAMILY, "standard deviations", 0 - total(RESIDUAL, 5) / RESIDUAL_RISK, REVERSAL),
    _summed(60, 5),
    _summed(120, 20),
    Feature.express("pure_rank_20", FAMILY, "-1 to 1", cross_rank(total(RESIDUAL, 20)), MOMENTUM),
    Feature.express("pure_volatility_60", FAMILY, "log return per session", RESIDUAL_RISK, MOMENTUM),
)
"""What this module declares, in the order of the columns."""
