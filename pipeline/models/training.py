"""Fitting the members walk-forward: what each forecast out of sample, the weights that follow, and the final fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import cpu_count

import numpy as np

from pipeline.models.dataset import Examples, Index, cut_blocks
from pipeline.models.ensemble import choose_weights, combine, grid_losses, simplex
from pipeline.models.folds import Fold, SessionSpan, split_inner, walk_forward
from pipeline.models.members import MEMBERS
from pipeline.models.members.member import Arrays, Choices, FitTask, Fitted, Floats, Member, fit_members, sort_members
from pipeline.models.params import ModelParams


@dataclass(frozen=True)
class FoldResult:
    """A fold whose members were fitted on what lies before its block and have forecast it."""

    fold: Fold
    train: Index
    test: Index
    choices: Mapping[str, Choices]
    """Member -> what held-back rows decided."""
    forecasts: Mapping[str, Floats]
    """Member -> [test rows, H, Q] in units of sigma x sqrt(h)."""


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of a training run."""

    tested: tuple[FoldResult, ...]
    fold_weights: tuple[Floats, ...]
    """Per fold the weights [members, H] chosen on the folds before it alone; equal shares for the first."""
    weights: Floats
    """[members, H] chosen on all folds."""
    kinds: tuple[Member, ...]
    """The members, by name."""
    members: Mapping[str, Fitted]
    """The final fit on every labelled row, in the order of the names, as are the weights."""
    rows: Index
    """The rows of the final fit."""

    @property
    def evidence(self) -> list[tuple[FoldResult, Floats]]:
        """The folds that count as evidence, with their weights: all but the first, whose weights are only a guess."""
        pairs = list(zip(self.tested, self.fold_weights, strict=True))
        return pairs[1:] or pairs


def run_training(
    examples: Examples,
    quantiles: Sequence[float],
    params: ModelParams,
    seed: int,
    workers: int | None = None,
    members: Sequence[Member] = MEMBERS,
) -> TrainingResult | None:
    """Run all folds and the final fit; None where history is too short for a single fold.

    Folds know nothing of each other, so they are fitted side by side. The result does not depend on how many are: each
    has its own seed, and computes with one thread.

    Args:
        examples: all labelled rows.
        quantiles: Q probabilities.
        params: what is trained.
        seed: the run's.
        workers: folds fitted at a time; None for as many as there are processors.
        members: what is fitted, in the order in which they build on each other.
    """
    folds = [fold for fold in _folds(examples, params) if _enough(examples, fold, params)]
    if not folds:
        return None
    tasks = [
        FitTask(examples=examples, span=fold.train, quantiles=tuple(quantiles), params=params, seed=(seed, number))
        for number, fold in enumerate(folds)
    ]
    tested = _test_folds(folds, tasks, members, workers or cpu_count() or 1)
    ordered = sort_members(members)
    grid = simplex(len(ordered), params.weight_step)
    losses = [
        grid_losses(t.forecasts, examples.outcome[t.test], examples.session[t.test], grid, quantiles) for t in tested
    ]
    weights = [_weights(losses[:number], grid, ordered, params) for number in range(len(tested) + 1)]
    everything = SessionSpan(int(examples.session[0]), int(examples.session[-1]))
    final = replace(tasks[0], span=everything, seed=(seed, len(tested)))
    fitted = fit_members(members, final, [t.choices for t in tested])
    return TrainingResult(
        tested=tested,
        fold_weights=tuple(weights[:-1]),
        weights=weights[-1],
        kinds=ordered,
        members={member.name: fitted[member.name] for member in ordered},
        rows=final.rows,
    )


def _test_folds(
    folds: Sequence[Fold], tasks: Sequence[FitTask], members: Sequence[Member], workers: int
) -> tuple[FoldResult, ...]:
    """Test all folds, several at a time."""
    with ThreadPoolExecutor(min(workers, len(folds))) as pool:
        tests = [pool.submit(_test, fold, task, members) for fold, task in zip(folds, tasks, strict=True)]
        try:
            return tuple(test.result() for test in tests)
        except BaseException:  # a fold failed, or the operator has had enough: begin nothing more
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def combine_forecasts(forecasts: Mapping[str, Floats], weights: Floats) -> Floats:
    """Combine members with weights [members, H] in the order of their names."""
    return combine(forecasts, dict(zip(sorted(forecasts), weights, strict=True)))


def _folds(examples: Examples, params: ModelParams) -> list[Fold]:
    if len(examples) == 0:
        return []
    return walk_forward(SessionSpan(int(examples.session[0]), int(examples.session[-1])), params)


def _enough(examples: Examples, fold: Fold, params: ModelParams) -> bool:
    """Whether the fold has windows to fit, to hold back and to be tested on."""
    inner = split_inner(fold.train, params)
    fitted, held, test = (len(examples.between(span.first, span.last)) for span in (inner.train, inner.test, fold.test))
    return fitted >= params.min_rows and held > 0 and test > 0


def _test(fold: Fold, task: FitTask, members: Sequence[Member]) -> FoldResult:
    """Fit the members on what lies before the block and forecast it."""
    examples = task.examples
    test = examples.between(fold.test.first, fold.test.last)
    fitted = fit_members(members, task, [])
    return FoldResult(
        fold=fold,
        train=task.rows,
        test=test,
        choices={name: one.choices for name, one in fitted.items()},
        forecasts={
            member.name: _forecast_rows(examples, member, fitted[member.name].arrays, test)
            for member in sort_members(members)
        },
    )


def _forecast_rows(examples: Examples, member: Member, arrays: Arrays, rows: Index) -> Floats:
    """One member's standardised quantiles for these examples, gathered block by block: [rows, H, Q]."""
    return np.concatenate([member.quantiles(arrays, examples.windows(block)) for block in cut_blocks(rows)])


def _weights(losses: Sequence[Floats], grid: Floats, members: Sequence[Member], params: ModelParams) -> Floats:
    """Weights [members, H] from the folds seen so far; equal shares before there is any."""
    if not losses:
        return np.full((len(members), len(params.horizons)), 1 / len(members))
    seen = np.concatenate(losses, axis=1)
    return choose_weights(seen, grid, members, params.horizons, params.naive_preference)
