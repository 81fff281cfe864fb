"""How much skill is counted on at each horizon: what the model showed before it was chosen, and since."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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


def weigh_evidence(measured: Skill) -> float:
    """Return by how much a figure speaks for skill: the log of how much likelier it is if there is some (Bayes factor).

    Below 0 it speaks against it: a figure near 0 whose error is small could hardly have come of a model that knows.
    """
    kept = _keep(measured)
    return kept * (measured.ic / measured.error) ** 2 / 2 + log(1 - kept) / 2


def _keep(measured: Skill) -> float:
    """The share of a figure that a normal prior alone would leave of it."""
    prior = SKILL_DEVIATION**2
    return prior / (prior + measured.error**2)


def shrink_skill(measured: Skill, elsewhere: float = 0.0) -> Skill:
    """Return the posterior mean and deviation of an IC: nothing at all is the likeliest, before it was measured.

    Args:
        measured: at the horizon.
        elsewhere: evidence for skill that other horizons give.


    The prior is 0 with probability 1 - `SKILLED_SHARE`, else normal around 0 (Mitchell and Beauchamp, Bayesian Variable
    Selection in Linear Regression, 1988). A figure within its own error of 0 is then taken for noise and nearly
    disappears; one that is several errors away keeps its size. A normal prior alone halves both.
    """
    noise, kept = measured.error**2, _keep(measured)
    odds = weigh_evidence(measured) + elsewhere + log(SKILLED_SHARE / (1 - SKILLED_SHARE))
    sure = 1 / (1 + exp(-max(odds, -500.0)))
    mean = sure * kept * measured.ic
    square = sure * (kept * noise + (kept * measured.ic) ** 2)
    return Skill(mean, (square - mean**2) ** 0.5)


def believe_in(
    shown: Mapping[int, dict[str, Any]], live: Mapping[int, Skill], horizons: Sequence[int], version: int = 3
) -> dict[int, Skill]:
    """Return the skill to count on at each horizon, never below 0: who is wrong more often than not is not bet against.

    What the model showed on blocks held back from training stands at first; its error is widened by what may have
    changed since. What its forecasts were worth live is added, and outweighs it as sessions pass.

    Whether a model knows anything at all is one question, and every horizon's figure bears on it: that of another one
    as far as its returns are not those of this one, which leaves 1 less their squared correlation. Before version 3
    each horizon was judged as if the model had been asked about it alone.

    Args:
        shown: horizon -> the registry's figures (`ic`, `ic_error`).
        live: horizon -> what was measured live; without those where it is too little.
        horizons: sessions, those asked about.
        version: how evidence is taken, as `trading.horizon_evidence` says.
    """
    found = {one: measured for one in horizons if (measured := _measure(shown.get(one), live.get(one))) is not None}
    evidence = {one: weigh_evidence(Skill(max(measured.ic, 0.0), measured.error)) for one, measured in found.items()}
    believed = dict.fromkeys(horizons, NONE)
    for horizon, measured in found.items():
        others = [(1 - overlap(one, horizon)) * evidence[one] for one in found if one != horizon]
        kept = shrink_skill(measured, sum(others) if version == 3 else 0.0)
        believed[horizon] = Skill(max(kept.ic, 0.0), kept.error)
    return believed


def _measure(model: dict[str, Any] | None, live: Skill | None) -> Skill | None:
    """What the model showed before it was chosen and since, as one figure; None where there is neither."""
    shown = [] if live is None else [live]
    if model and model.get("ic") is not None and (model.get("ic_error") or 0) > 0:
        shown.append(Skill(model["ic"], (model["ic_error"] ** 2 + CHANGE_DEVIATION**2) ** 0.5))
    return pool_skill(shown) if shown else None


def overlap(horizon: int, other: int) -> float:
    """The squared correlation of the returns over two periods that begin together, of independent sessions."""
    return min(horizon, other) / max(horizon, other)


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
