"""Walk-forward spans: train on the past, drop what could overlap, test on what follows.

Purge and embargo follow M. López de Prado, Advances in Financial Machine Learning (2018), chapter 7.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.models.params import ModelParams


@dataclass(frozen=True)
class SessionSpan:
    """Consecutive sessions by their position, both ends included."""

    first: int
    last: int

    def __len__(self) -> int:
        return max(self.last - self.first + 1, 0)


@dataclass(frozen=True)
class Fold:
    """A test block and everything a model may be trained on before it."""

    train: SessionSpan
    test: SessionSpan


def walk_forward(labelled: SessionSpan, params: ModelParams) -> list[Fold]:
    """Return the folds, earliest first: as many as leave each enough to train on, at most `params.folds`.

    A label of the last training session ends `purge` sessions later, at the latest `embargo` + 1 sessions before the
    test block starts. There is no fold where fewer than `min_sessions` sessions are labelled.
    """
    if len(labelled) < params.min_sessions:
        return []
    folds = []
    for number in range(params.folds):
        test_last = labelled.last - number * params.test_sessions
        test = SessionSpan(test_last - params.test_sessions + 1, test_last)
        train = SessionSpan(labelled.first, last_before(test.first, params))
        if len(train) < params.min_train_sessions:
            break
        folds.append(Fold(train, test))
    return folds[::-1]


def split_inner(train: SessionSpan, params: ModelParams) -> Fold:
    """Hold back the end of a training span as validation, purged and embargoed like a test block."""
    held = min(params.validation_sessions, len(train) // 4)
    first = train.last - held + 1
    return Fold(SessionSpan(train.first, last_before(first, params)), SessionSpan(first, train.last))


def last_before(first: int, params: ModelParams) -> int:
    """The last session whose label ends before `first`, less the embargo."""
    return first - 1 - params.purge - params.embargo
