"""Judges the inputs of the forecasts: whether they still look like what the champion was trained on."""

from __future__ import annotations

import polars as pl

from pipeline.engine.stage import Moment
from pipeline.health.checks import Check, Status
from pipeline.health.params import HealthParams
from pipeline.text_format import counted, percent

STRANGE = 0.99
"""Strangeness from which a forecast's inputs are strange: one training row in a hundred lies as far out."""


def check_strangeness(predictions: pl.DataFrame, moment: Moment, params: HealthParams) -> list[Check]:
    """The share of the session's forecasts by a model whose inputs are strange, or that nobody knows it."""
    mine = predictions.filter(pl.col("session") == moment.session, pl.col("role") == "champion")
    tickers = mine.unique("ticker", maintain_order=True).sort("strangeness", "ticker", descending=[True, False])
    if tickers.is_empty() or params.max_strange >= 1:
        return []
    if tickers["strangeness"].null_count():
        message = (
            "not known: the model was trained before profiles of training rows were kept; `nextgen train` keeps one"
        )
        return [Check("predictions", "strangeness", "ok", None, params.max_strange, message)]
    strange = tickers.filter(pl.col("strangeness") >= STRANGE)
    share = strange.height / tickers.height
    status: Status = "warn" if share > params.max_strange else "ok"
    first = f", the first is {strange['ticker'][0]}" if strange.height else ""
    of_all = f"{strange.height} of {counted(tickers.height, 'forecast')}"
    way_out = "; the Predictions screen names what is strange about each" if status == "warn" else ""
    message = f"{of_all} rest on inputs unlike the training rows{first}{way_out}"
    return [Check("predictions", "strangeness", status, share, params.max_strange, message)]


def check_drift(feature_drift: pl.DataFrame, params: HealthParams) -> list[Check]:
    """The share of the champion's inputs that drifted away from training; nothing where none was measured."""
    tested = feature_drift.filter(pl.col("verdict") != "too few")
    if tested.is_empty():
        return []
    drifted = tested.filter(pl.col("verdict") == "drifted").sort("stability", "feature", descending=[True, False])
    share = drifted.height / tested.height
    status: Status = "warn" if share > params.max_drifted else "ok"
    most = ", ".join(
        f"{name} {index:.2f}" for name, index in drifted.select("feature", "stability").head(3).iter_rows()
    )
    message = f"{drifted.height} of {counted(tested.height, 'input')} drifted from training ({percent(share, 0)})"
    way_out = "; `nextgen train` learns from newer rows" if status == "warn" else ""
    named = f": {most}" if most else ""
    return [Check("features", "drift", status, share, params.max_drifted, message + named + way_out)]
