"""Lays a block's columns out: for each the sessions of one ticker in one price basis, and those looked back on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.features.engine.compiling import compiled
from pipeline.features.engine.windows.window_kernels import Block, Lengths


@compiled
def link(scale: Block, starts: Lengths, tickers: Lengths, linked: Block) -> bool:  # pragma: no cover - compiled
    """What brings each earlier session to the basis of a column's first one.

    Args:
        scale: [sessions, tickers] what earlier sessions are multiplied by at a session.
        starts: [columns] the session that each begins at.
        tickers: [columns] its ticker.
        linked: [sessions before, columns]; takes the products, from the newest session back.

    Returns:
        Whether anything is scaled.
    """
    before, acts = len(linked), False
    for back in range(1, before + 1):
        for c in range(len(starts)):
            at = starts[c] - back + 1
            step = scale[at, tickers[c]] if at >= 0 else 1.0
            linked[before - back, c] = linked[before - back + 1, c] * step if back > 1 else step
            acts = acts or step != 1.0
    return acts


@compiled
def gather(
    values: Block,
    starts: Lengths,
    sessions: Lengths,
    tickers: Lengths,
    linked: Block,
    scaled: bool,
    row: int,
    plane: Block,
) -> None:  # pragma: no cover - compiled
    """Lay a fact out.

    Args:
        values: [sessions, tickers].
        starts: [columns] the session that each begins at.
        sessions: [columns] how many there are.
        tickers: [columns] its ticker.
        linked: [sessions before, columns] what they are multiplied by, where they are scaled.
        scaled: whether they are.
        row: the first row that is needed.
        plane: [sessions before + longest, columns]; takes the values, NaN outside a column and before all history, and
            for what has no bound.
    """
    before = len(linked)
    for t in range(row, len(plane)):
        for c in range(len(starts)):
            at = starts[c] + t - before
            value = values[at, tickers[c]] if at >= 0 and t - before < sessions[c] else np.nan
            value = value * linked[t, c] if scaled and t < before else value
            plane[t, c] = value if value - value == 0 else np.nan


@compiled
def spread(
    found: npt.NDArray[np.floating], starts: Lengths, sessions: Lengths, tickers: Lengths, out: npt.NDArray[np.floating]
) -> None:  # pragma: no cover - compiled
    """Put the results of a block's columns, [results, longest, columns], to their sessions and tickers of `out`."""
    for k in range(len(found)):
        for t in range(found.shape[1]):
            for c in range(len(starts)):
                if t < sessions[c]:
                    out[k, starts[c] + t, tickers[c]] = found[k, t, c]
