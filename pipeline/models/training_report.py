"""What is written down about a training run: figures per fold and horizon, and the series promotion is decided on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from pipeline.models.dataset import Examples, Index, cut_blocks, session_means
from pipeline.models.ensemble import combine
from pipeline.models.evaluation import compute_figures, pinball
from pipeline.models.inference import forecast_standardised
from pipeline.models.members.member import Floats
from pipeline.models.members.naive import NAIVE
from pipeline.models.params import ModelParams
from pipeline.models.registry import Ensemble, load_general
from pipeline.models.training import FoldResult, TrainingResult


def describe_metrics(
    examples: Examples,
    trained: TrainingResult,
    comparison: dict[str, Any],
    quantiles: Sequence[float],
    params: ModelParams,
    further: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Return the JSON kept in `model_registry.metrics`, per member.

    member: folds (spans, rows, hash of the training rows, choices, figures per horizon) and figures over all folds;
    ensemble: figures over the judged folds, each combined with weights from earlier folds alone;
    comparison: see `compare`;
    what is told further of the whole training, as `search`, the points that were tried.
    """

    def at(tested: Sequence[FoldResult], forecasts: Sequence[Floats]) -> dict[str, dict[str, Any]]:
        return _figures(examples, tested, forecasts, quantiles, params)

    names = [member.name for member in trained.kinds]
    facts = [_fold_facts(examples, tested) for tested in trained.tested]
    ensemble = {
        "figures": at([tested for tested, _ in trained.evidence], evidence_forecasts(trained)),
        "fold_weights": [dict(zip(names, one.width.tolist(), strict=True)) for one in trained.fold_shares],
        **_fold_locations(names, trained),
    }
    result = {}
    for member in names:
        forecasts = [tested.forecasts[member] for tested in trained.tested]
        folds = [
            {**fact, "figures": at([tested], [forecast])}
            for fact, tested, forecast in zip(facts, trained.tested, forecasts, strict=True)
        ]
        own = {"folds": folds, "figures": at(trained.tested, forecasts)}
        result[member] = dump_json({"member": own, "ensemble": ensemble, "comparison": comparison, **(further or {})})
    return result


def compare(
    examples: Examples,
    trained: TrainingResult,
    model_registry: pl.DataFrame,
    parent: str | None,
    quantiles: Sequence[float],
    params: ModelParams,
) -> dict[str, Any]:
    """Return the paired losses per test session: challenger, naive, and the champion where that is fair to it.

    The challenger is the fold's model, trained before the block, with weights from earlier folds. The champion is its
    stored weights on the same rows, in sessions after it was trained. Losses are the mean pinball loss in units of
    sigma x sqrt(h), averaged over horizons and the session's names.

    Returns:
        sessions (ISO dates), challenger, naive, champion (lists of the same length, the last with nulls), champion_id,
        champion_can_forecast, champion_missing (why the champion has no losses at all; empty if it has), and members
        (the losses of each but the naive one, for the ledger of trials; not in runs of earlier programs).
    """
    evidence = [tested for tested, _ in trained.evidence]
    rows = np.concatenate([tested.test for tested in evidence])
    naive = np.concatenate([tested.forecasts[NAIVE.name] for tested in evidence])
    members = [kind.name for kind in trained.kinds if kind.name != NAIVE.name] if params.ledger == 2 else []
    own = {name: np.concatenate([tested.forecasts[name] for tested in evidence]) for name in members}
    places = np.unique(examples.session[rows])
    champion, missing = load_general(model_registry, parent, examples, params, trained.kinds, quantiles)
    losses: list[float | None] = [None] * len(places)
    if champion is not None:
        fresh = rows[examples.session[rows] > examples.calendar.position(champion.session)]
        missing = "" if len(fresh) else f"it was trained at {champion.session}, after every test session"
        known = dict(
            zip(
                np.unique(examples.session[fresh]).tolist(),
                session_losses(examples, fresh, _forecast(examples, champion, fresh), quantiles).tolist(),
                strict=True,
            )
        )
        losses = [known.get(place) for place in places.tolist()]
    return {
        "sessions": [examples.calendar.days[place].isoformat() for place in places],
        "challenger": session_losses(examples, rows, np.concatenate(evidence_forecasts(trained)), quantiles).tolist(),
        "naive": session_losses(examples, rows, naive, quantiles).tolist(),
        "champion": losses,
        "champion_id": parent,
        "champion_can_forecast": champion is not None,
        "champion_missing": missing,
        **(
            {"members": {name: session_losses(examples, rows, own[name], quantiles).tolist() for name in own}}
            if own
            else {}
        ),
    }


def dump_json(value: Any) -> str:
    """Write JSON with sorted keys; a number that is not finite is refused, not written."""
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))


def _fold_facts(examples: Examples, tested: FoldResult) -> dict[str, Any]:
    days, train, test = examples.calendar.days, examples.session[tested.train], examples.session[tested.test]
    return {
        "train_first": days[train[0]].isoformat(),
        "train_last": days[train[-1]].isoformat(),
        "test_first": days[test[0]].isoformat(),
        "test_last": days[test[-1]].isoformat(),
        "rows_train": len(train),
        "rows_test": len(test),
        "rows_sha256": examples.fingerprint(tested.train),
        "choices": {name: value for own in tested.choices.values() for name, value in own.items()},
    }


def _fold_locations(names: Sequence[str], trained: TrainingResult) -> dict[str, Any]:
    """Per fold what each member's median counted, where medians are weighed apart."""
    known = [one.location for one in trained.fold_shares if one.location is not None]
    return {"fold_locations": [dict(zip(names, one.tolist(), strict=True)) for one in known]} if known else {}


def evidence_forecasts(trained: TrainingResult) -> list[Floats]:
    """The ensemble's forecast of each judged fold."""
    return [shares.combine(tested.forecasts) for tested, shares in trained.evidence]


def _figures(
    examples: Examples,
    tested: Sequence[FoldResult],
    forecasts: Sequence[Floats],
    quantiles: Sequence[float],
    params: ModelParams,
) -> dict[str, dict[str, Any]]:
    rows = np.concatenate([t.test for t in tested])
    naive = np.concatenate([t.forecasts[NAIVE.name] for t in tested])
    return compute_figures(
        examples.outcome[rows],
        np.concatenate(forecasts),
        naive,
        examples.session[rows],
        params.horizons,
        quantiles,
    )


def session_losses(examples: Examples, rows: Index, forecast: Floats, quantiles: Sequence[float]) -> Floats:
    """Mean loss per session over names and horizons, rounded far below any difference that matters: [sessions]."""
    loss = pinball(examples.outcome[rows], forecast, quantiles)
    means: Floats = session_means(loss, examples.session[rows]).mean(axis=1).round(8)
    return means


def _forecast(examples: Examples, champion: Ensemble, rows: Index) -> Floats:
    if len(rows) == 0:
        return np.empty((0, len(champion.horizons), len(champion.quantiles)))
    columns = [examples.features.index(name) for name in champion.features]
    own = slice(None) if champion.features == examples.features else columns
    parts = [
        combine(
            forecast_standardised(champion, np.ascontiguousarray(examples.windows(block)[:, :, own])),
            champion.weights,
            champion.locations,
        )
        for block in cut_blocks(rows)
    ]
    return np.concatenate(parts)
