"""The search: words first, then offspring of what scored well, until the budget is spent; each is tried once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random

import numpy as np

from pipeline.features.engine.expressions import Expression
from pipeline.research.proposing.grammar import MAX_SIZE, Sentence, change, combine, list_words, prune
from pipeline.research.proposing.rank_scores import (
    Floats,
    ForwardReturns,
    RankScore,
    correlate_beyond,
    correlate_ranks,
    largest_p,
    order_by_score,
    score_in_sample,
    score_out_of_sample,
)

Compute = Callable[[Sequence[Expression]], Floats]
"""Expressions -> [E, S, N] values, NaN where unknown."""
BATCH = 25
"""Proposals that are computed together, and registered before."""
PARENTS = 12
"""The best so far, which have offspring."""
FRESH = 0.5
"""Share of the budget that goes to words before anything has offspring."""


@dataclass(frozen=True, kw_only=True)
class TriedFactor:
    """A proposal and what came of it."""

    proposal: Sentence
    parents: tuple[str, ...]
    in_sample: RankScore
    out_of_sample: RankScore
    verdict: str
    """kept; repeats, where it says no more than kept ones; no better than chance; or unknown."""
    authored: bool = False
    """Whether an author wrote it, or what it comes from."""


Author = Callable[[Sequence[tuple[str, float]], Collection[str]], Sequence[Sentence]]
"""Of factors so far, each with its t in sample, and all sentences proposed -> further ones; none where it has none."""


@dataclass
class _Population:
    """What was proposed so far."""

    author: Author
    known_upto: int
    """Sessions of history that its author may have read about; what it wrote is judged by those after."""
    authored: set[str] = field(default_factory=set)
    """Its sentences, and those that come from them."""
    judged: list[TriedFactor] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    kept: list[tuple[Sentence, Floats]] = field(default_factory=list)


Announce = Callable[[Sequence[tuple[Sentence, tuple[str, ...]]]], None]
"""Told of proposals, with their parents, before they are tried."""


def no_author(_tried: Sequence[tuple[str, float]], _seen: Collection[str]) -> Sequence[Sentence]:
    """Nobody writes but the search itself."""
    return ()


def search(
    compute: Compute,
    outcomes: ForwardReturns,
    budget: int,
    seed: int,
    rate: float,
    before: int = 0,
    announce: Announce = lambda _: None,
    author: Author = no_author,
    known_upto: int = 0,
) -> Iterator[TriedFactor]:
    """Propose and judge factors, always the same ones for the same history and seed.

    Args:
        compute: gives the values of expressions.
        outcomes: what came of holding names.
        budget: proposals in all.
        seed: of the search.
        rate: chance of keeping any worthless factor at all, over all proposals ever made in the lake.
        before: proposals that were made in earlier searches; they count as tests.
        announce: told of proposals before they are tried.
        author: asked for sentences before the search makes its own; told nothing that is out of sample.
        known_upto: sessions of history that the author may have read about.
    """
    chance, all_of_them = Random(seed), _Population(author, known_upto)
    most = largest_p(rate, before + budget)
    while len(all_of_them.seen) < budget:
        room = min(BATCH, budget - len(all_of_them.seen))
        written = list(islice(_take_written(all_of_them), room))
        batch = [*written, *islice(_breed(all_of_them, budget, chance), room - len(written))]
        if not batch:
            return
        announce(batch)
        values = compute([proposal.express() for proposal, _ in batch])
        for (proposal, parents), found in zip(batch, values, strict=True):
            judged = _judge(proposal, parents, found.astype(np.float64), outcomes, most, all_of_them)
            all_of_them.judged.append(judged)
            yield judged


def _take_written(population: _Population) -> Iterator[tuple[Sentence, tuple[str, ...]]]:
    """What the author has to say now."""
    tried = [(one.proposal.text, one.in_sample.t) for one in population.judged]
    for sentence in population.author(tried, frozenset(population.seen)):
        if sentence.text not in population.seen:
            population.seen.add(sentence.text)
            population.authored.add(sentence.text)
            yield sentence, ()


def _breed(population: _Population, budget: int, chance: Random) -> Iterator[tuple[Sentence, tuple[str, ...]]]:
    """Proposals that were not made yet, with their parents."""
    for word in list_words():
        if len(population.seen) >= FRESH * budget:
            break
        if word.text not in population.seen:
            population.seen.add(word.text)
            yield word, ()
    order = order_by_score([one.in_sample for one in population.judged])[:PARENTS]
    best = [population.judged[at].proposal for at in order]
    for _ in range(100 * budget):
        if not best:
            return
        child, parents = _offspring(best, chance)
        if child.size <= MAX_SIZE and child.text not in population.seen:
            population.seen.add(child.text)
            yield child, parents


def _offspring(best: Sequence[Sentence], chance: Random) -> tuple[Sentence, tuple[str, ...]]:
    one = chance.choice(best)
    kind = chance.random()
    if kind < 0.25 and len(best) > 1:
        other = chance.choice([each for each in best if each is not one])
        return combine(one, other, chance), (one.text, other.text)
    if kind < 0.35:
        return prune(one, chance), (one.text,)
    return change(one, chance), (one.text,)


def _judge(
    proposal: Sentence,
    parents: tuple[str, ...],
    values: Floats,
    outcomes: ForwardReturns,
    most: float,
    population: _Population,
) -> TriedFactor:
    authored = proposal.text in population.authored or not population.authored.isdisjoint(parents)
    if authored:
        population.authored.add(proposal.text)
    unseen = population.known_upto if authored else 0
    ics = _leave_out(correlate_ranks(values, outcomes), outcomes, unseen)
    inside, outside = score_in_sample(ics, outcomes), score_out_of_sample(ics, outcomes)
    verdict = "no better than chance"
    if not np.isfinite(outside.t):
        verdict = "unknown"
    elif outside.p <= most:
        beyond = correlate_beyond(values, [there for _, there in population.kept], outcomes)
        beyond = _leave_out(beyond, outcomes, unseen)
        adds = not population.kept or score_out_of_sample(beyond, outcomes).p <= most
        verdict = "kept" if adds else "repeats"
    if verdict == "kept":
        population.kept.append((proposal, values))
    return TriedFactor(
        proposal=proposal,
        parents=parents,
        in_sample=inside,
        out_of_sample=outside,
        verdict=verdict,
        authored=authored,
    )


def _leave_out(ics: Floats, outcomes: ForwardReturns, known_upto: int) -> Floats:
    """The correlations of sessions in sample, and of those out of sample that nobody can have read about."""
    left = ics.copy()
    left[outcomes.out_of_sample.start : known_upto] = np.nan
    return left
