"""The greatest value of trailing windows and where it stands, from windows that double in length.

Two windows that together cover a third one know its greatest value, however far they overlap. So a window of 60
sessions is two of 32, those are two of 16 each, and so on: seven comparisons a value instead of 60, with the same
result to the bit, because nothing is added up. All tickers of a session lie before those of the next, so that windows
some sessions apart lie a fixed distance apart, and a whole block is one loop.
"""

from __future__ import annotations

import numpy as np

from pipeline.features.engine.compiling import compiled
from pipeline.features.engine.windows.window_kernels import Block, Lengths


@compiled
def find_extremes(
    x: Block, windows: Lengths, first: int, sign: float, extreme: Block, place: Block
) -> None:  # pragma: no cover - compiled
    """The greatest value (with sign -1 the smallest) and where it stands: 1 the oldest session; the first of equals.

    Args:
        x: [rows, tickers].
        windows: their lengths, in order.
        first: the row to start at; it has the longest window before it.
        sign: 1 or -1.
        extreme: [windows, rows, tickers], filled from row `first` on; so is `place`.
    """
    tickers = x.shape[1]
    tickers, longest = x.shape[1], windows[-1]
    values = x.reshape(-1)[(first - longest + 1) * tickers :]
    levels = np.empty((2, 2, len(values)))
    _begin(values, sign, levels[0, 0], levels[0, 1])
    span, level = 1, 0
    for w in range(len(windows)):
        while span * 2 <= windows[w]:
            here, longer = levels[level], levels[1 - level]
            _join(here[0], here[1], span, span * tickers, longer[0], longer[1])
            span, level = span * 2, 1 - level
        back = windows[w] - span
        best = levels[level, 0][(longest - 1 - back) * tickers :]
        best_back = levels[level, 1][(longest - 1 - back) * tickers :]
        to = extreme[w].reshape(-1)[(first - back) * tickers :]
        to_back = place[w].reshape(-1)[(first - back) * tickers :]
        _join(best, best_back, back, back * tickers, to, to_back)
        _finish(to[back * tickers :], to_back[back * tickers :], sign, windows[w])


@compiled
def _begin(values: Block, sign: float, best: Block, back: Block) -> None:  # pragma: no cover - compiled
    """Windows of one session; what has no bound is unknown."""
    for i in range(len(values)):
        value = sign * values[i]
        best[i] = value + (value - value)
        back[i] = 0.0


@compiled
def _join(
    best: Block, back: Block, sessions: int, distance: int, joined: Block, joined_back: Block
) -> None:  # pragma: no cover - compiled
    """Of each window and the one some sessions before, a distance away: the greater value, and how far back it is."""
    new, old, new_back, old_back = best[distance:], best, back[distance:], back
    to, to_back = joined[distance:], joined_back[distance:]
    for i in range(len(new)):
        better = old[i] >= new[i]
        to[i] = (old[i] if better else new[i]) + (old[i] - old[i])
        to_back[i] = old_back[i] + sessions if better else new_back[i]


@compiled
def _finish(extreme: Block, place: Block, sign: float, window: int) -> None:  # pragma: no cover - compiled
    """The sign that was asked for, and the place from the distance."""
    for i in range(len(extreme)):
        unknown = extreme[i] - extreme[i]
        extreme[i] = sign * extreme[i] + unknown
        place[i] = window - place[i] + unknown
