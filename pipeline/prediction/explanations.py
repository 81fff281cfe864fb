"""Stage `explanations`: what moved each forecast of the session's top names, in parts that add up to its point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.tables.explanations import EXPLANATIONS
from lake.tables.features import FEATURE_ROWS, FEATURE_WINDOWS
from lake.tables.market import CORPORATE_ACTIONS
from lake.tables.models import MODEL_REGISTRY, SPECIALISTS
from lake.tables.predictions import PREDICTIONS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.features.params import MAX_WINDOW
from pipeline.features.tensors import window_tensor
from pipeline.market.securities.following import Securities
from pipeline.models.explaining.contributions import Contributions, explain_location
from pipeline.models.members import list_members
from pipeline.models.registry import Ensemble, load_members
from pipeline.prediction.params import PredictionParams


def explanations(
    predictions: pl.DataFrame,
    feature_windows: pl.DataFrame,
    feature_rows: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    model_registry: pl.DataFrame,
    specialists: pl.DataFrame,
    moment: Moment,
    params: PredictionParams,
) -> pl.DataFrame:
    """Take the champion's forecasts of `moment.session` apart (ignores `since`), those with the largest points first.

    The parts are the inputs' contributions by the weights that spoke, the champion's or his specialist's; what lessons
    added and bounds took away follows. A naive forecast has nothing to be explained.
    """
    mine = predictions.filter((pl.col("session") == moment.session) & (pl.col("role") == "champion"))
    top = choose_top(mine, params.explained)
    if top.is_empty():
        return EXPLANATIONS.empty()
    windows = feature_windows.filter(pl.col("session") == moment.session)
    if params.securities == 2:
        companies = Securities.trace(corporate_actions, feature_rows)
        feature_rows = companies.follow_to(feature_rows, "session", moment.session)
    kinds = list_members(moment.extensions.members)
    rows: list[dict[str, Any]] = []
    for spoke in top.partition_by("specialist", maintain_order=True):
        known = windows.join(spoke, on="ticker", how="semi").sort("ticker")
        model_id, specialist = spoke.select("model_id", "specialist").row(0)
        named = model_registry if specialist is None else specialists.with_columns(model_id="specialist_id")
        ensemble = load_members(named, specialist or model_id, members=kinds, feature_set=known["feature_set"][0])
        tensor = window_tensor(feature_rows, known, ensemble.features)
        parts = explain_location(ensemble, tensor)
        rows += _rows(spoke, known["ticker"].to_list(), ensemble, parts, tensor[:, -1], params)
    return pl.DataFrame(rows, schema=EXPLANATIONS.schema).sort("ticker", "horizon")


def choose_top(predictions: pl.DataFrame, count: int) -> pl.DataFrame:
    """The forecasts of the tickers with the largest points, in their own deviations, at any horizon."""
    strength = pl.col("point").abs() / pl.col("sigma")
    strongest = predictions.group_by("ticker").agg(strength=strength.max())
    ranked = strongest.sort(["strength", "ticker"], descending=[True, False])
    return predictions.join(ranked.head(count), on="ticker", how="semi").sort("ticker", "horizon")


def _rows(
    forecasts: pl.DataFrame,
    tickers: list[str],
    ensemble: Ensemble,
    parts: Contributions,
    values: NDArray[np.float32],
    params: PredictionParams,
) -> Iterator[dict[str, Any]]:
    place = {ticker: at for at, ticker in enumerate(tickers)}
    for row in forecasts.iter_rows(named=True):
        at, horizon = place[row["ticker"]], ensemble.horizons.index(row["horizon"])
        own = parts.inputs[at, horizon]
        told = np.argsort(-np.abs(own), kind="stable")[: params.explained_inputs]
        location = float(parts.location[at, horizon])
        yield {
            **{name: row[name] for name in ("prediction_id", "session", "ticker", "horizon", "model_id", "point")},
            "parts": [
                {
                    "feature": ensemble.features[number],
                    "value": float(values[at, number]),
                    "contribution": float(own[number]),
                    "exact": not parts.by_path[horizon, number],
                }
                for number in told.tolist()
                if own[number] != 0
            ],
            "rest": float(own.sum() - own[told].sum()),
            "level": float(parts.level[at, horizon]),
            "gap": float(parts.gap[at, horizon]),
            "corrections": row["point"] - location,
        }


STAGE = Stage(
    name="explanations",
    function=explanations,
    reads=(
        Read(
            PREDICTIONS,
            columns=(*PREDICTIONS.key, "prediction_id", "role", "point", "sigma", "specialist"),
        ),
        Read(FEATURE_WINDOWS),
        Read(FEATURE_ROWS, lookback=MAX_WINDOW - 1),
        Read(CORPORATE_ACTIONS, lookback=MAX_WINDOW),
        Read(MODEL_REGISTRY, lookback=None),
        Read(SPECIALISTS, lookback=None, upto="previous"),
    ),
    writes=EXPLANATIONS,
    params=PredictionParams(),
    section="prediction",
    uses=("features", "members"),
)
