"""Say whether there is reason to train again: each reason with its statistic, threshold and evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from lake.tables.features import FEATURE_ROWS
from lake.tables.feedback import BIAS_FLAGS, FEEDBACK_METRICS, RETRAIN_CANDIDATES
from lake.tables.learning import SLICE_LESSONS
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY, TRAINING_ATTEMPTS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.features.feature_set import contains, feature_set
from pipeline.features.tensors import select_features
from pipeline.feedback.params import FeedbackParams, RetrainParams
from pipeline.models.members import list_members
from pipeline.models.members.member import Member
from pipeline.models.registry import Ensemble, find_champion, load_members
from pipeline.text_format import change, counted, percent

DRIFT_SESSIONS = 10
"""Sessions of feature rows whose mean is held against the training rows."""


@dataclass(frozen=True)
class RetrainReason:
    """One reason, measured."""

    reason: str
    statistic: float
    threshold: float
    evidence: str

    @property
    def beyond(self) -> bool:
        """Whether the statistic speaks for training."""
        return self.statistic > self.threshold


def training_due(retrain_candidates: pl.DataFrame) -> bool:
    """Whether any reason of the latest session asks for training."""
    if retrain_candidates.is_empty():
        return False
    latest = retrain_candidates.filter(pl.col("session") == retrain_candidates["session"].max())
    return bool(latest["due"].any())


def retrain_candidates(
    model_registry: pl.DataFrame,
    model_promotions: pl.DataFrame,
    training_attempts: pl.DataFrame,
    feedback_metrics: pl.DataFrame,
    bias_flags: pl.DataFrame,
    slice_lessons: pl.DataFrame,
    feature_rows: pl.DataFrame,
    moment: Moment,
    params: FeedbackParams,
) -> pl.DataFrame:
    """Measure every reason for the champion of the moment.

    Nothing is due within the cool-down after the last training, successful or not, nor before there is as much more
    history as that one lacked. For `moment.session` only
    (ignores `since`).
    """
    model_id = find_champion(model_promotions)
    here = feature_set(moment.extensions).name
    model = _load_usable(model_registry, model_id, here, list_members(moment.extensions.members))
    wait = _wait(model_registry, training_attempts, moment, params.retrain)
    if model is None:
        findings = [_no_model(model_id, here)]
    else:
        findings = [
            _age(model, moment, params.retrain),
            *_skill_loss(model, model_promotions, feedback_metrics, params.retrain),
            *_coverage(model, feedback_metrics, params.retrain),
            *_bias(bias_flags, params.retrain),
            *_excluded(slice_lessons),
            *_drift(model, feature_rows, here, params.retrain),
        ]
    rows = [
        {
            "session": moment.session,
            "model_id": model_id or "none",
            "reason": one.reason,
            "statistic": one.statistic,
            "threshold": one.threshold,
            "due": one.beyond and not wait,
            "evidence": (one.evidence + (wait if one.beyond else ""))[:500],
        }
        for one in findings
    ]
    return pl.DataFrame(rows, schema=RETRAIN_CANDIDATES.schema).sort(RETRAIN_CANDIDATES.key)


def _load_usable(registry: pl.DataFrame, model_id: str | None, here: str, members: Sequence[Member]) -> Ensemble | None:
    if model_id is None:
        return None
    mine = registry.filter(pl.col("model_id") == model_id)
    if mine.is_empty() or not contains(here, mine["feature_set"][0]):
        return None
    return load_members(mine, model_id, members=members, feature_set=here)


def _wait(registry: pl.DataFrame, attempts: pl.DataFrame, moment: Moment, params: RetrainParams) -> str:
    """Why no training can be due yet; empty where one can."""
    trained: date | None = registry["session"].max()  # type: ignore[assignment]
    if params.counts == 2 and not attempts.is_empty():
        last = attempts.sort("session").row(-1, named=True)
        if trained is None or last["session"] >= trained:
            return _describe_wait(last, moment, params)
    since = None if trained is None else moment.calendar.distance(trained, moment.session)
    if since is None or since >= params.cool_down:
        return ""
    return f"; not due yet: {since} of {params.cool_down} sessions since the last training"


def _describe_wait(attempt: dict[str, Any], moment: Moment, params: RetrainParams) -> str:
    """How much of the wait after a recorded training is left: the cool-down, or what history was lacking."""
    since, lacking = moment.calendar.distance(attempt["session"], moment.session), attempt["lacking_sessions"]
    wanted = min(lacking, params.age) or params.cool_down
    if since >= wanted:
        return ""
    told = f"; not due yet: {since} of {wanted} sessions since the last training"
    return f"{told}, which registered nothing: {attempt['reason']}" if attempt["model_id"] is None else told


def _no_model(model_id: str | None, here: str) -> RetrainReason:
    why = (
        "no model has earned the championship; forecasts are naive"
        if model_id is None
        else f"champion {model_id} was not trained on feature set {here}; forecasts are naive"
    )
    return RetrainReason("no_model", 1.0, 0.0, why)


def _age(model: Ensemble, moment: Moment, params: RetrainParams) -> RetrainReason:
    age = moment.calendar.distance(model.session, moment.session)
    evidence = f"trained {counted(age, 'session')} ago, at {model.session}"
    return RetrainReason("age", float(age), float(params.age), evidence)


def _skill_loss(
    model: Ensemble, promotions: pl.DataFrame, metrics: pl.DataFrame, params: RetrainParams
) -> Iterator[RetrainReason]:
    """The gain over naive at promotion less the realised one, less two standard errors of the difference."""
    promotion_test = promotions.filter((pl.col("model_id") == model.model_id) & pl.col("promoted")).tail(1).to_dicts()
    live = _select_metric(metrics, "model", model.model_id, "pinball_skill").to_dicts()
    if not promotion_test or not live:
        return
    realised = sum(row["value"] for row in live) / len(live)
    # Horizons share their sessions, so that their errors do not average out.
    error = max((row["high"] - row["low"]) / 3.92 for row in live)
    promised = promotion_test[0]["gain_over_naive"]
    noise = 2 * float(np.hypot(error, promotion_test[0]["gain_error"]))
    yield RetrainReason(
        "skill_loss",
        promised - realised - noise,
        params.skill_loss,
        f"pinball skill {change(realised)} live against {change(promised)} before promotion "
        f"over {counted(len(live), 'horizon')}; {percent(noise)} of the difference is within two standard errors",
    )


def _coverage(model: Ensemble, metrics: pl.DataFrame, params: RetrainParams) -> Iterator[RetrainReason]:
    """The farthest that the end of a 90 % interval's measured coverage lies from 90 %."""
    del model
    live = _select_metric(metrics, "all", "all", "coverage_90").to_dicts()
    gaps = [(max(row["low"] - 0.9, 0.9 - row["high"], 0.0), row) for row in live]
    if gaps:
        gap, row = max(gaps, key=lambda one: (one[0], -one[1]["horizon"]))
        yield RetrainReason(
            "coverage",
            gap,
            params.coverage_gap,
            f"90 % intervals over {counted(row['horizon'], 'session')} covered {percent(row['value'], 1)} "
            f"({percent(row['low'], 1)} to {percent(row['high'], 1)}) of {row['n']} outcomes",
        )


def _bias(flags: pl.DataFrame, params: RetrainParams) -> Iterator[RetrainReason]:
    active = flags.filter(pl.col("active") & (pl.col("scope") == "all")).to_dicts()
    if active:
        worst = max(active, key=lambda row: (abs(row["t"]), -row["horizon"]))
        yield RetrainReason(
            "bias",
            abs(worst["t"]),
            params.bias_t,
            f"unadjusted forecasts over {counted(worst['horizon'], 'session')} "
            f"miss by {change(worst['mean_error'])} on average (t {worst['t']:+.1f})",
        )


def _excluded(lessons: pl.DataFrame) -> Iterator[RetrainReason]:
    """Slices for which the naive forecast was measured to be better than the model's: nobody is left alone there."""
    helped = lessons.filter((pl.col("kind") == "exclusion") & pl.col("active") & (pl.col("arm") == "all"))
    if helped.height:
        named = [
            f"{row['scope']} {row['slice']} over {counted(row['horizon'], 'session')}" for row in helped.to_dicts()
        ]
        yield RetrainReason(
            "excluded",
            float(helped.height),
            0.0,
            f"the naive forecast was measured to be better than the model's for {', '.join(named)}",
        )


def _drift(model: Ensemble, feature_rows: pl.DataFrame, here: str, params: RetrainParams) -> Iterator[RetrainReason]:
    """Mean over the features of how far their recent mean has moved, in the training rows' standard deviations."""
    known = feature_rows.filter(pl.col("complete") & (pl.col("feature_set") == here)).sort("session", "ticker")
    known = select_features(known, model.features).drop_nulls()
    scaler = next((arrays for _, arrays in sorted(model.members.items()) if {"mean", "std"} <= arrays.keys()), None)
    if known.is_empty() or scaler is None:
        return
    count = len(model.features)
    recent = known.to_numpy().astype(np.float64).mean(axis=0)
    shifts = np.abs(recent - scaler["mean"][:count]) / np.maximum(scaler["std"][:count], 1e-12)
    worst = int(np.argmax(shifts))
    yield RetrainReason(
        "drift",
        float(shifts.mean()),
        params.drift,
        f"features moved by {shifts.mean():.2f} standard deviations on average over {DRIFT_SESSIONS} sessions; "
        f"most: {model.features[worst]} by {shifts[worst]:.1f}",
    )


def _select_metric(metrics: pl.DataFrame, scope: str, name: str, metric: str) -> pl.DataFrame:
    return metrics.filter(
        (pl.col("scope") == scope)
        & (pl.col("slice") == name)
        & (pl.col("metric") == metric)
        & (pl.col("verdict") != "too few")
    ).sort("horizon")


STAGE = Stage(
    name="retrain_candidates",
    function=retrain_candidates,
    reads=(
        Read(MODEL_REGISTRY, lookback=None, upto="previous"),
        Read(MODEL_PROMOTIONS, lookback=None, upto="previous"),
        Read(TRAINING_ATTEMPTS, lookback=None, upto="previous"),
        Read(FEEDBACK_METRICS),
        Read(BIAS_FLAGS),
        Read(SLICE_LESSONS),
        Read(FEATURE_ROWS, lookback=DRIFT_SESSIONS, upto="previous"),
    ),
    writes=RETRAIN_CANDIDATES,
    params=FeedbackParams(),
    section="feedback",
    uses=("features", "members"),
)
