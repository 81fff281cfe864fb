"""Successive halving: many settings are tried on few windows, the better part of them on more, the last on all.

Everything happens before the first test block: members are fitted on the start of that span and judged on its held-back
end, purged like a test block. So no held-out session that a training is judged by has seen any point. The settings as
they are take part, and win where nothing does better.
Jamieson and Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization, AISTATS (2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, log
from typing import Any, NamedTuple

import numpy as np

from pipeline.execution.current import share_out
from pipeline.execution.piece import Piece
from pipeline.models.dataset import Examples, Index, session_means
from pipeline.models.evaluation import pinball
from pipeline.models.folds import SessionSpan, split_inner
from pipeline.models.jobs.fingerprint import describe_job
from pipeline.models.jobs.training_job import TrainingJob, begin_job
from pipeline.models.members.member import FitTask, Floats, Member, ask_quantiles, fit_members
from pipeline.models.params import ModelParams
from pipeline.models.search.space import Point, list_points, read_space
from pipeline.models.training import list_folds
from pipeline.text_format import percent

SEED = 97
"""Sets the seeds of a search apart from those of the folds."""


@dataclass(frozen=True)
class Trial:
    """A point as it was tried last."""

    point: Point
    share: float
    """Of the windows that it was fitted on."""
    score: float
    """Mean of two ratios to the naive forecast's: of the pinball loss, and of the squared error of the median."""
    sessions: Index
    """Positions of the sessions it was judged on."""
    losses: Floats
    """[sessions] its pinball loss, mean over names and horizons."""
    naive: Floats
    """[sessions] the naive forecast's."""


@dataclass(frozen=True)
class Search:
    """What a search came to."""

    best: Point
    trials: tuple[Trial, ...]
    """Every point, in the order of the space."""

    def tell(self, examples: Examples) -> dict[str, Any]:
        """As the registry keeps it, for the ledger of trials."""
        return {"best": dict(self.best.settings), "points": [_tell(one, examples) for one in self.trials]}


def search(
    examples: Examples,
    quantiles: Sequence[float],
    params: ModelParams,
    seed: int,
    members: Sequence[Member],
) -> Search | None:
    """Search the space of the settings; None where history is too short for a single fold.

    Raises:
        ValueError: if the space is empty, or names what is not searched.
    """
    points = list_points(read_space(params.search_space), params.search_points, seed)
    if not (folds := list_folds(examples, params)):
        return None
    job = begin_job(lambda salt: describe_job(examples, quantiles, params, seed, members, salt), "search")
    shared_job, told = job.share()
    asked = _SharedByPoints(examples, folds[0].train, tuple(quantiles), params, points, seed, members, shared_job)
    tried: dict[int, Trial] = {}
    left, part = list(range(len(points))), params.search_halving
    for share in list_shares(len(points), part):
        pieces = [Piece(asked.name(number, share), (number, share)) for number in left]
        tried |= zip(left, share_out(_try_point, pieces, asked, told), strict=True)
        left = sorted(left, key=lambda number: (tried[number].score, number))[: max(len(left) // part, 1)]
    return Search(points[left[0]], tuple(tried[number] for number in sorted(tried)))


class _SharedByPoints(NamedTuple):
    """What all points of a search share."""

    examples: Examples
    span: SessionSpan
    """What lies before the first test block."""
    quantiles: tuple[float, ...]
    params: ModelParams
    points: Sequence[Point]
    seed: int
    members: Sequence[Member]
    job: TrainingJob

    def name(self, number: int, share: float) -> str:
        """A point as it is tried on a share of the windows."""
        return f"search {number + 1} of {len(self.points)}, {percent(share, 0)} of windows"


def _try_point(given: tuple[int, float], asked: _SharedByPoints) -> Trial:
    """Try the point of a number on a share of the windows."""
    number, share = given
    point, place = asked.points[number], asked.job.within(asked.name(number, share))
    task = _plan(asked.examples, asked.span, asked.quantiles, point.apply(asked.params), share, asked.seed, place)
    return _try(task, asked.params, point, share, asked.members)


def list_shares(points: int, part: int) -> list[float]:
    """The shares of windows that points are tried on, round by round; one in `part` of them is left each time."""
    rounds = max(ceil(log(points) / log(part) - 1e-9), 1)
    return [float(part) ** (number + 1 - rounds) for number in range(rounds)]


def _plan(
    examples: Examples,
    span: SessionSpan,
    quantiles: Sequence[float],
    params: ModelParams,
    share: float,
    seed: int,
    job: TrainingJob,
) -> FitTask:
    """What a point's members learn from: the start of the span, whole sessions of it left out for a smaller share."""
    inner = split_inner(span, params).train
    less, seeds = _spend_less(params, share, len(examples.between(inner.first, inner.last))), (seed, SEED)
    return FitTask(examples=examples, span=inner, quantiles=tuple(quantiles), params=less, seed=seeds, job=job)


def _spend_less(params: ModelParams, share: float, rows: int) -> ModelParams:
    lstm = replace(params.lstm, windows_per_epoch=max(ceil(share * min(rows, params.lstm.windows_per_epoch)), 1))
    ridge = replace(params.ridge, max_rows=max(ceil(share * min(rows, params.ridge.max_rows)), 100))
    return replace(params, lstm=lstm, ridge=ridge)


def _try(task: FitTask, params: ModelParams, point: Point, share: float, members: Sequence[Member]) -> Trial:
    """Fit the members with a point's settings and judge the one that they concern on the end of the span."""
    name = "lstm" if any(line.startswith("lstm.") for line in params.search_space) else "ridge"
    kinds = [one for one in members if one.name in ("naive", "ridge", name)]
    fitted, examples, held = fit_members(kinds, task, []), task.examples, _held_back(task, params)
    windows, session = examples.windows(held), examples.session[held]
    asked = [one for one in kinds if one.name in ("naive", name)]
    sizes = (len(examples.horizons), len(task.quantiles))
    forecasts = {one.name: ask_quantiles(one, fitted[one.name].arrays, windows, *sizes) for one in asked}
    losses = {
        key: session_means(pinball(examples.outcome[held], value, task.quantiles), session).mean(axis=1)
        for key, value in forecasts.items()
    }
    middle = len(task.quantiles) // 2
    misses = {
        key: float(np.square(value[:, :, middle] - examples.relative[held]).mean()) for key, value in forecasts.items()
    }
    score = (losses[name].mean() / losses["naive"].mean() + misses[name] / misses["naive"]) / 2
    return Trial(point, share, float(score), np.unique(session), losses[name], losses["naive"])


def _held_back(task: FitTask, params: ModelParams) -> Index:
    """The end of the span that the task's is the start of, beyond what is purged."""
    first = task.span.last + params.purge + params.embargo + 1
    fold = list_folds(task.examples, params)[0]
    return task.examples.between(first, fold.train.last)


def _tell(trial: Trial, examples: Examples) -> dict[str, Any]:
    return {
        "settings": dict(trial.point.settings),
        "share": trial.share,
        "score": trial.score,
        "sessions": [examples.calendar.days[at].isoformat() for at in trial.sessions.tolist()],
        "losses": trial.losses.round(8).tolist(),
        "naive": trial.naive.round(8).tolist(),
    }
