"""Inputs that matter only together stand out of hundreds of pairs, and whole sessions are the observations."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.models.members.screening import score_pairs

NAMES = 30


def rows(sessions: int, inputs: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    random = np.random.default_rng(3)
    session = np.repeat(np.arange(sessions), NAMES)
    return random.standard_normal((len(session), inputs)).astype(np.float32), session, random


def test_two_inputs_that_matter_only_together_stand_out_of_all_pairs() -> None:
    inputs, session, random = rows(300, 20)
    left = 0.15 * inputs[:, [4]] * inputs[:, [11]] + random.standard_normal((len(inputs), 1))
    scores = score_pairs(inputs, left, session, (1,))
    assert np.array_equal(scores, scores.T)
    assert sorted(divmod(int(scores.argmax()), 20)) == [4, 11]
    others = scores.copy()
    others[4, 11] = others[11, 4] = 0
    assert scores[4, 11] > 8 and others.max() < 5


def test_a_move_that_all_names_share_says_nothing_of_an_input() -> None:
    inputs, session, random = rows(300, 6)
    shared = np.repeat(random.standard_normal((300, 1)), NAMES, axis=0)
    scores = score_pairs(inputs, 5 * shared + random.standard_normal((len(inputs), 1)), session, (1,))
    assert scores.max() < 5


def test_labels_that_overlap_are_one_observation_and_too_few_of_them_decide_nothing() -> None:
    inputs, session, random = rows(120, 8)
    inputs[:, 0] = np.repeat(random.standard_normal(120 // 20 * NAMES).reshape(-1, NAMES), 20, axis=0).ravel()
    slow = np.repeat(random.standard_normal(120 // 20 * NAMES).reshape(-1, NAMES), 20, axis=0).reshape(-1, 1)
    quick = random.standard_normal((len(inputs), 1))
    both = score_pairs(inputs, np.hstack([quick, slow]), session, (1, 20))
    assert np.array_equal(both, score_pairs(inputs, quick, session, (1,))), "six spans of 20 sessions are too few"


@pytest.mark.filterwarnings("error")
def test_an_input_that_never_varies_scores_nothing() -> None:
    inputs, session, random = rows(100, 4)
    inputs[:, 2] = 7.0
    scores = score_pairs(inputs, random.standard_normal((len(inputs), 1)), session, (1,))
    assert not scores[2].any() and np.isfinite(scores).all()
