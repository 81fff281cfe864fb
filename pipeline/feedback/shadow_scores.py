"""Score challengers live: what each would have lost as champion, against what was lost, forecast by forecast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.tables.feedback import SESSION_SCORES, SHADOW_SCORES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.feedback.params import FeedbackParams
from pipeline.models.trials.paired import PairedComparison, compare_losses

Floats = NDArray[np.float64]
LOOKBACK = 249
"""Sessions of scores before this one: a year with it."""
SURE = 0.05
"""Two-sided probability below which the test calls one of two better; the interval has to exclude 0 as well."""
SCORED = ("target_session", "horizon", "model_id", "role", "n", "pinball", "ic")


def shadow_scores(session_scores: pl.DataFrame, moment: Moment, params: FeedbackParams) -> pl.DataFrame:
    """Compare each shadow that was scored at the session with the model that decides, horizon by horizon.

    On sessions alone for which both forecast as many tickers: the same ones, as they were asked about the same. For
    `moment.session` only (ignores `since`).
    """
    today = session_scores.filter(pl.col("session") == moment.session)
    rows = [
        row | {"session": moment.session}
        for model_id in today.filter(pl.col("role") == "shadow")["model_id"].unique().sort()
        for row in _compare(session_scores, str(model_id), moment, params)
    ]
    return pl.DataFrame(rows, schema=SHADOW_SCORES.schema).sort(SHADOW_SCORES.key)


def _compare(scores: pl.DataFrame, model_id: str, moment: Moment, params: FeedbackParams) -> Iterator[dict[str, Any]]:
    decides = scores.filter(pl.col("role") != "shadow").sort("target_session", "session", "horizon")["model_id"]
    if decides.is_empty():
        return
    for (horizon,), mine in scores.sort("horizon").group_by("horizon", maintain_order=True):
        shadow = mine.filter((pl.col("model_id") == model_id) & (pl.col("role") == "shadow"))
        champion = mine.filter((pl.col("model_id") == decides[-1]) & (pl.col("role") != "shadow"))
        paired = _pair(shadow, champion)
        if paired.height:
            told = {"model_id": model_id, "against": decides[-1], "horizon": horizon}
            yield told | _figures(paired, int(str(horizon)), moment.seed, params)


def _pair(shadow: pl.DataFrame, champion: pl.DataFrame) -> pl.DataFrame:
    """Sums of both by target session, where both are of as many forecasts."""
    own, theirs = (
        frame.group_by("target_session").agg(pl.col("n", "pinball").sum(), pl.col("ic").mean()).sort("target_session")
        for frame in (shadow, champion)
    )
    return own.join(theirs, on=["target_session", "n"], suffix="_champion").sort("target_session")


def _figures(paired: pl.DataFrame, horizon: int, seed: int, params: FeedbackParams) -> dict[str, Any]:
    count = paired["n"].to_numpy()
    ours, theirs = paired["pinball"].to_numpy() / count, paired["pinball_champion"].to_numpy() / count
    found = compare_losses(theirs, ours, horizon, seed)
    lost = float(theirs.mean())
    enough = found.sessions >= max(params.metrics.min_sessions, 4 * horizon)
    return {
        "n": int(count.sum()),
        "sessions": found.sessions,
        "loss": float(ours.mean()),
        "champion_loss": lost,
        "gain": found.gain / lost,
        "gain_low": found.low / lost if enough else None,
        "gain_high": found.high / lost if enough else None,
        "dm_statistic": found.statistic if enough else None,
        "dm_p": found.p if enough else None,
        "ic": paired["ic"].mean(),
        "champion_ic": paired["ic_champion"].mean(),
        "verdict": _judge(found) if enough else "too few",
    }


def _judge(found: PairedComparison) -> str:
    """Which one is better: both tests have to say so."""
    if found.p >= SURE or found.low <= 0 <= found.high:
        return "no difference"
    return "better" if found.gain > 0 else "worse"


STAGE = Stage(
    name="shadow_scores",
    function=shadow_scores,
    reads=(
        Read(
            SESSION_SCORES,
            lookback=LOOKBACK,
            where=pl.col("scope") == "all",
            columns=(*SESSION_SCORES.key, "role", "n", "pinball", "ic"),
        ),
    ),
    writes=SHADOW_SCORES,
    params=FeedbackParams(),
    section="feedback",
)
