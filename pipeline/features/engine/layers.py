"""Expressions with comparisons, computed in layers: tickers apart up to a comparison, all tickers at once for it.

What a comparison compares is computed for every session that anything later looks back on, block of tickers by block of
tickers; then each session's members are compared, and the result is one more fact of the layers that follow. A value
depends on its own window and on the members of the sessions in it, so that sessions can be cut anywhere, too: that is
what bounds memory, since a comparison needs all tickers of a session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.features.engine.cross_sections import Members, compare
from pipeline.features.engine.expressions import COMPARISONS, Expression, count_leads, replace_inputs, walk
from pipeline.features.engine.windows.window_kernels import Block

CELLS = 1_000_000
"""Values of a comparison that are held at a time, 8 MB of them: sessions with those looked back on, by tickers."""
MIN_SESSIONS = 128
"""Sessions that are computed at a time even where there are more tickers than that."""

Evaluate = Callable[[Sequence[Expression], Mapping[str, Block], int, npt.DTypeLike], npt.NDArray[np.floating]]
"""Computes expressions without comparisons: from them, the comparisons that are known, the first session and the
precision to [expressions, sessions from the first on, tickers]."""


@dataclass(frozen=True)
class Layer:
    """What can be computed once the comparisons of all layers before are known."""

    wanted: tuple[Expression, ...]
    """What is computed, with comparisons as facts of their names."""
    comparisons: tuple[tuple[Expression, int], ...]
    """What is compared then, and for how many sessions before the first it is needed; none in the last layer."""

    @property
    def lead(self) -> int:
        """Sessions before the first that any of it is needed for."""
        return max((lead for _, lead in self.comparisons), default=0)


@lru_cache(maxsize=8)
def arrange(expressions: tuple[Expression, ...]) -> tuple[Layer, ...]:
    """The layers of some expressions: as many as comparisons lie within each other, and one."""
    order = list(walk(expressions))
    leads = count_leads(expressions)
    depths: dict[Expression, int] = {}
    for one in order:
        depths[one] = max((depths[part] for part in one.inputs), default=0) + (one.operation in COMPARISONS)
    compared = [one for one in order if one.operation in COMPARISONS]
    layers = []
    for depth in sorted({depths[one] for one in compared}):
        here = tuple(one for one in compared if depths[one] == depth)
        wanted = tuple(dict.fromkeys(_cut_below(part) for one in here for part in one.inputs))
        layers.append(Layer(wanted, tuple((one, leads[one]) for one in here)))
    return (*layers, Layer(tuple(_cut_below(one) for one in expressions), ()))


def uses_comparisons(expressions: Sequence[Expression]) -> bool:
    """Whether any of them compares tickers."""
    return any(one.operation in COMPARISONS for one in walk(expressions))


def compute_layers(
    layers: Sequence[Layer], members: Members, first: int, evaluate: Evaluate, precision: npt.DTypeLike
) -> npt.NDArray[np.floating]:
    """Compute the expressions of some layers.

    Args:
        layers: as `arrange` gives them.
        members: of all sessions, those looked back on included.
        first: the first session to compute.
        evaluate: how a layer is computed.
        precision: of the result.

    Returns:
        [expressions of the last layer, sessions from the first on, tickers].
    """
    held: dict[str, Block] = {}
    for layer in layers[:-1]:
        start = max(first - layer.lead, 0)
        values = evaluate(layer.wanted, held, start, np.float64)
        known = dict(zip(layer.wanted, values, strict=True))
        for one, lead in layer.comparisons:
            at = max(first - lead, 0)
            inputs = [known[_cut_below(part)][at - start :] for part in one.inputs]
            held[one.text] = np.full(members.counted.shape, np.nan)
            held[one.text][at:] = compare(one, inputs, members.cut(at))
    return evaluate(layers[-1].wanted, held, first, precision)


class SessionRange(NamedTuple):
    """Sessions that are computed in one go, ends excluded."""

    base: int
    """The first that is looked back on."""
    start: int
    end: int


def split_sessions(warm_up: int, first: int, shape: tuple[int, int]) -> Iterator[SessionRange]:
    """Yield the spans of a history of [sessions, tickers] that keep each comparison within CELLS."""
    sessions, tickers = shape
    length = max(CELLS // max(tickers, 1) - warm_up, MIN_SESSIONS)
    for start in range(first, sessions, length):
        yield SessionRange(max(start - warm_up, 0), start, min(start + length, sessions))


def _cut_below(one: Expression) -> Expression:
    """The expression with each comparison as a fact of its name."""
    if one.operation in COMPARISONS:
        return Expression("fact", (), one.text)
    return replace_inputs(one, _cut_below) if one.inputs else one
