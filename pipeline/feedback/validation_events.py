"""Record what became of each forecast that fell due: scored, waiting for a bar, or void."""

from __future__ import annotations

import polars as pl

from lake.tables.feedback import PREDICTION_ACCURACY, VALIDATION_EVENTS
from lake.tables.market import TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.feedback.params import FeedbackParams
from pipeline.feedback.validate import LOOKBACK
from pipeline.text_format import counted_each

SETTLED = ("scored", "void")


def validation_events(
    predictions: pl.DataFrame,
    prediction_accuracy: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    validation_events: pl.DataFrame,
    moment: Moment,
    params: FeedbackParams,
) -> pl.DataFrame:
    """Give each due forecast its events, each once: waiting while its bar may still come, then scored or void.

    For `moment.session` only (ignores `since`).
    """
    closed = validation_events.filter(pl.col("event").is_in(SETTLED))
    due = predictions.filter(pl.col("target_session") <= moment.session).join(
        closed, on="prediction_id", how="anti", maintain_order="left"
    )
    scored = prediction_accuracy.select("prediction_id", scored=pl.lit(True))
    waited = pl.Series(
        [moment.calendar.distance(target, moment.session) for target in due["target_session"]], dtype=pl.Int64
    )
    return (
        due.with_columns(waited=waited)
        .join(scored, on="prediction_id", how="left", maintain_order="left")
        .join(ticker_universe.select("ticker", "stale"), on="ticker", how="left", maintain_order="left")
        .with_columns(event=_event(params.grace))
        .join(
            validation_events.select("prediction_id", "event"),
            on=["prediction_id", "event"],
            how="anti",
            maintain_order="left",
        )
        .select(
            "prediction_id",
            pl.lit(moment.session).alias("session"),
            "ticker",
            pl.col("horizon").cast(pl.Int32),
            "target_session",
            "event",
            _reason(params.grace),
        )
        .sort("prediction_id")
    )


def _event(grace: int) -> pl.Expr:
    return (
        pl.when(pl.col("scored"))
        .then(pl.lit("scored"))
        .when(pl.col("waited") < grace)
        .then(pl.lit("waiting"))
        .otherwise(pl.lit("void"))
    )


def _reason(grace: int) -> pl.Expr:
    last = (
        pl.when(pl.col("stale") == 0)
        .then(pl.lit("it traded today"))
        .otherwise(pl.format("its last bar is {} old", counted_each("stale", "session")))
        .fill_null("it is not listed any more")
    )
    waiting = pl.format(
        "no bar of {} at its target session {}; {}; waiting up to {} sessions",
        "ticker",
        "target_session",
        last,
        pl.lit(grace),
    )
    void = pl.format(
        "no bar of {} at its target session {} nor in the {} since; {}; no delisting gives it a value",
        "ticker",
        "target_session",
        counted_each("waited", "session"),
        last,
    )
    scored = pl.format("outcome known {} after its target session", counted_each("waited", "session"))
    return (
        pl.when(pl.col("event") == "scored")
        .then(scored)
        .when(pl.col("event") == "waiting")
        .then(waiting)
        .otherwise(void)
        .alias("reason")
    )


STAGE = Stage(
    name="validation_events",
    function=validation_events,
    reads=(
        Read(
            PREDICTIONS,
            lookback=LOOKBACK,
            upto="previous",
            columns=(*PREDICTIONS.key, "prediction_id", "target_session"),
        ),
        Read(PREDICTION_ACCURACY, lookback=LOOKBACK, columns=("prediction_id", "session")),
        Read(TICKER_UNIVERSE, columns=("session", "ticker", "stale")),
        Read(
            VALIDATION_EVENTS,
            lookback=LOOKBACK,
            upto="previous",
            columns=("prediction_id", "event", "session"),
        ),
    ),
    writes=VALIDATION_EVENTS,
    params=FeedbackParams(),
    section="feedback",
)
