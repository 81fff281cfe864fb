"""An LSTM, with temporal attention or without, that learns which of two sides a label falls on (torch comes late)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.models.tasks.classification import Arrays, ClassifierParams, Floats, LabelledWindows, Tensor
from pipeline.models.tasks.task import LearningTask


@dataclass(frozen=True)
class TrainedClassifier:
    """The weights of the epoch that did best on the validation part."""

    weights: Arrays
    epoch: int
    """Which, from 1."""
    validation: tuple[float, ...]
    """The choosing score of each epoch on the validation part."""

    def forecast(self, windows: Tensor) -> Floats:
        """How far on the side of +1 each window lies: [n, L, F] -> [n]."""
        from pipeline.models.tasks import classifier_network

        return classifier_network.forecast(self.weights, windows)


def fit_classifier(
    task: LearningTask, train: LabelledWindows, validate: LabelledWindows, params: ClassifierParams, seed: int
) -> TrainedClassifier:
    """Train on one part and keep the epoch that the task's first score likes best on another, the earliest of equals.

    The same arguments give the same bits in any process on one kind of processor.

    Raises:
        ValueError: if the task asks for other than one class label, or a part is empty or of one class only.
    """
    from pipeline.models.tasks import classifier_network

    if task.label.kind != "class" or len(task.horizons) != 1:
        raise ValueError(f"the task {task.name!r} is not one of two classes over one horizon; nothing to classify")
    for name, part in (("training", train), ("validation", validate)):
        if len(np.unique(part.label)) != 2:
            sides = sorted(set(part.label.tolist()))
            raise ValueError(f"the {len(part)} labels of the {name} part are of {sides}; two classes are needed")
    return TrainedClassifier(*classifier_network.fit(task, train, validate, params, seed))
