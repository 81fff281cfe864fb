"""Stage `trials`: every candidate that a training tried on held-out sessions is a row, whether or not it won."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from lake.tables.models import MODEL_REGISTRY, SPECIALISTS, TRIALS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.models.evaluation import newey_west_error
from pipeline.models.params import ModelParams
from pipeline.models.registry import TRAINED_HERE

ENSEMBLE = "ensemble"
SPECIALIST = "specialist"


def trials(
    model_registry: pl.DataFrame, specialists: pl.DataFrame, moment: Moment, params: ModelParams
) -> pl.DataFrame:
    """Record the session's candidates: the ensemble and each member that is not naive, with their held-out advantage.

    So is each specialist that was tuned for some names, by its own name.

    For `moment.session` only (ignores `since`).
    """
    rows: list[dict[str, Any]] = []
    for row in model_registry.sort("model_id", "member").unique("model_id", maintain_order=True).to_dicts():
        comparison = json.loads(row["metrics"])["comparison"]
        rows += [_row(row["model_id"], *one, comparison, moment, params) for one in _candidates(comparison)]
        points = json.loads(row["metrics"]).get("search", {}).get("points", ())
        rows += [_search_row(row["model_id"], number, one, moment, params) for number, one in enumerate(points)]
    tuned = specialists.sort("specialist_id", "member").unique("specialist_id", keep="first", maintain_order=True)
    for specialist_id, metrics in tuned.select("specialist_id", "metrics").iter_rows():
        comparison = json.loads(metrics)["comparison"]
        rows.append(_row(specialist_id, SPECIALIST, comparison["challenger"], comparison, moment, params))
    return pl.DataFrame(rows, schema=TRIALS.schema).sort(TRIALS.key)


def _candidates(comparison: Mapping[str, Any]) -> Iterator[tuple[str, list[float]]]:
    """The candidates' losses per session, by name."""
    yield ENSEMBLE, comparison["challenger"]
    yield from sorted(comparison.get("members", {}).items())


def _row(
    model_id: str,
    candidate: str,
    losses: list[float],
    comparison: Mapping[str, Any],
    moment: Moment,
    params: ModelParams,
) -> dict[str, Any]:
    days = [date.fromisoformat(day) for day in comparison["sessions"]]
    advantage = np.array(comparison["naive"], dtype=np.float64) - np.array(losses, dtype=np.float64)
    error = newey_west_error(advantage, params.purge - 1)
    centred = advantage - advantage.mean()
    deviation = float(np.sqrt((centred**2).mean()))
    return {
        "session": moment.session,
        "model_id": model_id,
        "candidate": candidate,
        "points": _count_points(candidate, params),
        "first": days[0],
        "last": days[-1],
        "sessions": len(days),
        "gain": float(advantage.mean()),
        "sharpe": float(advantage.mean()) / (error * len(days) ** 0.5) if error > 0 else 0.0,
        "skewness": float((centred**3).mean()) / deviation**3 if deviation > 0 else 0.0,
        "kurtosis": float((centred**4).mean()) / deviation**4 if deviation > 0 else 3.0,
        "settings": None,
        "days": days,
        "advantages": advantage.tolist(),
    }


def _search_row(
    model_id: str, number: int, point: Mapping[str, Any], moment: Moment, params: ModelParams
) -> dict[str, Any]:
    """A point of a search. No held-out session saw it: it was judged within the span before all of them."""
    told = {name: point[name] for name in ("settings", "share", "score")}
    candidate = f"search {number + 1}"
    own = _row(model_id, candidate, point["losses"], point, moment, params)
    return own | {"settings": json.dumps(told, sort_keys=True)}


def _count_points(candidate: str, params: ModelParams) -> int:
    """Settings that a candidate chose among within its training spans; held-out sessions saw none of them but one."""
    tried = {
        "ridge": len(params.ridge.penalties),
        "lstm": params.lstm.epochs + 1,
        ENSEMBLE: round(1 / params.weight_step) + 1,
    }
    return tried.get(candidate, 1)


STAGE = Stage(
    name="trials",
    function=trials,
    reads=(
        Read(MODEL_REGISTRY, where=TRAINED_HERE, columns=("model_id", "member", "session", "metrics")),
        Read(SPECIALISTS, columns=("specialist_id", "member", "session", "metrics")),
    ),
    writes=TRIALS,
    params=ModelParams(),
    section="models",
    learns=True,
)
