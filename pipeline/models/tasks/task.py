"""What is to be learned, as one object: models and benchmarks are given it and know nothing else of the question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.models.tasks.labels import Label
from pipeline.models.tasks.losses import Loss
from pipeline.models.tasks.scores import Score
from pipeline.models.tasks.splits import Partition


@dataclass(frozen=True)
class LearningTask:
    """A question to models: from which inputs, over which horizons, what, learned by which loss and judged how.

    Raises:
        ValueError: naming all that contradicts itself.
    """

    name: str
    features: tuple[str, ...]
    """Inputs, in the order of the windows' last axis."""
    window: int
    """Sessions a model looks back; the last of them is the one before the label starts."""
    horizons: tuple[int, ...]
    """Sessions ahead, rising."""
    label: Label
    loss: Loss
    scores: tuple[Score, ...]
    """How forecasts are judged; the first one chooses on the validation part."""
    split: Partition

    def __post_init__(self) -> None:
        if found := list(self._contradictions()):
            raise ValueError(f"the task {self.name!r} contradicts itself: {'; '.join(found)}")

    @property
    def chooses(self) -> Score:
        """The score by which the validation part chooses."""
        return self.scores[0]

    def _contradictions(self) -> Iterator[str]:
        if not self.features or len(set(self.features)) < len(self.features):
            yield f"features have to be some, each once, and are {self.features}"
        if self.window < 1:
            yield f"a window of {self.window} sessions; it takes at least 1"
        if not self.horizons or list(self.horizons) != sorted(set(self.horizons)) or self.horizons[0] < 1:
            yield f"horizons have to rise from at least 1 session, and are {self.horizons}"
        elif max(self.horizons) > self.split.purge:
            yield f"a horizon of {max(self.horizons)} sessions, but parts are kept apart for {self.split.purge} only"
        if self.loss.kind != self.label.kind:
            yield f"the loss {self.loss.name!r} is for labels that are an {self.loss.kind}, not a {self.label.kind}"
        if not self.scores:
            yield "no score to judge forecasts by"
        for score in self.scores:
            if self.label.kind not in score.kinds:
                yield f"the score {score.name!r} is not for labels that are a {self.label.kind}"
