"""Curiosity: which slices of the grammar look off, so that a hypothesis on them is worth its part of the error rate."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pipeline.feedback.learning.evidence import Evidence, Key
from pipeline.feedback.learning.level_test import measure_level
from pipeline.prediction.traits import pair_traits
from pipeline.text_format import change, percent

FAMILIES = {"all": 0.4, "sector": 0.2, "ticker": 0.2, "trait": 0.2}
"""Hypotheses that share a false discovery rate -> their part of it."""
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


def family_of(scope: str) -> str:
    """The family that a slice's hypothesis belongs to."""
    return "trait" if scope == "pair" else scope


def propose(evidence: Evidence, taken: Collection[Key]) -> list[Proposal]:
    """Return what is to be registered: all tickers at each horizon always, of each other family the likeliest one.

    Args:
        evidence: the scores so far. Those that a proposal was found in never test it.
        taken: slices with a hypothesis at work, or left alone for a while.
    """
    always = [Proposal(("all", "all", horizon), "asked of every forecast") for horizon in evidence.by_horizon]
    found = [*always, *_likeliest(evidence, _screen_sectors(evidence), taken)]
    found += _likeliest(evidence, _screen_tickers(evidence), taken)
    if evidence.calendar.position(evidence.session) % RHYTHM == 0:
        found += _likeliest(evidence, _screen_traits(evidence), taken)
    return [one for one in found if one.key not in taken]


def _likeliest(evidence: Evidence, suspects: Iterator[_Suspect], taken: Collection[Key]) -> list[Proposal]:
    """The one of a family that chance explains least, if it hardly explains the furthest out of so many."""
    asked = evidence.params.hypotheses
    tested = [one for one in suspects if one.scored >= asked.screened and one.p < 1]
    left = [one for one in tested if one.key not in taken]
    if not left:
        return []
    best = min(left, key=lambda one: (one.p, one.key))
    chance = best.p * len(tested)
    return [Proposal(best.key, _describe(best, chance, len(tested)))] if chance <= asked.propose else []


def _describe(one: _Suspect, chance: float, among: int) -> str:
    return (
        f"over {one.scored} sessions before it erred by {change(one.mean, 3)} +- {percent(one.standard_error, 3)}, the "
        f"furthest out of {among} slices looked over (by chance with probability {chance:.2g})"
    )


def _screen_sectors(evidence: Evidence) -> Iterator[_Suspect]:
    for horizon, errors in evidence.by_horizon.items():
        for sector in sorted(set(errors.sectors)) if len(set(errors.sectors)) > 1 else ():
            yield from _weigh(evidence, ("sector", sector, horizon))


def _screen_tickers(evidence: Evidence) -> Iterator[_Suspect]:
    for horizon, errors in evidence.by_horizon.items():
        test = measure_level(*errors.beyond_sectors, errors.positions, horizon)
        for number, ticker in enumerate(errors.tickers):
            mean, error, p = (float(values[number]) for values in (test.mean, test.standard_error, test.p))
            yield _Suspect(("ticker", ticker, horizon), mean, error, p, int(test.sessions[number]))


def _screen_traits(evidence: Evidence) -> Iterator[_Suspect]:
    for horizon, errors in evidence.by_horizon.items():
        known = [*errors.traits, *(f"sector:{sector}" for sector in sorted(set(errors.sectors)))]
        for trait in errors.traits:
            yield from _weigh(evidence, ("trait", trait, horizon))
        for pair in pair_traits(known) if errors.traits else ():
            yield from _weigh(evidence, ("pair", pair, horizon))


def _weigh(evidence: Evidence, key: Key) -> Iterator[_Suspect]:
    found = evidence.weigh(key)
    if found is not None:
        yield _Suspect(key, found.mean, found.standard_error, found.p, found.scored)
