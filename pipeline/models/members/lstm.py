"""The recurrent member: a network that learns what the linear member leaves (torch is imported only when needed).

Its targets are less the line's forecast, which is added again to its own, so that no capacity and no noise is spent on
what a closed form knows better, and so that weight on this member never costs the line's knowledge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median_high
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.models.dataset import Examples, Index
from pipeline.models.members import ridge
from pipeline.models.members.member import Arrays, Choices, FitTask, Fitted, Floats, Sizes

LINE = "line."
"""Begins the names of the arrays that are the linear member's."""
CHOICES = ("epochs", "location_trust", "spread_trust")


class Lstm:
    """The network together with the line whose remainder it forecasts."""

    name = "lstm"
    simple = False

    def fit(self, task: FitTask) -> Fitted:
        """In a fold: keep the weights that did best on the held-back end, beside a line that has not seen that end.

        It is not fitted again there; in the end it stands beside the line fitted on the whole span. The last fit trains
        on everything for as many passes as the folds agree on.
        """
        from pipeline.models.members import lstm_network

        line = task.earlier["ridge"]
        if task.folds:
            choices = settle(task.folds)
            remainder = subtract_line(task.examples, line.arrays)
            network = lstm_network.fit(remainder, task.rows, task.quantiles, task.params.lstm, task.seed, choices)
        else:
            train, held = task.hold_back()
            blind = ridge.fit_rows(task, train, ridge.Strength.of(line.choices))
            remainder = subtract_line(task.examples, blind)
            choices, network = lstm_network.choose(remainder, train, held, task.quantiles, task.params.lstm, task.seed)
        return Fitted(merge_arrays(line.arrays, network), choices)

    def quantiles(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> Floats:
        """The network's quantiles around the line; arrays without a line are the network alone."""
        from pipeline.models.members import lstm_network

        line = {name.removeprefix(LINE): value for name, value in arrays.items() if name.startswith(LINE)}
        own = {name: value for name, value in arrays.items() if not name.startswith(LINE)}
        remainder = lstm_network.forecast(own, windows)
        return ridge.forecast_location(line, windows[:, -1])[:, :, None] + remainder if line else remainder

    def shapes(self, arrays: Arrays, sizes: Sizes) -> Mapping[str, tuple[int, ...]]:
        """Of one layer; its hidden units are read off the weights."""
        features, horizons, quantiles = sizes
        hidden = arrays["lstm.weight_hh_l0"].shape[-1] if "lstm.weight_hh_l0" in arrays else 0
        seen, steps = hidden + features, horizons * (quantiles - 1)
        return {
            **{LINE + name: shape for name, shape in ridge.line_shapes(sizes).items()},
            "mean": (features,),
            "std": (features,),
            "naive": (horizons, quantiles),
            "location_trust": (horizons,),
            "spread_trust": (horizons,),
            "lstm.weight_ih_l0": (4 * hidden, features),
            "lstm.weight_hh_l0": (4 * hidden, hidden),
            "location.weight": (horizons, seen),
            "spread.weight": (steps, seen),
            "spread.bias": (steps,),
        }

    def settings(self, choices: Choices) -> Mapping[str, Any]:
        """Passes, and how far to follow location and spread per horizon."""
        return {name: choices[name] for name in CHOICES}


LSTM = Lstm()


def settle(folds: Sequence[Choices]) -> Choices:
    """What the folds agree on: the mean of the trust, and the median of the passes among the folds that took any.

    A fold that took none says so by its trust of 0.
    """
    return {
        "epochs": median_high([fold["epochs"] for fold in folds if fold["epochs"]] or [0]),
        "location_trust": _means([fold["location_trust"] for fold in folds]),
        "spread_trust": _means([fold["spread_trust"] for fold in folds]),
    }


def subtract_line(examples: Examples, line: Arrays) -> Examples:
    """The examples less what the line says: what is left to the network."""
    everything: Index = np.arange(len(examples), dtype=np.int64)
    return examples.subtract(ridge.forecast_location(line, examples.last_rows(everything)))


def merge_arrays(line: Arrays, network: Arrays) -> dict[str, npt.NDArray[Any]]:
    """The member's arrays: the network's, and those of the line whose remainder it forecasts."""
    return {**network, **{LINE + name: line[name] for name in ("mean", "std", "coefficients")}}


def _means(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(float(np.mean(column)) for column in zip(*rows, strict=True))
