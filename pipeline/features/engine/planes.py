"""Which plane of a block's memory holds what, and when: worked out once, before any block is computed.

A plane that nothing needs any more is used again, so that what was just written is still near the processor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.features.engine.arrangement import FAMILY_OF, Step
from pipeline.features.engine.elementwise import OPERATIONS, Orders
from pipeline.features.engine.expressions import Expression


@dataclass
class Stretch:
    """Operations that are worked off together, and which planes are results then."""

    operations: list[tuple[int, ...]] = field(default_factory=list)
    results: list[tuple[int, int]] = field(default_factory=list)
    looked_back_on: set[Expression] = field(default_factory=set)
    ending: list[Expression] = field(default_factory=list)
    """What is needed until all of it is done: results, and what an operation reads of other sessions than its own."""

    @property
    def orders(self) -> Orders:
        """As `work_off` takes them."""
        return np.array(self.operations, dtype=np.int64).reshape(-1, 7)

    @property
    def kept(self) -> Orders:
        """As `keep_finite` takes them."""
        return np.array(self.results, dtype=np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class Windows:
    """A family's step: planes of its inputs, and the first plane and the number of planes of each output."""

    step: Step
    inputs: tuple[int, ...]
    outputs: tuple[tuple[int, int], ...]


class PlaneBook:
    """Gives planes away and takes them back."""

    def __init__(self) -> None:
        self.count = 0
        """Planes that are needed in all."""
        self._free: set[int] = set()

    def give(self, number: int = 1) -> int:
        """The first of some planes that lie side by side."""
        for plane in sorted(self._free):
            run = set(range(plane, plane + number))
            if {one for one in run if one < self.count} <= self._free:
                self._free -= run
                self.count = max(self.count, plane + number)
                return plane
        self.count += number
        return self.count - number

    def take_back(self, plane: int) -> None:
        """It is free."""
        self._free.add(plane)


class Plan:
    """What is done with which planes, in order: stretches and windows."""

    def __init__(self, steps: Sequence[Step], wanted: Mapping[Expression, int]) -> None:
        self.actions: list[Stretch | Windows] = [Stretch()]
        self.facts: dict[str, tuple[int, int]] = {}
        """Fact -> its plane, and the first row of it that is needed."""
        self.numbers: list[float] = []
        """The constants: number -1 is the first."""
        self._book = PlaneBook()
        self._places: dict[Expression, int] = {}
        self._wanted = wanted
        self._windowed = {part for step in steps if step.operation in FAMILY_OF for part in step.inputs}
        for step in (step for step in steps if step.operation == "fact"):  # they are there before anything is done
            one = step.members[0]
            self._places[one] = self._book.give()
            self.facts[one.text] = (self._places[one], step.first)
        for step in steps:
            self._add(step)
            self._release(step)
        self._end_stretch()

    @property
    def count(self) -> int:
        """Planes that are needed."""
        return self._book.count

    def _add(self, step: Step) -> None:
        one = step.members[0]
        if step.operation in FAMILY_OF:
            self._add_windows(step)
        elif step.operation == "constant":
            self._add_constant(one, step.first)
        elif step.operation != "fact":
            self._order(one, step.first, [self._places[part] for part in step.inputs], one.window)
        self._stretch.results += [(self._places[one], self._wanted[one]) for one in step.members if one in self._wanted]

    @property
    def _stretch(self) -> Stretch:
        last = self.actions[-1]
        if isinstance(last, Windows):
            self.actions.append(last := Stretch())
        return last

    def _add_constant(self, one: Expression, first: int) -> None:
        """A number is repeated over a plane only where a window or a result needs it."""
        self.numbers.append(one.number)
        self._places[one] = -len(self.numbers)
        if one in self._windowed or one in self._wanted:
            self._order(one, first, [self._places[one]], 0, "lag")

    def _order(self, one: Expression, first: int, inputs: Sequence[int], back: int, operation: str = "") -> None:
        self._places[one] = target = self._book.give()
        number = OPERATIONS[operation or one.operation]
        self._stretch.operations.append((number, target, first, back, *inputs, *[0] * (3 - len(inputs))))
        if back:
            self._stretch.looked_back_on.update(one.inputs)

    def _add_windows(self, step: Step) -> None:
        """Planes for every output of a family, by share and window; those that nobody asked for are free at once."""
        self._end_stretch()
        windows, shares = step.windows, step.shares
        count = len(shares) * len(windows)
        outputs = {name: self._book.give(count) for name in FAMILY_OF[step.operation].outputs}
        for one in step.members:
            place = shares.index(one.number) * len(windows) + windows.index(one.window)
            self._places[one] = outputs[one.operation] + place
        used = {self._places[one] for one in step.members}
        for plane in (first + place for first in outputs.values() for place in range(count)):
            if plane not in used:
                self._book.take_back(plane)
        inputs = tuple(self._places[part] for part in step.inputs)
        self.actions.append(Windows(step, inputs, tuple((first, count) for first in outputs.values())))

    def _release(self, step: Step) -> None:
        """Take back what nothing needs after a step, now or when its stretch is done."""
        for one in step.releases:
            if one in self._wanted or (isinstance(self.actions[-1], Stretch) and one in self._stretch.looked_back_on):
                self._stretch.ending.append(one)
            else:
                self._free(one)

    def _end_stretch(self) -> None:
        for one in self._stretch.ending:
            self._free(one)

    def _free(self, one: Expression) -> None:
        if self._places[one] >= 0:
            self._book.take_back(self._places[one])
