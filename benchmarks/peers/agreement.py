"""How far an engine's values agree with the exact ones, factor by factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.peers.exact import Values, evaluate
from benchmarks.peers.measuring import Block, read
from pipeline.features.engine.expressions import Expression

CLOSE_BY, NEAR = 1e-9, 1e-6
"""Of the exact value or of the factor's median size, whichever is greater."""


class Agreement(NamedTuple):
    """A factor's values beside the exact ones. All but `partial` are outside the warm-up of its windows."""

    close_by: float
    """Share of the values that both know: within 1e-9."""
    near: float
    """Within 1e-6."""
    strayed: int
    """Values that one knows and the other does not."""
    partial: int
    """Values that the engine gives although the window is not full yet."""


def compute_exactly(factors: Mapping[str, Expression], folder: Path) -> dict[str, Values]:
    """The exact values of a history, what is not finite unknown."""
    facts, known = read(folder), dict[Expression, Values]()
    found = {name: evaluate(factor, facts, known) for name, factor in factors.items()}
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in found.items()}


def compare(
    values: Sequence[Block], exact: Mapping[str, Values], factors: Mapping[str, Expression]
) -> dict[str, Agreement]:
    """Each factor's agreement."""
    together = zip(factors, values, strict=True)
    return {name: _compare(found, exact[name], factors[name].warm_up) for name, found in together}


def _compare(values: Block, exact: Values, warm_up: int) -> Agreement:
    known, wanted = np.isfinite(values), np.isfinite(exact)
    partial = int(known[:warm_up].sum())
    both = (known & wanted)[warm_up:]
    found, right = values[warm_up:][both], exact[warm_up:][both]
    away = np.abs(found - right)
    size = np.maximum(np.abs(right), np.median(np.abs(right)))
    shares = (float(np.mean(away <= bound * size)) for bound in (CLOSE_BY, NEAR))
    return Agreement(*shares, int((known != wanted)[warm_up:].sum()), partial)
