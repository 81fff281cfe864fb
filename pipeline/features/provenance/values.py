"""From a value to the facts it is made of, and from a fact to the values that are made of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from pipeline.features.engine.expressions import Expression
from pipeline.features.engine.price_basis import TradedPrices
from pipeline.features.feature import Feature
from pipeline.features.panel import Flags, Ints
from pipeline.features.provenance.feature_uses import find_parts
from pipeline.features.provenance.formulas import read_formula
from pipeline.features.provenance.ground import Ground
from pipeline.features.provenance.joints import Joints
from pipeline.features.provenance.parts import BAR_COLUMNS, NEWS_COLUMNS, Part, merge_parts

ACTIONS = ("split", "dividend")
Kind = Literal["bar", "action", "article", "member", "within"]


class PlacedFact(NamedTuple):
    """Some columns of a fact of a ticker; of an action its kind."""

    kind: Kind
    columns: tuple[str, ...]
    row: int
    ticker: int
    first: int = 0
    """The first row that knew it."""
    end: int = sys.maxsize
    """The first that knew better."""


@dataclass(frozen=True)
class Origins:
    """The facts that some values are made of: what of them -> [rows, tickers] where."""

    bars: Mapping[str, Flags]
    actions: Mapping[str, Flags]
    articles: Mapping[str, Flags]
    members: Flags
    within: Flags
    """Bars within a session."""


class Values:
    """The values of features over a ground: which are known, and what they are made of.

    A value that is not known is made of nothing.
    """

    def __init__(
        self, ground: Ground, features: Sequence[Feature], known: Mapping[str, Flags], prices: TradedPrices
    ) -> None:
        """Take what is there.

        Args:
            ground: the facts.
            features: what is asked about.
            known: feature -> [rows, tickers] whether its value is known; also of features that others compare.
            prices: the facts of the ground that expressions are computed from.
        """
        self.ground, self.joints, self.known = ground, Joints(ground, prices), known
        self.features = {feature.name: feature for feature in features}
        self._others: dict[str, Flags] = {}

    def trace(self, features: Iterable[str], at: int, ticker: int) -> Origins:
        """What a ticker's values of some features at a row are made of."""
        rows, tickers = self.ground.bar.shape
        empty = np.zeros((rows, tickers), dtype=bool)
        found = Origins(
            {column: empty.copy() for column in BAR_COLUMNS},
            {kind: empty.copy() for kind in ACTIONS},
            {column: empty.copy() for column in NEWS_COLUMNS},
            empty.copy(),
            empty.copy(),
        )
        asked = [self.features[name] for name in features if self.known[name][at, ticker]]
        for feature in asked:
            if not isinstance(feature.kernel, Expression):
                self._trace_kernel(found, find_parts(feature), at, ticker)
        here = empty.copy()
        here[at, ticker] = True
        self._trace_expressions(found, [(one.kernel, here) for one in asked if isinstance(one.kernel, Expression)])
        return found

    def find(self, feature: str, facts: Sequence[PlacedFact]) -> Flags:
        """[rows, tickers] the values of a feature that are made of any of the facts."""
        return self.find_all([feature], facts)[feature]

    def find_all(self, features: Iterable[str], facts: Sequence[PlacedFact]) -> dict[str, Flags]:
        """The same of several features."""
        hits, member, held = _Hits(self, facts), self._find_member(facts), dict[Expression, Flags]()
        found = {}
        for name in features:
            kernel = self.features[name].kernel
            if not self.known[name].any():
                flags = self.known[name]
            elif isinstance(kernel, Expression):
                flags = self.joints.find(kernel, hits, member, held)
            else:
                flags = np.logical_or.reduce([self._find(part, facts) for part in find_parts(self.features[name])] or 0)
            found[name] = flags & self.known[name]
        return found

    def find_any(self, facts: Sequence[PlacedFact]) -> Flags:
        """[rows, tickers] where a value of any feature is made of any of the facts."""
        hits, member, held = _Hits(self, facts), self._find_member(facts), dict[Expression, Flags]()
        parts: list[Part] = []
        found = np.zeros(self.ground.bar.shape, dtype=bool)
        for feature in (one for one in self.features.values() if self.known[one.name].any()):
            if not isinstance(feature.kernel, Expression):
                parts += find_parts(feature)
            elif read_formula(feature.kernel).joints:
                found |= self.joints.find(feature.kernel, hits, member, held)
            else:
                parts += read_formula(feature.kernel).parts
        for part in merge_parts(parts):
            found |= self._find(part, facts)
        known: Flags = np.logical_or.reduce(list(self.known.values()))
        return found & known

    def find_rows(self, part: Part, fact: PlacedFact) -> Flags:
        """[rows] at which a value made of the ticker's facts is made of this one."""
        row, ticker = np.array(fact.row), np.array(fact.ticker)
        hit = np.zeros(len(self._rows), dtype=bool)
        later = self._rows[fact.row :]
        for column in fact.columns:
            hit[fact.row :] |= self._uses(part, fact.kind, column, row, later, ticker)
        if fact.kind == "member" and part.of in ("members", "sector"):
            hit[fact.row] = True
        hit[: fact.first] = False
        hit[fact.end :] = False
        return hit

    def _find_member(self, facts: Sequence[PlacedFact]) -> Flags:
        found = np.zeros(self.ground.bar.shape, dtype=bool)
        for fact in facts:
            found[fact.row, fact.ticker] |= fact.kind == "member"
        return found

    def _find(self, part: Part, facts: Sequence[PlacedFact]) -> Flags:
        found, condition = np.zeros(self.ground.bar.shape, dtype=bool), self._condition(part)
        for fact in facts:
            concerned = self._spread(part, self.find_rows(part, fact), fact)
            # In which sector a ticker is counts for its own value whoever else is in it.
            found |= concerned if fact.kind == "member" and part.of == "sector" else concerned & condition
        return found

    def _trace_kernel(self, found: Origins, parts: Iterable[Part], at: int, ticker: int) -> None:
        for part in parts:
            found.members[at, ticker] |= part.of == "sector"
            whom = np.flatnonzero(self._list_concerned(part, at, ticker))
            if len(whom):
                self._mark(found, part, at, whom)

    def _trace_expressions(self, found: Origins, wanted: Sequence[tuple[Expression, Flags]]) -> None:
        needs = self.joints.list_needs(wanted)
        np.logical_or(found.members, needs.members, out=found.members)
        for part, where in needs.parts.items():
            for at in np.flatnonzero(where.any(axis=1)).tolist():
                self._mark(found, part, at, np.flatnonzero(where[at]))

    def _mark(self, found: Origins, part: Part, at: int, whom: Ints) -> None:
        ground, rows, now = self.ground, self._rows[: at + 1, None], np.array(at)
        for column, marks in found.bars.items():
            marks[: at + 1, whom] |= part.uses_bar(ground, column, rows, now, whom)
        for kind, marks in found.actions.items():
            marks[: at + 1, whom] |= part.uses_action(ground, kind, rows, now, whom)
        for column, marks in found.articles.items():
            marks[: at + 1, whom] |= part.uses_article(column, rows, now)
        found.within[: at + 1, whom] |= part.uses_bars_within(rows, now)
        found.members[: at + 1, whom] |= part.uses_member(ground, rows, now, whom)
        if part.of in ("members", "sector"):
            found.members[at, whom] = True

    def _list_concerned(self, part: Part, at: int, ticker: int) -> Flags:
        """[tickers] whose facts it is made of."""
        found = np.zeros(len(self.ground.tickers), dtype=bool)
        if not self._condition(part)[at, ticker]:
            return found
        if part.of == "ticker":
            found[ticker] = True
        elif part.of in ("market", "everyone"):
            found[:] = True
        else:
            found |= self._peers(part)[at]
        if part.of == "sector":
            found &= np.equal(self.ground.sector[at], self.ground.sector[at, ticker])
        return found

    def _uses(self, part: Part, kind: Kind, column: str, row: Ints, at: Ints, ticker: Ints) -> Flags:
        if kind == "bar":
            return part.uses_bar(self.ground, column, row, at, ticker)
        if kind == "action":
            return part.uses_action(self.ground, column, row, at, ticker)
        if kind == "article":
            return part.uses_article(column, row, at)
        if kind == "within":
            return part.uses_bars_within(row, at)
        return part.uses_member(self.ground, row, at, ticker)

    def _spread(self, part: Part, hit: Flags, fact: PlacedFact) -> Flags:
        """[rows, tickers] whose values are made of the ticker's facts at these rows."""
        ground, ticker = self.ground, fact.ticker
        if part.of == "ticker":
            found = np.zeros(ground.bar.shape, dtype=bool)
            found[:, ticker] = hit
            return found
        if part.of in ("market", "everyone"):
            return np.repeat(hit[:, None], ground.bar.shape[1], axis=1)
        counted = hit & self._peers(part)[:, ticker]
        if part.of == "members":
            return np.repeat(counted[:, None], ground.bar.shape[1], axis=1)
        found = counted[:, None] & np.equal(ground.sector, ground.sector[:, ticker][:, None])
        if fact.kind == "member":
            found[:, ticker] |= hit
        return found

    def _peers(self, part: Part) -> Flags:
        """[rows, tickers] the members who have a value to compare."""
        peers: Flags = self.ground.member & self.known[part.compares]
        return peers

    def _condition(self, part: Part) -> Flags:
        """[rows, tickers] whether it counts."""
        if part.only == "news":
            return self.ground.scored
        if part.only == "others":
            if part.compares not in self._others:
                self._others[part.compares] = self._find_others(self._peers(part))
            return self._others[part.compares]
        return np.ones(self.ground.bar.shape, dtype=bool)

    def _find_others(self, peers: Flags) -> Flags:
        """[rows, tickers] whether somebody else of the sector has a value to compare."""
        found = np.zeros(peers.shape, dtype=bool)
        for sector in np.unique(self.ground.sector[self.ground.sector >= 0]):
            within = self.ground.sector == sector
            count = (peers & within).sum(axis=1)[:, None]
            found |= within & (count > peers)
        return found

    @cached_property
    def _rows(self) -> Ints:
        return np.arange(self.ground.bar.shape[0])


class _Hits:
    """Where a part of a ticker's own facts is made of any of some facts; each part is looked at once."""

    def __init__(self, values: Values, facts: Sequence[PlacedFact]) -> None:
        self._values, self._facts = values, facts
        self._found: dict[Part, Flags] = {}

    def __call__(self, part: Part) -> Flags:
        if part not in self._found:
            found = np.zeros(self._values.ground.bar.shape, dtype=bool)
            for fact in self._facts:
                if fact.kind != "member":
                    found[:, fact.ticker] |= self._values.find_rows(part, fact)
            self._found[part] = found
        return self._found[part]
