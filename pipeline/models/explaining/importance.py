"""What matters overall: how much worse a member's locations become when an input's values are shuffled.

Permutation importance (Breiman, Random Forests, Machine Learning (2001)) on the test blocks of the folds, which are
purged of what members were fitted on. Values change places within a session, whole windows of them, so that common
moves of the market stay where they are. What counts is the location's squared error against the market-relative return.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from pipeline.models.dataset import Examples, Index, session_means
from pipeline.models.evaluation import newey_west_error
from pipeline.models.members.member import Arrays, Fitted, Floats, Member
from pipeline.models.members.naive import NAIVE

MAX_WINDOWS = 1_000
"""Windows of a block that are looked at, whole sessions of it: a training spends a second on it."""
DIGITS = 6


def measure_rises(
    examples: Examples, rows: Index, members: Sequence[Member], fitted: Mapping[str, Fitted], seed: Sequence[int]
) -> dict[str, dict[str, Floats]]:
    """How much the squared error rises: member -> input -> [sessions, H], for every member that is not naive.

    Args:
        examples: all of them.
        rows: a fold's test block.
        members: what was fitted.
        fitted: each of them, before the block.
        seed: of the shuffling.
    """
    thin = examples.thin(rows, MAX_WINDOWS)
    order = _shuffle(examples.session[thin], np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(seed)))))
    windows = examples.windows(thin)
    return {
        one.name: _rises_of(examples, thin, one, fitted[one.name].arrays, windows, order)
        for one in members
        if one.name != NAIVE.name
    }


def summarise(blocks: Sequence[Mapping[str, Mapping[str, Floats]]], horizons: Sequence[int]) -> dict[str, Any]:
    """Member -> input -> its mean rise and the standard error over sessions, per horizon; as the registry keeps it."""
    found: dict[str, Any] = {}
    for member in sorted({name for block in blocks for name in block}):
        own = [block[member] for block in blocks]
        found[member] = {
            name: _mean(np.concatenate([one[name] for one in own if name in one]), horizons)
            for name in sorted({name for one in own for name in one})
        }
    return found


def _mean(series: Floats, horizons: Sequence[int]) -> dict[str, list[float]]:
    errors = [newey_west_error(series[:, at], horizon - 1) for at, horizon in enumerate(horizons)]
    return {
        "rise": series.mean(axis=0).round(DIGITS).tolist(),
        "error": [round(one, DIGITS) if np.isfinite(one) else 0.0 for one in errors],
    }


def _shuffle(session: Index, random: np.random.Generator) -> Index:
    """Positions in another order, each within its session."""
    edges = [*np.flatnonzero(np.diff(session, prepend=session[:1] - 1)).tolist(), len(session)]
    parts = [low + random.permutation(high - low) for low, high in pairwise(edges)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _rises_of(
    examples: Examples, rows: Index, kind: Member, arrays: Arrays, windows: Any, order: Index
) -> dict[str, Floats]:
    target, session = examples.relative[rows], examples.session[rows]
    usual = float((target * target).mean())
    before = np.square(_locate(kind, arrays, windows) - target)
    rises = {}
    for number in _asked(kind, arrays, windows.shape[2]):
        own = windows[:, :, number].copy()
        windows[:, :, number] = own[order]
        after = np.square(_locate(kind, arrays, windows) - target)
        windows[:, :, number] = own
        rises[examples.features[number]] = session_means(after - before, session) / usual
    return rises


def _asked(kind: Member, arrays: Arrays, features: int) -> Sequence[int]:
    """The inputs that are asked about: all, or those that a member names as its own beside a line's."""
    own: Callable[[Arrays], Sequence[int]] | None = getattr(kind, "own_inputs", None)
    return range(features) if own is None else own(arrays)


def _locate(kind: Member, arrays: Arrays, windows: Any) -> Floats:
    """[n, H] the member's locations, by `locate` where it has one: the width around them is not asked for."""
    own: Callable[[Arrays, Any], Floats] | None = getattr(kind, "locate", None)
    if own is not None:
        return own(arrays, windows)
    quantiles = kind.quantiles(arrays, windows)
    middle: Floats = quantiles[:, :, quantiles.shape[2] // 2]
    return middle
