"""No label of a training row may reach into what it is tested on."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.folds import SessionSpan, split_inner, walk_forward
from pipeline.models.params import ModelParams

PARAMS = ModelParams()


@settings(deadline=None)
@given(
    first=st.integers(0, 5_000),
    length=st.integers(0, 1_300),
    horizon=st.integers(1, 60),
    embargo=st.integers(0, 20),
    folds=st.integers(1, 6),
    block=st.integers(1, 120),
)
def test_labels_end_before_the_test_block_starts_by_more_than_the_embargo(
    first: int, length: int, horizon: int, embargo: int, folds: int, block: int
) -> None:
    params = ModelParams(horizons=(1, horizon + 1), embargo=embargo, folds=folds, test_sessions=block)
    found = walk_forward(SessionSpan(first, first + length - 1), params)
    for fold in found:
        inner = split_inner(fold.train, params)
        assert fold.train.last + params.purge + embargo < fold.test.first
        assert inner.train.last + params.purge + embargo < inner.test.first
        assert inner.test.last == fold.train.last
        assert first <= fold.train.first and fold.test.last <= first + length - 1


def test_test_blocks_follow_each_other_to_the_end_of_history() -> None:
    folds = walk_forward(SessionSpan(100, 999), PARAMS)
    assert [(fold.test.first, fold.test.last) for fold in folds] == [(820, 879), (880, 939), (940, 999)]
    assert {fold.train.first for fold in folds} == {100}


def test_a_short_history_has_fewer_folds_and_too_short_a_one_none() -> None:
    assert len(walk_forward(SessionSpan(0, 299), PARAMS)) == 2
    assert len(walk_forward(SessionSpan(0, 249), PARAMS)) == 1
    assert walk_forward(SessionSpan(0, 248), PARAMS) == []
