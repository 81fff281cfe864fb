"""How much skill is counted on at each horizon: what the model showed before it was chosen, and since."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import exp, log
from typing import Any, NamedTuple

import polars as pl

SKILLED_SHARE = 0.25
"""Share of models of daily returns that know anything at all, before anything was measured of one."""
SKILL_DEVIATION = 0.05
"""Correlation: standard deviation of the rank correlations of those that do."""
CHANGE_DEVIATION = 0.02
"""Correlation: how far skill after training may differ from skill before it, markets being what they are."""
NORMAL_95 = 1.96


class Skill(NamedTuple):
    """A rank correlation of forecasts and outcomes (IC) with its standard error."""

    ic: float
    error: float


NONE = Skill(0.0, SKILL_DEVIATION)
"""What is counted on where nothing was measured."""


def pool_skill(measured: Sequence[Skill]) -> Skill:
    """Return the mean of independent figures, each weighed by its precision, at least one of them."""
    precision = sum(one.error**-2 for one in measured)
    return Skill(sum(one.ic / one.error**2 for one in measured) / precision, precision**-0.5)


def shrink_skill(measured: Skill) -> Skill:
    """Return the posterior mean and deviation of an IC: nothing at all is the likeliest, before it was measured.

    The prior is 0 with probability 1 - `SKILLED_SHARE`, else normal around 0 (Mitchell and Beauchamp, Bayesian Variable
    Selection in Linear Regression, 1988). A figure within its own error of 0 is then taken for noise and nearly
    disappears; one that is several errors away keeps its size. A normal prior alone halves both.
    """
    prior, noise = SKILL_DEVIATION**2, measured.error**2
    kept = prior / (prior + noise)
    evidence = kept * (measured.ic / measured.error) ** 2 / 2 + log(1 - kept) / 2
    odds = evidence + log(SKILLED_SHARE / (1 - SKILLED_SHARE))
    sure = 1 / (1 + exp(-max(odds, -500.0)))
    mean = sure * kept * measured.ic
    square = sure * (kept * noise + (kept * measured.ic) ** 2)
    return Skill(mean, (square - mean**2) ** 0.5)


def believe_in(model: dict[str, Any] | None, live: Skill | None) -> Skill:
    """Return the skill to count on at a horizon, never below 0: who is wrong more often than not is not bet against.

    What the model showed on blocks held back from training stands at first; its error is widened by what may have
    changed since. What its forecasts were worth live is added, and outweighs it as sessions pass.

    Args:
        model: the horizon's figures of the registry (`ic`, `ic_error`); None where there are none.
        live: what was measured live; None where it is too little.
    """
    shown = [] if live is None else [live]
    if model and model.get("ic") is not None and (model.get("ic_error") or 0) > 0:
        shown.append(Skill(model["ic"], (model["ic_error"] ** 2 + CHANGE_DEVIATION**2) ** 0.5))
    if not shown:
        return NONE
    found = shrink_skill(pool_skill(shown))
    return Skill(max(found.ic, 0.0), found.error)


def read_registered(model_registry: pl.DataFrame, model_id: str | None) -> dict[int, dict[str, Any]]:
    """Horizon -> figures of the ensemble on the blocks that were held back when it was trained; empty if unknown."""
    if model_id is None:
        return {}
    rows = model_registry.filter(pl.col("model_id") == model_id).sort("member")
    if rows.is_empty():
        return {}
    figures = json.loads(rows["metrics"][0]).get("ensemble", {}).get("figures", {})
    return {int(horizon): one for horizon, one in figures.items()}


def read_live(feedback_metrics: pl.DataFrame) -> dict[int, Skill]:
    """Horizon -> the last rank correlation measured live over all names, its error told from the 95 % interval."""
    measured = feedback_metrics.filter(
        pl.col("metric") == "ic",
        pl.col("scope") == "all",
        pl.col("verdict") != "too few",
        pl.col("low") < pl.col("high"),
    ).sort("session", "horizon", "slice")
    latest = measured.unique("horizon", keep="last", maintain_order=True)
    return {
        horizon: Skill(value, (high - low) / (2 * NORMAL_95))
        for horizon, value, low, high in latest.select("horizon", "value", "low", "high").iter_rows()
    }
