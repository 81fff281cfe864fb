"""Curiosity: which slices of the grammar look off, so that a hypothesis on them is worth its part of the error rate."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.feedback.learning.evidence import Evidence, Key
from pipeline.feedback.learning.grid import Floats, row_means
from pipeline.feedback.learning.level_test import LevelTest
from pipeline.feedback.learning.mean_test import MeanOfShared, measure_mean
from pipeline.feedback.learning.questions import find_question, tell_mean
from pipeline.market.sessions import Sessions
from pipeline.prediction.traits import OF_SESSIONS, kind_of, pair_traits

FAMILIES = {
    "all": 0.36,
    "sector": 0.16,
    "ticker": 0.16,
    "trait": 0.12,
    "ticker pair": 0.04,
    "width": 0.08,
    "exclusion": 0.04,
    "weight": 0.04,
}
"""Hypotheses that share a false discovery rate -> their part of it: on bias by scope, the others by kind."""
RHYTHM = 5
"""Sessions between two looks over all traits and pairs."""


@dataclass(frozen=True)
class Proposal:
    """A slice worth a hypothesis, and why."""

    key: Key
    reason: str


@dataclass(frozen=True)
class _Suspect:
    key: Key
    mean: float
    standard_error: float
    p: float
    scored: int


@dataclass(frozen=True)
class _LookedOver:
    """Slices of one scope at one horizon that were looked over together; arrays [slices]."""

    scope: str
    horizon: int
    name: Callable[[int], str]
    """Number -> slice."""
    mean: Floats
    standard_error: Floats
    p: Floats
    scored: NDArray[np.int64]
    tested: NDArray[np.bool_]
    """Which are tested at all: scored often enough and, but for a bias, off by more than is left alone."""

    def list_likely(self, among: int, most: float) -> Iterator[_Suspect]:
        """Those that chance brings up among so many by this probability at most."""
        for number in np.flatnonzero(self.tested & (self.p * among <= most)).tolist():
            yield _Suspect(
                (self.scope, self.name(number), self.horizon),
                float(self.mean[number]),
                float(self.standard_error[number]),
                float(self.p[number]),
                int(self.scored[number]),
            )


def family_of(kind: str, scope: str, name: str) -> str:
    """The family that a hypothesis belongs to."""
    if kind != "bias":
        return find_question(kind).family
    return ("ticker pair" if "ticker:" in name else "trait") if scope == "pair" else scope


def propose(evidence: Evidence, taken: Collection[Key]) -> list[Proposal]:
    """Return what is to be registered: whether all tickers err, always; of each family else the likeliest slice.

    Args:
        evidence: the scores so far, as one question has it. Those that a proposal was found in never test it.
        taken: slices with a hypothesis of this kind at work, or left alone for a while.
    """
    if evidence.question.kind != "bias":
        return _likeliest(evidence, _screen(evidence, evidence.question.scopes), taken) if _is_due(evidence) else []
    always = [Proposal(("all", "all", horizon), "asked of every forecast") for horizon in evidence.by_horizon]
    found = [one for one in always if one.key not in taken]
    for scopes in (("sector",), ("ticker",), *((("trait", "pair"), ("ticker pair",)) if _is_due(evidence) else ())):
        found += _likeliest(evidence, _screen(evidence, scopes), taken)
    return found


def is_rhythm(session: date, calendar: Sessions) -> bool:
    """Whether all traits and pairs are looked over at a session, and what is asked beside bias."""
    return calendar.position(session) % RHYTHM == 0


def _is_due(evidence: Evidence) -> bool:
    return is_rhythm(evidence.session, evidence.calendar)


def _likeliest(evidence: Evidence, looked_over: Iterable[_LookedOver], taken: Collection[Key]) -> list[Proposal]:
    """The one of a family that chance explains least, if it hardly explains the furthest out of so many."""
    all_of_them = list(looked_over)
    tested = sum(int(one.tested.sum()) for one in all_of_them)
    likely = (one for some in all_of_them for one in some.list_likely(tested, evidence.params.hypotheses.propose))
    left = [one for one in likely if one.key not in taken]
    if not left:
        return []
    best = min(left, key=lambda one: (one.p, one.key))
    return [Proposal(best.key, _describe(evidence.question.kind, best, best.p * tested, tested))]


def _describe(kind: str, one: _Suspect, chance: float, among: int) -> str:
    return (
        f"over {one.scored} sessions before: {tell_mean(kind, one.mean, one.standard_error)}, the furthest out of"
        f" {among} slices looked over (by chance with probability {chance:.2g})"
    )


def _screen(evidence: Evidence, scopes: Collection[str]) -> Iterator[_LookedOver]:
    """Every slice of these scopes, at every horizon."""
    for horizon, errors in evidence.by_horizon.items():
        sectors = sorted(set(errors.grid.sectors))
        if "all" in scopes:
            yield _look_over(evidence, horizon, "all", ["all"])
        if "sector" in scopes and len(sectors) > 1:
            yield _look_over(evidence, horizon, "sector", sectors)
        if "ticker" in scopes:
            yield _each_ticker(evidence, horizon)
        if "trait" in scopes:
            yield _look_over(evidence, horizon, "trait", errors.grid.traits)
        if "pair" in scopes and errors.grid.traits:
            known = [*errors.grid.traits, *(f"sector:{sector}" for sector in sectors)]
            yield _look_over(evidence, horizon, "pair", pair_traits(known))
        if "ticker pair" in scopes:
            yield from _ticker_pairs(evidence, horizon)


def _look_over(evidence: Evidence, horizon: int, scope: str, names: list[str]) -> _LookedOver:
    """Slices by their names."""
    found, asked = evidence.test_slices(horizon, scope, names), evidence.params.hypotheses
    tested = (found.scored >= asked.screened) & (found.p < 1)
    if evidence.question.kind != "bias":
        for number in np.flatnonzero(tested):
            mean = float(found.mean[number])
            raw = evidence.find_raw(horizon, scope, names[number]) if evidence.question.kind == "width" else np.nan
            tested[number] = evidence.question.is_large(mean, raw, np.nan, asked)
    return _LookedOver(
        scope, horizon, names.__getitem__, found.mean, found.standard_error, found.p, found.scored, tested
    )


def _each_ticker(evidence: Evidence, horizon: int) -> _LookedOver:
    """Each ticker, beyond its sector."""
    tickers = evidence.by_horizon[horizon].grid.tickers
    return _of_tickers(evidence, horizon, "ticker", tickers.__getitem__, evidence.test_tickers(horizon))


def _ticker_pairs(evidence: Evidence, horizon: int) -> Iterator[_LookedOver]:
    """Each ticker's forecasts with each trait, all tickers at once: beyond their sectors, or what is usual for them."""
    errors, power = evidence.by_horizon[horizon], evidence.question.overlap_power
    grid, own = errors.grid, errors.error_means.beyond_sectors
    beyond_usual = own - row_means(own.T, errors.present.known.T)[None, :]
    for trait in grid.traits:
        there = np.where(grid.having(trait), beyond_usual if kind_of(trait) in OF_SESSIONS else own, np.nan)
        # A trait seldom comes in neighbouring sessions, from whose differences the level test learns.
        test = measure_mean(there, grid.positions, horizon, power)
        yield _of_tickers(evidence, horizon, "pair", partial(_name_pair, trait, grid.tickers), test)


def _name_pair(trait: str, tickers: Sequence[str], number: int) -> str:
    return pair_traits([trait, f"ticker:{tickers[number]}"])[0]


def _of_tickers(
    evidence: Evidence, horizon: int, scope: str, name: Callable[[int], str], test: LevelTest | MeanOfShared
) -> _LookedOver:
    tested = (test.sessions >= evidence.params.hypotheses.screened) & (test.p < 1)
    return _LookedOver(scope, horizon, name, test.mean, test.standard_error, test.p, test.sessions, tested)
