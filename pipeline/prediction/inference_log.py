"""Say for each ticker that was to be forecast: done, or why not."""

from __future__ import annotations

import polars as pl

from lake.tables.features import FEATURE_WINDOWS
from lake.tables.market import MARKET_PRICES
from lake.tables.predictions import INFERENCE_LOG, PREDICTIONS, TICKER_PRIORITIES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.prediction.params import PredictionParams
from pipeline.text_format import counted_each

STANDING = 20
"""Sessions a forecast can stand: the longest horizon."""


def inference_log(
    ticker_priorities: pl.DataFrame,
    feature_windows: pl.DataFrame,
    market_prices: pl.DataFrame,
    predictions: pl.DataFrame,
    moment: Moment,
    params: PredictionParams,
) -> pl.DataFrame:
    """One row per selected or held ticker of `moment.session` (ignores `since`): predicted, or what was lacking.

    Without a bar at the session nothing new is known of a ticker, so its last forecast is not stated again, which would
    score it twice: it stands until it matures, and is reported as stale, with its age in sessions.
    """
    wanted = ticker_priorities.filter((pl.col("session") == moment.session) & (pl.col("selected") | pl.col("held")))
    windows = feature_windows.filter(pl.col("session") == moment.session)
    bars = market_prices.filter(pl.col("session") == moment.session).select("ticker", bar=pl.lit(True)).unique()
    made = (
        predictions.filter((pl.col("session") == moment.session) & (pl.col("role") != "shadow"))
        .group_by("ticker")
        .agg(pl.len().cast(pl.Int64).alias("horizons"), pl.col("model_id").first())
    )
    return (
        wanted.select("session", "ticker", "selected", "rank")
        .join(windows.select("ticker", "features_id", "usable", "present", "length"), on="ticker", how="left")
        .join(bars, on="ticker", how="left")
        .join(made, on="ticker", how="left")
        .join(standing_forecasts(predictions, moment), on="ticker", how="left")
        .with_columns(status=_status(), horizons=pl.col("horizons").fill_null(0))
        .with_columns(reason=_reason(params), **_of_the_standing_one())
        .select(*INFERENCE_LOG.columns)
        .sort("ticker")
    )


def standing_forecasts(predictions: pl.DataFrame, moment: Moment) -> pl.DataFrame:
    """Each ticker's last forecast of an earlier session, as far as it has not matured.

    Returns:
        ticker; standing_session (Date: that of its newest bar), age (Int64, sessions since), standing (Int64,
        horizons still ahead), standing_model and standing_features.
    """
    open_still = predictions.filter(
        (pl.col("session") < moment.session)
        & (pl.col("target_session") > moment.session)
        & (pl.col("role") != "shadow")
    )
    last = open_still.filter(pl.col("session") == pl.col("session").max().over("ticker"))
    ages = {day: moment.calendar.distance(day, moment.session) for day in last["session"].unique()}
    return (
        last.sort("ticker", "horizon", "model_id")
        .group_by("ticker", maintain_order=True)
        .agg(
            standing_session=pl.col("session").first(),
            age=pl.col("session").first().replace_strict(ages, default=None, return_dtype=pl.Int64),
            standing=pl.col("horizon").n_unique().cast(pl.Int64),
            standing_model=pl.col("model_id").first(),
            standing_features=pl.col("features_id").first(),
        )
    )


def _of_the_standing_one() -> dict[str, pl.Expr]:
    """Model and batch of a stale forecast in the place of those of a new one."""
    stale = pl.col("status") == "stale"
    return {
        name: pl.when(stale).then(standing).otherwise(name)
        for name, standing in (("model_id", "standing_model"), ("features_id", "standing_features"))
    }


def _status() -> pl.Expr:
    return (
        pl.when(pl.col("horizons") > 0)
        .then(pl.lit("predicted"))
        .when(pl.col("bar").is_null() & pl.col("standing_session").is_not_null())
        .then(pl.lit("stale"))
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
        "predicted": pl.format("{} by {}", counted_each("horizons", "horizon"), "model_id"),
        "stale": pl.format(
            "no bar since {}: the forecast made then, {} ago, stands for {}",
            "standing_session",
            counted_each("age", "session"),
            counted_each("standing", "horizon"),
        ),
        "not_selected": pl.format("rank {} lies beyond the first {}", "rank", pl.lit(params.max_tickers)),
        "no_window": pl.lit("no window: it is no member of the universe at this session"),
        "incomplete_window": pl.format("{} of {} sessions have complete features", "present", "length"),
        "no_bar": pl.lit("no bar at this session: there is no close to start from"),
        "failed": pl.lit("it had a usable window and a bar, but a feature that the model uses has no value in it"),
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
        Read(PREDICTIONS, lookback=STANDING, columns=(*PREDICTIONS.key, "role", "target_session", "features_id")),
    ),
    writes=INFERENCE_LOG,
    params=PredictionParams(),
    section="prediction",
)
