"""Curiosity: which slices of the grammar look off, so that a hypothesis on them is worth its part of the error rate."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.feedback.learning.evidence import Evidence, Key
from pipeline.feedback.learning.level_test import LevelTest
from pipeline.feedback.learning.mean_test import MeanOfShared, measure_mean
from pipeline.feedback.learning.questions import find_question, tell_mean
from pipeline.feedback.learning.slices import row_means
from pipeline.market.sessions import Sessions
from pipeline.prediction.traits import OF_SESSIONS, kind_of, pair_traits

Floats = NDArray[np.float64]

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


def _likeliest(evidence: Evidence, suspects: Iterator[_Suspect], taken: Collection[Key]) -> list[Proposal]:
    """The one of a family that chance explains least, if it hardly explains the furthest out of so many."""
    asked = evidence.params.hypotheses
    tested = [one for one in suspects if one.scored >= asked.screened and one.p < 1]
    left = [one for one in tested if one.key not in taken]
    if not left:
        return []
    best = min(left, key=lambda one: (one.p, one.key))
    chance = best.p * len(tested)
    return (
        [Proposal(best.key, _describe(evidence.question.kind, best, chance, len(tested)))]
        if chance <= asked.propose
        else []
    )


def _describe(kind: str, one: _Suspect, chance: float, among: int) -> str:
    return (
        f"over {one.scored} sessions before: {tell_mean(kind, one.mean, one.standard_error)}, the furthest out of"
        f" {among} slices looked over (by chance with probability {chance:.2g})"
    )


def _screen(evidence: Evidence, scopes: Collection[str]) -> Iterator[_Suspect]:
    """Every slice of these scopes, at every horizon."""
    for horizon, errors in evidence.by_horizon.items():
        if "all" in scopes:
            yield from _weigh(evidence, ("all", "all", horizon))
        if "sector" in scopes and len(set(errors.sectors)) > 1:
            for sector in sorted(set(errors.sectors)):
                yield from _weigh(evidence, ("sector", sector, horizon))
        if "ticker" in scopes:
            yield from _each_ticker(evidence, horizon, *errors.beyond_sectors, str)
        if "trait" in scopes:
            for trait in errors.traits:
                yield from _weigh(evidence, ("trait", trait, horizon))
        if "pair" in scopes:
            yield from _pairs(evidence, horizon)
        if "ticker pair" in scopes:
            yield from _ticker_pairs(evidence, horizon)


def _pairs(evidence: Evidence, horizon: int) -> Iterator[_Suspect]:
    errors = evidence.by_horizon[horizon]
    known = [*errors.traits, *(f"sector:{sector}" for sector in sorted(set(errors.sectors)))]
    for pair in pair_traits(known) if errors.traits else ():
        yield from _weigh(evidence, ("pair", pair, horizon))


def _ticker_pairs(evidence: Evidence, horizon: int) -> Iterator[_Suspect]:
    """Each ticker's forecasts with each trait, all tickers at once: beyond their sectors, or what is usual for them."""
    errors = evidence.by_horizon[horizon]
    own = errors.beyond_sectors[0]
    usual = row_means(own.T, errors.present.T)[None, :]
    for trait, mask in errors.traits.items():
        errors_there = np.where(mask, own - (usual if kind_of(trait) in OF_SESSIONS else 0.0), np.nan)
        yield from _each_ticker(evidence, horizon, errors_there, None, partial(_pair_with, trait))


def _pair_with(trait: str, ticker: str) -> str:
    return pair_traits([trait, f"ticker:{ticker}"])[0]


def _each_ticker(
    evidence: Evidence, horizon: int, values: Floats, outcomes: Floats | None, name: Callable[[str], str]
) -> Iterator[_Suspect]:
    errors = evidence.by_horizon[horizon]
    scope = "ticker" if outcomes is not None else "pair"
    if outcomes is not None:
        test: LevelTest | MeanOfShared = evidence.test(values, outcomes, errors.positions, horizon, scope)
    else:  # a trait seldom comes in neighbouring sessions, from whose differences the level test learns
        test = measure_mean(values, errors.positions, horizon, evidence.question.overlap_power)
    for number, ticker in enumerate(errors.tickers):
        mean, error, p = (float(found[number]) for found in (test.mean, test.standard_error, test.p))
        yield _Suspect((scope, name(ticker), horizon), mean, error, p, int(test.sessions[number]))


def _weigh(evidence: Evidence, key: Key) -> Iterator[_Suspect]:
    found, question = evidence.weigh(key), evidence.question
    if found is None:
        return
    large = question.is_large(found.mean, found.series.raw, found.series.sigma, evidence.params.hypotheses)
    if question.kind == "bias" or large:
        yield _Suspect(key, found.mean, found.standard_error, found.p, found.scored)
