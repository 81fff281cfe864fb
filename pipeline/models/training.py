"""Fitting the members walk-forward: what each forecast out of sample, the weights that follow, and the final fit."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.execution.current import share_out
from pipeline.execution.piece import Piece
from pipeline.models.attempts.assessment import count_fitted
from pipeline.models.dataset import Examples, Index, cut_blocks
from pipeline.models.ensemble import (
    choose_weights,
    combine,
    grid_losses,
    locate,
    recentre,
    simplex,
    weigh_locations,
)
from pipeline.models.explaining.importance import measure_rises
from pipeline.models.folds import Fold, SessionSpan, walk_forward
from pipeline.models.jobs.fingerprint import describe_job
from pipeline.models.jobs.training_job import TrainingJob, begin_job
from pipeline.models.members import MEMBERS
from pipeline.models.members.member import (
    Arrays,
    Choices,
    FitTask,
    Fitted,
    Floats,
    Member,
    ask_quantiles,
    fit_members,
    sort_members,
)
from pipeline.models.params import ModelParams

log = logging.getLogger(__name__)


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
    rises: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
    """Member -> input -> how much the squared error of its locations rises when the input is shuffled, [sessions, H];
    empty where that is not measured."""


@dataclass(frozen=True)
class Shares:
    """What each member counts, [members, H] in the order of their names; each column sums to 1."""

    width: Floats
    """Of the quantiles around the median; of the median too where that is not weighed apart."""
    location: Floats | None
    """Of the median; None where it is not weighed apart."""

    def combine(self, forecasts: Mapping[str, Floats]) -> Floats:
        """The ensemble's quantiles from the members'."""
        names = sorted(forecasts)
        location = None if self.location is None else dict(zip(names, self.location, strict=True))
        return combine(forecasts, dict(zip(names, self.width, strict=True)), location)


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of a training run."""

    tested: tuple[FoldResult, ...]
    fold_shares: tuple[Shares, ...]
    """Per fold what the folds before it alone decided; equal shares, and the line's location, for the first."""
    shares: Shares
    """What all folds decided."""
    kinds: tuple[Member, ...]
    """The members, by name."""
    members: Mapping[str, Fitted]
    """The final fit on every labelled row, in the order of the names, as are the weights."""
    rows: Index
    """The rows of the final fit."""

    @property
    def evidence(self) -> list[tuple[FoldResult, Shares]]:
        """The folds that count as evidence, with their shares: all but the first, whose shares are only a guess."""
        pairs = list(zip(self.tested, self.fold_shares, strict=True))
        return pairs[1:] or pairs


def run_training(
    examples: Examples,
    quantiles: Sequence[float],
    params: ModelParams,
    seed: int,
    workers: int | None = None,
    members: Sequence[Member] = MEMBERS,
) -> TrainingResult | None:
    """Run all folds and the final fit; None where history is too short for a single fold, or no price ever moves.

    Folds know nothing of each other, so they are shared out. The result does not depend on who fits which, and how many
    at a time: each has its own seed, and computes with one thread.

    Args:
        examples: all labelled rows.
        quantiles: Q probabilities.
        params: what is trained.
        seed: the run's.
        workers: folds fitted at a time, where this process fits them; None for as many as there are processors.
        members: what is fitted, in the order in which they build on each other.
    """
    folds = list_folds(examples, params)
    if not folds or _never_moves(examples):
        return None
    job = begin_job(lambda salt: describe_job(examples, quantiles, params, seed, members, salt))
    shared_job, told = job.share()
    tasks = plan_tasks(examples, folds, quantiles, params, seed, shared_job)
    tested = tuple(share_out(_test, name_folds(tasks), (folds, tasks, members), told, workers))
    ordered = sort_members(members)
    shares = weigh(examples, tested, ordered, quantiles, params)
    everything = SessionSpan(int(examples.session[0]), int(examples.session[-1]))
    final = replace(tasks[0], span=everything, seed=(seed, len(tested)), job=job.within("final"))
    fitted = fit_members(members, final, [t.choices for t in tested])
    return TrainingResult(
        tested=tested,
        fold_shares=tuple(shares[:-1]),
        shares=shares[-1],
        kinds=ordered,
        members={member.name: fitted[member.name] for member in ordered},
        rows=final.rows,
    )


def list_folds(examples: Examples, params: ModelParams) -> list[Fold]:
    """The folds that have windows to fit, to hold back and to be tested on, earliest first."""
    if len(examples) == 0:
        return []
    span = SessionSpan(int(examples.session[0]), int(examples.session[-1]))
    return [fold for fold in walk_forward(span, params) if count_fitted(examples, fold, params) >= params.min_rows]


def plan_tasks(
    examples: Examples,
    folds: Sequence[Fold],
    quantiles: Sequence[float],
    params: ModelParams,
    seed: int,
    job: TrainingJob,
) -> list[FitTask]:
    """What members learn from in each fold, with a seed and a place of its own."""
    return [
        FitTask(
            examples=examples,
            span=fold.train,
            quantiles=tuple(quantiles),
            params=params,
            seed=(seed, number),
            job=job.within(f"fold {number + 1} of {len(folds)}"),
        )
        for number, fold in enumerate(folds)
    ]


def name_folds(tasks: Sequence[FitTask]) -> list[Piece]:
    """A piece for each fold, by its number among the tasks."""
    return [Piece(" ".join(task.job.place), number) for number, task in enumerate(tasks)]


def weigh(
    examples: Examples,
    tested: Sequence[FoldResult],
    ordered: Sequence[Member],
    quantiles: Sequence[float],
    params: ModelParams,
) -> list[Shares]:
    """What the folds before each fold decide, and in the end what all of them do."""
    grid = simplex(len(ordered), params.weight_step)
    losses: list[Floats] = []
    shares: list[Shares] = []
    for number in range(len(tested) + 1):
        location = weigh_locations_of(examples, tested[:number], ordered, params) if params.ensemble == 2 else None
        shares.append(Shares(_weights(losses, grid, ordered, params), location))
        if number < len(tested):
            losses.append(_fold_losses(examples, tested[number], shares[-1].location, grid, quantiles))
    return shares


def weigh_locations_of(
    examples: Examples, tested: Sequence[FoldResult], ordered: Sequence[Member], params: ModelParams
) -> Floats:
    """What each member's median counts by the test blocks of these folds, [members, H]."""
    rows: Index = np.concatenate([one.test for one in tested]) if tested else np.empty(0, dtype=np.int64)
    empty = np.empty((0, len(params.horizons), 1))
    forecasts = {
        kind.name: np.concatenate([one.forecasts[kind.name] for one in tested]) if tested else empty for kind in ordered
    }
    return weigh_locations(forecasts, examples.relative[rows], examples.session[rows], ordered, params.horizons)


def _fold_losses(
    examples: Examples, tested: FoldResult, location: Floats | None, grid: Floats, quantiles: Sequence[float]
) -> Floats:
    """What each combination of widths lost in a fold's test block, around the location that was known before it."""
    forecasts = tested.forecasts
    if location is not None:
        forecasts = recentre(forecasts, locate(forecasts, dict(zip(sorted(forecasts), location, strict=True))))
    return grid_losses(forecasts, examples.outcome[tested.test], examples.session[tested.test], grid, quantiles)


def _never_moves(examples: Examples) -> bool:
    """Whether all outcomes of a horizon are the same: prices that stand still teach nothing."""
    same = np.ptp(examples.outcome, axis=0) == 0
    if same.any():
        log.warning(
            "nothing is trained: all %d outcomes over %d sessions are the same; the prices stand still",
            len(examples),
            examples.horizons[int(np.argmax(same))],
        )
    return bool(same.any())


def _test(number: int, shared: tuple[Sequence[Fold], Sequence[FitTask], Sequence[Member]]) -> FoldResult:
    """Fit the members on what lies before a fold's block and forecast it."""
    folds, tasks, members = shared
    fold, task = folds[number], tasks[number]
    return test_members(fold, task, members, fit_members(members, task, []))


def test_members(fold: Fold, task: FitTask, members: Sequence[Member], fitted: Mapping[str, Fitted]) -> FoldResult:
    """The forecasts that members fitted for a fold make of its block."""
    examples = task.examples
    test = examples.between(fold.test.first, fold.test.last)
    sizes = (len(examples.horizons), len(task.quantiles))
    # Checked before anything else is asked of them: a member of a plugin may return anything.
    forecasts = {
        member.name: _forecast_rows(examples, member, fitted[member.name].arrays, test, sizes)
        for member in sort_members(members)
    }
    measured = task.params.importance == 2 and not task.start
    return FoldResult(
        fold=fold,
        train=task.rows,
        test=test,
        choices={name: one.choices for name, one in fitted.items()},
        forecasts=forecasts,
        rises=measure_rises(examples, test, members, fitted, task.seed) if measured else {},
    )


def _forecast_rows(examples: Examples, member: Member, arrays: Arrays, rows: Index, sizes: tuple[int, int]) -> Floats:
    """One member's standardised quantiles for these examples, gathered block by block: [rows, H, Q]."""
    parts = [ask_quantiles(member, arrays, examples.windows(block), *sizes) for block in cut_blocks(rows)]
    return np.concatenate(parts)


def _weights(losses: Sequence[Floats], grid: Floats, members: Sequence[Member], params: ModelParams) -> Floats:
    """Weights [members, H] from the folds seen so far; equal shares before there is any."""
    if not losses:
        return np.full((len(members), len(params.horizons)), 1 / len(members))
    seen = np.concatenate(losses, axis=1)
    return choose_weights(seen, grid, members, params.horizons, params.naive_preference)
