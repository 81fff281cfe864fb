"""Expressions evaluated on a block: each part once, windows of one input together, arrays used again when free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.features.engine import sorted_windows, weighted_windows, window_kernels
from pipeline.features.engine.elementwise import ARITHMETIC, keep_finite
from pipeline.features.engine.expressions import Expression, walk
from pipeline.features.engine.window_kernels import Block

Results = npt.NDArray[np.floating]


class Family(NamedTuple):
    """Statistics that one pass over the windows of an input gives together."""

    kernel: Callable[..., None]
    outputs: tuple[str, ...]
    """The operations, in the order in which the kernel takes their arrays."""
    arguments: tuple[float, ...] = ()


FAMILIES = (
    Family(window_kernels.sum_windows, ("total",)),
    Family(window_kernels.measure_moments, ("mean", "deviation")),
    Family(window_kernels.fit_lines, ("slope", "r_squared", "residual")),
    Family(window_kernels.find_extremes, ("highest", "highest_at"), (1.0,)),
    Family(window_kernels.find_extremes, ("lowest", "lowest_at"), (-1.0,)),
    Family(window_kernels.rank_newest, ("rank",)),
    Family(window_kernels.correlate, ("correlation",)),
    Family(sorted_windows.find_quantiles, ("quantile",)),
    Family(weighted_windows.sum_where, ("total_where", "mean_where")),
    Family(weighted_windows.fit_slopes, ("beta",)),
)
FAMILY_OF = {operation: family for family in FAMILIES for operation in family.outputs}


@dataclass
class Step:
    """What is computed in one go: a single expression, or all windows of one family over the same inputs."""

    members: list[Expression]
    inputs: tuple[Expression, ...]
    first: int = 0
    """The row from which on its values are needed."""
    releases: list[Expression] = field(default_factory=list)
    """What nothing needs after it."""

    @property
    def reach(self) -> int:
        """Rows before its own that it needs of its inputs."""
        return max(one.reach for one in self.members)

    @property
    def windows(self) -> list[int]:
        """The window lengths, in order."""
        return sorted({one.window for one in self.members})


class Program:
    """The steps that compute some expressions on blocks of facts."""

    def __init__(self, expressions: Sequence[Expression]) -> None:
        self.numbers = {one: number for number, one in enumerate(expressions)}
        """Expression -> its place among those asked for."""
        self.steps = _arrange(expressions)
        self.facts = tuple(one.text for step in self.steps for one in step.members if one.operation == "fact")
        self.warm_up = _place(self.steps)
        """Rows that a block needs before the first it computes; those before the first session are all unknown."""
        _find_releases(self.steps)
        self._idle: list[_Pool] = []
        """Pools of blocks that are done, one for each that was computed at a time: fresh memory is dear."""

    def evaluate(self, facts: Mapping[str, Block], out: Results) -> None:
        """Compute the expressions on a block.

        Args:
            facts: [rows, tickers] float64 in row order for each of `self.facts`, unknown values NaN, with `warm_up`
                rows before the first that is wanted.
            out: [expressions, rows - warm_up, tickers] float32 or float64; takes the values, NaN where unknown.
        """
        held: dict[Expression, Block] = {}
        pool = self._take_pool(next(iter(facts.values())).shape)
        for step in self.steps:
            with np.errstate(all="ignore"):  # what has no number is unknown, which is how it is stored
                held |= _compute(step, [held[one] for one in step.inputs], facts, pool)
            for one in step.members:
                if one in self.numbers:
                    keep_finite(held[one][self.warm_up :], out[self.numbers[one]])
            for one in step.releases:
                del held[one]
                pool.take_back(one)
        self._idle.append(pool)

    def _take_pool(self, shape: tuple[int, int]) -> _Pool:
        """A pool of the last blocks if theirs had this shape; those of another are let go."""
        try:
            pool = self._idle.pop()
        except IndexError:  # asking first would race with other threads
            return _Pool(shape)
        return pool if pool.shape == shape else _Pool(shape)


class _Pool:
    """Arrays of a block that are free again: what was just used is still near the processor."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._free: dict[tuple[int, ...], list[Block]] = defaultdict(list)
        self._owners: dict[Expression, _Owner] = {}

    def give(self, owners: Sequence[Expression], *leading: int) -> Block:
        """An array [*leading, rows, tickers] of any content; free again once all owners gave it back."""
        shape = (*leading, *self.shape)
        free = self._free[shape]
        array = free.pop() if free else np.empty(shape)
        owner = _Owner(array, len(owners))
        self._owners |= dict.fromkeys(owners, owner)
        return array

    def take_back(self, owner: Expression) -> None:
        """Let an expression's part of an array go; facts and constants have none."""
        owned = self._owners.pop(owner, None)
        if owned is None:
            return
        owned.users -= 1
        if owned.users == 0:
            self._free[owned.array.shape].append(owned.array)


@dataclass
class _Owner:
    array: Block
    users: int


def _compute(step: Step, inputs: list[Block], facts: Mapping[str, Block], pool: _Pool) -> dict[Expression, Block]:
    one = step.members[0]
    if one.operation == "fact":
        return {one: facts[one.text]}
    if one.operation == "constant":
        return {one: np.full(pool.shape, one.number)}
    if one.operation in FAMILY_OF:
        return _compute_windows(step, FAMILY_OF[one.operation], inputs, pool)
    out = pool.give([one])
    rows = slice(step.first, None)
    if one.operation == "lag":
        out[rows] = inputs[0][step.first - one.window : len(out) - one.window]
    elif one.operation == "weighted_total":
        weighted_windows.weigh_window(inputs[0], np.array(one.weights), step.first, out)
    else:
        ARITHMETIC[one.operation](*[array[rows] for array in inputs], out=out[rows])
    return {one: out}


def _compute_windows(step: Step, family: Family, inputs: list[Block], pool: _Pool) -> dict[Expression, Block]:
    """Every output of the family for every window asked of any of them."""
    windows = step.windows
    lengths = np.array(windows, dtype=np.int64)
    if family.kernel is sorted_windows.find_quantiles:
        shares = sorted({one.number for one in step.members})
        out = pool.give(step.members, len(shares), len(windows))
        family.kernel(*inputs, lengths, step.first, np.array(shares), out)
        return {one: out[shares.index(one.number), windows.index(one.window)] for one in step.members}
    asked = {name: [one for one in step.members if one.operation == name] for name in family.outputs}
    outputs = [pool.give(members, len(windows)) for members in asked.values()]
    family.kernel(*inputs, lengths, step.first, *family.arguments, *outputs)
    return {
        one: array[windows.index(one.window)]
        for array, members in zip(outputs, asked.values(), strict=True)
        for one in members
    }


def _arrange(expressions: Sequence[Expression]) -> list[Step]:
    """Each part once, inputs first; windows of one family over the same inputs in one step."""
    steps: dict[object, Step] = {}
    for one in walk(expressions):
        family = FAMILY_OF.get(one.operation)
        key = one if family is None else (family, one.inputs)
        steps.setdefault(key, Step([], one.inputs)).members.append(one)
    return list(steps.values())


def _place(steps: list[Step]) -> int:
    """Give each step the row it starts at; return the rows before the first that is wanted."""
    ahead: dict[Expression, int] = defaultdict(int)
    leads = []
    for step in reversed(steps):
        lead = max(ahead[one] for one in step.members)
        leads.append(lead)
        for one in step.inputs:
            ahead[one] = max(ahead[one], lead + step.reach)
    most = max(leads, default=0)
    for step, lead in zip(reversed(steps), leads, strict=True):
        step.first = most - lead
    return most


def _find_releases(steps: list[Step]) -> None:
    """Tell each step what nothing needs after it."""
    done: set[Expression] = set()
    for step in reversed(steps):
        step.releases = [one for one in {*step.inputs, *step.members} if one not in done]
        done.update(step.releases)
