"""Stage `train`: fit an ensemble walk-forward on everything labelled so far and register it as a challenger."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import getfile
from pathlib import Path
from typing import Any

import polars as pl

from lake.tables.features import FEATURE_ROWS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY
from lake.tables.predictions import QUANTILES
from pipeline.config.recorded import first_names
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.features.feature_set import feature_set
from pipeline.models.dataset import Examples, label_examples
from pipeline.models.explaining.importance import summarise
from pipeline.models.jobs.attendance import attend_training
from pipeline.models.members import MEMBERS, list_members
from pipeline.models.members.member import Choices, Member, tell_settings
from pipeline.models.params import ModelParams
from pipeline.models.profile.registry_columns import store_profile
from pipeline.models.profile.training_rows import describe_training
from pipeline.models.registry import DECLARED_IN, find_champion
from pipeline.models.search.halving import search
from pipeline.models.serialization import digest, encode
from pipeline.models.training import TrainingResult, run_training
from pipeline.models.training_report import compare, describe_metrics, dump_json

HISTORY = 1_260
"""Sessions of history a fit may use: five years. Markets older than that teach little about the next month."""


def train(
    feature_rows: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    model_registry: pl.DataFrame,
    model_promotions: pl.DataFrame,
    moment: Moment,
    params: ModelParams,
) -> pl.DataFrame:
    """Fit an ensemble walk-forward and register its members, one row each.

    Where the moment says so, settings of the members are searched for first, on what lies before every test block.
    Trains at `moment.session` alone, whatever `moment.since` says. Returns no rows while history is too short: fewer
    than `min_sessions` labelled sessions, or no fold with `min_rows` windows to fit.
    """
    examples = label_examples(
        feature_rows,
        market_prices,
        corporate_actions,
        ticker_universe,
        moment.calendar,
        params,
        feature_set(moment.extensions),
    )
    members = list_members(moment.extensions.members)
    searched = search(examples, QUANTILES, params, moment.seed, members) if moment.search else None
    if searched is not None:
        params = searched.best.apply(params)
    trained = run_training(examples, QUANTILES, params, moment.seed, members=members)
    if trained is None:
        return MODEL_REGISTRY.empty()
    parent = find_champion(model_promotions)
    comparison = compare(examples, trained, model_registry, parent, QUANTILES, params)
    further = {} if searched is None else {"search": searched.tell(examples)}
    if params.importance == 2:
        further["importance"] = summarise([one.rises for one in trained.tested], params.horizons)
    return _rows(examples, trained, comparison, parent, moment, params, further)


def _rows(
    examples: Examples,
    trained: TrainingResult,
    comparison: dict[str, Any],
    parent: str | None,
    moment: Moment,
    params: ModelParams,
    further: Mapping[str, Any],
) -> pl.DataFrame:
    encoded = {name: encode(fitted.arrays) for name, fitted in trained.members.items()}
    name = digest("".join(digest(content) for content in encoded.values()).encode())[:8]
    chosen = feature_set(moment.extensions)
    warm_ups = {feature.name: feature.warm_up for feature in chosen.features}
    common = {
        "model_id": f"m-{moment.session:%Y%m%d}-{name}",
        "parent": parent,
        **store_profile(describe_training(examples, trained.rows, warm_ups)),
        **_describe_fit(examples, trained, moment, params),
    }
    figures = describe_metrics(examples, trained, comparison, QUANTILES, params, further)
    fingerprint = examples.fingerprint(trained.rows)
    rows = [
        {
            **common,
            "member": member.name,
            "ensemble_weights": trained.shares.width[number].tolist(),
            "location_weights": None if trained.shares.location is None else trained.shares.location[number].tolist(),
            "weights": encoded[member.name],
            "weights_sha256": digest(encoded[member.name]),
            "config": _config(member, trained.members[member.name].choices, fingerprint, params),
            "metrics": figures[member.name],
        }
        for number, member in enumerate(trained.kinds)
    ]
    return pl.DataFrame(rows, schema=MODEL_REGISTRY.schema)


def _describe_fit(examples: Examples, trained: TrainingResult, moment: Moment, params: ModelParams) -> dict[str, Any]:
    """What all members have in common: what they take, what they were fitted on, and with which seed."""
    session = examples.session[trained.rows]
    return {
        "session": moment.session,
        "feature_set": feature_set(moment.extensions).name_of(examples.features),
        "features": list(examples.features),
        "window": params.window,
        "horizons": list(params.horizons),
        "quantiles": list(QUANTILES),
        "train_first": examples.calendar.days[session[0]],
        "train_last": examples.calendar.days[session[-1]],
        "rows_train": len(trained.rows),
        "purge": params.purge,
        "embargo": params.embargo,
        "seed": moment.seed,
        "input_versions": dump_json(dict(moment.versions)),
    }


def _config(member: Member, choices: Choices, rows_sha256: str, params: ModelParams) -> str:
    """The member explains itself: what was set, what was chosen, the rows it was fitted on, and a plugin's file."""
    return dump_json(
        {
            "member": member.name,
            "params": first_names(params),
            "chosen": tell_settings(member, choices),
            "rows_sha256": rows_sha256,
            **({} if member in MEMBERS else {DECLARED_IN: Path(getfile(type(member))).name}),
        }
    )


STAGE = Stage(
    name="train",
    function=train,
    reads=(
        Read(FEATURE_ROWS, lookback=HISTORY),
        Read(MARKET_PRICES, lookback=HISTORY, columns=(*MARKET_PRICES.key, "session", "close")),
        Read(CORPORATE_ACTIONS, lookback=HISTORY),
        Read(TICKER_UNIVERSE, lookback=HISTORY, columns=("session", "ticker", "member")),
        Read(MODEL_REGISTRY, lookback=None, upto="previous"),
        Read(MODEL_PROMOTIONS, lookback=None, upto="previous"),
    ),
    writes=MODEL_REGISTRY,
    params=ModelParams(),
    section="models",
    uses=("features", "members"),
    learns=True,
    attend=attend_training,
)
