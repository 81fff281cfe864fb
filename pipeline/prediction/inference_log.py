"""Say for each ticker that was to be forecast: done, or why not."""

from __future__ import annotations

import polars as pl

from lake.tables.features import FEATURE_WINDOWS
from lake.tables.market import MARKET_PRICES
from lake.tables.predictions import INFERENCE_LOG, PREDICTIONS, TICKER_PRIORITIES
from pipeline.prediction.params import PredictionParams
from pipeline.stage import Moment, Read, Stage


def inference_log(
    ticker_priorities: pl.DataFrame,
    feature_windows: pl.DataFrame,
    market_prices: pl.DataFrame,
    predictions: pl.DataFrame,
    moment: Moment,
    params: PredictionParams,
) -> pl.DataFrame:
    """One row per selected or held ticker of `moment.session` (ignores `since`): predicted, or what was lacking."""
    asked = ticker_priorities.filter((pl.col("session") == moment.session) & (pl.col("selected") | pl.col("held")))
    windows = feature_windows.filter(pl.col("session") == moment.session)
    bars = market_prices.filter(pl.col("session") == moment.session).select("ticker", bar=pl.lit(True)).unique()
    made = (
        predictions.filter((pl.col("session") == moment.session) & (pl.col("role") != "shadow"))
        .group_by("ticker")
        .agg(pl.len().cast(pl.Int64).alias("horizons"), pl.col("model_id").first())
    )
    return (
        asked.select("session", "ticker", "selected", "rank")
        .join(windows.select("ticker", "features_id", "usable", "present", "length"), on="ticker", how="left")
        .join(bars, on="ticker", how="left")
        .join(made, on="ticker", how="left")
        .with_columns(status=_status(), horizons=pl.col("horizons").fill_null(0))
        .with_columns(reason=_reason(params))
        .select(*INFERENCE_LOG.columns)
        .sort("ticker")
    )


def _status() -> pl.Expr:
    return (
        pl.when(pl.col("horizons") > 0)
        .then(pl.lit("predicted"))
        .when(~pl.col("selected"))
        .then(pl.lit("not_selected"))
        .when(pl.col("usable").is_null())
        .then(pl.lit("no_window"))
        .when(~pl.col("usable"))
        .then(pl.lit("incomplete_window"))
        .when(pl.col("bar").is_null())
        .then(pl.lit("no_bar"))
        .otherwise(pl.lit("failed"))
    )


def _reason(params: PredictionParams) -> pl.Expr:
    words = {
        "predicted": pl.format("{} horizons by {}", "horizons", "model_id"),
        "not_selected": pl.format("rank {} lies beyond the first {}", "rank", pl.lit(params.most_tickers)),
        "no_window": pl.lit("no window: it is no member of the universe at this session"),
        "incomplete_window": pl.format("{} of {} sessions have complete features", "present", "length"),
        "no_bar": pl.lit("no bar at this session: there is no close to start from"),
        "failed": pl.lit("it had a usable window and a bar, and yet got no forecast"),
    }
    expression = pl.lit(None, dtype=pl.String)
    for status, reason in words.items():
        expression = pl.when(pl.col("status") == status).then(reason).otherwise(expression)
    return expression


STAGE = Stage(
    name="inference_log",
    function=inference_log,
    reads=(
        Read(TICKER_PRIORITIES),
        Read(FEATURE_WINDOWS),
        Read(
            MARKET_PRICES,
            where=pl.col("interval") == "1d",
            columns=("ticker", "interval", "ts", "revision", "session"),
        ),
        Read(PREDICTIONS, columns=(*PREDICTIONS.key, "role")),
    ),
    writes=INFERENCE_LOG,
    params=PredictionParams(),
    section="prediction",
)
