"""What else would have been lost: by each member alone, and without lessons on widths and members."""

from __future__ import annotations

import polars as pl

from lake.tables.predictions import QUANTILE_COLUMNS
from pipeline.feedback.scoring.proper_scores import pinball_loss, widths_needed

WITHOUT = [pl.col("without_lessons").list.get(number, null_on_oob=True) for number in range(len(QUANTILE_COLUMNS))]
"""The quantiles without such lessons, null where none acted."""


def add_other_losses(forecasts: pl.DataFrame) -> pl.DataFrame:
    """Add member_pinball, pinball_without and needed_without to forecasts whose outcome is known.

    Args:
        forecasts: prediction_id, realised, members, without_lessons and interval_scale.
    """
    told = forecasts.select("prediction_id", "realised", "members").explode("members").unnest("members")
    losses = (
        told.filter(pl.col("member") != "naive")
        .with_columns(pinball=pinball_loss([pl.col(name) for name in QUANTILE_COLUMNS]))
        .group_by("prediction_id", maintain_order=True)
        .agg(member_pinball=pl.struct("member", "pinball"))
    )
    acted = pl.col("without_lessons").is_not_null()
    return forecasts.join(losses, on="prediction_id", how="left", maintain_order="left").with_columns(
        pinball_without=pl.when(acted).then(pinball_loss(WITHOUT)),
        needed_without=pl.when(acted).then(widths_needed(WITHOUT) * pl.col("interval_scale")),
    )
