"""Expressions evaluated on a block: its planes filled with facts, then worked off as planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.features.engine.arrangement import FAMILY_OF, arrange_steps
from pipeline.features.engine.elementwise import CELLS, Planes, keep_finite, work_off
from pipeline.features.engine.expressions import Expression
from pipeline.features.engine.planes import Plan, Stretch, Windows
from pipeline.features.engine.windows import sorted_windows, weighted_windows
from pipeline.features.engine.windows.window_kernels import Block

Results = npt.NDArray[np.floating]
LayOut = Callable[[str, Block, int], None]
"""Fills the plane of a fact from a row on."""


class Program:
    """The steps that compute some expressions on blocks of facts."""

    def __init__(self, expressions: Sequence[Expression]) -> None:
        self.steps, self.warm_up = arrange_steps(expressions)
        """`warm_up`: rows that a block needs before the first it computes; those before all history are unknown."""
        self._plan = Plan(self.steps, {one: number for number, one in enumerate(expressions)})
        self.facts = tuple(self._plan.facts)
        self._actions = [_prepare(action) for action in self._plan.actions]
        self._idle: list[Block] = []
        """Memory of blocks that are done, one for each that was computed at a time: fresh memory is dear."""

    def evaluate(
        self,
        lay_out: LayOut,
        tickers: int,
        out: Results,
        sessions: int | None = None,
        row: int = 0,
        left: int = 0,
    ) -> None:
        """Compute the expressions on a block.

        Args:
            lay_out: fills the plane [rows, tickers] of a fact: the sessions wanted, and `warm_up` rows before them, the
                first of which may not be needed; unknown values, and what has no bound, NaN.
            tickers: how many there are.
            out: [expressions, sessions, tickers] float32 or float64, in row order; takes the values, NaN where unknown.
            sessions: how many are wanted; all that `out` has if None.
            row: where in `out` the first of them stands.
            left: where in `out` the first ticker stands.
        """
        wanted = out.shape[1] if sessions is None else sessions
        planes = self._take_planes(self.warm_up + wanted, tickers)
        for name, (plane, first) in self._plan.facts.items():
            lay_out(name, planes[plane], first)
        numbers = np.repeat(np.array(self._plan.numbers, dtype=np.float64)[:, None], max(CELLS, tickers), axis=1)
        work = _Work(planes, numbers, self.warm_up, out, row, left)
        for action in self._actions:
            action(work)
        self._idle.append(planes.reshape(-1))

    def _take_planes(self, rows: int, tickers: int) -> Planes:
        """Those of an earlier block, if they are large enough."""
        size = self._plan.count * rows * tickers
        try:
            memory = self._idle.pop()
        except IndexError:  # asking first would race with other threads
            memory = np.empty(size)
        if memory.size < size:
            memory = np.empty(size)
        return memory[:size].reshape(self._plan.count, rows, tickers)


class _Work(NamedTuple):
    """A block that is being computed."""

    planes: Planes
    numbers: Block
    warm_up: int
    out: Results
    row: int
    left: int


Action = Callable[[_Work], None]


def _prepare(action: Stretch | Windows) -> Action:
    return _prepare_stretch(action) if isinstance(action, Stretch) else _prepare_windows(action)


def _prepare_stretch(stretch: Stretch) -> Action:
    orders, kept = stretch.orders, stretch.kept

    def run(work: _Work) -> None:
        if len(orders):
            work_off(orders, work.numbers, work.planes)
        if len(kept):
            keep_finite(work.planes, kept, work.warm_up, work.out, work.row, work.left)

    return run


def _prepare_windows(windows: Windows) -> Action:
    step = windows.step
    family = FAMILY_OF[step.operation]
    lengths, shares = np.array(step.windows, dtype=np.int64), np.array(step.shares)

    def run(work: _Work) -> None:
        inputs = [work.planes[plane] for plane in windows.inputs]
        outputs = [work.planes[first : first + count] for first, count in windows.outputs]
        if family.kernel is weighted_windows.weigh_window:
            family.kernel(*inputs, np.array(step.members[0].weights), step.first, outputs[0][0])
        elif family.kernel is sorted_windows.find_quantiles:
            by_share = outputs[0].reshape(len(shares), len(lengths), *outputs[0].shape[1:])
            family.kernel(*inputs, lengths, step.first, shares, by_share)
        else:
            family.kernel(*inputs, lengths, step.first, *family.arguments, *outputs)

    return run
