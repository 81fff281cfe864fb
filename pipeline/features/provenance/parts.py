"""Which bars, actions and articles are used at which sessions: the uses of a feature, laid on the ground."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from pipeline.features.panel import Flags, Ints
from pipeline.features.provenance.ground import Ground
from pipeline.features.provenance.uses import Basis, Condition, Use, Whose

MAX_BACK = 512
"""More sessions than anything looks back on."""
_NONE: Flags = np.zeros(MAX_BACK, dtype=bool)
BAR_COLUMNS = ("open", "high", "low", "close", "volume")
NEWS_COLUMNS = ("score", "strength", "article_id")


@dataclass(frozen=True, eq=False)
class Part:
    """What a value is made of that belongs to the same tickers.

    The methods take rows and columns of the ground that are broadcast together, and return flags of that shape.
    """

    of: Whose
    compares: str
    only: Condition
    back: Mapping[tuple[Basis, str], Flags]
    """Basis and column -> [MAX_BACK] whether so many sessions back are used."""
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """`grown` and `shares` -> at which sessions back an action counts: from the first to before the second."""

    def uses_bar(self, ground: Ground, column: str, row: Ints, at: Ints, ticker: Ints) -> Flags:
        """Whether the value at row `at` is made of this column of the bar at `row`."""
        own = self._holds("traded", column, at - row) | self._holds("shares", column, at - row)
        linked = self._holds("grown", column, at - row)
        if column == "close":
            linked = linked | self._stands_in(ground, row, at, ticker)
            linked = linked | (self._counts_action("grown", at - row) & ground.paid[row, ticker])
        within = (row >= ground.start[at, ticker]) & (row <= at)
        found = own | (linked & within) | self._uses_growth(ground, column, row, at, ticker)
        return found & ground.bar[row, ticker]

    def uses_action(self, ground: Ground, kind: str, row: Ints, at: Ints, ticker: Ints) -> Flags:
        """Whether it is made of a split or dividend that counts at `row`."""
        found = self._counts_action("grown", at - row) & (row > ground.start[at, ticker])
        if kind == "split":
            found = found | self._counts_action("shares", at - row)
        return found | (self._holds("growth", "close", at - row) & self._has_growth(ground, row, ticker))

    def uses_article(self, column: str, row: Ints, at: Ints) -> Flags:
        """Whether it is made of this column of an article of the session at `row`."""
        return self._holds("news", column, at - row)

    def uses_bars_within(self, row: Ints, at: Ints) -> Flags:
        """Whether it is made of the bars within the session at `row`."""
        return self._holds("within", "ts", at - row)

    def uses_member(self, ground: Ground, row: Ints, at: Ints, ticker: Ints) -> Flags:
        """Whether it is made of the ticker's being a member at `row`; of whom it is compared with apart."""
        if self.of == "everyone":
            reach: Flags = np.logical_or.reduce(list(self.back.values()))
            used: Flags = reach[np.clip(at - row, 0, MAX_BACK - 1)] & (at >= row)
            return used
        if self.of != "market":
            return np.zeros(np.broadcast(row, at, ticker).shape, dtype=bool)
        return self._holds("growth", "close", at - row) & self._has_growth(ground, row, ticker)

    def _uses_growth(self, ground: Ground, column: str, row: Ints, at: Ints, ticker: Ints) -> Flags:
        """The session's own return, and that of the next bar, which starts from this one's close."""
        found = self._holds("growth", column, at - row) & self._has_growth(ground, row, ticker)
        if column == "close":
            later = ground.following[row, ticker]
            found = found | (self._holds("growth", "close", at - later) & self._has_growth(ground, later, ticker))
        return found

    def _has_growth(self, ground: Ground, row: Ints, ticker: Ints) -> Flags:
        counted = ground.known[row, ticker]
        return counted & ground.member[row, ticker] if self.of == "market" else counted

    def _stands_in(self, ground: Ground, row: Ints, at: Ints, ticker: Ints) -> Flags:
        """Whether a session used after the row has no bar, so that the close at the row stands for its prices."""
        found = np.zeros(np.broadcast(row, at, ticker).shape, dtype=bool)
        first, last = at - ground.following[row, ticker] + 1, at - row - 1
        for (basis, _), back in self.back.items():
            if basis == "grown":
                upto = np.concatenate([[0], np.cumsum(back)])
                low, high = np.clip(first, 0, MAX_BACK), np.clip(last + 1, 0, MAX_BACK)
                found |= (upto[high] > upto[low]) & (high > low)
        return found

    def _holds(self, basis: Basis, column: str, back: Ints) -> Flags:
        flags = self.back.get((basis, column))
        if flags is None:
            return np.zeros(np.shape(back), dtype=bool)
        return flags[np.clip(back, 0, MAX_BACK - 1)] & (back >= 0)

    def _counts_action(self, basis: str, back: Ints) -> Flags:
        first, end = self.spans.get(basis, (0, 0))
        return (back >= first) & (back < end)


def make_parts(uses: Iterable[Use]) -> tuple[Part, ...]:
    """Bring together what belongs to the same tickers under the same condition."""
    groups: dict[tuple[Whose, str, Condition], list[Use]] = {}
    for use in uses:
        groups.setdefault((use.of, use.compares, use.only), []).append(use)
    return tuple(_make_part(*who, members) for who, members in groups.items())


def merge_parts(parts: Iterable[Part]) -> list[Part]:
    """One part for all that belong to the same tickers under the same condition."""
    merged: dict[tuple[Whose, str, Condition], Part] = {}
    for part in parts:
        who = part.of, part.compares, part.only
        merged[who] = _merge(merged[who], part) if who in merged else part
    return list(merged.values())


def _merge(one: Part, other: Part) -> Part:
    back = {key: one.back.get(key, _NONE) | other.back.get(key, _NONE) for key in (*one.back, *other.back)}
    spans = {
        basis: (min(each[0] for each in told), max(each[1] for each in told))
        for basis in {*one.spans, *other.spans}
        if (told := [part.spans[basis] for part in (one, other) if basis in part.spans])
    }
    return Part(one.of, one.compares, one.only, back, spans)


def _make_part(of: Whose, compares: str, only: Condition, uses: list[Use]) -> Part:
    back: dict[tuple[Basis, str], Flags] = {}
    for use in uses:
        for column in use.columns:
            flags = back.setdefault((use.basis, column), np.zeros(MAX_BACK, dtype=bool))
            flags[list(use.back)] = True
    spans = {}
    for basis in ("grown", "shares"):
        told = [use for use in uses if use.basis == basis and use.back]
        if told:
            first = 0 if any(use.anchored for use in told) else min(min(use.back) for use in told)
            spans[basis] = (first, max(max(use.back) for use in told))
    return Part(of, compares, only, back, spans)
