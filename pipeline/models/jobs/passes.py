"""Passes of anything that learns by passes: for a given number, or until held-back rows stop improving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy.typing as npt

from pipeline.models.jobs.checkpoints import State
from pipeline.models.jobs.training_job import TrainingJob

Weights = dict[str, npt.NDArray[Any]]
OWN, BEST = "own.", "best."
"""Begin the names of a trainer's own arrays, and of the weights of its best pass."""


class Trainable(Protocol):
    """Something in training."""

    def train_epoch(self, epoch: int) -> float:
        """One pass; the mean loss it met."""

    def state(self) -> State:
        """All that decides the passes to come: weights, optimiser, random numbers."""

    def restore(self, state: State) -> None:
        """Stand where it stood."""


def train_passes(trainer: Trainable, count: int, job: TrainingJob) -> None:
    """Train for a given number of passes, from where the job was interrupted."""
    kept = job.restore()
    first = _take_up(trainer, kept) if kept is not None else 0
    for epoch in range(first, count):
        loss = trainer.train_epoch(epoch)
        _keep(job, trainer, {"epoch": epoch + 1}, {})
        job.report(epoch + 1, count, loss=loss)


def train_until_stale(
    trainer: Trainable, judge: Callable[[], tuple[Weights, float]], most: int, patience: int, job: TrainingJob
) -> tuple[int, Weights]:
    """Train until held-back rows have not improved for some passes, from where the job was interrupted.

    Args:
        trainer: what is trained.
        judge: the weights as they stand, as they would be kept, and their loss on held-back rows.
        most: passes at most.
        patience: passes without improvement after which it stops.
        job: where it keeps its standing.

    Returns:
        The number of the best pass, 0 for none, and its weights.
    """
    kept = job.restore()
    if kept is None:
        first, best, (weights, best_loss) = 0, 0, judge()
    else:
        first = _take_up(trainer, kept)
        best, best_loss, weights = kept.facts["best"], kept.facts["best_loss"], kept.part(BEST)
    for epoch in range(first, most):
        if epoch - best >= patience:
            break
        loss = trainer.train_epoch(epoch)
        now, held_loss = judge()
        if held_loss < best_loss:
            weights, best, best_loss = now, epoch + 1, held_loss
        _keep(job, trainer, {"epoch": epoch + 1, "best": best, "best_loss": best_loss}, weights)
        job.report(epoch + 1, most, loss=loss, held_loss=held_loss, best=best == epoch + 1)
    return best, weights


def _take_up(trainer: Trainable, kept: State) -> int:
    trainer.restore(State(kept.part(OWN), kept.facts["own"]))
    epoch: int = kept.facts["epoch"]
    return epoch


def _keep(job: TrainingJob, trainer: Trainable, facts: Mapping[str, Any], best: Weights) -> None:
    if job.checkpoints is None:
        return
    own = trainer.state()
    arrays = {OWN + name: value for name, value in own.arrays.items()}
    job.keep(arrays | {BEST + name: value for name, value in best.items()}, {**facts, "own": dict(own.facts)})
