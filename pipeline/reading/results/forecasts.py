"""What is forecast: how far the members lie apart, how far features moved, and when the model was trained."""

from __future__ import annotations

from datetime import date

import polars as pl

from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from lake.tables.models import MODEL_REGISTRY


def add_member_columns(predictions: pl.DataFrame) -> pl.DataFrame:
    """Adds `spread`, how far the members' points lie apart, `naive`, the naive member's point, `width` and `reach`.

    `reach` is the largest distance from zero of any 80 % interval of the horizon: what all of them are drawn to.
    """
    point = pl.element().struct.field("point")
    member = pl.element().struct.field("member")
    return predictions.with_columns(
        spread=pl.col("members").list.eval(point).list.max() - pl.col("members").list.eval(point).list.min(),
        naive=pl.col("members").list.eval(pl.when(member == "naive").then(point)).list.max(),
        width=pl.col("q90") - pl.col("q10"),
        reach=pl.max_horizontal(pl.col("q10").abs(), pl.col("q90").abs()).max().over("horizon"),
        band=pl.struct("q10", "q90"),
    ).with_columns(interval=pl.struct("q10", "q25", "q75", "q90", "point", "reach"))


def training_session(lake: Lake, predictions: pl.DataFrame) -> date | None:
    """The session at which the deciding model was trained; None for the naive forecast."""
    models = lake.read(MODEL_REGISTRY, columns=("model_id", "session"))
    found = models.filter(pl.col("model_id").is_in(predictions["model_id"].unique().to_list()))["session"].max()
    return found if isinstance(found, date) else None


def feature_shifts(features: pl.DataFrame, count: int = 8) -> list[tuple[float, str, float, float]] | None:
    """The features that moved most in five sessions.

    Args:
        features: a ticker's rows of `feature_rows`.
        count: how many.

    Returns:
        Standard deviations (of the last 60 sessions) it moved, name, value before, value now; None where there is too
        little history.
    """
    rows = features.sort("session").tail(60)
    if rows.height < 20:
        return None
    found: list[tuple[float, str, float, float]] = []
    for name in (name for name in rows.columns if name not in FEATURE_ROWS.stored_schema):
        values = rows[name].cast(pl.Float64)
        now, before, spread = values[-1], values[-6], values.std()
        if now is None or before is None or not isinstance(spread, float) or spread <= 1e-12:
            continue
        found.append(((now - before) / spread, name, before, now))
    return sorted(found, key=lambda one: (-abs(one[0]), one[1]))[:count]
