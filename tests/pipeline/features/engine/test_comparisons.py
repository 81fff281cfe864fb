"""Comparisons of a session's members, windows that weigh, and the families of features that are made of them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features.catalogue import NAMED_SETS
from pipeline.features.engine import layers
from pipeline.features.engine.blocks import compute, compute_blocks
from pipeline.features.engine.cross_sections import Members
from pipeline.features.engine.expressions import (
    Expression,
    beta,
    cross_deviation,
    cross_mean,
    cross_rank,
    cross_residual,
    decayed_total,
    fact,
    if_known,
    lag,
    mean,
    mean_where,
    peer_mean,
    root,
    total,
    total_where,
    weighted_total,
    where,
)
from pipeline.features.engine.windows.window_kernels import Block
from pipeline.features.facts.reach import measure_reach
from tests.pipeline.features.engine import reference
from tests.pipeline.features.engine.histories import make_further_facts, make_members, make_ragged_history

CLOSE, VOLUME = fact("close"), fact("volume")
FAMILIES = {name: made for name, made in NAMED_SETS.items() if name not in ("alpha158", "residual_moves")}
"""Those that are expressions; alpha158 has tests of its own."""
KERNELS: dict[str, Expression] = {
    feature.name: feature.kernel  # type: ignore[misc]
    for features in FAMILIES.values()
    for feature in features
}
ALL = list(KERNELS.values())
PRIMITIVES = [
    beta(CLOSE, VOLUME, 20),
    total_where(VOLUME, CLOSE - lag(CLOSE, 1), 5),
    mean_where(CLOSE, VOLUME - 400_000, 10),
    weighted_total(CLOSE, (3, -2.5, 1e-3)),
    decayed_total(CLOSE, 2, 7),
    root(CLOSE - 95),
    where(VOLUME - 400_000, CLOSE, 1 / (CLOSE - CLOSE)),
    if_known(lag(CLOSE, 3), VOLUME),
    cross_rank(CLOSE),
    cross_rank(VOLUME, "sector"),
    cross_mean(CLOSE),
    cross_mean(CLOSE, "sector", VOLUME),
    peer_mean(CLOSE, "sector"),
    peer_mean(CLOSE, "market", VOLUME),
    cross_deviation(CLOSE, "sector"),
    cross_residual(CLOSE),
    cross_residual(CLOSE, [VOLUME], "sector"),
    cross_residual(CLOSE, [VOLUME, fact("open"), 2 * fact("open")], "market"),
    mean(cross_residual(lag(CLOSE, 1), [cross_rank(VOLUME)]), 5),
]
Facts = dict[str, Block]


@cache
def history(sessions: int = 200, tickers: int = 11) -> tuple[Facts, Members]:
    facts = make_ragged_history(sessions, tickers, 5) | make_further_facts(sessions, tickers)
    return facts, make_members(sessions, tickers)


@pytest.mark.parametrize("one", PRIMITIVES, ids=lambda one: one.text[:60])
def test_every_primitive_is_what_its_definition_gives(one: Expression) -> None:
    facts, members = history(40)
    found, wanted = (
        compute([one], facts, precision=np.float64, members=members)[0],
        reference.evaluate(one, facts, members),
    )
    assert np.array_equal(np.isnan(found), np.isnan(wanted))
    assert np.allclose(found, wanted, rtol=1e-9, atol=1e-9, equal_nan=True)
    assert np.isfinite(found).any()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_feature_of_the_families_is_what_its_formula_gives(family: str) -> None:
    facts, members = _calm_history()
    kernels = [KERNELS[feature.name] for feature in FAMILIES[family]]
    found = compute(kernels, facts, first=187, precision=np.float64, members=members)
    wanted = reference.evaluate_all(kernels, facts, members, first=187)
    for feature, here, there in zip(FAMILIES[family], found, wanted, strict=True):
        assert np.array_equal(np.isnan(here), np.isnan(there)), feature.name
        assert np.allclose(here, there, rtol=1e-8, atol=1e-10, equal_nan=True), feature.name
        assert np.isfinite(here).any(), feature.name


@cache
def _calm_history() -> tuple[Facts, Members]:
    """A history of few gaps, so that long windows are known for most."""
    facts, members = history(190, 8)
    holes = np.random.default_rng(3).random(facts["close"].shape) < 0.0005
    return {
        name: np.where(holes, np.nan, np.where(np.isfinite(values), values, np.nanmedian(values)))
        for name, values in facts.items()
    }, members


def test_no_cut_of_the_work_changes_a_bit_of_what_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    facts, members = history()
    every = [*PRIMITIVES, *ALL]
    whole = compute(every, facts, members=members)
    for cut in ({"rows": 7}, {"tickers": 2}, {"threads": 2, "rows": 16, "tickers": 4}):
        assert compute(every, facts, members=members, **cut).tobytes() == whole.tobytes(), cut
    last = {name: values[19:] for name, values in facts.items()}
    assert compute(every, last, first=180, members=members.cut(19))[:, 0].tobytes() == whole[:, 199].tobytes()
    monkeypatch.setattr(layers, "CELLS", 1)
    monkeypatch.setattr(layers, "MIN_SESSIONS", 40)
    parts = [values for _, values in compute_blocks(every, facts, members=members)]
    assert len(parts) == 5
    assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()


def test_who_is_no_member_moves_nobody_else_and_members_move_their_session_alone() -> None:
    facts, members = history()
    outside = members.counted.copy()
    outside[:, 4] = False
    members = Members(outside, members.sector)
    before = compute(ALL, facts, members=members)
    poisoned = {name: values.copy() for name, values in facts.items()}
    for values in poisoned.values():
        values[:, 4] *= 7
        values[190:] = np.nan
    after = compute(ALL, poisoned, members=members)
    others = [0, 1, 2, 3, *range(5, 11)]
    assert after[:, :190, others].tobytes() == before[:, :190, others].tobytes()


def test_every_feature_of_the_families_needs_its_warm_up_and_no_more() -> None:
    facts, members = _calm_history()
    for name, kernel in KERNELS.items():
        enough = {key: _clean(values)[: kernel.warm_up + 1] for key, values in facts.items()}
        among = Members(np.ones_like(members.counted), members.sector).cut(0, kernel.warm_up + 1)
        assert np.isfinite(compute([kernel], enough, members=among)[0, -1, :-1]).any(), name
        if kernel.warm_up:
            short = {key: values[1:] for key, values in enough.items()}
            assert np.isnan(compute([kernel], short, members=among.cut(1))[0]).all(), name


def _clean(values: Block) -> Block:
    return np.where(np.isfinite(values), values, 1.0)


def test_a_comparison_without_members_or_of_nobody_known_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cross_rank\(close, market\) and others compare tickers; tell the members"):
        compute([cross_rank(CLOSE)], {"close": np.ones((2, 2))})
    with pytest.raises(ValueError, match="within is 'country'; choose 'market' or 'sector'"):
        cross_rank(CLOSE, "country")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="half_life is 0"):
        decayed_total(CLOSE, 0, 5)
    with pytest.raises(ValueError, match="0 weights; choose 1 to 252"):
        weighted_total(CLOSE, ())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), unknown=st.floats(0, 0.5))
def test_a_residual_is_free_of_what_it_is_fitted_to_and_a_rank_of_the_size_of_its_values(
    seed: int, unknown: float
) -> None:
    random = np.random.default_rng(seed)
    shape = (1, 14)
    facts = {name: np.where(random.random(shape) < unknown, np.nan, random.normal(size=shape)) for name in ("x", "z")}
    members = Members(random.random(shape) < 0.8, random.integers(0, 3, shape))
    x, z = fact("x"), fact("z")
    left, placed, again = compute(
        [cross_residual(x, [z], "sector"), cross_rank(x), cross_rank(x * 1e9 + 5)],
        facts, precision=np.float64, members=members,
    )[:, 0]  # fmt: skip
    known = np.isfinite(left) & members.counted[0]
    assert np.isclose((left * np.nan_to_num(facts["z"][0]))[known].sum(), 0, atol=1e-9)
    for sector in range(3):
        assert np.isclose(left[known & (members.sector[0] == sector)].sum(), 0, atol=1e-9)
    assert (np.abs(placed[np.isfinite(placed)]) <= 1).all()
    assert np.array_equal(placed, again, equal_nan=True)


def test_what_is_read_follows_from_the_formula() -> None:
    news = decayed_total(fact("news_signal") * cross_residual(CLOSE), 5, 15)
    assert measure_reach((total(news, 20),)) == (33, -1, 33)
    assert measure_reach((mean(CLOSE, 60),)) == (-1, -1, -1)
    assert measure_reach((mean(lag(fact("first_half_hour"), 2), 3),)) == (-1, 4, -1)
