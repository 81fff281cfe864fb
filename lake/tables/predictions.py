"""What is forecast, in which order, with which interval, and what could not be forecast."""

from itertools import pairwise

import polars as pl

from lake.contract import Column, Rule, Table
from lake.tables.vocabulary import HORIZON, MODEL_ID, SESSION, TICKER, count, day, flag, instant, number, text

QUANTILES = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
"""The quantiles every forecast states: the 50, 80 and 90 % intervals and the median."""
QUANTILE_COLUMNS = tuple(f"q{round(100 * q):02d}" for q in QUANTILES)
INTERVALS = {50: ("q25", "q75"), 80: ("q10", "q90"), 90: ("q05", "q95")}
"""Stated coverage in percent -> lower and upper column."""

PREDICTION_ID = Column(pl.String(), "id", "hash of session, ticker, horizon and model", pattern=r"[0-9a-f]{16}")

TICKER_PRIORITIES = Table(
    name="ticker_priorities",
    domain="predictions",
    doc="In which order tickers are forecast, and which of them.",
    key=("session", "ticker"),
    mode="merge",
    owner="priorities",
    clock="session",
    columns={
        "session": SESSION.refer_to("ticker_universe.session", "feature_rows.session"),
        "ticker": TICKER.refer_to("ticker_universe.ticker", "feature_rows.ticker"),
        "rank": count("rank", "1 is first"),
        "score": number("score", "sum of the components below"),
        "held": flag("in the portfolio, and so always forecast"),
        "liquidity": number("0 to 1", "rank of dollar volume"),
        "newsworthy": number("0 to 1", "share of the session's news"),
        "unusual": number("0 to 1", "rank of today's absolute move in its own volatility"),
        "selected": flag("will be forecast this session"),
    },
)

PREDICTIONS = Table(
    name="predictions",
    domain="predictions",
    doc="One forecast of a total return over a horizon, made at a close and never changed.",
    key=("session", "ticker", "horizon", "model_id"),
    mode="append",
    owner="predict",
    clock="session",
    columns={
        "prediction_id": PREDICTION_ID,
        "session": SESSION.refer_to("ticker_priorities.session"),
        "made_at": instant("the moment of decision: everything used was available by then"),
        "ticker": TICKER.refer_to("feature_windows.ticker", "ticker_priorities.ticker"),
        "horizon": HORIZON,
        "target_session": day("the session at whose close it matures"),
        "reference_close": number("currency per share", "the close it starts from, as traded"),
        "point": number("fraction", "expected total return from reference close to target close"),
        **{
            name: number("fraction", f"{round(100 * q)} % quantile of the total return")
            for name, q in zip(QUANTILE_COLUMNS, QUANTILES, strict=True)
        },
        "probability_up": number("0 to 1", "probability of a return above 0"),
        "confidence": number("0 to 1", "how far the members agree, weighted by measured skill"),
        "sigma": number("fraction", "expected standard deviation over the horizon before calibration"),
        "members": Column(
            pl.List(
                pl.Struct(
                    {
                        "member": pl.String(),
                        "weight": pl.Float64(),
                        "point": pl.Float64(),
                        **{name: pl.Float64() for name in QUANTILE_COLUMNS},
                    }
                )
            ),
            "fraction",
            "each ensemble member's own forecast and its weight, the naive one included",
        ),
        "location_weights": Column(
            pl.List(pl.Float64()),
            "share",
            "what each member's point counts for the ensemble's, in the order of `members`, whose weights then count"
            " for the width around it alone; null where those count for both",
            nullable=True,
        ),
        "specialist": text(
            "what the champion was tuned to for this ticker, whose weights spoke in place of its own; null where none",
            unit="id",
            nullable=True,
            max_length=80,
        ).refer_to("specialists.specialist_id"),
        "bias_adjustment": number("fraction", "subtracted from the raw point because of measured bias"),
        "lessons": Column(
            pl.List(pl.String()),
            "ids",
            "the insights whose lessons it used, on bias, widths and members; not those whose control arm it is in;"
            " null in forecasts of programs that did not name them",
            nullable=True,
        ).recall("learning_insights.insight_id"),
        "traits": Column(
            pl.List(pl.String()),
            "kind:value",
            "what the forecast is like, by which errors are told apart: sector, confidence, news, regime, strange,"
            " weekday; null as above",
            nullable=True,
        ),
        "without_lessons": Column(
            pl.List(pl.Float64()),
            "fraction",
            "its quantiles had no lesson on widths or members acted; null where none did",
            nullable=True,
        ),
        "interval_scale": number("factor", "widening or narrowing learned from realised coverage"),
        "distance": number(
            "deviations",
            "how far the inputs lie from the middle of the champion's training rows: root mean square of their robust"
            " deviations; null where the model kept no profile of its training rows, or for the naive forecast",
            nullable=True,
        ),
        "strangeness": number(
            "0 to 1", "share of the champion's training rows whose inputs lie nearer; null as above", nullable=True
        ),
        "strange_features": Column(
            pl.List(
                pl.Struct({"feature": pl.String(), "value": pl.Float64(), "deviation": pl.Float64()}),
            ),
            "deviations",
            "the inputs that lie furthest, with value and robust deviation from their median in training",
            nullable=True,
        ),
        "bounds": Column(pl.List(pl.String()), "names", "bounds that changed the raw forecast"),
        "features_id": text("the batch of windows that it was made from", unit="id", max_length=60).refer_to(
            "feature_windows.features_id"
        ),
        "model_id": MODEL_ID.refer_to("model_registry.model_id"),
        "role": Column(
            pl.String(), "name", "champion decides; shadow and naive are only scored", pattern="champion|shadow|naive"
        ),
    },
    rules={
        "quantiles do not cross": Rule(
            pl.all_horizontal(*(pl.col(low) <= pl.col(high) for low, high in pairwise(QUANTILE_COLUMNS))),
            "sort the quantiles of each forecast",
        ),
        "a return is above -100 %": Rule(pl.col("q05") > -1, "bound the forecast at total loss"),
        "made before its target": Rule(
            pl.col("made_at").dt.date() <= pl.col("target_session"), "forecast only the future"
        ),
        "target lies after the session": Rule(pl.col("target_session") > pl.col("session"), "forecast only the future"),
        "probability lies in 0..1": Rule(pl.col("probability_up").is_between(0, 1), "state a probability"),
        "strangeness lies in 0..1": Rule(pl.col("strangeness").is_between(0, 1), "state a share"),
        "confidence lies in 0..1": Rule(pl.col("confidence").is_between(0, 1), "state a share"),
    },
)

INFERENCE_LOG = Table(
    name="inference_log",
    domain="predictions",
    doc="For each ticker that was to be forecast: done, or why not. A missing forecast is never filled in.",
    key=("session", "ticker"),
    mode="append",
    owner="inference_log",
    clock="session",
    columns={
        "session": SESSION.refer_to("ticker_priorities.session"),
        "ticker": TICKER.refer_to("ticker_priorities.ticker", "feature_windows.ticker"),
        "status": Column(
            pl.String(),
            "name",
            "predicted; stale: without a bar at the session the earlier forecast stands; or what was missing",
            pattern="predicted|stale|no_window|incomplete_window|no_bar|not_selected|failed",
        ),
        "reason": text("the same as a sentence", max_length=300),
        "features_id": text(
            "the batch of windows; where stale, the earlier one", unit="id", nullable=True, max_length=60
        ).refer_to("feature_windows.features_id"),
        "model_id": text("the model that was used", unit="id", nullable=True, max_length=80),
        "horizons": count("forecasts", "number of horizons forecast"),
    },
)
