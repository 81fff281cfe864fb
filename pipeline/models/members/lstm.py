"""The recurrent member: a network that learns what the linear member leaves (torch is imported only when needed).

Its targets are less the line's forecast, which is added again to its own, so that no capacity and no noise is spent on
what a closed form knows better, and so that weight on this member never costs the line's knowledge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median_high
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.models.dataset import Examples, Index
from pipeline.models.members import ridge
from pipeline.models.members.location_arrays import count_networks, list_shapes
from pipeline.models.members.member import Arrays, Choices, FitTask, Fitted, Floats, MemberParts, Sizes
from pipeline.models.members.screening import choose_inputs
from pipeline.models.params import LstmParams

LINE = "line."
"""Begins the names of the arrays that are the linear member's."""
CHOICES = ("epochs", "location_trust", "spread_trust")
LOCATION_CHOICES = ("location_passes", "location_inputs")
LOCATION = "location_networks."
"""Begins the names of the arrays that are the location's networks'."""
STACKED = "lstm.weight_hh_l1"
"""There where the spread's network has more than one layer; the compiled loops are for one."""


class Lstm:
    """The networks together with the line whose remainder they forecast."""

    name = "lstm"
    simple = False

    def fit(self, task: FitTask) -> Fitted:
        """In a fold: keep the weights that did best on the held-back end, beside a line that has not seen that end.

        It is not fitted again there; in the end it stands beside the line fitted on the whole span. The last fit trains
        on everything for as many passes as the folds agree on.
        """
        line = task.earlier["ridge"]
        if task.folds:
            return _fit_all(task, subtract_line(task.examples, line.arrays), line)
        train, held = task.hold_back()
        blind = ridge.fit_rows(task, train, ridge.Strength.of(line.choices))
        return _choose(task, subtract_line(task.examples, blind), train, held, line)

    def tune(self, task: FitTask) -> Fitted:
        """Begin as networks of more names; those of the location learn from these, the spread's stays as it is.

        In a fold they stop where the held-back end stops to improve, 0 passes included. A member of an earlier program,
        whose location is the spread's network, stays as it is beside the tuned line.
        """
        start, line = task.start[self.name], task.earlier["ridge"]
        spread = {name: value for name, value in start.items() if not name.startswith((LINE, LOCATION))}
        arrays = merge_arrays(line.arrays, spread)
        if not (location := _part(start, LOCATION)):
            return Fitted(arrays, {})
        passes, tuned = _tune_location(task, location, line)
        inputs = [int(number) for number in location["inputs"]]
        return Fitted(arrays | _named(tuned), _tell(task.examples, passes, inputs))

    def quantiles(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> Floats:
        """The network's quantiles around the line and what the location's networks add to it."""
        line, location = (_part(arrays, prefix) for prefix in (LINE, LOCATION))
        own = {name: value for name, value in arrays.items() if not name.startswith((LINE, LOCATION))}
        if not location:
            return _forecast_in_one(own, line, windows)
        if STACKED in own:
            return self.locate(arrays, windows)[:, :, None] + _forecast_in_one(own, {}, windows)
        from pipeline.models.members import forward_pass

        return forward_pass.forecast(own, location, line, windows)

    def locate(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> Floats:
        """The medians alone, without the spread's network where that has no say in them."""
        line, location = (_part(arrays, prefix) for prefix in (LINE, LOCATION))
        if not location:
            quantiles = self.quantiles(arrays, windows)
            middle: Floats = quantiles[:, :, quantiles.shape[2] // 2]
            return middle
        from pipeline.models.members import forward_pass

        return forward_pass.locate(location, line, windows)

    def own_inputs(self, arrays: Arrays) -> Sequence[int]:
        """The inputs that the location's networks see; what else it knows is the line's."""
        return [int(number) for number in arrays.get(LOCATION + "inputs", ())]

    def explain(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> MemberParts:
        """The line's terms, and the networks' gradients along a path from average inputs."""
        line, location = (_part(arrays, prefix) for prefix in (LINE, LOCATION))
        own = {name: value for name, value in arrays.items() if not name.startswith((LINE, LOCATION))}
        inputs, level, used = _explain_spread(own, windows)
        if line:
            inputs = inputs + ridge.explain_line(line, windows[:, -1])
        if location:
            from pipeline.models.members import location_paths

            added, base = location_paths.explain(location, windows)
            inputs, level = inputs + added, level + base
            used[location["inputs"].astype(np.int64)] = True
        return MemberParts(inputs, level, used)

    def shapes(self, arrays: Arrays, sizes: Sizes) -> Mapping[str, tuple[int, ...]]:
        """Of one layer; its hidden units are read off the weights."""
        features, horizons, quantiles = sizes
        hidden = arrays["lstm.weight_hh_l0"].shape[-1] if "lstm.weight_hh_l0" in arrays else 0
        seen, steps = hidden + features, horizons * (quantiles - 1)
        return {
            **_location_shapes(_part(arrays, LOCATION), horizons),
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
        """Passes, how far to follow location and spread per horizon, and the inputs the location's networks see."""
        return {name: choices[name] for name in (*CHOICES, *LOCATION_CHOICES) if name in choices}


LSTM = Lstm()


def _choose(task: FitTask, remainder: Examples, train: Index, held: Index, line: Fitted) -> Fitted:
    """What did best on the held-back rows: of the spread and, apart from it, of the location."""
    from pipeline.models.members import location_network, lstm_network

    params = _spread_params(task.params.lstm)
    choices, network = lstm_network.choose(
        remainder, train, held, task.quantiles, params, task.seed, task.job.within("spread")
    )
    arrays = merge_arrays(line.arrays, network)
    if task.params.lstm.version == 1:
        return Fitted(arrays, choices)
    own = task.params.lstm
    inputs = choose_inputs(remainder, train, own.inputs, own.windows_per_epoch)
    passes, location = location_network.choose(remainder, train, held, inputs, own, task.seed, task.job)
    return Fitted(arrays | _named(location), {**choices, **_tell(task.examples, passes, inputs)})


def _fit_all(task: FitTask, remainder: Examples, line: Fitted) -> Fitted:
    """The last fit, on all rows, for as many passes as the folds agree on."""
    from pipeline.models.members import location_network, lstm_network

    choices, rows, own = settle(task.folds), task.rows, task.params.lstm
    spread = task.job.within("spread")
    network = lstm_network.fit(remainder, rows, task.quantiles, _spread_params(own), task.seed, choices, spread)
    arrays = merge_arrays(line.arrays, network)
    if own.version == 1:
        return Fitted(arrays, choices)
    inputs = choose_inputs(remainder, rows, own.inputs, own.windows_per_epoch)
    passes = settle_passes(task.folds)
    location = location_network.fit(remainder, rows, inputs, passes, own, task.seed, task.job)
    return Fitted(arrays | _named(location), {**choices, **_tell(task.examples, passes, inputs)})


def _tune_location(task: FitTask, start: Arrays, line: Fitted) -> tuple[tuple[int, ...], Arrays]:
    """Passes and arrays of the location's networks, begun as `start`."""
    from pipeline.models.members import location_network

    inputs, params = [int(number) for number in start["inputs"]], _sized_as(task.params.lstm, start)
    if task.folds:
        passes = settle_passes(task.folds)
        if len(passes) != params.networks:  # it was trained with another number of them than is set now
            passes = (median_high(passes),) * params.networks
        left = subtract_line(task.examples, line.arrays)
        return passes, location_network.fit(left, task.rows, inputs, passes, params, task.seed, task.job, start)
    train, held = task.hold_back()
    blind = ridge.tune_rows(task, train, ridge.Strength.of(line.choices))
    left = subtract_line(task.examples, blind)
    return location_network.choose(left, train, held, inputs, params, task.seed, task.job, start)


def _sized_as(params: LstmParams, start: Arrays) -> LstmParams:
    """The settings with the sizes of networks that there are."""
    hidden = int(start["0.head.weight"].shape[-1])
    sessions, networks = int(start["sessions"][0]), count_networks(start)
    return replace(params, location_hidden=hidden, sessions=sessions, networks=networks)


def _spread_params(params: LstmParams) -> LstmParams:
    """Where the location has networks of its own, the spread's learns and is judged by its own loss alone."""
    return params if params.version == 1 else replace(params, location_weight=0.0)


def _tell(examples: Examples, passes: Sequence[int], inputs: Sequence[int]) -> dict[str, Any]:
    return {
        "location_passes": tuple(passes),
        "location_inputs": tuple(examples.features[number] for number in inputs),
    }


def _part(arrays: Arrays, prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def _named(location: Arrays) -> dict[str, npt.NDArray[Any]]:
    return {LOCATION + name: value for name, value in location.items()}


def _location_shapes(location: Arrays, horizons: int) -> dict[str, tuple[int, ...]]:
    shapes = list_shapes(location, horizons) if location else {}
    return {LOCATION + name: shape for name, shape in shapes.items()}


def _explain_spread(network: Arrays, windows: npt.NDArray[np.float32]) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """What each input adds to the location of the spread's network, its level, and which inputs have any say in it.

    None has where the location has networks of its own, or was never trained.
    """
    trust, features = network["location_trust"], windows.shape[2]
    if not (trust.any() and network["location.weight"].any()):
        shape = (len(windows), len(trust))
        return np.zeros((*shape, features)), np.zeros(shape), np.zeros(features, dtype=bool)
    from pipeline.models.members import path_gradients

    return (*path_gradients.explain(network, windows), np.ones(features, dtype=bool))


def _forecast_in_one(network: Arrays, line: Arrays, windows: npt.NDArray[np.float32]) -> Floats:
    """The spread's network by torch, whose own location counts: so do members of earlier programs forecast."""
    from pipeline.models.members import lstm_network

    forecast = lstm_network.forecast(network, windows)
    return ridge.forecast_location(line, windows[:, -1])[:, :, None] + forecast if line else forecast


def settle_passes(folds: Sequence[Choices]) -> tuple[int, ...]:
    """For each network the median of its passes among the folds that took any."""
    taken = zip(*(fold["location_passes"] for fold in folds), strict=True)
    return tuple(median_high([passes for passes in own if passes] or [0]) for own in taken)


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
