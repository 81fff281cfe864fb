"""Expressions followed through their joints, where other tickers come in or a condition: down to facts, and up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.features.engine.expressions import COMPARISONS, Expression, walk
from pipeline.features.engine.price_basis import TradedPrices, compute_in_basis
from pipeline.features.panel import Flags, Floats
from pipeline.features.provenance.formulas import Formula, list_counted, read_formula
from pipeline.features.provenance.ground import Ground
from pipeline.features.provenance.parts import Part

OWN = frozenset({"cross_rank", "cross_residual"})
"""Comparisons whose value has the ticker's own in it, be it a member or not."""
Hits = Callable[[Part], Flags]
"""Tells of a ticker's own facts at which [rows, tickers] a value made of them is made of the fact asked about."""


class Needs(NamedTuple):
    """What some values are made of, short of the ticker's own facts: each [rows, tickers]."""

    parts: dict[Part, Flags]
    """Facts of the ticker -> where a value made of them is needed."""
    members: Flags
    """Who was asked whether it is a member, or of which sector it is."""


class Joints:
    """Expressions over a ground, with the values that decide what counts."""

    def __init__(self, ground: Ground, prices: TradedPrices) -> None:
        """Take the ground, and facts of the same sessions and tickers to compute with."""
        self.ground, self.prices = ground, prices
        self._values: dict[Expression, Floats] = {}

    # ---- from values down to facts

    def list_needs(self, wanted: Iterable[tuple[Expression, Flags]]) -> Needs:
        """What some values of some expressions are made of, each [rows, tickers] where they are asked about."""
        wanted = list(wanted)
        needs = Needs({}, np.zeros(self.ground.bar.shape, dtype=bool))
        waiting: dict[Expression, Flags] = {}
        for expression, where in wanted:
            self._push(read_formula(expression), where, needs, waiting)
        for one in reversed(list(walk(expression for expression, _ in wanted))):
            if one in waiting:
                for part, where in self._demand(one, waiting.pop(one), needs):
                    self._push(read_formula(part), where, needs, waiting)
        return needs

    def _push(self, formula: Formula, where: Flags, needs: Needs, waiting: dict[Expression, Flags]) -> None:
        for part in formula.parts:
            needs.parts[part] = needs.parts.get(part, _nowhere(where)) | where
        for one, back in formula.joints.items():
            waiting[one] = waiting.get(one, _nowhere(where)) | _shift(where, [-by for by in back])

    def _demand(self, one: Expression, where: Flags, needs: Needs) -> list[tuple[Expression, Flags]]:
        """Where a joint's inputs are needed for its values."""
        if one.operation in COMPARISONS:
            concerned = self._find_compared(one, where)
            np.logical_or(needs.members, concerned | where, out=needs.members)
            return [(part, concerned | where if one.operation in OWN else concerned) for part in one.inputs]
        if one.operation in ("total_where", "mean_where"):
            where = _shift(where, [-back for back in list_counted(one)])
        return [(part, where & counts) for part, counts in zip(one.inputs, self._weigh(one), strict=True)]

    def _find_compared(self, one: Expression, where: Flags) -> Flags:
        """The members' values that the values of a comparison are made of."""
        found = _nowhere(where)
        counted = self._find_counted(one)
        for group in self._list_groups(one):
            asked = where & group
            number = asked.sum(axis=1)[:, None]
            reached = number > (asked if one.operation == "peer_mean" else 0)
            found |= reached & counted & (group if not self._reaches_all(one) else True)
        return found

    # ---- from a fact up to values

    def find(self, expression: Expression, hits: Hits, member: Flags, held: dict[Expression, Flags]) -> Flags:
        """[rows, tickers] where the values of an expression are made of a fact.

        Args:
            expression: any.
            hits: of the ticker's own facts.
            member: where it is the fact itself that a ticker is a member.
            held: what is found of joints, for the next expression.
        """
        formula = read_formula(expression)
        found = _nowhere(member)
        for part in formula.parts:
            found |= hits(part)
        for one, back in formula.joints.items():
            if one not in held:
                held[one] = self._find_joint(one, hits, member, held)
            found |= _shift(held[one], back)
        return found

    def _find_joint(self, one: Expression, hits: Hits, member: Flags, held: dict[Expression, Flags]) -> Flags:
        inputs = [self.find(part, hits, member, held) for part in one.inputs]
        if one.operation in COMPARISONS:
            return self._find_comparison(one, inputs, member)
        found = _nowhere(member)
        for part, counts in zip(inputs, self._weigh(one), strict=True):
            found |= part & counts
        return _shift(found, list_counted(one)) if one.operation in ("total_where", "mean_where") else found

    def _find_comparison(self, one: Expression, inputs: Sequence[Flags], member: Flags) -> Flags:
        own: Flags = np.logical_or.reduce(inputs)
        source = (own | member) & self._find_counted(one)
        found = own.copy() if one.operation in OWN else _nowhere(own)
        if one.within == "sector":
            found |= member
        for group in self._list_groups(one):
            among = source if self._reaches_all(one) else source & group
            reached = among.sum(axis=1)[:, None] > (among if one.operation == "peer_mean" else 0)
            found |= reached & group
        return found

    # ---- what decides

    def _weigh(self, one: Expression) -> list[Flags]:
        """Of each input of a joint: where it can change the value, whatever the others do."""
        everywhere = np.ones(self.ground.bar.shape, dtype=bool)
        if one.operation == "*":
            return [self._compute(part) != 0 for part in reversed(one.inputs)]
        if one.operation == "/":
            return [everywhere, self._compute(one.inputs[0]) != 0]
        if one.operation == "where":
            met = self._compute(one.inputs[0]) > 0
            return [everywhere, met, ~met]
        if one.operation == "if_known":
            known = np.isfinite(self._compute(one.inputs[0]))
            return [known, ~known]
        return [self._compute(one.inputs[1]) > 0, everywhere]

    def _find_counted(self, one: Expression) -> Flags:
        """The members that have all values compared."""
        counted: Flags = self.ground.member.copy()
        for part in one.inputs:
            counted &= np.isfinite(self._compute(part))
        return counted

    def _list_groups(self, one: Expression) -> list[Flags]:
        if one.within == "market":
            return [np.ones(self.ground.bar.shape, dtype=bool)]
        return [self.ground.sector == number for number in np.unique(self.ground.sector[self.ground.sector >= 0])]

    def _reaches_all(self, one: Expression) -> bool:
        """Whether a fit to other values ties all members together, whatever their group."""
        return one.operation == "cross_residual" and len(one.inputs) > 1

    def _compute(self, one: Expression) -> Floats:
        """[rows, tickers] the values of an expression; NaN in the row after the last session."""
        if one not in self._values:
            values = np.full(self.ground.bar.shape, one.number if one.operation == "constant" else np.nan)
            if one.operation != "constant" and one.warm_up < len(values) - 1:
                values[one.warm_up : -1] = compute_in_basis([one], self.prices, one.warm_up)[0]
            self._values[one] = values
        return self._values[one]


def _shift(flags: Flags, sessions: Iterable[int]) -> Flags:
    """The flags so many rows later; earlier where negative."""
    found, rows = _nowhere(flags), len(flags)
    for by in sessions:
        if 0 <= by < rows:
            found[by:] |= flags[: rows - by]
        elif -rows < by < 0:
            found[:by] |= flags[-by:]
    return found


def _nowhere(flags: Flags) -> Flags:
    return np.zeros(flags.shape, dtype=bool)
