"""From a value to the facts it is made of, and from a fact to the values that are made of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from pipeline.features.panel import Flags, Ints
from pipeline.features.provenance.ground import Ground
from pipeline.features.provenance.parts import BAR_COLUMNS, NEWS_COLUMNS, Part, merge_parts

ACTIONS = ("split", "dividend")
Kind = Literal["bar", "action", "article", "member"]


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


class Values:
    """The values of features over a ground: which are known, and what they are made of.

    A value that is not known is made of nothing.
    """

    def __init__(self, ground: Ground, parts: Mapping[str, Sequence[Part]], known: Mapping[str, Flags]) -> None:
        """Take the ground, feature -> its parts, and feature -> [rows, tickers] whether its value is known."""
        self.ground, self.parts, self.known = ground, parts, known
        self._others: dict[str, Flags] = {}

    def trace(self, feature: str, at: int, ticker: int) -> Origins:
        """What the value of a feature at a row is made of."""
        rows, tickers = self.ground.bar.shape
        empty = np.zeros((rows, tickers), dtype=bool)
        found = Origins(
            {column: empty.copy() for column in BAR_COLUMNS},
            {kind: empty.copy() for kind in ACTIONS},
            {column: empty.copy() for column in NEWS_COLUMNS},
            empty.copy(),
        )
        for part in self.parts[feature] if self.known[feature][at, ticker] else ():
            found.members[at, ticker] |= part.of == "sector"
            whom = np.flatnonzero(self._list_concerned(part, at, ticker))
            if len(whom):
                self._mark(found, part, at, whom)
        return found

    def find(self, feature: str, facts: Sequence[PlacedFact]) -> Flags:
        """[rows, tickers] the values of a feature that are made of any of the facts."""
        found = np.zeros(self.ground.bar.shape, dtype=bool)
        for part in self.parts[feature]:
            found |= self._find(part, facts)
        return found & self.known[feature]

    def find_any(self, facts: Sequence[PlacedFact]) -> Flags:
        """[rows, tickers] where a value of any feature is made of any of the facts."""
        found = np.zeros(self.ground.bar.shape, dtype=bool)
        for part in merge_parts(part for parts in self.parts.values() for part in parts):
            found |= self._find(part, facts)
        known: Flags = np.logical_or.reduce(list(self.known.values()))
        return found & known

    def _find(self, part: Part, facts: Sequence[PlacedFact]) -> Flags:
        found, condition = np.zeros(self.ground.bar.shape, dtype=bool), self._condition(part)
        for fact in facts:
            concerned = self._spread(part, self._find_rows(part, fact), fact)
            # In which sector a ticker is counts for its own value whoever else is in it.
            found |= concerned if fact.kind == "member" and part.of == "sector" else concerned & condition
        return found

    def _mark(self, found: Origins, part: Part, at: int, whom: Ints) -> None:
        ground, rows, now = self.ground, self._rows[: at + 1, None], np.array(at)
        for column, marks in found.bars.items():
            marks[: at + 1, whom] |= part.uses_bar(ground, column, rows, now, whom)
        for kind, marks in found.actions.items():
            marks[: at + 1, whom] |= part.uses_action(ground, kind, rows, now, whom)
        for column, marks in found.articles.items():
            marks[: at + 1, whom] |= part.uses_article(column, rows, now)
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
        elif part.of == "market":
            found[:] = True
        else:
            found |= self._peers(part)[at]
        if part.of == "sector":
            found &= np.equal(self.ground.sector[at], self.ground.sector[at, ticker])
        return found

    def _find_rows(self, part: Part, fact: PlacedFact) -> Flags:
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

    def _uses(self, part: Part, kind: Kind, column: str, row: Ints, at: Ints, ticker: Ints) -> Flags:
        if kind == "bar":
            return part.uses_bar(self.ground, column, row, at, ticker)
        if kind == "action":
            return part.uses_action(self.ground, column, row, at, ticker)
        if kind == "article":
            return part.uses_article(column, row, at)
        return part.uses_member(self.ground, row, at, ticker)

    def _spread(self, part: Part, hit: Flags, fact: PlacedFact) -> Flags:
        """[rows, tickers] whose values are made of the ticker's facts at these rows."""
        ground, ticker = self.ground, fact.ticker
        if part.of == "ticker":
            found = np.zeros(ground.bar.shape, dtype=bool)
            found[:, ticker] = hit
            return found
        if part.of == "market":
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
