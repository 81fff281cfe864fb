"""Score the forecasts that have matured against what happened and against the naive forecast, each exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from lake.tables.feedback import PREDICTION_ACCURACY, VALIDATION_EVENTS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.predictions import INTERVALS, PREDICTIONS, QUANTILE_COLUMNS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.feedback.params import FeedbackParams
from pipeline.feedback.scoring.labels import label_companies, label_forecasts
from pipeline.feedback.scoring.other_losses import add_other_losses
from pipeline.feedback.scoring.proper_scores import (
    pinball_loss,
    ranked_probability_score,
    widths_needed,
    winkler_score,
)
from pipeline.market.securities.following import Securities

LOOKBACK = 45
"""Sessions in which a forecast has to mature: the longest horizon, the grace, and some sessions without a run."""

OWN = [pl.col(name) for name in QUANTILE_COLUMNS]
NAIVE = [pl.col("naive").struct.field(name) for name in QUANTILE_COLUMNS]
FORECAST = (
    *PREDICTIONS.key,
    *("prediction_id", "target_session", "role", "point", *QUANTILE_COLUMNS, "sigma", "members"),
    *("interval_scale", "bias_adjustment", "lessons", "traits", "without_lessons"),
)


def validate(
    predictions: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    prediction_accuracy: pl.DataFrame,
    validation_events: pl.DataFrame,
    moment: Moment,
    params: FeedbackParams,
) -> pl.DataFrame:
    """Score each forecast whose target session has closed and whose outcome is known.

    For `moment.session` only (ignores `since`). What was scored or given up before stays as it is.
    """
    due = _select_due(predictions, (prediction_accuracy, validation_events), moment.session)
    facts = (market_prices, corporate_actions, ticker_universe)
    known = (_label_companies if params.securities == 2 else _label_tickers)(due, *facts)
    return (
        known.with_columns(pl.col("horizon").cast(pl.Int32))
        .with_columns(_naive_member())
        .pipe(add_other_losses)
        .with_columns(error=pl.col("realised") - pl.col("point"), needed=widths_needed(OWN))
        .select(
            "prediction_id",
            session=pl.lit(moment.session),
            made_session="session",
            target_session="target_session",
            ticker="ticker",
            sector=pl.col("sector").fill_null("unknown"),
            horizon="horizon",
            model_id="model_id",
            role="role",
            point="point",
            realised="realised",
            error="error",
            absolute_error=pl.col("error").abs(),
            naive_absolute_error=(pl.col("realised") - pl.col("naive").struct.field("point")).abs(),
            pinball=pinball_loss(OWN),
            naive_pinball=pinball_loss(NAIVE),
            pinball_without="pinball_without",
            member_pinball="member_pinball",
            crps=ranked_probability_score(OWN),
            naive_crps=ranked_probability_score(NAIVE),
            winkler=winkler_score(OWN),
            naive_winkler=winkler_score(NAIVE),
            sigma="sigma",
            **{f"inside_{level}": _inside(low, high) for level, (low, high) in INTERVALS.items()},
            direction_hit=_direction_hit(),
            interval_scale="interval_scale",
            needed_scale=pl.col("needed") * pl.col("interval_scale"),
            needed_without="needed_without",
            bias_adjustment="bias_adjustment",
            lessons="lessons",
            traits="traits",
        )
        .sort("prediction_id")
    )


def _select_due(predictions: pl.DataFrame, settled: Sequence[pl.DataFrame], session: date) -> pl.DataFrame:
    """Forecasts whose target session has closed and that none of the frames is about: of many, few and often none."""
    closed = predictions.select("prediction_id", "target_session").with_row_index("row")
    closed = closed.filter(pl.col("target_session") <= session)
    for told in settled:
        closed = closed.join(told, on="prediction_id", how="anti", maintain_order="left")
    return predictions[closed["row"]]


def _label_companies(
    due: pl.DataFrame, market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, ticker_universe: pl.DataFrame
) -> pl.DataFrame:
    """Add what the company of each forecast earned, and its sector."""
    companies = Securities.trace(corporate_actions, market_prices)
    known = label_companies(due, market_prices, corporate_actions, companies)
    sectors = _last_known_sectors(companies.name_companies(ticker_universe, "session"))
    return known.join(sectors.rename({"ticker": "company"}), on="company", how="left", maintain_order="left")


def _label_tickers(
    due: pl.DataFrame, market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, ticker_universe: pl.DataFrame
) -> pl.DataFrame:
    """The same of the ticker, whoever had it: as runs of earlier programs did."""
    known = label_forecasts(due, market_prices, corporate_actions)
    return known.join(_last_known_sectors(ticker_universe), on="ticker", how="left", maintain_order="left")


def _last_known_sectors(ticker_universe: pl.DataFrame) -> pl.DataFrame:
    ordered = ticker_universe.select("session", "ticker", "sector").sort("session", "ticker")
    return ordered.unique("ticker", keep="last", maintain_order=True).drop("session")


def _naive_member() -> pl.Expr:
    named = pl.element().struct.field("member") == "naive"
    return pl.col("members").list.eval(pl.element().filter(named)).list.first().alias("naive")


def _inside(low: str, high: str) -> pl.Expr:
    return pl.col("realised").is_between(pl.col(low), pl.col(high))


def _direction_hit() -> pl.Expr:
    judged = (pl.col("point") != 0) & (pl.col("realised") != 0)
    return pl.when(judged).then(pl.col("point").sign() == pl.col("realised").sign())


STAGE = Stage(
    name="validate",
    function=validate,
    reads=(
        Read(PREDICTIONS, lookback=LOOKBACK, upto="previous", columns=FORECAST),
        Read(
            MARKET_PRICES,
            lookback=LOOKBACK,
            where=pl.col("interval") == "1d",
            columns=("ticker", "interval", "ts", "revision", "session", "close"),
        ),
        Read(CORPORATE_ACTIONS, lookback=LOOKBACK),
        Read(TICKER_UNIVERSE, lookback=5, columns=("session", "ticker", "sector")),
        Read(
            PREDICTION_ACCURACY,
            lookback=LOOKBACK,
            upto="previous",
            columns=("prediction_id", "session"),
        ),
        Read(
            VALIDATION_EVENTS,
            lookback=LOOKBACK,
            upto="previous",
            where=pl.col("event") == "void",
            columns=("prediction_id", "event", "session"),
        ),
    ),
    writes=PREDICTION_ACCURACY,
    params=FeedbackParams(),
    section="feedback",
)
