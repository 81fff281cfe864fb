"""Statistics of trailing windows, for all tickers of a block at once and for several window lengths in one pass.

Every kernel goes back in time from the session it computes, one session after the other, and notes what it has as it
passes the length of each window: a value is made of its own window alone, in one fixed order, wherever the block
starts and however many tickers share it. The innermost loop runs over the tickers, whose values lie side by side, so
that the processor takes several at a time; nothing is added up across tickers, so their number changes no bit.

Sums are of distances from the window's newest value. That value is in the window, so the mean square distance is at
most `window` + 1 times the variance, and the difference of sums loses no more than that factor in precision; a window
in which nothing varies gives exact zeros.

Arrays are [rows, tickers] float64 in row order; results are [windows, rows, tickers], filled from row `first` on, which
has to have the longest window before it. An unknown value (NaN) makes all windows unknown that hold it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.features.engine.compiling import compiled

Block = npt.NDArray[np.float64]
Lengths = npt.NDArray[np.int64]


@compiled
def sum_windows(x: Block, windows: Lengths, first: int, total: Block) -> None:  # pragma: no cover - compiled
    """Add up each window, newest value first.

    One value after the other goes into the result: to compile the copy of a whole row takes seconds.
    """
    rows, tickers = x.shape
    held = np.empty(tickers)
    for t in range(first, rows):
        held[:] = 0.0
        k = 0
        for w in range(len(windows)):
            while k < windows[w]:
                old = x[t - k]
                for j in range(tickers):
                    held[j] += old[j]
                k += 1
            for j in range(tickers):
                total[w, t, j] = held[j]


@compiled
def measure_moments(x: Block, windows: Lengths, first: int, mean: Block, deviation: Block) -> None:  # pragma: no cover
    """Mean and standard deviation of a sample."""
    rows, tickers = x.shape
    held = np.empty((2, tickers))
    s1, s2 = held[0], held[1]
    for t in range(first, rows):
        held[:] = 0.0
        new = x[t]
        k = 1
        for w in range(len(windows)):
            d = windows[w]
            while k < d:
                old = x[t - k]
                for j in range(tickers):
                    y = old[j] - new[j]
                    s1[j] += y
                    s2[j] += y * y
                k += 1
            for j in range(tickers):
                mean[w, t, j] = new[j] + (s1[j] / d)
                deviation[w, t, j] = np.sqrt(max(s2[j] - s1[j] * s1[j] / d, 0.0 * s2[j]) / (d - 1))


@compiled
def fit_lines(
    x: Block, windows: Lengths, first: int, slope: Block, r_squared: Block, residual: Block
) -> None:  # pragma: no cover - compiled
    """The least-squares line through each window: its slope, how much it explains, and the newest value's distance."""
    rows, tickers = x.shape
    held = np.empty((3, tickers))
    s1, s2, sk = held[0], held[1], held[2]
    for t in range(first, rows):
        held[:] = 0.0
        new = x[t]
        k = 1
        for w in range(len(windows)):
            d = windows[w]
            while k < d:
                old = x[t - k]
                back = float(k)
                for j in range(tickers):
                    y = old[j] - new[j]
                    s1[j] += y
                    s2[j] += y * y
                    sk[j] += back * y
                k += 1
            middle = (d - 1) / 2
            spread = d * (float(d) * d - 1) / 12
            for j in range(tickers):
                together = sk[j] - middle * s1[j]
                steep = -together / spread
                slope[w, t, j] = steep
                r_squared[w, t, j] = together * together / (spread * (s2[j] - s1[j] * s1[j] / d))
                residual[w, t, j] = -(s1[j] / d + steep * middle)


@compiled
def correlate(x: Block, y: Block, windows: Lengths, first: int, correlation: Block) -> None:  # pragma: no cover
    """Pearson's correlation of two values."""
    rows, tickers = x.shape
    held = np.empty((5, tickers))
    sx, sxx, sy, syy, sxy = held[0], held[1], held[2], held[3], held[4]
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
                    syy[j] += b * b
                    sxy[j] += a * b
                k += 1
            for j in range(tickers):
                varies = (sxx[j] - sx[j] * sx[j] / d) * (syy[j] - sy[j] * sy[j] / d)
                value = (sxy[j] - sx[j] * sy[j] / d) / np.sqrt(varies)
                correlation[w, t, j] = min(max(value, -1.0 + 0.0 * value), 1.0 + 0.0 * value)


@compiled
def rank_newest(x: Block, windows: Lengths, first: int, rank: Block) -> None:  # pragma: no cover - compiled
    """The newest value's rank as a share of the window; equals share their mean rank."""
    rows, tickers = x.shape
    held = np.empty((2, tickers))
    below, unknown = held[0], held[1]
    for t in range(first, rows):
        for j in range(tickers):
            below[j] = 1.0
            unknown[j] = x[t, j] - x[t, j]
        k = 1
        for w in range(len(windows)):
            while k < windows[w]:
                for j in range(tickers):
                    old, new = x[t - k, j], x[t, j]
                    # Two halves for one that is smaller, one half for an equal one.
                    below[j] += (0.5 if old <= new else 0.0) + (0.5 if old < new else 0.0)
                    unknown[j] += old - old
                k += 1
            for j in range(tickers):
                rank[w, t, j] = below[j] / windows[w] + unknown[j]
