"""Scores that share moves count for less than their number, and independent ones for just that."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from lake.tables.feedback import SCALE_EDGES
from pipeline.feedback.calibration.effective_count import ScoredSessions, common_misses, count_units

Floats = npt.NDArray[np.float64]


def scored(sizes: Floats, horizon: int = 1) -> ScoredSessions:
    """[sessions, tickers] needed scales."""
    bins = np.searchsorted(np.array(SCALE_EDGES), np.abs(sizes), side="right")
    histograms = np.stack([np.bincount(row, minlength=len(SCALE_EDGES) + 1) for row in bins])
    return ScoredSessions(horizon, np.arange(len(sizes)), histograms)


def moves(sessions: int, tickers: int, common: float, seed: int = 0) -> Floats:
    random = np.random.default_rng(seed)
    shared = common * random.standard_normal((sessions, 1))
    return (shared + random.standard_normal((sessions, tickers))) / np.hypot(1, common) / 1.645


def test_one_tickers_sessions_count_as_so_many() -> None:
    assert count_units(scored(moves(40, 1, 0.0)), np.ones(40), 0.9) == pytest.approx(40)


def test_scores_that_weigh_less_count_less() -> None:
    weights = 0.5 ** (np.arange(200)[::-1] / 8.0)
    assert count_units(scored(moves(200, 1, 0.0)), weights, 0.9) == pytest.approx(2 * 8 / np.log(2), rel=0.01)


def test_outcomes_over_twenty_sessions_count_once_in_thirteen() -> None:
    daily = moves(419, 1, 0.0)
    sums = np.lib.stride_tricks.sliding_window_view(daily, 20, axis=0).sum(axis=-1) / np.sqrt(20)
    assert count_units(scored(sums, 20), np.ones(len(sums)), 0.9) == pytest.approx(400 * 3 / 40, rel=0.05)


def test_the_count_is_no_more_than_what_the_share_below_really_varies_by() -> None:
    """Over 400 markets the share of overlapping scores below 1 varies as that of so many independent ones, or less."""
    shares, units = [], []
    for seed in range(400):
        daily = moves(79, 12, 0.3, seed)
        found = scored(np.lib.stride_tricks.sliding_window_view(daily, 20, axis=0).sum(axis=-1) / np.sqrt(20), 20)
        shares.append(found.histograms[:, :37].sum() / found.histograms.sum())
        units.append(count_units(found, np.ones(60), 0.9))
    independent = 0.09 / np.var(shares)
    assert 0.5 * independent < np.mean(units) < 1.1 * independent


@pytest.mark.parametrize(("common", "low", "high"), [(0.0, 0.0, 0.02), (1.0, 0.12, 0.25), (10.0, 0.9, 1.0)])
def test_tickers_that_miss_together_are_told(common: float, low: float, high: float) -> None:
    assert low <= common_misses(scored(moves(1000, 20, common)), 0.9) <= high


def test_a_change_of_width_is_not_taken_for_common_moves() -> None:
    calm = moves(500, 20, 0.0)
    calm[250:] *= 3
    assert common_misses(scored(calm), 0.9) < 0.03


def test_nothing_scored_is_worth_nothing() -> None:
    empty = ScoredSessions(5, np.zeros(0, dtype=np.int64), np.zeros((0, len(SCALE_EDGES) + 1), dtype=np.int64))
    assert count_units(empty, np.zeros(0), 0.9) == 0.0
