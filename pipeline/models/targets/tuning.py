"""Tuning for some names: in each fold from the general model of that fold, in the end from the champion.

In a fold, members are fitted on all names before the block, and then tuned on the target's: both forecast the target's
rows of the block. The champion itself would not do there, for it has seen the blocks. So what is judged is the step
from a general model to a tuned one, over every block, and the specialist is that step taken from the champion.
Only where a return lies is tuned; how wide it is stays the general model's, since few names tell little of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from pipeline.execution.current import share_out
from pipeline.models.attempts.assessment import Assessment, assess, count_fitted
from pipeline.models.dataset import Examples, Index
from pipeline.models.folds import Fold, SessionSpan
from pipeline.models.jobs.fingerprint import describe_job
from pipeline.models.jobs.training_job import begin_job
from pipeline.models.members.member import FitTask, Floats, Member, fit_members, sort_members
from pipeline.models.params import ModelParams
from pipeline.models.registry import Ensemble, load_general
from pipeline.models.training import (
    FoldResult,
    Shares,
    TrainingResult,
    list_folds,
    name_folds,
    plan_tasks,
    test_members,
    weigh,
    weigh_locations_of,
)
from pipeline.text_format import counted


@dataclass(frozen=True)
class Tuned:
    """What came of a training for some names."""

    examples: Examples
    """The target's."""
    result: TrainingResult
    """The specialist, its forecasts in each fold and what they count."""
    general: tuple[Floats, ...]
    """Per fold the general model's forecast of the same rows, [n, H, Q]."""


def find_start(
    model_registry: pl.DataFrame, model_id: str | None, examples: Examples, params: ModelParams, kinds: Sequence[Member]
) -> tuple[Ensemble | None, str]:
    """The champion to begin as, or None and why it can't be tuned: it has to know every input that there is now."""
    champion, missing = load_general(model_registry, model_id, examples, params, kinds)
    if champion is not None and champion.features != examples.features:
        return None, f"model {model_id!r} was trained on fewer features than there are now; train it again first"
    return champion, missing


def assess_target(examples: Examples, rows: Index, params: ModelParams) -> Assessment:
    """Say whether there is enough to train a specialist on, and else what is lacking.

    Args:
        examples: of all names.
        rows: the target's, in rising order.
        params: what is trained.
    """
    found = assess(examples, params)
    if found.outcome != "enough" or _usable_folds(examples, rows, params):
        return found if found.outcome != "enough" else replace(found, windows=len(rows))
    reason = (
        f"{counted(len(rows), 'labelled window')} of these names leave no fold with {params.min_target_rows} to fit and"
        " some to hold back and to be tested on (models.min_target_rows)"
    )
    return Assessment(found.labelled, len(rows), "few_windows", reason, 0)


def tune(
    examples: Examples,
    rows: Index,
    champion: Ensemble,
    params: ModelParams,
    seed: int,
    members: Sequence[Member],
    salt: str = "",
    workers: int | None = None,
) -> Tuned:
    """Tune the champion's members for a target that `assess_target` found enough of.

    Args:
        examples: of all names, with the champion's features, window and horizons.
        rows: the target's, in rising order.
        champion: what the specialist begins as.
        params: what is trained.
        seed: the run's.
        members: the kinds there are, in the order in which they build on each other; those of the champion are taken.
        salt: what decides the weights beside these: the target, and the champion's weights.
        workers: folds fitted at a time, where this process fits them; None for as many as there are processors.
    """
    kinds = [one for one in members if one.name in champion.members]
    ordered, quantiles, mine = sort_members(kinds), champion.quantiles, examples.take(rows)
    job = begin_job(lambda more: describe_job(mine, quantiles, params, seed, kinds, more + salt))
    folds = _usable_folds(examples, rows, params)
    shared_job, told = job.share()
    tasks = plan_tasks(examples, folds, quantiles, params, seed, shared_job)
    both = share_out(_test_both, name_folds(tasks), (folds, tasks, mine, kinds), told, workers)
    general, tested = [one for one, _ in both], tuple(one for _, one in both)
    general_shares = weigh(examples, general, ordered, quantiles, params)[:-1]
    weighed = params.ensemble == 2 and champion.locations is not None
    located = [
        weigh_locations_of(mine, tested[:number], ordered, params) if weighed else None
        for number in range(len(tested) + 1)
    ]
    final = replace(
        tasks[0],
        examples=mine,
        span=SessionSpan(int(mine.session[0]), int(mine.session[-1])),
        seed=(seed, len(tested)),
        start=champion.members,
        job=job.within("final"),
    )
    fitted = fit_members(kinds, final, [one.choices for one in tested])
    result = TrainingResult(
        tested=tested,
        fold_shares=tuple(replace(one, location=at) for one, at in zip(general_shares, located[:-1], strict=True)),
        shares=Shares(np.array([champion.weights[kind.name] for kind in ordered]), located[-1]),
        kinds=ordered,
        members={kind.name: fitted[kind.name] for kind in ordered},
        rows=final.rows,
    )
    return Tuned(mine, result, tuple(_of_rows(*pair, rows) for pair in zip(general, general_shares, strict=True)))


def _usable_folds(examples: Examples, rows: Index, params: ModelParams) -> list[Fold]:
    """The folds of all names in which the target has windows to fit, to hold back and to be tested on."""
    if len(rows) == 0:
        return []
    mine = examples.take(rows)
    return [fold for fold in list_folds(examples, params) if count_fitted(mine, fold, params) >= params.min_target_rows]


def _test_both(
    number: int, shared: tuple[Sequence[Fold], Sequence[FitTask], Examples, Sequence[Member]]
) -> tuple[FoldResult, FoldResult]:
    """A general model's forecasts of a fold's block, and those of the target's rows by what it was tuned to."""
    folds, tasks, mine, kinds = shared
    fold, task = folds[number], tasks[number]
    fitted = fit_members(kinds, task, [])
    tuning = replace(
        task,
        examples=mine,
        start={name: one.arrays for name, one in fitted.items()},
        job=task.job.within("tuned"),
    )
    tuned = fit_members(kinds, tuning, [])
    return test_members(fold, task, kinds, fitted), test_members(fold, tuning, kinds, tuned)


def _of_rows(general: FoldResult, shares: Shares, rows: Index) -> Floats:
    """The general model's forecast of those of a block's rows that are the target's."""
    mine = np.isin(general.test, rows)
    return shares.combine({name: forecast[mine] for name, forecast in general.forecasts.items()})
