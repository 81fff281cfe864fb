"""Stage `training_attempts`: a training is on record whatever came of it, with what is lacking where nothing did."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from lake.tables.features import FEATURE_ROWS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.models import MODEL_REGISTRY, TRAINING_ATTEMPTS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.features.feature_set import feature_set
from pipeline.models.attempts.assessment import Assessment, assess
from pipeline.models.dataset import label_examples
from pipeline.models.params import ModelParams
from pipeline.models.registry import TRAINED_HERE
from pipeline.models.train import HISTORY
from pipeline.text_format import counted


def training_attempts(
    feature_rows: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    model_registry: pl.DataFrame,
    moment: Moment,
    params: ModelParams,
) -> pl.DataFrame:
    """Record the session's training: the model that it registered, or why it registered none and what is lacking.

    For `moment.session` only (ignores `since`).
    """
    if not model_registry.is_empty():
        return _row(_of_model(model_registry, moment), model_registry["model_id"][0], moment)
    found = assess(
        label_examples(
            feature_rows,
            market_prices,
            corporate_actions,
            ticker_universe,
            moment.calendar,
            params,
            feature_set(moment.extensions),
        ),
        params,
    )
    if moment.test_from is not None and found.lacking:
        found = replace(
            found,
            reason=f"{found.reason}; the test window begins on {moment.test_from}, and nothing from "
            "that day on is read (models.test_from)",
        )
    return _row(found, None, moment)


def _of_model(registry: pl.DataFrame, moment: Moment) -> Assessment:
    row = registry.row(0, named=True)
    members = counted(len(registry), "member")
    reason = f"registered {row['model_id']}: {members}, fitted on {counted(row['rows_train'], 'window')}"
    sessions = moment.calendar.distance(row["train_first"], row["train_last"]) + 1
    return Assessment(sessions, row["rows_train"], "registered", reason, 0)


def _row(found: Assessment, model_id: str | None, moment: Moment) -> pl.DataFrame:
    row = {
        "session": moment.session,
        "outcome": found.outcome,
        "model_id": model_id,
        "labelled_sessions": found.labelled,
        "windows": found.windows,
        "lacking_sessions": found.lacking,
        "reason": found.reason,
    }
    return pl.DataFrame([row], schema=TRAINING_ATTEMPTS.schema)


STAGE = Stage(
    name="training_attempts",
    function=training_attempts,
    reads=(
        Read(FEATURE_ROWS, lookback=HISTORY),
        Read(MARKET_PRICES, lookback=HISTORY, columns=(*MARKET_PRICES.key, "session", "close")),
        Read(CORPORATE_ACTIONS, lookback=HISTORY),
        Read(TICKER_UNIVERSE, lookback=HISTORY, columns=("session", "ticker", "member")),
        Read(
            MODEL_REGISTRY,
            where=TRAINED_HERE,
            columns=("model_id", "member", "session", "train_first", "train_last", "rows_train"),
        ),
    ),
    writes=TRAINING_ATTEMPTS,
    params=ModelParams(),
    section="models",
    uses=("features",),
    learns=True,
)
