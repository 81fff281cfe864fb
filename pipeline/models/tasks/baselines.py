"""What a classifier has to beat: yesterday's direction, its reverse, the commoner side, and a straight line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.models.scaling import fit_scaler, standardise
from pipeline.models.tasks.classification import Floats, LabelledWindows, Tensor
from pipeline.models.tasks.scores import Told
from pipeline.models.tasks.task import LearningTask

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Penalties of the line that are tried, per training example, on inputs of unit variance."""

Forecaster = Callable[[Tensor], Floats]
"""Windows [n, L, F] -> [n]; above 0 says up."""


@dataclass(frozen=True)
class Baseline:
    """A forecaster, and what the validation part chose of it."""

    name: str
    forecast: Forecaster
    chosen: str = ""


def fit_baselines(
    task: LearningTask, train: LabelledWindows, validate: LabelledWindows, direction: str
) -> tuple[Baseline, ...]:
    """All baselines of a classification.

    Args:
        task: gives the features' order, and the score that chooses the line's penalty.
        train: what sides are counted on and the line is fitted to.
        validate: what the penalty is chosen by.
        direction: the feature whose sign is a day's direction.
    """
    at = task.features.index(direction)
    common = 1.0 if train.label.mean() > 0 else -1.0
    return (
        Baseline("last sign", lambda windows: windows[:, -1, at].astype(np.float64)),
        Baseline("last sign reversed", lambda windows: -windows[:, -1, at].astype(np.float64)),
        Baseline("majority", lambda windows: np.full(len(windows), common)),
        fit_line(task, train, validate),
    )


def fit_line(task: LearningTask, train: LabelledWindows, validate: LabelledWindows) -> Baseline:
    """A ridge regression of the side on all values of the window; validation chooses the penalty among `PENALTIES`.

    Hoerl and Kennard (1970); inputs are standardised over the training part alone.
    """
    flat = train.windows.reshape(len(train), -1)
    scaler = fit_scaler(flat)
    inputs, centre = standardise(flat, scaler), float(train.label.mean())
    products, target = inputs.T @ inputs, inputs.T @ (train.label - centre)
    own = len(train) * np.eye(len(products))
    lines: dict[float, Any] = {one: np.linalg.solve(products + one * own, target) for one in PENALTIES}

    def forecast(windows: Tensor, line: Floats) -> Floats:
        values: Floats = standardise(windows.reshape(len(windows), -1), scaler) @ line + centre
        return values

    def merit(penalty: float) -> float:
        told = Told(validate.label, forecast(validate.windows, lines[penalty]), validate.session)
        return task.chooses.merit(task.chooses.of(told))

    best = max(PENALTIES, key=merit)
    return Baseline(
        "ridge line", lambda windows: forecast(windows, lines[best]), f"penalty {best:g} of {len(PENALTIES)} tried"
    )
