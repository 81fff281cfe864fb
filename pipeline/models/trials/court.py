"""What the ledger says of a challenger: how much its result is worth after all that was tried, and against whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.models.params import ModelParams
from pipeline.models.trials.ledger import ENSEMBLE
from pipeline.models.trials.overfitting import deflated_sharpe, minimum_length, overfitting_probability
from pipeline.models.trials.paired import PairedComparison, compare_losses
from pipeline.text_format import percent

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """A challenger before the ledger."""

    trials: int
    """Candidates ever tried on held-out sessions, its own among them."""
    deflated: float
    """Probability that its advantage over the naive forecast is real, given that many were tried."""
    overfitting: float | None
    """How often the best of the candidates in one half of its test sessions is below the middle in the other."""
    min_sessions: float | None
    """Sessions below which the best of so many without skill would look as good; None where it is not good."""
    against_champion: PairedComparison | None

    def describe(self) -> str:
        """The figures in words."""
        words = f"after {self.trials} trials it is real with probability {self.deflated:.2f}"
        if self.min_sessions is not None:
            words += f", chance looks as good up to {self.min_sessions:.0f} sessions"
        if self.overfitting is not None:
            words += f", the choice overfits with {percent(self.overfitting, 0)}"
        if (paired := self.against_champion) is not None:
            words += f"; against the champion Diebold-Mariano {paired.statistic:+.1f} (p {paired.p:.2g})"
        return words

    def columns(self) -> dict[str, Any]:
        """The figures as columns of model_promotions."""
        paired = self.against_champion
        return {
            "trials": self.trials,
            "deflated_sharpe": self.deflated,
            "overfitting": self.overfitting,
            "min_sessions": self.min_sessions,
            "dm_statistic": None if paired is None else paired.statistic,
            "dm_p": None if paired is None else paired.p,
            "champion_gain_low": None if paired is None else paired.low,
            "champion_gain_high": None if paired is None else paired.high,
        }


def hear(
    trials: pl.DataFrame,
    model_id: str,
    losses: tuple[Floats, Floats | None],
    params: ModelParams,
    seed: int,
) -> Verdict | None:
    """Judge a challenger by the ledger; None where it has no row, as in runs of earlier programs.

    Args:
        trials: all rows of the ledger up to the session.
        model_id: the challenger.
        losses: its own and the champion's, on the sessions that are fair to both; the champion's None where there are
            none.
        params: of the models.
        seed: of the bootstrap.
    """
    trials = trials.filter(pl.col("settings").is_null())
    mine = trials.filter((pl.col("model_id") == model_id) & (pl.col("candidate") == ENSEMBLE)).to_dicts()
    if not mine:
        return None
    own = mine[0]
    spread = _spread(trials["sharpe"], own["sessions"], params)
    ours, theirs = losses
    return Verdict(
        trials=len(trials),
        deflated=deflated_sharpe(own["sharpe"], own["sessions"], own["skewness"], own["kurtosis"], len(trials), spread),
        overfitting=overfitting_probability(_on_same_sessions(trials, own)),
        min_sessions=minimum_length(own["sharpe"], len(trials)),
        against_champion=None if theirs is None else compare_losses(theirs, ours, params.purge, seed),
    )


def _spread(ratios: pl.Series, sessions: int, params: ModelParams) -> float:
    """How far the ratios of trials that have no skill lie apart: their standard deviation."""
    found = float(ratios.std() or 0.0) if len(ratios) > 1 else 0.0  # type: ignore[arg-type]
    return found if params.deflation == "trials" else min(found, 1 / sqrt(max(sessions - 1, 1)))


def _on_same_sessions(trials: pl.DataFrame, own: Mapping[str, Any]) -> Floats:
    """[sessions, candidates] advantages of all that were tried on every one of the challenger's test sessions."""
    found: list[list[float]] = []
    for row in trials.sort("session", "model_id", "candidate").to_dicts():
        known = dict(zip(row["days"], row["advantages"], strict=True))
        if all(day in known for day in own["days"]):
            found.append([known[day] for day in own["days"]])
    return np.array(found, dtype=np.float64).T
