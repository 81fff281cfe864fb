"""The market's state, the same for every ticker: breadth, dispersion, trend and volatility of the members together."""

from __future__ import annotations

from pipeline.features.engine.expressions import (
    cross_deviation,
    cross_mean,
    deviation,
    greater,
    highest,
    lowest,
    mean,
    root,
    total,
)
from pipeline.features.families.factors import CLOSE, MARKET, RETURN
from pipeline.features.feature import Feature

FAMILY = "market state"
BREADTH = "Zaremba, Szyszka, Karathanasopoulos and Mikutowski 2021, Herding for profits, Economic Modelling 97"
DISPERSION = "Stivers and Sun 2010, Cross-sectional return dispersion and time variation in value and momentum premiums"
TREND = "Cooper, Gutierrez and Hameed 2004, Market states and momentum, Journal of Finance 59"
VOLATILITY = "Moreira and Muir 2017, Volatility-managed portfolios, Journal of Finance 72"
CORRELATION = "Pollet and Wilson 2010, Average correlation and stock market returns, Journal of Financial Economics 96"

NEW_HIGHS = cross_mean(1 - greater(highest(CLOSE, 60), CLOSE))
NEW_LOWS = cross_mean(1 - greater(CLOSE, lowest(CLOSE, 60)))
DISPERSED = cross_deviation(RETURN)


def _express(name: str, unit: str, expression: object, source: str) -> Feature:
    return Feature.express(name, FAMILY, unit, expression, source)  # type: ignore[arg-type]


FEATURES = (
    _express("breadth_1", "share", cross_mean(greater(RETURN, 0)), BREADTH),
    *(_express(f"breadth_{n}", "share", cross_mean(greater(CLOSE, mean(CLOSE, n))), BREADTH) for n in (20, 60)),
    _express("new_highs_60", "share", NEW_HIGHS - NEW_LOWS, BREADTH),
    _express("dispersion_1", "log return", DISPERSED, DISPERSION),
    _express("dispersion_20", "log return", mean(DISPERSED, 20), DISPERSION),
    _express("dispersion_ratio_5_60", "ratio", mean(DISPERSED, 5) / mean(DISPERSED, 60), DISPERSION),
    *(_express(f"market_trend_{n}", "log return", total(MARKET, n), TREND) for n in (1, 5, 60, 120)),
    _express("market_volatility_60", "log return per session", deviation(MARKET, 60), VOLATILITY),
    _express("market_volatility_ratio_5_60", "ratio", deviation(MARKET, 5) / deviation(MARKET, 60), VOLATILITY),
    _express(
        "average_correlation_60",
        "0 to 1",
        (deviation(MARKET, 60) / root(cross_mean(deviation(RETURN, 60) * deviation(RETURN, 60)))),
        CORRELATION,
    ),
)
"""What this module declares, in the order of the columns."""
