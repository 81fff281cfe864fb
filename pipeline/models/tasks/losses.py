"""What training makes small: each loss with the kind of label it is for.

A loss is written in operators that numpy's arrays and torch's tensors share, so that a network minimises the very
function by which its forecasts can be judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.models.tasks.labels import Kind

Function = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Loss:
    """A loss per example: `of(label, forecast)`, elementwise over arrays or tensors of one shape."""

    name: str
    kind: Kind
    """The kind of label it is for."""
    of: Function


def _hinge(label: Any, forecast: Any) -> Any:
    return (1 - label * forecast).clip(min=0)


def _squared(label: Any, forecast: Any) -> Any:
    return (forecast - label) ** 2


def quantile_loss(level: float) -> Loss:
    """The loss whose least mean is at the quantile (Koenker and Bassett 1978).

    Raises:
        ValueError: if the level lies outside 0..1.
    """
    if not 0 < level < 1:
        raise ValueError(f"the level of a quantile is {level}; it has to lie between 0 and 1")

    def tilted(label: Any, forecast: Any) -> Any:
        error = label - forecast
        return level * error.clip(min=0) + (1 - level) * (-error).clip(min=0)

    return Loss(f"quantile {level:g}", "amount", tilted)


HINGE = Loss("hinge", "class", _hinge)
"""Of labels +1 and -1: nothing is lost where the forecast is beyond 1 on the right side (Cortes and Vapnik 1995)."""
SQUARED = Loss("squared", "amount", _squared)
