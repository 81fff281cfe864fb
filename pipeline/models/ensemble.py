"""How the members are combined: quantiles averaged with weights that earned their place out of sample.

Averaging quantiles (Vincent 1912) keeps the shape of the members' distributions; a weighted mean of probabilities would
be wider than each. Weights come from a grid on the simplex, per horizon, by the pinball loss on sessions that no member
was fitted on. Among weights within a standard error of the best, those with the least of the network are taken: what
the data can't tell apart is decided for the simpler forecast (one-standard-error rule, Breiman et al. 1984). Between
naive and ridge the loss alone decides, because the line has been shrunk to what it earned already: giving it up by
another standard error would halve every stated return.

Location and width are judged apart. Where a forecast lies is a weighted mean of the members' medians: the line's, moved
towards each member that is not simple by the share of the difference that outcomes out of sample confirm, shrunk
continuously (`evaluation.estimate_trust`). The weights from the grid then decide the width around it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from pipeline.models.dataset import session_means
from pipeline.models.evaluation import estimate_trust, newey_west_error, pinball
from pipeline.models.members.member import Floats, Member
from pipeline.models.members.naive import NAIVE

SAME_LOSS = 1e-9
"""Losses (in units of sigma) that are nearer than this differ by rounding."""
DIGITS = 4
"""Of a share of location: more would tell nothing, and nobody could read them."""
SAME_SHARE = 1e-9
"""So do sums of shares."""


def combine(
    members: Mapping[str, Floats], weights: Mapping[str, Floats], location: Mapping[str, Floats] | None = None
) -> Floats:
    """Average the members' quantiles.

    Args:
        members: name -> [n, H, Q], each without crossings.
        weights: name -> [H] shares that sum to 1 over the members.
        location: the same for the medians, where they are weighted apart; else the weights count for them too.

    Returns:
        [n, H, Q] float64, never decreasing along the quantiles.

    Raises:
        ValueError: if members and weights do not name the same, or the shares are no shares.
    """
    if set(members) != set(weights):
        raise ValueError(f"members are {sorted(members)}, weights are for {sorted(weights)}; give one for each")
    names = sorted(members)
    shares = np.array([weights[name] for name in names], dtype=np.float64)
    if (shares < 0).any() or not np.allclose(shares.sum(axis=0), 1.0, atol=1e-9):
        raise ValueError(f"weights of {names} are {shares.tolist()}; they have to be shares that sum to 1")
    total = np.zeros_like(members[names[0]], dtype=np.float64)
    for name, share in zip(names, shares, strict=True):
        total += share[None, :, None] * members[name]
    if location is not None:
        total += (locate(members, location) - total[:, :, total.shape[2] // 2])[:, :, None]
    # A convex sum of rising values can fall by a rounding error; a contract that forbids crossings does not care why.
    return np.maximum.accumulate(total, axis=2)


def locate(members: Mapping[str, Floats], location: Mapping[str, Floats]) -> Floats:
    """The weighted mean of the members' medians, [n, H], added up in the order of their names."""
    middle = next(iter(members.values())).shape[2] // 2
    total = np.zeros(next(iter(members.values())).shape[:2])
    for name in sorted(members):
        total += location[name][None] * members[name][:, :, middle]
    return total


def weigh_locations(
    members: Mapping[str, Floats],
    target: Floats,
    session: npt.NDArray[np.int64],
    kinds: Sequence[Member],
    horizons: Sequence[int],
) -> Floats:
    """Weights of the members' medians, [members, H] in the order of their names, from forecasts out of sample.

    It starts at the line, which has been shrunk to what it earned, or at the naive forecast where there is no line;
    each other member, the simple ones first, moves it by the confirmed share of their difference. Nothing is moved
    where there are no forecasts yet.

    Args:
        members: name -> [n, H, Q] forecasts of rows that no member was fitted on.
        target: [n, H] what the medians are to forecast, in the same unit.
        session: [n] positions, never decreasing.
        kinds: the members, by name.
        horizons: sessions ahead, the overlap of the targets.
    """
    middle = next(iter(members.values())).shape[2] // 2
    names = [kind.name for kind in kinds]
    start = "ridge" if "ridge" in names else NAIVE.name
    weights = np.zeros((len(names), len(horizons)))
    weights[names.index(start)] = 1.0
    here = members[start][:, :, middle]
    others = (kind for kind in kinds if kind.name not in (start, NAIVE.name))
    for kind in sorted(others, key=lambda one: not one.simple):
        step = members[kind.name][:, :, middle] - here
        share = estimate_trust(step, target - here, session, horizons) if len(step) else np.zeros(len(horizons))
        share = share.round(DIGITS)
        weights *= 1 - share
        weights[names.index(kind.name)] += share
        here = here + share * step
    return weights


def recentre(members: Mapping[str, Floats], location: Floats) -> dict[str, Floats]:
    """The members' quantiles moved to one location [n, H]: what is left to tell them apart is their width."""
    middle = next(iter(members.values())).shape[2] // 2
    return {name: fan + (location - fan[:, :, middle])[:, :, None] for name, fan in members.items()}


def simplex(members: int, step: float) -> Floats:
    """All weights on a grid that sum to 1: [combinations, members], in lexical order."""
    parts = round(1 / step)
    grid = [share for share in product(range(parts + 1), repeat=members) if sum(share) == parts]
    return np.array(grid, dtype=np.float64) / parts


def grid_losses(
    members: Mapping[str, Floats],
    outcome: Floats,
    session: npt.NDArray[np.int64],
    grid: Floats,
    quantiles: Sequence[float],
) -> Floats:
    """Mean pinball loss of every combination in every session: [combinations, sessions, H].

    `members` are [n, H, Q] and `outcome` [n, H] in units of sigma x sqrt(h), sorted by session; the grid's columns
    belong to the members in the order of their names.
    """
    ordered = [members[name] for name in sorted(members)]
    losses = []
    for shares in grid:
        total = _weighted_sum(ordered, shares)
        losses.append(session_means(pinball(outcome, total, quantiles), session))
    return np.array(losses)


def _weighted_sum(members: Sequence[Floats], shares: Floats) -> Floats:
    total = np.zeros_like(members[0])
    for share, quantile in zip(shares, members, strict=True):
        if share > 0:
            total += share * quantile
    return total


def choose_weights(
    losses: Floats, grid: Floats, members: Sequence[Member], horizons: Sequence[int], preference: float
) -> Floats:
    """Return the weights per horizon: [members, H].

    Args:
        losses: [combinations, sessions, H] from `grid_losses`, all folds in time order.
        grid: [combinations, members], its columns in the order of the members' names.
        members: by name, one of them the naive one.
        horizons: sessions ahead, the overlap of the losses.
        preference: standard errors of mean loss given up for a smaller share of the members that are not simple.
    """
    chosen = []
    for number, horizon in enumerate(horizons):
        at = losses[:, :, number]
        allowed = _within_error(at, horizon - 1, preference)
        chosen.append(grid[_simplest(allowed, grid, members, at.mean(axis=1))])
    return np.array(chosen).T


def _within_error(losses: Floats, lag: int, preference: float) -> list[int]:
    """The combinations whose loss is within its error of the best: losses [combinations, sessions]."""
    mean = losses.mean(axis=1)
    best = int(np.argmin(mean))
    return [c for c in range(len(mean)) if mean[c] - mean[best] <= preference * _error(losses[c] - losses[best], lag)]


def _simplest(allowed: Sequence[int], grid: Floats, members: Sequence[Member], mean: Floats) -> int:
    """The least of what is not simple, then the lowest loss; of equal losses (a line of no trust) the most naive."""
    bold = grid[:, [not member.simple for member in members]].sum(axis=1)
    naive = grid[:, [member.name for member in members].index(NAIVE.name)]
    least = min(bold[c] for c in allowed)
    left = [c for c in allowed if bold[c] <= least + SAME_SHARE]
    lowest = min(mean[c] for c in left)
    return max((c for c in left if mean[c] <= lowest + SAME_LOSS), key=lambda c: (naive[c], -c))


def _error(series: Floats, lag: int) -> float:
    error = newey_west_error(series, lag)
    return error if np.isfinite(error) else 0.0
