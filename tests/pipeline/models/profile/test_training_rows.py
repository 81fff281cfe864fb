"""How far rows lie from those that a model was trained on, and what its own months looked like."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from lake.tables.models import MODEL_REGISTRY
from pipeline.models.profile.registry_columns import find_profile, store_profile
from pipeline.models.profile.training_rows import (
    DISTANCE_LEVELS,
    LEVELS,
    MAX_DEVIATION,
    MEDIAN,
    STRETCH,
    TrainingProfile,
    describe_rows,
    measure_distance,
)

NAMES = ("calm", "skewed", "flag", "constant")
SESSIONS, TICKERS = 210, 30


def rows_of(seed: int = 0) -> np.ndarray:
    """Rows by session: a normal value, one with a long side, one that is seldom 1, and one that never changes."""
    random = np.random.default_rng(seed)
    shape = SESSIONS * TICKERS
    values = [
        random.normal(2.0, 0.5, shape),
        np.exp(random.normal(0, 1, shape)),
        (random.random(shape) < 0.1).astype(float),
        np.full(shape, 3.0),
    ]
    return np.column_stack(values)


def profile_of(rows: np.ndarray, warm_up: int = 0) -> TrainingProfile:
    session = np.repeat(np.arange(len(rows) // TICKERS), TICKERS)
    return describe_rows(list(rows.T), session, dict.fromkeys(NAMES, warm_up))


def test_a_deviation_is_that_of_a_normal_distribution_on_either_side() -> None:
    profile = profile_of(rows_of())
    low, middle, high = (profile.quantiles[:, LEVELS.index(level)] for level in (0.01, 0.5, 0.99))
    assert profile.deviations(middle[None])[0].tolist() == [0.0, 0.0, 0.0, 0.0]
    assert profile.deviations(high[None])[0, :3] == pytest.approx([2.326, 2.326, 2.326], abs=1e-3)
    assert profile.deviations(low[None])[0, :2] == pytest.approx([-2.326, -2.326], abs=1e-3)
    assert profile.quantiles[1, MEDIAN] - low[1] < high[1] - profile.quantiles[1, MEDIAN]


def test_what_never_changed_is_absurd_once_it_does_and_no_value_counts_for_more_than_that() -> None:
    profile = profile_of(rows_of())
    deviations = profile.deviations(np.array([[1e9, -1e9, -1.0, 3.001]]))
    assert deviations[0].tolist() == [MAX_DEVIATION, -MAX_DEVIATION, -MAX_DEVIATION, MAX_DEVIATION]
    assert measure_distance(deviations)[0] == MAX_DEVIATION


def test_strangeness_is_the_share_of_training_rows_that_lie_nearer() -> None:
    rows = rows_of()
    profile = profile_of(rows)
    distances = measure_distance(profile.deviations(rows))
    strangeness = profile.rank(distances)
    for share in (0.25, 0.5, 0.9, 0.99):
        assert (strangeness <= share).mean() == pytest.approx(share, abs=0.02)
    assert profile.rank(np.array([0.0, distances.max(), 100.0])).tolist() == [0.0, 1.0, 1.0]


def test_fresh_rows_of_the_same_kind_are_as_strange_as_those_of_training_and_others_are_stranger() -> None:
    profile = profile_of(rows_of())
    same = profile.rank(measure_distance(profile.deviations(rows_of(1))))
    assert same.mean() == pytest.approx(0.5, abs=0.02)
    moved = rows_of(1) + np.array([2.0, 0.0, 0.0, 0.0])
    assert profile.rank(measure_distance(profile.deviations(moved))).mean() > 0.9


def test_the_gap_of_a_stretch_is_that_of_its_rows_from_all_others() -> None:
    rows = rows_of()
    profile = profile_of(rows)
    whole = SESSIONS // STRETCH
    for at in range(3):
        gaps = []
        for stretch in range(whole):
            inside = np.zeros(len(rows), dtype=bool)
            inside[stretch * STRETCH * TICKERS : (stretch + 1) * STRETCH * TICKERS] = True
            edges = profile.quantiles[at]
            mine, others = ((rows[part, at][:, None] <= edges).mean(axis=0) for part in (inside, ~inside))
            gaps.append(np.abs(mine - others).max())
        assert profile.gap_mean[at] == pytest.approx(np.log(np.maximum(gaps, 1e-4)).mean(), rel=1e-9)
        assert profile.gap_deviation[at] == pytest.approx(np.log(np.maximum(gaps, 1e-4)).std(ddof=1), rel=1e-9)


def test_months_that_share_a_look_back_count_less() -> None:
    assert profile_of(rows_of(), warm_up=0).stretches[0] == SESSIONS / STRETCH
    assert profile_of(rows_of(), warm_up=85).stretches[0] == 2.0


def test_a_profile_is_kept_in_the_registry_and_found_again() -> None:
    profile = profile_of(rows_of())
    kept = {"model_id": ["m-20210301-00000000"], **{name: [value] for name, value in store_profile(profile).items()}}
    schema = {name: MODEL_REGISTRY.schema[name] for name in kept}
    found = find_profile(pl.DataFrame(kept, schema=schema), "m-20210301-00000000")
    assert found is not None
    assert found.features == profile.features
    for name in ("quantiles", "below", "distances", "gap_mean", "gap_deviation", "stretches"):
        assert np.array_equal(getattr(found, name), getattr(profile, name)), name
    assert len(found.distances) == len(DISTANCE_LEVELS)


def test_a_model_of_before_has_none_and_neither_has_nobody() -> None:
    columns = ("model_id", "profile", "distances")
    old = pl.DataFrame(
        {"model_id": ["m-1"], "profile": [None], "distances": [None]},
        schema={name: MODEL_REGISTRY.schema[name] for name in columns},
    )
    assert find_profile(old, "m-1") is None
    assert find_profile(old, None) is None


def test_a_history_of_a_single_month_has_no_usual_gap() -> None:
    rows = rows_of()[: STRETCH * TICKERS]
    profile = profile_of(rows)
    assert np.isnan(profile.gap_mean).all()
    assert np.isfinite(profile.distances).all()
