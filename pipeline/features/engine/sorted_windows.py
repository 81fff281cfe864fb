"""Quantiles of trailing windows, from a window that stays sorted as it moves on."""

from __future__ import annotations

import numpy as np

from pipeline.features.engine.compiling import compiled
from pipeline.features.engine.window_kernels import Block, Lengths


@compiled
def find_quantiles(
    x: Block, windows: Lengths, first: int, shares: Block, quantile: Block
) -> None:  # pragma: no cover - compiled
    """Quantiles by straight lines between sorted values.

    Args:
        x: [rows, tickers].
        windows: their lengths.
        first: the row to start at; it has the longest window before it.
        shares: [shares] each in 0 to 1.
        quantile: [shares, windows, rows, tickers], filled from row `first` on.
    """
    rows, tickers = x.shape
    column = np.empty(rows)
    for j in range(tickers):
        for t in range(rows):
            column[t] = x[t, j]
        for w in range(len(windows)):
            _move_through(column, windows[w], first, shares, quantile[:, w, :, j])


@compiled
def _move_through(column: Block, d: int, first: int, shares: Block, quantile: Block) -> None:  # pragma: no cover
    """Fill [shares, rows] of one ticker and window; what is unknown stands as the greatest value meanwhile."""
    window = np.full(d, np.inf)
    unknown = 0
    for t in range(first - d + 1, len(column)):
        out, new = np.inf, column[t]
        if t > first:
            out = column[t - d]
            if out - out != 0.0:
                unknown -= 1
                out = np.inf
        if new - new != 0.0:
            unknown += 1
            new = np.inf
        _replace(window, out, new)
        if t < first:
            continue
        for q in range(len(shares)):
            quantile[q, t] = np.nan if unknown else _read_off(window, shares[q])


@compiled
def _replace(window: Block, out: float, new: float) -> None:  # pragma: no cover - compiled
    """Take one value out of a sorted window and put another in."""
    last = len(window) - 1
    low, high = 0, last
    while low < high:
        middle = (low + high) >> 1
        if window[middle] < out:
            low = middle + 1
        else:
            high = middle
    while low < last and window[low + 1] < new:
        window[low] = window[low + 1]
        low += 1
    while low > 0 and window[low - 1] > new:
        window[low] = window[low - 1]
        low -= 1
    window[low] = new


@compiled
def _read_off(window: Block, share: float) -> float:  # pragma: no cover - compiled
    at = share * (len(window) - 1)
    below = int(at)
    if below >= len(window) - 1:
        return float(window[-1])
    return float(window[below] + (at - below) * (window[below + 1] - window[below]))
