"""Weights have to be earned, and what can't be told apart goes to the naive forecast."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from pipeline.models.ensemble import choose_weights, combine, grid_losses, locate, recentre, simplex, weigh_locations
from pipeline.models.members import list_members
from pipeline.models.members.member import Member, sort_members

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NORMAL = np.array([-1.645, -0.674, 0.0, 0.674, 1.645])


def chosen(members: dict[str, np.ndarray], outcome: np.ndarray, names: int = 20) -> dict[str, float]:
    session = np.arange(len(outcome)) // names
    grid = simplex(len(members), 0.1)
    losses = grid_losses(members, outcome, session, grid, QUANTILES)
    weights = choose_weights(losses, grid, sort_members(list_members()), (1,), 1.0)
    return dict(zip(sorted(members), weights[:, 0].tolist(), strict=True))


def test_the_grid_holds_every_combination_once() -> None:
    grid = simplex(3, 0.1)
    assert len(grid) == len(np.unique(grid, axis=0)) == 66
    assert np.allclose(grid.sum(axis=1), 1) and (grid >= 0).all()


def test_a_member_that_knows_gets_the_weight() -> None:
    random = np.random.default_rng(0)
    told = random.standard_normal((4_000, 1))
    outcome = 0.7 * told + 0.5**0.5 * random.standard_normal((4_000, 1))
    flat = np.broadcast_to(NORMAL, (4_000, 1, 5))
    knows = 0.7 * told[:, :, None] + 0.7 * flat
    weights = chosen({"lstm": knows, "naive": flat, "ridge": flat * 3}, outcome)
    assert weights["lstm"] >= 0.9 and weights["ridge"] == 0


def test_members_that_know_nothing_leave_it_to_the_naive_forecast() -> None:
    random = np.random.default_rng(1)
    outcome = random.standard_normal((2_000, 1))
    flat = np.broadcast_to(NORMAL, (2_000, 1, 5))
    noise = flat + 0.1 * random.standard_normal((2_000, 1, 1))
    assert chosen({"lstm": noise, "naive": flat, "ridge": flat + 0.0}, outcome)["naive"] == 1


def test_a_network_that_adds_nothing_to_the_line_gets_no_weight_and_the_line_keeps_its_amplitude() -> None:
    random = np.random.default_rng(2)
    told = random.standard_normal((4_000, 1))
    outcome = 0.2 * told + random.standard_normal((4_000, 1))
    flat = np.broadcast_to(NORMAL, (4_000, 1, 5))
    line = 0.2 * told[:, :, None] + flat
    network = line + 0.02 * random.standard_normal((4_000, 1, 1))
    weights = chosen({"lstm": network, "naive": flat, "ridge": line}, outcome)
    assert weights["lstm"] == 0 and weights["ridge"] >= 0.8


def test_combined_quantiles_are_the_weighted_mean_and_never_cross() -> None:
    members = {"naive": np.array([[[-1.0, 0.0, 1.0]]]), "ridge": np.array([[[1.0, 2.0, 2.0]]])}
    combined = combine(members, {"naive": np.array([0.25]), "ridge": np.array([0.75])})
    assert combined.tolist() == [[[0.5, 1.5, 1.75]]]


@pytest.mark.parametrize("share", [(0.5, 0.6), (1.5, -0.5)])
def test_weights_that_are_no_shares_are_refused(share: tuple[float, float]) -> None:
    members = {"naive": np.zeros((1, 1, 3)), "ridge": np.zeros((1, 1, 3))}
    with pytest.raises(ValueError, match="have to be shares that sum to 1"):
        combine(members, {"naive": np.array([share[0]]), "ridge": np.array([share[1]])})


def test_a_member_without_a_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="give one for each"):
        combine({"naive": np.zeros((1, 1, 3))}, {})


def located(line: np.ndarray, network: np.ndarray, target: np.ndarray) -> dict[str, float]:
    flat = np.broadcast_to(NORMAL, (len(target), 1, 5))
    members = {"lstm": flat + network[:, :, None], "naive": flat, "ridge": flat + line[:, :, None]}
    kinds = sort_members(list_members())
    weights = weigh_locations(members, target, np.arange(len(target)) // 20, kinds, (1,))
    return dict(zip(sorted(members), weights[:, 0].tolist(), strict=True))


def test_the_location_follows_a_network_as_far_as_it_is_confirmed() -> None:
    random = np.random.default_rng(4)
    line, more = 0.2 * random.standard_normal((2, 4_000, 1))
    target = line + more + random.standard_normal((4_000, 1))
    weights = located(line, line + more, target)
    assert 0.8 < weights["lstm"] <= 1 and weights["naive"] == 0
    assert sum(weights.values()) == pytest.approx(1)
    loud = located(line, line + 4 * more, target)
    assert 0.2 < loud["lstm"] < 0.3, "a network four times too loud is followed by a quarter"


def test_the_location_stays_on_the_line_where_a_network_adds_noise() -> None:
    random = np.random.default_rng(5)
    line = 0.2 * random.standard_normal((4_000, 1))
    target = line + random.standard_normal((4_000, 1))
    weights = located(line, line + 0.2 * random.standard_normal((4_000, 1)), target)
    assert weights["ridge"] > 0.9 and weights["naive"] == 0


def test_a_plugins_member_moves_the_location_whatever_its_name_and_kind() -> None:
    random = np.random.default_rng(6)
    told = random.standard_normal((4_000, 1))
    target = 0.5 * told + random.standard_normal((4_000, 1))
    flat = np.broadcast_to(NORMAL, (4_000, 1, 5))
    kinds = sort_members([*list_members(), cast(Member, SimpleNamespace(name="zeta", simple=True))])
    members = {kind.name: flat for kind in kinds} | {"zeta": flat + 0.5 * told[:, :, None]}
    weights = weigh_locations(members, target, np.arange(4_000) // 20, kinds, (1,))[:, 0]
    assert dict(zip(sorted(members), weights > 0.9, strict=True)) == {
        "lstm": False, "naive": False, "ridge": False, "zeta": True
    }  # fmt: skip


def test_before_any_fold_was_tested_the_location_is_the_lines() -> None:
    kinds = sort_members(list_members())
    nothing = {kind.name: np.empty((0, 2, 5)) for kind in kinds}
    weights = weigh_locations(nothing, np.empty((0, 2)), np.empty(0, dtype=np.int64), kinds, (1, 5))
    assert weights.tolist() == [[1.0, 1.0] if kind.name == "ridge" else [0.0, 0.0] for kind in kinds]


def test_medians_and_widths_are_weighed_apart() -> None:
    members = {"naive": np.array([[[-3.0, 0.0, 3.0]]]), "ridge": np.array([[[1.0, 2.0, 3.0]]])}
    width, location = {"naive": np.ones(1), "ridge": np.zeros(1)}, {"naive": np.zeros(1), "ridge": np.ones(1)}
    assert combine(members, width, location).tolist() == [[[-1.0, 2.0, 5.0]]]
    assert locate(members, location).tolist() == [[2.0]]
    moved = recentre(members, np.array([[10.0]]))
    assert moved["naive"].tolist() == [[[7.0, 10.0, 13.0]]] and moved["ridge"].tolist() == [[[9.0, 10.0, 11.0]]]
