"""Windows in which sessions count differently: by weight, by a condition, or by what another value did.

As in `window_kernels`, each value is added up anew from its own session back, ticker beside ticker.
"""

from __future__ import annotations

import numpy as np

from pipeline.features.engine.compiling import compiled
from pipeline.features.engine.windows.window_kernels import Block, Lengths


@compiled
def weigh_window(x: Block, weights: Block, first: int, out: Block) -> None:  # pragma: no cover - compiled
    """Add up each session's value times its weight, [rows, tickers]; the first weight is the newest session's."""
    rows, tickers = x.shape
    held = np.empty(tickers)
    for t in range(first, rows):
        held[:] = 0.0
        for k in range(len(weights)):
            old, weight = x[t - k], weights[k]
            for j in range(tickers):
                held[j] += weight * old[j]
        for j in range(tickers):
            out[t, j] = held[j]


@compiled
def sum_where(
    x: Block, condition: Block, windows: Lengths, first: int, total: Block, mean: Block
) -> None:  # pragma: no cover - compiled
    """Sum and mean of the sessions at which the condition is positive; a condition that is unknown makes all so."""
    rows, tickers = x.shape
    held = np.empty((2, tickers))
    s, count = held[0], held[1]
    for t in range(first, rows):
        held[:] = 0.0
        k = 0
        for w in range(len(windows)):
            while k < windows[w]:
                for j in range(tickers):
                    told = condition[t - k, j]
                    counts = told > 0
                    s[j] += (x[t - k, j] if counts else 0.0) + (told - told)
                    count[j] += 1.0 if counts else 0.0
                k += 1
            for j in range(tickers):
                total[w, t, j] = s[j]
                mean[w, t, j] = s[j] / count[j]


@compiled
def fit_slopes(y: Block, x: Block, windows: Lengths, first: int, slope: Block) -> None:  # pragma: no cover - compiled
    """The slope of the least-squares line of y on x, from distances to the newest values."""
    rows, tickers = x.shape
    held = np.empty((4, tickers))
    sx, sxx, sy, sxy = held[0], held[1], held[2], held[3]
    for t in range(first, rows):
        held[:] = 0.0
        k = 1
        for w in range(len(windows)):
            d = windows[w]
            while k < d:
                for j in range(tickers):
                    a = x[t - k, j] - x[t, j]
                    b = y[t - k, j] - y[t, j]
                    sx[j] += a
                    sxx[j] += a * a
                    sy[j] += b
                    sxy[j] += a * b
                k += 1
            for j in range(tickers):
                slope[w, t, j] = (sxy[j] - sx[j] * sy[j] / d) / (sxx[j] - sx[j] * sx[j] / d)
