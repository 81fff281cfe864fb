"""The recurrent member's forecasts by compiled loops: its weights laid out for them (imports numba: import it late).

Members whose location has networks of its own forecast so; those of earlier programs by torch, with the bits of then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.models.members import recurrent_loops as loops
from pipeline.models.members.location_arrays import take_apart
from pipeline.models.members.member import Arrays, Floats
from pipeline.models.members.recurrent_loops import LOG2_E
from pipeline.models.members.vector_products import GATES, LANES, PANEL, ROWS

Values = npt.NDArray[np.float32]
EXPONENTS = np.array([-LOG2_E, -LOG2_E, -2 * LOG2_E, -LOG2_E], dtype=np.float32)
"""What turns the sums of the gates (entry, forget, candidate, told: torch's order) into exponents of 2."""
WINDOWS = 256
"""Windows that pass all layers together, so that what lies between layers stays in the processor's caches."""
NONE = np.empty(0, np.float32)


class SpreadLayers(NamedTuple):
    """The spread's network as the loops take it. A layer is flat: by panels, of each the weights of input by input."""

    mean: Values
    inverse: Values
    """1 / standard deviation of each input."""
    gates: Values
    gate_bias: Values
    head: Values
    head_bias: Values


class LocationLayers(NamedTuple):
    """The location's networks: first layers beside one another, gates and mixes one after the other, heads as one."""

    inputs: npt.NDArray[np.int64]
    mean: Values
    inverse: Values
    embed: Values
    embed_bias: Values
    gates: Values
    gate_bias: Values
    mix: Values
    mix_bias: Values
    head: Values
    head_bias: Values


def forecast(spread: Arrays, location: Arrays, line: Arrays, windows: Values) -> Floats:
    """Quantiles in units of sigma x sqrt(h): [n, length, F] -> [n, H, Q] float64.

    Args:
        spread: the arrays of the spread's network.
        location: those of the location's networks.
        line: those of the line whose remainder both forecast.
        windows: as they are stored, not scaled.
    """
    layers, centre = _lay_out_spread(spread), _Location(location, line)
    naive, trust = (spread[name].astype(np.float64) for name in ("naive", "spread_trust"))
    fans = np.empty((len(windows), *naive.shape))
    for block, rows in _blocks(windows):
        loops.open_fan(_tell_steps(block, layers), naive, trust, centre.tell(block), fans[rows])
    return fans


def locate(location: Arrays, line: Arrays, windows: Values) -> Floats:
    """The line's location and what the networks add to it: [n, length, F] -> [n, H] float64."""
    centre = _Location(location, line)
    told = [centre.tell(block) for block, _ in _blocks(windows)]
    return np.concatenate(told) if told else np.empty((0, len(centre.coefficients)))


def locate_beyond_line(location: Arrays, windows: Values) -> Floats:
    """What the location's networks add to any line: [n, length, F] -> [n, H] float64."""
    layers, steps = _lay_out_location(location), int(location["sessions"][0])
    horizons = len(location["0.head.weight"])
    told = [_tell_remainder(block, steps, layers)[: len(block), :horizons] for block, _ in _blocks(windows)]
    return np.concatenate(told).astype(np.float64) if told else np.empty((0, horizons))


class _Location:
    """The line and the location's networks, laid out."""

    def __init__(self, location: Arrays, line: Arrays) -> None:
        self.layers, self.steps = _lay_out_location(location), int(location["sessions"][0])
        self.mean, self.std = (line[name].astype(np.float64) for name in ("mean", "std"))
        self.coefficients = line["coefficients"].T.astype(np.float64, order="C")

    def tell(self, windows: Values) -> Floats:
        """The line's location and what the networks add to it: [n, H]."""
        found = np.empty((len(windows), len(self.coefficients)))
        loops.draw_line(windows, self.mean, self.std, self.coefficients, found)
        return found + _tell_remainder(windows, self.steps, self.layers)[: len(found), : found.shape[1]]


def _blocks(windows: Values) -> Iterator[tuple[Values, slice]]:
    """A few windows at a time, contiguous and writable, though none is written: other kinds would be compiled for."""
    for start in range(0, len(windows), WINDOWS):
        rows = slice(start, start + WINDOWS)
        yield np.require(windows[rows], np.float32, ["C", "W"]), rows


def _tell_remainder(windows: Values, steps: int, layers: LocationLayers) -> Values:
    """What the networks add to the line: [n and more, H and more]."""
    return _project(_mix(_embed(windows, steps, layers), layers), layers.head, layers.head_bias)


def _tell_steps(windows: Values, layers: SpreadLayers) -> Values:
    """The spread network's steps between neighbouring quantiles: [n and more, H * (Q - 1) and more]."""
    width = len(layers.mean) + len(layers.gate_bias) // GATES
    seen = np.zeros((_whole(len(windows), ROWS), width), np.float32)
    loops.remember(windows, 0, layers.mean, layers.inverse, layers.gates, layers.gate_bias, seen)
    steps = _project(seen, layers.head, layers.head_bias)
    loops.soften(steps.reshape(-1))
    return steps


def _embed(windows: Values, steps: int, layers: LocationLayers) -> Values:
    """What the first layers make of the chosen inputs: [whole tiles, steps, units of all networks]."""
    count = _whole(len(windows), ROWS)
    picked = np.zeros((count * steps, len(layers.inputs)), np.float32)
    loops.pick(windows, steps, layers.inputs, layers.mean, layers.inverse, picked)
    embedded = np.empty((len(picked), layers.gate_bias.size // GATES), np.float32)
    loops.project(picked, layers.embed, layers.embed_bias, embedded, 0, embedded.shape[1])
    loops.bend(embedded.reshape(-1))
    return embedded.reshape(count, steps, -1)


def _mix(embedded: Values, layers: LocationLayers) -> Values:
    """Each network's curved layer over its last inputs and its memory: [whole tiles, units of all networks]."""
    units = layers.gate_bias.shape[1] // GATES
    seen = np.empty((len(embedded), 2 * units), np.float32)
    mixed = np.empty((len(embedded), embedded.shape[2]), np.float32)
    for number, first in enumerate(range(0, mixed.shape[1], units)):
        loops.remember(embedded, first, NONE, NONE, layers.gates[number], layers.gate_bias[number], seen)
        loops.project(seen, layers.mix[number], layers.mix_bias[number], mixed, first, units)
    loops.swish(mixed.reshape(-1))
    return mixed


def _project(rows: Values, weights: Values, bias: Values) -> Values:
    out = np.empty((len(rows), len(bias)), np.float32)
    loops.project(rows, weights, bias, out, 0, len(bias))
    return out


def _lay_out_spread(arrays: Arrays) -> SpreadLayers:
    """The spread's network. Where a return lies it does not say: that head was never trained."""
    weights, bias = _lay_out_gates([arrays], len(arrays["mean"]))
    units = bias.shape[1] // GATES
    # Torch's head sees the memory first, the loops' the last row's inputs.
    memory, inputs = np.split(arrays["spread.weight"], [arrays["lstm.weight_hh_l0"].shape[1]], axis=1)
    heads = np.concatenate([inputs, memory], axis=1)
    head = _lay_out(heads[None], arrays["spread.bias"][None], len(arrays["mean"]) + units)
    return SpreadLayers(*_scaler(arrays), weights[0], bias[0], head[0][0], head[1][0])


def _lay_out_location(arrays: Arrays) -> LocationLayers:
    networks, inputs = take_apart(arrays), arrays["inputs"].astype(np.int64)
    embeds, embed_biases, mixes, mix_biases, heads = (
        np.stack([network[name] for network in networks])
        for name in ("embed.weight", "embed.bias", "mix.weight", "mix.bias", "head.weight")
    )
    count, horizons, hidden = heads.shape
    units = _whole(hidden, LANES)
    embed = _pad(embeds, count, units, len(inputs)).reshape(1, count * units, len(inputs))
    # Torch's layer sees the memory first, the loops' the last row's inputs.
    parts = [_pad(part, count, hidden, units) for part in (mixes[:, :, hidden:], mixes[:, :, :hidden])]
    mean = _pad(heads, count, horizons, units).transpose(1, 0, 2).reshape(1, horizons, -1) / np.float32(count)
    first = _lay_out(embed, _pad(embed_biases, count, units).reshape(1, -1), len(inputs))
    last = _lay_out(mean, np.zeros((1, horizons), np.float32), count * units)
    mix = _lay_out(np.concatenate(parts, axis=2), mix_biases, 2 * units)
    gates = _lay_out_gates(networks, units)
    return LocationLayers(inputs, *_scaler(arrays), first[0][0], first[1][0], *gates, *mix, last[0][0], last[1][0])


def _scaler(arrays: Arrays) -> tuple[Values, Values]:
    """Mean and 1 / standard deviation."""
    return arrays["mean"].astype(np.float32), (1 / arrays["std"].astype(np.float64)).astype(np.float32)


def _lay_out_gates(networks: Sequence[Arrays], inputs: int) -> tuple[Values, Values]:
    """Each network's gates by panels: those of as many units as a vector holds, gate beside gate.

    `inputs` places are kept for the inputs, as many as there are or more; units are filled up to whole vectors.
    """
    own, memory, one, other = (
        np.stack([network[f"lstm.{name}_l0"] for network in networks])
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    count, hidden = len(networks), memory.shape[2]
    units = _whole(hidden, LANES)
    weights = np.zeros((count, GATES, units, inputs + units), np.float32)
    weights[:, :, :hidden, : own.shape[2]] = own.reshape(count, GATES, hidden, -1)
    weights[:, :, :hidden, inputs : inputs + hidden] = memory.reshape(count, GATES, hidden, hidden)
    weights *= EXPONENTS[:, None, None]
    bias = _pad((one + other).reshape(count, GATES, hidden), count, GATES, units) * EXPONENTS[:, None]
    panels = weights.reshape(count, GATES, -1, LANES, inputs + units).transpose(0, 2, 4, 1, 3)
    biases = bias.reshape(count, GATES, -1, LANES).transpose(0, 2, 1, 3)
    return panels.reshape(count, -1), biases.reshape(count, -1)


def _lay_out(weights: Values, bias: Values, depth: int) -> tuple[Values, Values]:
    """Each network's layer [out, in] by panels of columns, filled up with zeros to whole panels and `depth` inputs."""
    count, columns = len(weights), _whole(weights.shape[1], PANEL)
    panels = _pad(weights, count, columns, depth).reshape(count, -1, PANEL, depth).transpose(0, 1, 3, 2)
    return panels.reshape(count, -1), _pad(bias, count, columns)


def _pad(values: npt.NDArray[Any], *sizes: int) -> Values:
    """The values in the first places of an array of these sizes, zeros behind them."""
    padded = np.zeros(sizes, np.float32)
    padded[tuple(slice(size) for size in values.shape)] = values
    return padded


def _whole(number: int, of: int) -> int:
    """The number, or the next that is a multiple."""
    return -(-number // of) * of
