"""Summaries of the bars within a session; unknown where there are none of five minutes or one."""

from __future__ import annotations

from pipeline.features.engine.expressions import Expression, fact, log, maximum, mean, root, total
from pipeline.features.families.factors import exceed_peers
from pipeline.features.feature import Feature

FAMILY = "intraday bars"
REALISED = "Andersen, Bollerslev, Diebold and Labys 2003, Modeling and forecasting realized volatility, Econometrica 71"
JUMPS = "Barndorff-Nielsen and Shephard 2004, Power and bipower variation, Journal of Financial Econometrics 2"
SEMIVARIANCE = "Patton and Sheppard 2015, Good volatility, bad volatility, Review of Economics and Statistics 97"
HALF_HOURS = "Gao, Han, Li and Zhou 2018, Market intraday momentum, Journal of Financial Economics 129"
CLOSING = "Bogousslavsky and Muravyev 2023, Who trades at the close?, Journal of Financial Markets 66"

VARIANCE = fact("realised_variance")
JUMP = maximum(VARIANCE - fact("bipower_variation"), 0) / VARIANCE
AVERAGE = fact("close_over_average")
LEAN = 1 - 2 * fact("falling_variance") / VARIANCE


def _express(name: str, unit: str, expression: Expression, source: str) -> Feature:
    return Feature.express(name, FAMILY, unit, expression, source)


FEATURES = (
    _express("realised_volatility_1", "log return per session", root(VARIANCE), REALISED),
    _express("realised_volatility_5", "log return per session", root(mean(VARIANCE, 5)), REALISED),
    _express("realised_volatility_20", "log return per session", root(mean(VARIANCE, 20)), REALISED),
    _express("realised_surprise_1", "log ratio", log(VARIANCE / mean(VARIANCE, 20)), REALISED),
    _express("jump_share_1", "0 to 1", JUMP, JUMPS),
    _express("jump_share_20", "0 to 1", mean(JUMP, 20), JUMPS),
    _express("signed_variance_1", "-1 to 1", LEAN, SEMIVARIANCE),
    _express("signed_variance_5", "-1 to 1", mean(LEAN, 5), SEMIVARIANCE),
    _express("first_half_hour_1", "log return", fact("first_half_hour"), HALF_HOURS),
    _express("last_half_hour_1", "log return", fact("last_half_hour"), HALF_HOURS),
    _express("last_half_hour_5", "log return", total(fact("last_half_hour"), 5), HALF_HOURS),
    _express("first_half_hour_volume_1", "0 to 1", fact("first_half_hour_volume"), HALF_HOURS),
    _express("last_half_hour_volume_1", "0 to 1", fact("last_half_hour_volume"), CLOSING),
    _express("close_over_average_1", "log ratio", AVERAGE, CLOSING),
    _express("close_over_average_in_sector_1", "log ratio", exceed_peers(AVERAGE), CLOSING),
    _express("close_in_range_5", "-1 to 1", mean(fact("close_in_range"), 5), CLOSING),
)
"""What this module declares, in the order of the columns."""
