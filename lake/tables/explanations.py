"""Why a forecast lies where it lies: what each input added to it."""

import polars as pl

from lake.contract import Column, Rule, Table
from lake.tables.predictions import PREDICTION_ID
from lake.tables.vocabulary import HORIZON, MODEL_ID, SESSION, TICKER, number

PART = pl.Struct({"feature": pl.String(), "value": pl.Float64(), "contribution": pl.Float64(), "exact": pl.Boolean()})

EXPLANATIONS = Table(
    name="explanations",
    domain="predictions",
    doc="What moved a forecast: the inputs' parts of it, the largest first. All parts add up to the forecast's point.",
    key=("session", "ticker", "horizon", "model_id"),
    mode="append",
    owner="explanations",
    clock="session",
    columns={
        "prediction_id": PREDICTION_ID.refer_to("predictions.prediction_id"),
        "session": SESSION,
        "ticker": TICKER,
        "horizon": HORIZON,
        "model_id": MODEL_ID.refer_to("model_registry.model_id"),
        "point": number("fraction", "the forecast"),
        "parts": Column(
            pl.List(PART),
            "fraction",
            "the inputs with the largest contributions: the input, its value at the session, what it adds to the point,"
            " and whether that is exact (a line's term) or has a part from a network's gradients",
        ),
        "rest": number("fraction", "all other inputs together"),
        "level": number("fraction", "what the networks say at average inputs"),
        "gap": number("fraction", "what the parts of networks miss of what they say"),
        "corrections": number("fraction", "what lessons added and bounds took away"),
    },
    rules={
        "the parts add up to the point": Rule(
            (
                pl.col("parts").list.eval(pl.element().struct.field("contribution")).list.sum()
                + pl.sum_horizontal("rest", "level", "gap", "corrections")
                - pl.col("point")
            ).abs()
            < 1e-9,
            "compute the explanation again from the forecast's own windows and model",
        ),
    },
)
