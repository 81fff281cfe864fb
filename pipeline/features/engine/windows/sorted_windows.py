"""Quantiles of trailing windows, from windows that stay sorted as they move on, many tickers at once.

A sorted window lies with its places as rows and its tickers side by side. One pass over the places takes a session out
and puts another in, by choices instead of branches, so that the processor does it for several tickers at a time.
"""

from __future__ import annotations

import numpy as np

from pipeline.features.engine.compiling import compiled
from pipeline.features.engine.windows.window_kernels import Block, Lengths

LANES = 64
"""Tickers that are sorted side by side: their windows stay near the processor."""


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
    for left in range(0, tickers, LANES):
        lanes = min(LANES, tickers - left)
        values, gaps = np.empty((rows, lanes)), np.zeros((rows + 1, lanes))
        for t in range(rows):
            for j in range(lanes):
                value = x[t, left + j]
                known = value - value == 0.0
                values[t, j] = value if known else np.inf
                gaps[t + 1, j] = gaps[t, j] + (0.0 if known else 1.0)
        for w in range(len(windows)):
            _move_through(values, gaps, windows[w], first, shares, quantile[:, w], left)


@compiled
def _move_through(
    values: Block, gaps: Block, d: int, first: int, shares: Block, quantile: Block, left: int
) -> None:  # pragma: no cover - compiled
    """Fill [shares, rows, tickers] from a ticker on; the least and the greatest value stand around each window."""
    lanes = values.shape[1]
    window, moved = np.full((d + 2, lanes), np.inf), np.full((d + 2, lanes), np.inf)
    window[0, :] = -np.inf
    moved[0, :] = -np.inf
    empty = np.full(lanes, np.inf)
    for t in range(first - d + 1, len(values)):
        _replace(window, moved, values[t - d] if t > first else empty, values[t])
        window, moved = moved, window
        if t >= first:
            for q in range(len(shares)):
                _read_off(window, shares[q], gaps[t + 1], gaps[t + 1 - d], quantile[q, t], left)


@compiled
def _replace(window: Block, moved: Block, out: Block, new: Block) -> None:  # pragma: no cover - compiled
    """Take one value out of each sorted window and put another in.

    With the value taken out, what is not below it moves one place down; then each place holds what is there, what was
    a place below, or the new value, whichever lies between.
    """
    for i in range(1, len(window) - 1):
        below, here, above, between = window[i - 1], window[i], window[i + 1], moved[i]
        for j in range(len(new)):
            low = below[j] if below[j] < out[j] else here[j]
            high = here[j] if here[j] < out[j] else above[j]
            least = high if high < new[j] else new[j]
            between[j] = low if low > least else least


@compiled
def _read_off(
    window: Block, share: float, gaps: Block, gaps_before: Block, quantile: Block, left: int
) -> None:  # pragma: no cover - compiled
    last = len(window) - 3
    at = share * last
    below = min(int(at), last)
    part = at - below
    lower, upper = window[below + 1], window[min(below + 1, last) + 1]
    for j in range(len(lower)):
        value = lower[j] + part * (upper[j] - lower[j])
        quantile[left + j] = value if gaps[j] == gaps_before[j] else np.nan
