"""The search finds what is planted, keeps nothing where nothing is, and proposes the same again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random

import numpy as np
import pytest

from pipeline.features.facts.made_up import try_expression
from pipeline.research.proposing.grammar import MAX_SIZE, Sentence, change, combine, list_words, prune
from pipeline.research.proposing.parse_sentence import parse_sentence
from pipeline.research.proposing.rank_scores import (
    ForwardReturns,
    correlate_beyond,
    correlate_ranks,
    largest_p,
    measure_error,
    score_out_of_sample,
)
from pipeline.research.proposing.search import Author, TriedFactor, search
from tests.frames.factor_market import PLANTED, make_market

SESSIONS, NAMES = 500, 30


def run(seed: int, budget: int, strength: float, rate: float = 0.05) -> list[TriedFactor]:
    history = make_market(SESSIONS, NAMES, seed, strength)
    return list(search(history.compute, history.outcomes, budget, seed, rate))


def test_each_planted_factor_is_kept_or_said_by_what_is_kept() -> None:
    judged = {one.proposal.text: one.verdict for one in run(3, 150, 0.2)}
    assert [judged[one.text] in ("kept", "repeats") for one in PLANTED] == [True] * 3
    assert sum(verdict == "kept" for verdict in judged.values()) >= 3


def test_where_nothing_is_planted_nothing_is_kept() -> None:
    verdicts = [one.verdict for seed in (1, 2) for one in run(seed, 40, 0.0)]
    assert set(verdicts) == {"no better than chance", "unknown"}


def test_the_same_search_proposes_and_judges_the_same() -> None:
    first, again = run(5, 30, 0.1), run(5, 30, 0.1)
    assert repr(first) == repr(again)
    assert len({one.proposal.text for one in first}) == 30, "each is proposed once"
    assert [one.proposal for one in run(6, 30, 0.1)][15:] != [one.proposal for one in first][15:]


def test_proposals_are_announced_before_any_of_them_is_computed() -> None:
    history, told, computed = make_market(300, 12, 1), [], []

    def compute(expressions: list[object]) -> object:
        computed.append(len(expressions))
        assert sum(told) == sum(computed)
        return history.compute(expressions)  # type: ignore[arg-type]

    list(search(compute, history.outcomes, 30, 1, 0.05, announce=lambda batch: told.append(len(batch))))  # type: ignore[arg-type]
    assert sum(told) == 30


def test_what_decides_offspring_is_not_what_judges_them() -> None:
    """Whatever the sessions out of sample bring, the same is proposed."""
    history = make_market(SESSIONS, NAMES, 4, 0.1)
    returns = history.outcomes.returns.copy()
    returns[history.outcomes.out_of_sample] = np.random.default_rng(0).standard_normal(
        returns[history.outcomes.out_of_sample].shape
    )
    other = ForwardReturns(horizon=5, returns=returns, member=history.outcomes.member)
    proposed = [[one.proposal for one in search(history.compute, o, 40, 1, 0.05)] for o in (history.outcomes, other)]
    assert proposed[0] == proposed[1]
    assert history.outcomes.in_sample.stop + 5 <= history.outcomes.out_of_sample.start, (
        "outcomes of the search end before it"
    )


def written(told: list[object], *sentences: Sentence) -> Author:
    """An author that says its sentences at once, and remembers what it was told."""

    def author(tried: Sequence[tuple[str, float]], seen: Collection[str]) -> Sequence[Sentence]:
        told.append((tuple(tried), seen))
        return sentences if len(told) == 1 else ()

    return author


def test_an_author_comes_first_and_is_told_what_is_in_sample_alone() -> None:
    history = make_market(SESSIONS, NAMES, 4, 0.1)
    returns = history.outcomes.returns.copy()
    returns[history.outcomes.out_of_sample] = 0.01 * np.arange(returns.shape[1])
    other = ForwardReturns(horizon=5, returns=returns, member=history.outcomes.member)
    both: list[list[object]] = [[], []]
    for outcomes, told in zip((history.outcomes, other), both, strict=True):
        judged = list(search(history.compute, outcomes, 60, 1, 0.05, author=written(told, PLANTED[0])))
        assert judged[0].proposal == PLANTED[0] and judged[0].authored and len(judged) == 60
    assert repr(both[0]) == repr(both[1]) and len(both[0]) == 3


GOOD = parse_sentence("sum(over_average(5), range(20))")


def test_what_an_author_may_have_read_about_does_not_judge_its_sentences_or_what_comes_from_them() -> None:
    history = make_market(SESSIONS, NAMES, 3, 0.2)
    for known_upto, verdicts in ((0, {"kept"}), (SESSIONS, {"unknown"})):
        author = written([], GOOD)
        found = list(search(history.compute, history.outcomes, 120, 1, 0.05, author=author, known_upto=known_upto))
        assert {one.verdict for one in found if one.proposal == GOOD} == verdicts
        family = {GOOD.text}
        for one in found:
            assert one.authored == (one.proposal == GOOD or not family.isdisjoint(one.parents))
            family |= {one.proposal.text} if one.authored else set()
            assert not (one.authored and known_upto and one.out_of_sample.sessions)
            assert one.authored or one.out_of_sample.sessions > 0 or one.verdict == "unknown"
        assert len(family) > 1, "it has offspring"


def test_every_proposal_ever_made_counts() -> None:
    assert largest_p(0.05, 200) == 0.05 / 200
    history = make_market(SESSIONS, NAMES, 3, 0.2)
    few, many = ([one.verdict for one in search(history.compute, history.outcomes, 40, 1, 0.05, n)] for n in (0, 10**9))
    assert few.count("kept") > many.count("kept")


def test_a_factor_that_says_what_another_says_leaves_nothing_beyond_it() -> None:
    history = make_market(SESSIONS, NAMES, 3, 0.2)
    planted, noise = history.compute([PLANTED[0].express(), Sentence("range", 3).express()]).astype(np.float64)
    same = planted + 1e-3 * np.random.default_rng(1).standard_normal(planted.shape)
    alone = score_out_of_sample(correlate_ranks(same, history.outcomes), history.outcomes)
    beyond = score_out_of_sample(correlate_beyond(same, [planted], history.outcomes), history.outcomes)
    assert alone.t > 4
    assert beyond.sessions > 150
    assert abs(beyond.t) < 3
    beside = score_out_of_sample(correlate_beyond(planted, [noise], history.outcomes), history.outcomes)
    assert beside.t > 4


@pytest.mark.parametrize("overlap", [1, 5, 20])
def test_the_error_of_a_mean_knows_what_neighbours_share(overlap: int) -> None:
    """Of sums over so many sessions that follow each other session by session, against what many such means vary by."""
    chance = np.random.default_rng(3)
    moves = chance.standard_normal((2_000, 400 + overlap - 1))
    sums = np.lib.stride_tricks.sliding_window_view(moves, overlap, axis=1).sum(axis=2)
    errors = np.array([measure_error(one, overlap) for one in sums[:300]])
    assert float(np.sqrt((errors**2).mean())) == pytest.approx(float(sums.mean(axis=1).std()), rel=0.06)


@pytest.mark.parametrize("seed", range(5))
def test_offspring_are_sentences_that_have_values(seed: int) -> None:
    chance, words = Random(seed), list(list_words())
    assert len({one.text for one in words}) == len(words)
    for _ in range(20):
        one = change(chance.choice(words), chance)
        both = combine(one, chance.choice(words), chance)
        assert prune(both, chance) in both.parts
        if both.size <= MAX_SIZE:
            assert np.isfinite(try_expression(both.express())).any(), both.text
        assert eval_free(both) == both


def eval_free(one: Sentence) -> Sentence:
    """The sentence made again from what its parts say, as a plugin does."""
    return Sentence(word=one.word, window=one.window, parts=tuple(eval_free(part) for part in one.parts))
