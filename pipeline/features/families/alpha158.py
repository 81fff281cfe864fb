"""Alpha158: the 158 factors of price and volume that research on stock selection compares itself by.

The names and formulas are the published ones (Yang et al., Qlib: An AI-oriented Quantitative Investment Platform,
2020, arXiv:2009.11189, and its data handler of this name): the shape of a session's bar, prices over the close, and
29 statistics of the last 5, 10, 20, 30 and 60 sessions. Here a window is known only when it is full, splits and
dividends within it are taken out, and for bars without one the average price is (high + low + close) / 3.
"""

from __future__ import annotations

import re

from pipeline.features.engine.expressions import (
    Expression,
    absolute,
    correlation,
    deviation,
    fact,
    greater,
    highest,
    highest_at,
    lag,
    log,
    lowest,
    lowest_at,
    maximum,
    mean,
    minimum,
    quantile,
    r_squared,
    rank,
    residual,
    slope,
    total,
)
from pipeline.features.feature import Feature

SOURCE = "Yang et al. 2020, Qlib: An AI-oriented Quantitative Investment Platform, arXiv:2009.11189"
WINDOWS = (5, 10, 20, 30, 60)
TINY = 1e-12
"""Added to what is divided by, as published."""

OPEN, HIGH, LOW, CLOSE, VWAP, VOLUME = (fact(name) for name in ("open", "high", "low", "close", "vwap", "volume"))

_CHANGE = CLOSE - lag(CLOSE, 1)
_GROWTH = CLOSE / lag(CLOSE, 1)
_VOLUME_CHANGE = VOLUME - lag(VOLUME, 1)
_VOLUME_GROWTH = log(VOLUME / lag(VOLUME, 1) + 1)
_LOG_VOLUME = log(VOLUME + 1)
_MOVED_VOLUME = absolute(_GROWTH - 1) * VOLUME


def _shape_bar() -> dict[str, Expression]:
    """The bar of one session: body, range and shadows."""
    span = HIGH - LOW + TINY
    upper, lower = HIGH - maximum(OPEN, CLOSE), minimum(OPEN, CLOSE) - LOW
    shift = 2 * CLOSE - HIGH - LOW
    return {
        "KMID": (CLOSE - OPEN) / OPEN,
        "KLEN": (HIGH - LOW) / OPEN,
        "KMID2": (CLOSE - OPEN) / span,
        "KUP": upper / OPEN,
        "KUP2": upper / span,
        "KLOW": lower / OPEN,
        "KLOW2": lower / span,
        "KSFT": shift / OPEN,
        "KSFT2": shift / span,
        "OPEN0": OPEN / CLOSE,
        "HIGH0": HIGH / CLOSE,
        "LOW0": LOW / CLOSE,
        "VWAP0": VWAP / CLOSE,
    }


def _follow_price(d: int) -> dict[str, Expression]:
    """Level, trend, extremes and quantiles of the close over a window."""
    top, bottom = highest(HIGH, d), lowest(LOW, d)
    return {
        "ROC": lag(CLOSE, d) / CLOSE,
        "MA": mean(CLOSE, d) / CLOSE,
        "STD": deviation(CLOSE, d) / CLOSE,
        "BETA": slope(CLOSE, d) / CLOSE,
        "RSQR": r_squared(CLOSE, d),
        "RESI": residual(CLOSE, d) / CLOSE,
        "MAX": top / CLOSE,
        "MIN": bottom / CLOSE,
        "QTLU": quantile(CLOSE, d, 0.8) / CLOSE,
        "QTLD": quantile(CLOSE, d, 0.2) / CLOSE,
        "RANK": rank(CLOSE, d),
        "RSV": (CLOSE - bottom) / (top - bottom + TINY),
        "IMAX": highest_at(HIGH, d) / d,
        "IMIN": lowest_at(LOW, d) / d,
        "IMXD": (highest_at(HIGH, d) - lowest_at(LOW, d)) / d,
    }


def _follow_volume(d: int) -> dict[str, Expression]:
    """How price and volume go together, how often and how far they rose, and how steady volume is."""
    rises, falls = (total(greater(*pair), d) / d for pair in ((CLOSE, lag(CLOSE, 1)), (lag(CLOSE, 1), CLOSE)))
    moved, moved_volume = (total(absolute(one), d) + TINY for one in (_CHANGE, _VOLUME_CHANGE))
    gained, lost = (total(maximum(one, 0), d) for one in (_CHANGE, 0 - _CHANGE))
    grown, shrunk = (total(maximum(one, 0), d) for one in (_VOLUME_CHANGE, 0 - _VOLUME_CHANGE))
    return {
        "CORR": correlation(CLOSE, _LOG_VOLUME, d),
        "CORD": correlation(_GROWTH, _VOLUME_GROWTH, d),
        "CNTP": rises,
        "CNTN": falls,
        "CNTD": rises - falls,
        "SUMP": gained / moved,
        "SUMN": lost / moved,
        "SUMD": (gained - lost) / moved,
        "VMA": mean(VOLUME, d) / (VOLUME + TINY),
        "VSTD": deviation(VOLUME, d) / (VOLUME + TINY),
        "WVMA": deviation(_MOVED_VOLUME, d) / (mean(_MOVED_VOLUME, d) + TINY),
        "VSUMP": grown / moved_volume,
        "VSUMN": shrunk / moved_volume,
        "VSUMD": (grown - shrunk) / moved_volume,
    }


def _build() -> dict[str, Expression]:
    by_window = [(d, _follow_price(d) | _follow_volume(d)) for d in WINDOWS]
    names = list(by_window[0][1])
    rolling = {f"{name}{d}": values[name] for name in names for d, values in by_window}
    return _shape_bar() | rolling


ALPHA158: dict[str, Expression] = _build()
"""Factor -> what it is computed from: open, high, low, close, vwap and volume, on one share basis."""

_UNITS = {
    r"KMID|KLEN|KUP|KLOW|KSFT": "of the open",
    r"KMID2|KUP2|KLOW2|KSFT2|RSV": "of the range",
    r"BETA": "of the close a session",
    r"RSQR|CNT.|CORR|CORD|RANK|I...": "share",
    r"V?SUM.": "share of the moves",
    r"VMA|VSTD": "of the volume",
    r"WVMA": "of the mean",
}
"""Pattern of a factor's name without its window -> its unit; all others are parts of the close."""


def _declare(factor: str, expression: Expression) -> Feature:
    """A factor as a feature: `MA5` is `alpha158_ma_5`, `KMID2` is `alpha158_kmid2`."""
    name, window = re.fullmatch(r"(K[A-Z]+2?|[A-Z]+)(\d*)", factor).groups()  # type: ignore[union-attr]
    unit = next((unit for pattern, unit in _UNITS.items() if re.fullmatch(pattern, name)), "of the close")
    parts = ["alpha158", name.lower(), *([window] if window else [])]
    return Feature.express("_".join(parts), "alpha158", unit, expression, SOURCE)


FEATURES = tuple(_declare(factor, expression) for factor, expression in ALPHA158.items())
"""The factors as features, in the published order."""
