"""Volatility, range and volume: how far and how heavily a ticker trades."""

from __future__ import annotations

from math import log

import numpy as np

from pipeline.features.families.trend import average_true_range
from pipeline.features.feature import Feature, Kernel
from pipeline.features.panel import DEPTH, Floats
from pipeline.features.provenance import uses
from pipeline.features.trailing_window import (
    View,
    deviation,
    divide_or_zero,
    latest,
    ln,
    ln1p,
    mean,
    mean_present,
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
    return view.compute_once("volatility_5", volatility(5)) / view.compute_once("volatility_20", volatility(20)) - 1


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
    return divide_or_zero(2.0 - top - bottom, top - bottom)


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
    return divide_or_zero(total(flow), total(np.abs(flow)))


def _log_range(view: View, sessions: int) -> Floats:
    return ln(view.last("high", sessions) / view.last("low", sessions))


def _if_old_enough(view: View, values: Floats) -> Floats:
    return np.where(np.isnan(view.close(YOUNGEST)[0]), np.nan, values)


VOLATILITY = (
    *(
        Feature(
            f"volatility_{n}",
            "volatility",
            unit="log return per session",
            formula=f"sample standard deviation of return_1, {n} sessions",
            warm_up=n,
            kernel=volatility(n),
            uses=(uses.grown("close", n + 1),),
        )
        for n in (5, 20, 60)
    ),
    Feature(
        "parkinson_20",
        "volatility",
        unit="log return per session",
        formula="sqrt(mean (ln H/L)^2 / (4 ln 2)), 20 sessions (Parkinson 1980)",
        warm_up=19,
        kernel=parkinson_20,
        uses=(uses.traded("high low", 20),),
    ),
    Feature(
        "garman_klass_20",
        "volatility",
        unit="log return per session",
        formula="sqrt(mean of (ln H/L)^2/2 - (2 ln 2 - 1)(ln C/O)^2), 20 sessions (Garman and Klass 1980)",
        warm_up=19,
        kernel=garman_klass_20,
        uses=(uses.traded("open high low close", 20),),
    ),
    Feature(
        "downside_20",
        "volatility",
        unit="log return per session",
        formula="sqrt(mean of min(return_1, 0)^2), 20 sessions",
        warm_up=20,
        kernel=downside_20,
        uses=(uses.grown("close", 21),),
    ),
    Feature(
        "volatility_ratio_5_20",
        "volatility",
        unit="ratio less 1",
        formula="volatility_5 over volatility_20, less 1",
        warm_up=20,
        kernel=volatility_ratio_5_20,
        uses=(uses.grown("close", 21),),
    ),
    Feature(
        "skewness_60",
        "volatility",
        unit="ratio",
        formula="third central moment of return_1 over sd^3 (population), 60 sessions",
        warm_up=60,
        kernel=skewness_60,
        uses=(uses.grown("close", 61),),
    ),
)

VOLUME = (
    Feature(
        "relative_volume_20",
        "volume",
        unit="ratio less 1",
        formula="V over its mean, 20 sessions, less 1",
        warm_up=19,
        kernel=relative_volume_20,
        uses=(uses.shares(20),),
    ),
    Feature(
        "relative_volume_5_60",
        "volume",
        unit="ratio less 1",
        formula="mean V of 5 sessions over that of 60, less 1",
        warm_up=59,
        kernel=relative_volume_5_60,
        uses=(uses.shares(60),),
    ),
    Feature(
        "dollar_volume_20",
        "volume",
        unit="ln currency",
        formula="ln(1 + mean of close x shares as traded), 20 sessions",
        warm_up=19,
        kernel=dollar_volume_20,
        uses=(uses.traded("close volume", 20),),
    ),
    Feature(
        "dollar_volume_z_60",
        "volume",
        unit="standard deviations",
        formula="ln(1 + close x shares): distance from its mean, 60 sessions",
        warm_up=59,
        kernel=dollar_volume_z_60,
        uses=(uses.traded("close volume", 60),),
    ),
    Feature(
        "on_balance_slope_20",
        "volume",
        unit="average volumes per session",
        formula="least-squares slope of on-balance volume (Granville 1963) over mean V, 20 sessions",
        warm_up=20,
        kernel=on_balance_slope_20,
        uses=(
            uses.shares(20),
            uses.grown("close", 20),
        ),
    ),
    Feature(
        "amihud_20",
        "volume",
        unit="ln per million currency",
        formula="ln(1e-9 + mean |return_1| per million traded), 20 sessions, "
        "those without trade left out (Amihud 2002)",
        warm_up=20,
        kernel=amihud_20,
        uses=(uses.growth("close volume", 20),),
    ),
    Feature(
        "money_flow_14",
        "volume",
        unit="-1 to 1",
        formula="P x V of sessions with rising P less falling, over both, 14 sessions; 0 if none (Quong and Soudack)",
        warm_up=14,
        kernel=money_flow_14,
        uses=(
            uses.shares(14),
            uses.grown("high low close", 15),
        ),
    ),
)

RANGE = (
    Feature(
        "atr_14",
        "range",
        unit="fraction of price",
        formula="mean true range over C, 14 sessions, simple average (Wilder 1978)",
        warm_up=14,
        kernel=average_true_range,
        uses=(
            uses.grown("high low", 14),
            uses.grown("close", 15),
        ),
    ),
    Feature(
        "gap_1",
        "range",
        unit="log return",
        formula="ln O(t)/C(t-1)",
        warm_up=1,
        kernel=gap_1,
        uses=(
            uses.grown("open", 1),
            uses.grown("close", (1,)),
        ),
    ),
    Feature(
        "intraday_1",
        "range",
        unit="log return",
        formula="ln C/O of the session",
        warm_up=0,
        kernel=intraday_1,
        uses=(uses.traded("open close", 1),),
    ),
    Feature(
        "close_location_1",
        "range",
        unit="-1 to 1",
        formula="(2 C - H - L)/(H - L) of the session; 0 if H = L",
        warm_up=0,
        kernel=close_location_1,
        uses=(uses.traded("high low close", 1),),
    ),
    Feature(
        "range_ratio_1_20",
        "range",
        unit="ratio less 1",
        formula="ln H/L of the session over its mean, 20 sessions, less 1",
        warm_up=19,
        kernel=range_ratio_1_20,
        uses=(uses.traded("high low", 20),),
    ),
    Feature(
        "high_20",
        "range",
        unit="log ratio",
        formula="ln C over the highest H, 20 sessions",
        warm_up=19,
        kernel=high_20,
        uses=(
            uses.grown("high", 20),
            uses.grown("close", 1),
        ),
    ),
    Feature(
        "low_20",
        "range",
        unit="log ratio",
        formula="ln C over the lowest L, 20 sessions",
        warm_up=19,
        kernel=low_20,
        uses=(
            uses.grown("low", 20),
            uses.grown("close", 1),
        ),
    ),
    Feature(
        "high_252",
        "range",
        unit="log ratio",
        formula="ln C over the highest H, 252 sessions or all there are if at least 120 (George and Hwang 2004)",
        warm_up=DEPTH - 1,
        kernel=high_252,
        uses=(
            uses.grown("high", DEPTH),
            uses.grown("close", 1),
        ),
    ),
    Feature(
        "low_252",
        "range",
        unit="log ratio",
        formula="ln C over the lowest L, 252 sessions or all there are if at least 120",
        warm_up=DEPTH - 1,
        kernel=low_252,
        uses=(
            uses.grown("low", DEPTH),
            uses.grown("close", 1),
        ),
    ),
)

FEATURES = (*VOLATILITY, *VOLUME, *RANGE)
"""What this module declares, in the order of the columns."""
