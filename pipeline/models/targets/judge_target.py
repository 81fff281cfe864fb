"""Stage `targeted_trainings`: what came of each training for some names, and whether its specialist speaks for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lake.tables.features import FEATURE_ROWS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY, SPECIALISTS, TARGETED_TRAININGS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.models.evaluation import newey_west_error
from pipeline.models.members import list_members
from pipeline.models.params import ModelParams
from pipeline.models.registry import find_champion
from pipeline.models.targets.target import parse_target
from pipeline.models.targets.train_target import label_target
from pipeline.models.targets.tuning import assess_target, find_start
from pipeline.models.train import HISTORY
from pipeline.models.trials.overfitting import expected_best
from pipeline.text_format import counted, percent

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TargetDecision:
    """Whether a specialist speaks for its names, and what that rests on."""

    speaks: bool
    reason: str
    gain: float
    """Mean loss of the general model less the specialist's, in units of sigma."""
    error: float
    sessions: int
    asked_z: float
    """Standard errors that were asked for."""


def targeted_trainings(
    feature_rows: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    model_registry: pl.DataFrame,
    model_promotions: pl.DataFrame,
    specialists: pl.DataFrame,
    targeted_trainings: pl.DataFrame,
    moment: Moment,
    params: ModelParams,
) -> pl.DataFrame:
    """Record the session's training for the moment's target: its specialist and the verdict on it, or what was lacking.

    For `moment.session` only (ignores `since`).
    """
    mine = specialists.filter(pl.col("target") == moment.target)
    others = targeted_trainings.filter(pl.col("specialist_id").is_not_null() & ~_same(moment))
    if mine.is_empty():
        frames = (feature_rows, market_prices, corporate_actions, ticker_universe)
        outcome, reason = _what_is_lacking(frames, model_registry, model_promotions, moment, params)
        return _row(moment, {"outcome": outcome, "reason": reason, "speaks": False})
    row = mine.row(0, named=True)
    comparison = json.loads(row["metrics"])["comparison"]
    own, general = (np.array(comparison[name], dtype=np.float64) for name in ("challenger", "general"))
    found = judge(own, general, len(others) + 1, params)
    return _row(
        moment,
        {
            "outcome": "registered",
            "specialist_id": row["specialist_id"],
            "champion": row["champion"],
            "windows": row["rows_train"],
            "names": row["names"],
            "speaks": found.speaks,
            "reason": found.reason,
            "general_loss": float(np.mean(comparison["general"])),
            "specialist_loss": float(np.mean(comparison["challenger"])),
            "naive_loss": float(np.mean(comparison["naive"])),
            "gain": found.gain,
            "gain_error": found.error,
            "asked_z": found.asked_z,
            "sessions": found.sessions,
        },
    )


def judge(specialist: Floats, general: Floats, tried: int, params: ModelParams) -> TargetDecision:
    """Decide whether a specialist speaks for its names.

    Its mean loss has to be below the general model's by `target_z` standard errors, and by as many as the best of all
    that were tried comes to by chance (`overfitting.expected_best`): whoever tries every sector finds one.

    Args:
        specialist, general: their losses on the same test sessions.
        tried: trainings for targets that came to a specialist, this one among them.
        params: of the models.
    """
    difference = general - specialist
    gain, error = float(difference.mean()), newey_west_error(difference, max(params.horizons) - 1)
    asked = max(params.target_z, expected_best(tried))
    sessions, error = len(difference), error if np.isfinite(error) else 0.0
    speaks = sessions >= params.min_paired and gain > 0 and gain >= asked * error
    if sessions < params.min_paired:
        words = f"kept: {counted(sessions, 'test session')} with its names, {params.min_paired} are needed"
    else:
        words = _describe(speaks, gain, error, float(general.mean()), sessions, asked, tried)
    return TargetDecision(speaks, words, gain, error, sessions, asked)


def _describe(speaks: bool, gain: float, error: float, general: float, sessions: int, asked: float, tried: int) -> str:
    measured = f"{gain / error:.1f} standard errors" if error > 0 else "no error to measure"
    return (
        f"{'speaks' if speaks else 'kept'}: loss {percent(gain / general)} below the general model's over"
        f" {counted(sessions, 'session')} ({measured}); {asked:.1f} are asked for after"
        f" {counted(tried, 'such training')}"
    )


def _same(moment: Moment) -> pl.Expr:
    return (pl.col("session") == moment.session) & (pl.col("target") == moment.target)


def _what_is_lacking(
    frames: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame],
    model_registry: pl.DataFrame,
    model_promotions: pl.DataFrame,
    moment: Moment,
    params: ModelParams,
) -> tuple[str, str]:
    examples, rows = label_target(*frames, parse_target(moment.target), moment, params)
    kinds = list_members(moment.extensions.members)
    champion, missing = find_start(model_registry, find_champion(model_promotions), examples, params, kinds)
    if champion is None:
        return "no_champion", f"a specialist begins as the champion: {missing}"[:500]
    found = assess_target(examples, rows, params)
    return found.outcome, found.reason


def _row(moment: Moment, told: dict[str, Any]) -> pl.DataFrame:
    row = dict.fromkeys(TARGETED_TRAININGS.columns) | {"session": moment.session, "target": moment.target} | told
    return pl.DataFrame([row], schema=TARGETED_TRAININGS.schema)


STAGE = Stage(
    name="targeted_trainings",
    function=targeted_trainings,
    reads=(
        Read(FEATURE_ROWS, lookback=HISTORY),
        Read(MARKET_PRICES, lookback=HISTORY, columns=(*MARKET_PRICES.key, "session", "close")),
        Read(CORPORATE_ACTIONS, lookback=HISTORY),
        Read(TICKER_UNIVERSE, lookback=HISTORY, columns=("session", "ticker", "member", "sector")),
        Read(MODEL_REGISTRY, lookback=None, upto="held"),
        Read(MODEL_PROMOTIONS, lookback=None, upto="held"),
        Read(
            SPECIALISTS,
            columns=("specialist_id", "member", "session", "target", "champion", "rows_train", "names", "metrics"),
        ),
        Read(TARGETED_TRAININGS, lookback=None, upto="held"),
    ),
    writes=TARGETED_TRAININGS,
    params=ModelParams(),
    section="models",
    uses=("features", "members"),
    learns=True,
)
