"""Stage `train_target`: tune the champion for some names, and register what came of it as their specialist."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from lake.tables.features import FEATURE_ROWS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY, SPECIALISTS
from pipeline.config.recorded import first_names
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.features.feature_set import feature_set
from pipeline.market.securities.following import Securities
from pipeline.models.dataset import Examples, Index, label_examples
from pipeline.models.jobs.attendance import attend_training
from pipeline.models.members import list_members
from pipeline.models.params import ModelParams
from pipeline.models.registry import Ensemble, find_champion
from pipeline.models.serialization import digest, encode
from pipeline.models.targets.target import Target, parse_target
from pipeline.models.targets.tuning import Tuned, assess_target, find_start, tune
from pipeline.models.train import HISTORY
from pipeline.models.training_report import describe_metrics, dump_json, evidence_forecasts, session_losses


def train_target(
    feature_rows: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    model_registry: pl.DataFrame,
    model_promotions: pl.DataFrame,
    moment: Moment,
    params: ModelParams,
) -> pl.DataFrame:
    """Tune the champion for the names of the moment's target, and register the specialist's members, a row each.

    Trains at `moment.session` alone (ignores `since`). Returns no rows while there is no champion that could be tuned,
    or too little history of these names; `targeted_trainings` says which.
    """
    frames = (feature_rows, market_prices, corporate_actions, ticker_universe)
    target = parse_target(moment.target)
    examples, rows = label_target(*frames, target, moment, params)
    kinds = list_members(moment.extensions.members)
    champion, _ = find_start(model_registry, find_champion(model_promotions), examples, params, kinds)
    if champion is None or assess_target(examples, rows, params).outcome != "enough":
        return SPECIALISTS.empty()
    salt = f"{target} {champion.model_id}"
    return _rows(target, tune(examples, rows, champion, params, moment.seed, kinds, salt), champion, moment, params)


def label_target(
    feature_rows: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    target: Target,
    moment: Moment,
    params: ModelParams,
) -> tuple[Examples, Index]:
    """The examples of all names, and the positions of the target's."""
    frames = (feature_rows, market_prices, corporate_actions, ticker_universe)
    examples = label_examples(*frames, moment.calendar, params, feature_set(moment.extensions))
    companies = Securities.trace(corporate_actions, market_prices)
    return examples, target.find_rows(examples, ticker_universe, companies)


def _rows(target: Target, tuned: Tuned, champion: Ensemble, moment: Moment, params: ModelParams) -> pl.DataFrame:
    trained, examples = tuned.result, tuned.examples
    encoded = {name: encode(fitted.arrays) for name, fitted in trained.members.items()}
    content = "".join([str(target), champion.model_id, *(digest(one) for one in encoded.values())])
    session = examples.session[trained.rows]
    figures = describe_metrics(examples, trained, compare_general(tuned, champion), champion.quantiles, params)
    common = {
        "specialist_id": f"s-{moment.session:%Y%m%d}-{digest(content.encode())[:8]}",
        "session": moment.session,
        "target": str(target),
        "champion": champion.model_id,
        "feature_set": feature_set(moment.extensions).name_of(examples.features),
        "features": list(champion.features),
        "window": champion.window,
        "horizons": list(champion.horizons),
        "quantiles": list(champion.quantiles),
        "train_first": examples.calendar.days[session[0]],
        "train_last": examples.calendar.days[session[-1]],
        "rows_train": len(trained.rows),
        "names": examples.ticker[trained.rows].n_unique(),
        "seed": moment.seed,
        "input_versions": dump_json(dict(moment.versions)),
    }
    location = trained.shares.location
    rows: list[dict[str, Any]] = [
        {
            **common,
            "member": member.name,
            "ensemble_weights": trained.shares.width[number].tolist(),
            "location_weights": None if location is None else location[number].tolist(),
            "weights": encoded[member.name],
            "weights_sha256": digest(encoded[member.name]),
            "config": dump_json(
                {"params": first_names(params), "chosen": _choices(trained.members[member.name].choices)}
            ),
            "metrics": figures[member.name],
        }
        for number, member in enumerate(trained.kinds)
    ]
    return pl.DataFrame(rows, schema=SPECIALISTS.schema)


def _choices(choices: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in choices.items()}


def compare_general(tuned: Tuned, champion: Ensemble) -> dict[str, Any]:
    """The losses per test session that the specialist is judged by: its own, the naive one's, the general model's.

    The same rows for all three, those of its names in the blocks that count as evidence; each forecast by what was
    fitted before the block. See `training_report.compare` for the unit.
    """
    trained, examples = tuned.result, tuned.examples
    evidence = [one for one, _ in trained.evidence]
    first = len(trained.tested) - len(evidence)
    rows = np.concatenate([one.test for one in evidence])
    forecasts = {
        "challenger": np.concatenate(evidence_forecasts(trained)),
        "naive": np.concatenate([one.forecasts["naive"] for one in evidence]),
        "general": np.concatenate(tuned.general[first:]),
    }
    days = [examples.calendar.days[place].isoformat() for place in np.unique(examples.session[rows])]
    every = champion.quantiles
    losses = {name: session_losses(examples, rows, one, every).tolist() for name, one in forecasts.items()}
    return {"sessions": days, **losses, "champion_id": champion.model_id}


STAGE = Stage(
    name="train_target",
    function=train_target,
    reads=(
        Read(FEATURE_ROWS, lookback=HISTORY),
        Read(MARKET_PRICES, lookback=HISTORY, columns=(*MARKET_PRICES.key, "session", "close")),
        Read(CORPORATE_ACTIONS, lookback=HISTORY),
        Read(TICKER_UNIVERSE, lookback=HISTORY, columns=("session", "ticker", "member", "sector")),
        Read(MODEL_REGISTRY, lookback=None, upto="held"),
        Read(MODEL_PROMOTIONS, lookback=None, upto="held"),
    ),
    writes=SPECIALISTS,
    params=ModelParams(),
    section="models",
    uses=("features", "members"),
    learns=True,
    attend=attend_training,
)
