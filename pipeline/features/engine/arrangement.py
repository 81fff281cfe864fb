"""The order in which expressions are computed: each part once, all windows of one family over one input together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.features.engine.expressions import Expression, walk
from pipeline.features.engine.windows import extreme_windows, sorted_windows, weighted_windows, window_kernels


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
    Family(extreme_windows.find_extremes, ("highest", "highest_at"), (1.0,)),
    Family(extreme_windows.find_extremes, ("lowest", "lowest_at"), (-1.0,)),
    Family(window_kernels.rank_newest, ("rank",)),
    Family(window_kernels.correlate, ("correlation",)),
    Family(sorted_windows.find_quantiles, ("quantile",)),
    Family(weighted_windows.sum_where, ("total_where", "mean_where")),
    Family(weighted_windows.fit_slopes, ("beta",)),
    Family(weighted_windows.weigh_window, ("weighted_total",)),
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
    def operation(self) -> str:
        """That of its first member."""
        return self.members[0].operation

    @property
    def reach(self) -> int:
        """Rows before its own that it needs of its inputs."""
        return max(one.reach for one in self.members)

    @property
    def windows(self) -> list[int]:
        """The window lengths, in order."""
        return sorted({one.window for one in self.members})

    @property
    def shares(self) -> list[float]:
        """The shares that quantiles are asked for, in order; 0 for what is no quantile."""
        return sorted({one.number for one in self.members})


def arrange_steps(expressions: Sequence[Expression]) -> tuple[list[Step], int]:
    """The steps that compute some expressions, and how many rows they need before the first that is wanted."""
    steps = _collect(walk(expressions))
    warm_up = _place(steps)
    _find_releases(steps)
    return steps, warm_up


def _collect(expressions: Iterable[Expression]) -> list[Step]:
    """Each part once, inputs first; windows of one family over the same inputs in one step."""
    steps: dict[object, Step] = {}
    for one in expressions:
        family = FAMILY_OF.get(one.operation)
        key = one if family is None or one.weights else (family, one.inputs)
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
        step.releases = [one for one in dict.fromkeys((*step.inputs, *step.members)) if one not in done]
        done.update(step.releases)
