"""Stage `promote`: who is champion, by the operator's choice or on sessions that neither of two models learned from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lake.tables.control import MODEL_CHOICES
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY, TRIALS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.models.champion_override import ChampionOverride, read_last_override
from pipeline.models.evaluation import newey_west_error
from pipeline.models.params import ModelParams
from pipeline.models.registry import TRAINED_HERE, find_champion
from pipeline.models.trials.court import Verdict, hear
from pipeline.text_format import percent

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PairedLosses:
    """Paired losses of one challenger, in units of sigma, one value per session that counts."""

    challenger: Floats
    naive: Floats
    champion: Floats | None
    """None where there is no champion, or it can't be compared."""
    missing: str
    """Why it can't."""


@dataclass(frozen=True)
class PromotionDecision:
    """The decision and its words."""

    promoted: bool
    reason: str


def promote(
    model_registry: pl.DataFrame,
    model_promotions: pl.DataFrame,
    model_choices: pl.DataFrame,
    trials: pl.DataFrame,
    moment: Moment,
    params: ModelParams,
) -> pl.DataFrame:
    """Put the operator's choice for the session into effect, then decide on every challenger trained: a row each.

    A challenger is promoted if its mean loss is below the naive forecast's by `naive_z` standard errors and below the
    champion's by `champion_z`, over the same sessions, and if after all that was ever tried its advantage is real with
    the probability `min_deflated`. A champion that can't be loaded (its feature set is gone, its
    weights are damaged) can't forecast either, and does not stand in the way; one that was trained after every test
    session does. What a merge brought from a branch was judged there. Looks at `moment.session` alone, whatever
    `moment.since` says.
    """
    current = find_champion(model_promotions)
    rows = []
    if (override := read_last_override(model_choices, moment.session)) is not None:
        rows.append(_override_row(override, model_registry, current, moment, params))
        current = override.champion_after(current)
    challengers = model_registry.filter(pl.col("session") == moment.session, TRAINED_HERE)
    for row in challengers.sort("model_id", "member").unique("model_id", maintain_order=True).to_dicts():
        comparison = _parse_comparison(row)
        evidence = pair_losses(comparison, params)
        verdict = hear(trials, row["model_id"], (evidence.challenger, evidence.champion), params, moment.seed)
        decision = weigh_trials(decide(evidence, comparison, current, params), verdict, params)
        after = row["model_id"] if decision.promoted else current
        rows.append(
            {
                "session": moment.session,
                "model_id": row["model_id"],
                "promoted": decision.promoted,
                "champion": after,
                "previous": current,
                "reason": decision.reason,
                **_figures(evidence, params),
                **(verdict.columns() if verdict is not None else {}),
            }
        )
        current = after
    return pl.DataFrame(rows, schema=MODEL_PROMOTIONS.schema)


def _override_row(
    override: ChampionOverride, model_registry: pl.DataFrame, current: str | None, moment: Moment, params: ModelParams
) -> dict[str, Any]:
    """The row of an operator's choice, with the figures by which the model was judged when it was trained."""
    mine = model_registry.filter(pl.col("model_id") == override.model_id)
    if mine.is_empty():
        raise ValueError(f"the operator chose {override.model_id}, which is not registered; choose another model")
    after = override.champion_after(current)
    return {
        "session": moment.session,
        "model_id": override.model_id,
        "promoted": override.choice == "promote",
        "champion": after,
        "previous": current,
        "reason": override.describe(current),
        **_figures(pair_losses(_parse_comparison(mine.sort("member").row(0, named=True)), params), params),
    }


def _parse_comparison(row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row["metrics"])["comparison"]
    return found


def pair_losses(comparison: Mapping[str, Any], params: ModelParams) -> PairedLosses:
    """The sessions that count: those in which the comparison is fair to the champion, or all where there is none."""
    challenger, naive = (np.array(comparison[name], dtype=np.float64) for name in ("challenger", "naive"))
    champion_losses = np.array(comparison["champion"], dtype=np.float64)
    common = np.isfinite(champion_losses)
    missing = comparison["champion_missing"]
    if common.sum() < params.min_paired:
        return PairedLosses(challenger, naive, None, missing or f"only {int(common.sum())} sessions in common")
    return PairedLosses(challenger[common], naive[common], champion_losses[common], "")


def decide(
    evidence: PairedLosses, comparison: Mapping[str, Any], current: str | None, params: ModelParams
) -> PromotionDecision:
    """Promote or keep, and say why."""
    sessions = len(evidence.naive)
    if sessions < params.min_paired:
        return PromotionDecision(False, f"kept: {sessions} test sessions are fewer than {params.min_paired}")
    if comparison["champion_id"] != current:
        return PromotionDecision(
            False, f"kept: it was compared with {comparison['champion_id']}, champion is {current}"
        )
    gain, error = measure_advantage(evidence.naive, evidence.challenger, params)
    words = f"loss {_percent(gain, evidence.naive)} below the naive forecast's over {sessions} sessions"
    words += f" ({_errors(gain, error)})"
    if not (gain > 0 and gain >= params.naive_z * error):
        return PromotionDecision(False, f"kept: {words}; {params.naive_z:g} standard errors are asked for")
    if current is None:
        return PromotionDecision(True, f"promoted: {words}; there was no champion")
    if evidence.champion is None:
        return _decide_without_champion(comparison, current, words, evidence.missing)
    gain, error = measure_advantage(evidence.champion, evidence.challenger, params)
    words += f", {_percent(gain, evidence.champion)} below the champion's ({_errors(gain, error)})"
    better = gain > 0 and gain >= params.champion_z * error
    return PromotionDecision(better, f"{'promoted' if better else 'kept'}: {words}")


def weigh_trials(decision: PromotionDecision, verdict: Verdict | None, params: ModelParams) -> PromotionDecision:
    """The decision in the light of the ledger: the best of many has to be better than the best of many by chance."""
    if verdict is None:
        return decision
    refused = decision.promoted and verdict.deflated < params.min_deflated
    words = decision.reason.replace("promoted:", "kept:", 1) if refused else decision.reason
    asked = f"; {params.min_deflated:g} is asked for" if refused else ""
    return PromotionDecision(decision.promoted and not refused, f"{words}; {verdict.describe()}{asked}"[:500])


def measure_advantage(theirs: Floats, ours: Floats, params: ModelParams) -> tuple[float, float]:
    """Mean of their loss less ours, and its Newey-West standard error: neighbouring labels overlap."""
    difference = theirs - ours
    return float(difference.mean()), newey_west_error(difference, max(params.horizons) - 1)


def _decide_without_champion(
    comparison: Mapping[str, Any], current: str, words: str, missing: str
) -> PromotionDecision:
    if comparison["champion_can_forecast"]:
        return PromotionDecision(False, f"kept: {words}, but champion {current} is too new to compare: {missing}")
    return PromotionDecision(True, f"promoted: {words}; champion {current} can't forecast: {missing}"[:500])


def _figures(evidence: PairedLosses, params: ModelParams) -> dict[str, float | int | None]:
    challenger, naive = float(evidence.challenger.mean()), float(evidence.naive.mean())
    gain, error = measure_advantage(evidence.naive, evidence.challenger, params)
    return {
        "challenger_loss": challenger,
        "champion_loss": None if evidence.champion is None else float(evidence.champion.mean()),
        "naive_loss": naive,
        "gain_over_naive": gain / naive,
        "gain_error": error / naive if np.isfinite(error) else 0.0,
        "sessions": len(evidence.naive),
    }


def _percent(gain: float, theirs: Floats) -> str:
    return percent(gain / float(theirs.mean()))


def _errors(gain: float, error: float) -> str:
    return f"{gain / error:.1f} standard errors" if error > 0 else "no error to measure"


STAGE = Stage(
    name="promote",
    function=promote,
    reads=(
        Read(MODEL_REGISTRY, lookback=None, columns=("model_id", "member", "session", "metrics", "merge_id")),
        Read(MODEL_PROMOTIONS, lookback=None, upto="previous"),
        Read(MODEL_CHOICES),
        Read(TRIALS, lookback=None),
    ),
    writes=MODEL_PROMOTIONS,
    params=ModelParams(),
    section="models",
    uses=("members",),
    learns=True,
)
