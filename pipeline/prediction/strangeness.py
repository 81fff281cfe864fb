"""How strange the inputs of forecasts are to the model: their distance from its training rows, and what makes it."""

from __future__ import annotations

import numpy as np
import polars as pl

from lake.tables.predictions import PREDICTIONS
from pipeline.features.tensors import dense_windows
from pipeline.models.profile.training_rows import TrainingProfile, measure_distance

NAMED = 3
"""Features that are named for each forecast."""
COLUMNS = ("distance", "strangeness", "strange_features")


def add_strangeness(windows: pl.DataFrame, feature_rows: pl.DataFrame, profile: TrainingProfile | None) -> pl.DataFrame:
    """The windows with distance, strangeness and the strangest features of their last rows.

    Args:
        windows: one row each, all of one session and feature set.
        feature_rows: rows that cover the session.
        profile: of the model that forecasts; None where there is none, and nothing can be said.

    Returns:
        The windows and the columns COLUMNS of predictions, null without a profile.
    """
    schema = {name: PREDICTIONS.schema[name] for name in COLUMNS}
    if profile is None:
        return windows.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items())
    session, name = windows["session"][0], windows["feature_set"][0]
    rows = feature_rows.filter(pl.col("feature_set") == name)
    values = dense_windows(rows, windows["ticker"].to_list(), [session], profile.features)[0][:, 0].astype(np.float64)
    deviations = profile.deviations(values)
    distances = measure_distance(deviations)
    furthest = np.argsort(-np.abs(deviations), axis=1, kind="stable")[:, :NAMED]
    row = np.arange(len(values))[:, None]
    fields = pl.DataFrame(
        {
            "feature": pl.Series(np.array(profile.features, dtype=object)[furthest.ravel()], dtype=pl.String),
            "value": values[row, furthest].ravel(),
            "deviation": deviations[row, furthest].ravel(),
        }
    )
    strange = fields.to_struct("strange_features").reshape(furthest.shape).arr.to_list()
    told = [pl.Series("distance", distances), pl.Series("strangeness", profile.rank(distances)), strange]
    return windows.hstack(told)
