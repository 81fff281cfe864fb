"""Returns, trend and oscillators: where the price stands against its own past."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np

from pipeline.features.panel import Floats
from pipeline.features.trailing_window import (
    View,
    centred_time,
    latest,
    ln,
    mean,
    or_neutral,
    slope,
    total,
    weighted,
)

Kernel = Callable[[View], Floats]
"""One feature: [tickers] float64 of a view, NaN where it cannot be known."""


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
    return weighted(_macd_weights(), view.close(78)) / view.kept("atr_14", average_true_range)


def macd_histogram(view: View) -> Floats:
    """MACD line less its signal line, in average true ranges."""
    return weighted(_histogram_weights(), view.close(104)) / view.kept("atr_14", average_true_range)


def slope_of_log(sessions: int) -> Kernel:
    """Least-squares slope of ln C."""
    return lambda view: slope(ln(view.close(sessions)))


def trend_fit_60(view: View) -> Floats:
    """Correlation of ln C with time."""
    level = ln(view.close(60))
    apart = level - mean(level)
    time = centred_time(60)
    return weighted(time, apart) / np.sqrt(float((time * time).sum()) * total(apart * apart))


def directional_14(view: View) -> Floats:
    """Up moves less down moves over both, 14 sessions."""
    return latest(_directional(view))


def adx_14(view: View) -> Floats:
    """Mean strength of direction over 14 sessions."""
    return mean(np.abs(_directional(view)))


def rsi_14(view: View) -> Floats:
    """Cutler's RSI on -1 to 1."""
    moves = np.diff(view.close(15), axis=0)
    return or_neutral(total(moves), total(np.abs(moves)))


def place_in_range(sessions: int) -> Kernel:
    """Where the close lies between the lowest low (-1) and the highest high (1)."""

    def kernel(view: View) -> Floats:
        top, bottom = view.high(sessions).max(axis=0), view.low(sessions).min(axis=0)
        return or_neutral(2.0 - top - bottom, top - bottom)

    return kernel


def cci_20(view: View) -> Floats:
    """Commodity channel index over 100."""
    typical = view.typical(20)
    average = mean(typical)
    return or_neutral(latest(typical) - average, 1.5 * mean(np.abs(typical - average)))


def bollinger_20(view: View) -> Floats:
    """Distance from the average in half-widths of the band."""
    closes = view.close(20)
    apart = closes - mean(closes)
    return or_neutral(latest(apart), 2 * np.sqrt(mean(apart * apart)))


def _directional(view: View) -> Floats:
    """[14, tickers] the directional balance as of each of the last 14 sessions."""
    up = np.diff(view.high(28), axis=0)
    down = -np.diff(view.low(28), axis=0)
    plus = np.where((up > down) & (up > 0), up, 0.0) + 0.0 * (up + down)
    minus = np.where((down > up) & (down > 0), down, 0.0) + 0.0 * (up + down)
    sums = [_trailing_sums(plus - minus), _trailing_sums(plus + minus)]
    return or_neutral(*sums)


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


RETURNS: Mapping[str, Kernel] = {
    **{f"return_{n}": log_return(n) for n in (1, 2, 3, 5, 10, 20, 60, 120)},
    "momentum_120_20": momentum_120_20,
}
TREND: Mapping[str, Kernel] = {
    **{f"sma_ratio_{n}": sma_ratio(n) for n in (5, 20, 60)},
    "macd_12_26": macd,
    "macd_histogram_12_26_9": macd_histogram,
    "slope_20": slope_of_log(20),
    "slope_60": slope_of_log(60),
    "trend_fit_60": trend_fit_60,
    "directional_14": directional_14,
    "adx_14": adx_14,
}
OSCILLATORS: Mapping[str, Kernel] = {
    "rsi_14": rsi_14,
    "stochastic_14": place_in_range(14),
    "williams_28": place_in_range(28),
    "cci_20": cci_20,
    "bollinger_20": bollinger_20,
}
