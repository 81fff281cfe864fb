"""Returns, trend and oscillators: where the price stands against its own past."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipeline.features.feature import Feature, Kernel
from pipeline.features.panel import Floats
from pipeline.features.provenance import uses
from pipeline.features.trailing_window import (
    View,
    centred_time,
    divide_or_zero,
    latest,
    ln,
    mean,
    slope,
    total,
    weighted_sum,
)


def log_return(sessions: int) -> Kernel:
    """ln C(t)/C(t-n)."""
    return lambda view: -ln(view.close(sessions + 1)[0])


def momentum_120_20(view: View) -> Floats:
    """ln C(t-20)/C(t-120)."""
    return ln(view.close(21)[0] / view.close(121)[0])


def sma_ratio(sessions: int) -> Kernel:
    """ln of the close over its simple moving average."""
    return lambda view: -ln(mean(view.close(sessions)))


def average_true_range(view: View) -> Floats:
    """Mean true range of 14 sessions as a share of the close."""
    before = view.close(15)[:-1]
    return mean(np.maximum(view.high(14), before) - np.minimum(view.low(14), before))


def macd(view: View) -> Floats:
    """MACD line in average true ranges."""
    return weighted_sum(_macd_weights(), view.close(78)) / view.compute_once("atr_14", average_true_range)


def macd_histogram(view: View) -> Floats:
    """MACD line less its signal line, in average true ranges."""
    return weighted_sum(_histogram_weights(), view.close(104)) / view.compute_once("atr_14", average_true_range)


def slope_of_log(sessions: int) -> Kernel:
    """Least-squares slope of ln C."""
    return lambda view: slope(ln(view.close(sessions)))


def trend_fit_60(view: View) -> Floats:
    """Correlation of ln C with time."""
    level = ln(view.close(60))
    apart = level - mean(level)
    time = centred_time(60)
    return weighted_sum(time, apart) / np.sqrt(float((time * time).sum()) * total(apart * apart))


def directional_14(view: View) -> Floats:
    """Up moves less down moves over both, 14 sessions."""
    return latest(_directional(view))


def adx_14(view: View) -> Floats:
    """Mean strength of direction over 14 sessions."""
    return mean(np.abs(_directional(view)))


def rsi_14(view: View) -> Floats:
    """Cutler's RSI on -1 to 1."""
    moves = np.diff(view.close(15), axis=0)
    return divide_or_zero(total(moves), total(np.abs(moves)))


def place_in_range(sessions: int) -> Kernel:
    """Where the close lies between the lowest low (-1) and the highest high (1)."""

    def kernel(view: View) -> Floats:
        top, bottom = view.high(sessions).max(axis=0), view.low(sessions).min(axis=0)
        return divide_or_zero(2.0 - top - bottom, top - bottom)

    return kernel


def cci_20(view: View) -> Floats:
    """Commodity channel index over 100."""
    typical = view.typical(20)
    average = mean(typical)
    return divide_or_zero(latest(typical) - average, 1.5 * mean(np.abs(typical - average)))


def bollinger_20(view: View) -> Floats:
    """Distance from the average in half-widths of the band."""
    closes = view.close(20)
    apart = closes - mean(closes)
    return divide_or_zero(latest(apart), 2 * np.sqrt(mean(apart * apart)))


def _directional(view: View) -> Floats:
    """[14, tickers] the directional balance as of each of the last 14 sessions."""
    up = np.diff(view.high(28), axis=0)
    down = -np.diff(view.low(28), axis=0)
    plus = np.where((up > down) & (up > 0), up, 0.0) + 0.0 * (up + down)
    minus = np.where((down > up) & (down > 0), down, 0.0) + 0.0 * (up + down)
    sums = [_trailing_sums(plus - minus), _trailing_sums(plus + minus)]
    return divide_or_zero(*sums)


def _trailing_sums(values: Floats) -> Floats:
    """[14, tickers] sums over 14 sessions of [27, tickers], each added up afresh: no running total drifts."""
    added = np.zeros_like(values[:14])
    for first in range(14):
        added += values[first : first + 14]
    return added


def _exponential(span: int, length: int) -> Floats:
    """Weights of an exponential average, oldest first, cut at a length and scaled to sum to 1."""
    weights = np.cumprod(np.full(length, 1 - 2 / (span + 1)))[::-1]
    return weights / float(weights.sum())


@lru_cache(maxsize=1)
def _macd_weights() -> Floats:
    """[78] weights of the closes in the MACD line: a line of weights, so no value depends on a warm-up."""
    return _exponential(12, 78) - _exponential(26, 78)


@lru_cache(maxsize=1)
def _histogram_weights() -> Floats:
    """[104] weights of the closes in the MACD line less its signal line."""
    line = np.concatenate([np.zeros(26), _macd_weights()])
    return line - np.convolve(_exponential(9, 27), _macd_weights())


RETURNS = (
    *(
        Feature(
            f"return_{n}",
            "returns",
            unit="log return",
            formula=f"ln C(t)/C(t-{n}): total return over {n} sessions",
            warm_up=n,
            kernel=log_return(n),
            uses=(uses.grown("close", (0, n)),),
        )
        for n in (1, 2, 3, 5, 10, 20, 60, 120)
    ),
    Feature(
        "momentum_120_20",
        "returns",
        unit="log return",
        formula="ln C(t-20)/C(t-120): momentum without its last month (Jegadeesh and Titman 1993)",
        warm_up=120,
        kernel=momentum_120_20,
        uses=(uses.grown("close", (20, 120)),),
    ),
)

TREND = (
    *(
        Feature(
            f"sma_ratio_{n}",
            "trend",
            unit="log ratio",
            formula=f"ln C over the simple average of C, {n} sessions",
            warm_up=n - 1,
            kernel=sma_ratio(n),
            uses=(uses.grown("close", n),),
        )
        for n in (5, 20, 60)
    ),
    Feature(
        "macd_12_26",
        "trend",
        unit="average true ranges",
        formula="exponential averages of C, span 12 less span 26, over atr_14 (Appel); weights end after 78 sessions",
        warm_up=77,
        kernel=macd,
        uses=(
            uses.grown("close", 78),
            uses.grown("high low", 14),
        ),
    ),
    Feature(
        "macd_histogram_12_26_9",
        "trend",
        unit="average true ranges",
        formula="the MACD line less its exponential average of span 9 (weights end after 27), over atr_14 (Appel)",
        warm_up=103,
        kernel=macd_histogram,
        uses=(
            uses.grown("close", 104),
            uses.grown("high low", 14),
        ),
    ),
    Feature(
        "slope_20",
        "trend",
        unit="log return per session",
        formula="least-squares slope of ln C on time, 20 sessions",
        warm_up=19,
        kernel=slope_of_log(20),
        uses=(uses.grown("close", 20),),
    ),
    Feature(
        "slope_60",
        "trend",
        unit="log return per session",
        formula="least-squares slope of ln C on time, 60 sessions",
        warm_up=59,
        kernel=slope_of_log(60),
        uses=(uses.grown("close", 60),),
    ),
    Feature(
        "trend_fit_60",
        "trend",
        unit="correlation",
        formula="correlation of ln C with time, 60 sessions",
        warm_up=59,
        kernel=trend_fit_60,
        uses=(uses.grown("close", 60),),
    ),
    Feature(
        "directional_14",
        "trend",
        unit="-1 to 1",
        formula="(+DM - -DM)/(+DM + -DM), sums over 14 sessions (Wilder 1978, not smoothed); 0 without movement",
        warm_up=14,
        kernel=directional_14,
        uses=(uses.grown("high low", 15),),
    ),
    Feature(
        "adx_14",
        "trend",
        unit="0 to 1",
        formula="mean over 14 sessions of |directional_14| (Wilder 1978, simple averages)",
        warm_up=27,
        kernel=adx_14,
        uses=(uses.grown("high low", 28),),
    ),
)

OSCILLATORS = (
    Feature(
        "rsi_14",
        "oscillators",
        unit="-1 to 1",
        formula="(gains - losses)/(gains + losses) of C, 14 sessions: Cutler's RSI/50 - 1; 0 if C never moved",
        warm_up=14,
        kernel=rsi_14,
        uses=(uses.grown("close", 15),),
    ),
    Feature(
        "stochastic_14",
        "oscillators",
        unit="-1 to 1",
        formula="2 (C - lowest L)/(highest H - lowest L) - 1, 14 sessions (Lane's %K); 0 if flat",
        warm_up=13,
        kernel=place_in_range(14),
        uses=(
            uses.grown("high low", 14),
            uses.grown("close", 1),
        ),
    ),
    Feature(
        "williams_28",
        "oscillators",
        unit="-1 to 1",
        formula="1 - 2 (highest H - C)/(highest H - lowest L), 28 sessions (Williams' %R); 0 if flat",
        warm_up=27,
        kernel=place_in_range(28),
        uses=(
            uses.grown("high low", 28),
            uses.grown("close", 1),
        ),
    ),
    Feature(
        "cci_20",
        "oscillators",
        unit="hundreds",
        formula="(P - mean P)/(1.5 mean |P - mean P|), P = (H + L + C)/3, 20 sessions "
        "(Lambert 1980, over 100); 0 if flat",
        warm_up=19,
        kernel=cci_20,
        uses=(uses.grown("high low close", 20),),
    ),
    Feature(
        "bollinger_20",
        "oscillators",
        unit="half bands",
        formula="(C - mean C)/(2 sd of C), 20 sessions (Bollinger); 0 if flat",
        warm_up=19,
        kernel=bollinger_20,
        uses=(uses.grown("close", 20),),
    ),
)

FEATURES = (*RETURNS, *TREND, *OSCILLATORS)
"""What this module declares, in the order of the columns."""
