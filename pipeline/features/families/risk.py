"""Volatility, range and volume: how far and how heavily a ticker trades."""

from __future__ import annotations

from collections.abc import Mapping
from math import log

import numpy as np

from pipeline.features.families.trend import Kernel, average_true_range
from pipeline.features.panel import DEPTH, Floats
from pipeline.features.trailing_window import (
    View,
    deviation,
    latest,
    ln,
    ln1p,
    mean,
    mean_present,
    or_neutral,
    slope,
    total,
)

LN_2 = log(2.0)
YOUNGEST = 120
"""Sessions of history from which a ticker has a yearly high and low."""


def volatility(sessions: int) -> Kernel:
    """Sample standard deviation of daily log returns."""
    return lambda view: deviation(view.returns(sessions))


def parkinson_20(view: View) -> Floats:
    """Volatility from highs and lows."""
    span = _log_range(view, 20)
    return np.sqrt(mean(span * span) / (4 * LN_2))


def garman_klass_20(view: View) -> Floats:
    """Volatility from opens, highs, lows and closes."""
    span, body = _log_range(view, 20), ln(view.last("open", 20))
    variance = mean(span * span / 2 - (2 * LN_2 - 1) * body * body)
    return np.sqrt(np.maximum(variance, 0.0))


def downside_20(view: View) -> Floats:
    """Root mean square of losses."""
    losses = np.minimum(view.returns(20), 0.0)
    return np.sqrt(mean(losses * losses))


def volatility_ratio_5_20(view: View) -> Floats:
    """Volatility of a week over that of a month, less 1."""
    return view.kept("volatility_5", volatility(5)) / view.kept("volatility_20", volatility(20)) - 1


def skewness_60(view: View) -> Floats:
    """Standardised third moment."""
    returns = view.returns(60)
    apart = returns - mean(returns)
    variance = mean(apart * apart)
    return mean(apart * apart * apart) / (variance * np.sqrt(variance))


def gap_1(view: View) -> Floats:
    """From yesterday's close to today's open."""
    return ln(view.last("open", 1)[0] / view.close(2)[0])


def intraday_1(view: View) -> Floats:
    """From today's open to today's close."""
    return -ln(view.last("open", 1)[0])


def close_location_1(view: View) -> Floats:
    """Where the close lies in the session's range."""
    top, bottom = view.high(1)[0], view.low(1)[0]
    return or_neutral(2.0 - top - bottom, top - bottom)


def range_ratio_1_20(view: View) -> Floats:
    """Today's range against the usual one."""
    span = _log_range(view, 20)
    return latest(span) / mean(span) - 1


def high_20(view: View) -> Floats:
    """Distance below the month's high."""
    return -ln(view.high(20).max(axis=0))


def low_20(view: View) -> Floats:
    """Distance above the month's low."""
    return -ln(view.low(20).min(axis=0))


def high_252(view: View) -> Floats:
    """Distance below the year's high, or the highest since the ticker's history starts."""
    return _if_old_enough(view, -ln(np.fmax.reduce(view.high(DEPTH), axis=0)))


def low_252(view: View) -> Floats:
    """Distance above the year's low, or the lowest since the ticker's history starts."""
    return _if_old_enough(view, -ln(np.fmin.reduce(view.low(DEPTH), axis=0)))


def relative_volume_20(view: View) -> Floats:
    """Today's volume against the usual one."""
    return latest(view.volume(1)) / mean_present(view.volume(20)) - 1


def relative_volume_5_60(view: View) -> Floats:
    """A week's volume against a quarter's."""
    return mean_present(view.volume(5)) / mean_present(view.volume(60)) - 1


def dollar_volume_20(view: View) -> Floats:
    """Log of the money that changes hands in a session."""
    return ln1p(mean_present(view.last("dollars", 20)))


def dollar_volume_z_60(view: View) -> Floats:
    """How unusual the money is that changed hands today."""
    traded = ln1p(view.last("dollars", 60))
    average = mean_present(traded)
    apart = traded - average
    return latest(apart) / np.sqrt(mean_present(apart * apart))


def on_balance_slope_20(view: View) -> Floats:
    """Slope of on-balance volume in average volumes per session."""
    volume = view.volume(20)
    signed = np.sign(view.returns(20)) * np.where(np.isnan(volume), 0.0, volume)
    return slope(np.cumsum(signed, axis=0)) / mean_present(volume)


def amihud_20(view: View) -> Floats:
    """Log of the price move per million traded."""
    dollars = view.last("dollars", 20)
    traded = np.where(dollars > 0, dollars, np.nan)
    return ln(1e-9 + mean_present(1e6 * np.abs(view.returns(20)) / traded))


def money_flow_14(view: View) -> Floats:
    """Volume on rising less falling typical prices over both."""
    typical, volume = view.typical(15), view.volume(14)
    flow = np.sign(np.diff(typical, axis=0)) * typical[1:] * np.where(np.isnan(volume), 0.0, volume)
    return or_neutral(total(flow), total(np.abs(flow)))


def _log_range(view: View, sessions: int) -> Floats:
    return ln(view.last("high", sessions) / view.last("low", sessions))


def _if_old_enough(view: View, values: Floats) -> Floats:
    return np.where(np.isnan(view.close(YOUNGEST)[0]), np.nan, values)


VOLATILITY: Mapping[str, Kernel] = {
    **{f"volatility_{n}": volatility(n) for n in (5, 20, 60)},
    "parkinson_20": parkinson_20,
    "garman_klass_20": garman_klass_20,
    "downside_20": downside_20,
    "volatility_ratio_5_20": volatility_ratio_5_20,
    "skewness_60": skewness_60,
}
VOLUME: Mapping[str, Kernel] = {
    "relative_volume_20": relative_volume_20,
    "relative_volume_5_60": relative_volume_5_60,
    "dollar_volume_20": dollar_volume_20,
    "dollar_volume_z_60": dollar_volume_z_60,
    "on_balance_slope_20": on_balance_slope_20,
    "amihud_20": amihud_20,
    "money_flow_14": money_flow_14,
}
RANGE: Mapping[str, Kernel] = {
    "atr_14": average_true_range,
    "gap_1": gap_1,
    "intraday_1": intraday_1,
    "close_location_1": close_location_1,
    "range_ratio_1_20": range_ratio_1_20,
    "high_20": high_20,
    "low_20": low_20,
    "high_252": high_252,
    "low_252": low_252,
}
