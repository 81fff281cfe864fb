"""The recurrent member's forecasts by compiled loops: its weights laid out for them (imports numba: import it late).

Members whose location has networks of its own forecast so; those of earlier programs by torch, with the bits of then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.models.members import recurrent_loops as loops
from pipeline.models.members.location_arrays import take_apart
from pipeline.models.members.member import Arrays, Floats
from pipeline.models.members.recurrent_loops import LOG2_E, Line, LocationLayers, SpreadLayers
from pipeline.models.members.vector_products import GATES, LANES, PANEL

Values = npt.NDArray[np.float32]
EXPONENTS = np.array([-LOG2_E, -LOG2_E, -2 * LOG2_E, -LOG2_E], dtype=np.float32)
"""What turns the sums of the gates (entry, forget, candidate, told: torch's order) into exponents of 2."""


def forecast(spread: Arrays, location: Arrays, line: Arrays, windows: Values) -> Floats:
    """Quantiles in units of sigma x sqrt(h): [n, length, F] -> [n, H, Q] float64.

    Args:
        spread: the arrays of the spread's network.
        location: those of the location's networks.
        line: those of the line whose remainder both forecast.
        windows: as they are stored, not scaled.
    """
    layers = _lay_out_spread(spread)
    fans = np.empty((len(windows), *layers.naive.shape))
    loops.spread(_as_loops_take(windows), layers, locate(location, line, windows), fans)
    return fans


def locate(location: Arrays, line: Arrays, windows: Values) -> Floats:
    """The line's location and what the networks add to it: [n, length, F] -> [n, H] float64."""
    taken, horizons = _as_loops_take(windows), line["coefficients"].shape[1]
    told, drawn = np.empty((len(windows), horizons), np.float32), np.empty((len(windows), horizons))
    loops.locate(taken, int(location["sessions"][0]), _lay_out_location(location), told)
    loops.draw_line(taken, Line(line["mean"], line["std"], np.ascontiguousarray(line["coefficients"].T)), drawn)
    return drawn + told


def _as_loops_take(windows: Values) -> Values:
    """Contiguous and writable, though none is written: each kind of array would be compiled for anew."""
    return np.require(windows, np.float32, ["C", "W"])


def _lay_out_spread(arrays: Arrays) -> SpreadLayers:
    """The spread's network. Where a return lies it does not say: that head was never trained."""
    weights, bias = _lay_out_gates([arrays], len(arrays["mean"]))
    units = bias.shape[1] // GATES
    # Torch's head sees the memory first, the loops' the last row's inputs.
    memory, inputs = np.split(arrays["spread.weight"], [arrays["lstm.weight_hh_l0"].shape[1]], axis=1)
    heads = np.concatenate([inputs, memory], axis=1)
    head = _lay_out(heads[None], arrays["spread.bias"][None], len(arrays["mean"]) + units)
    naive, trust = (arrays[name].astype(np.float64) for name in ("naive", "spread_trust"))
    return SpreadLayers(*_scaler(arrays), weights[0], bias[0], head[0][0], head[1][0], naive, trust)


def _lay_out_location(arrays: Arrays) -> LocationLayers:
    networks, inputs = take_apart(arrays), arrays["inputs"].astype(np.int64)
    embeds, embed_biases, mixes, mix_biases, heads = (
        np.stack([network[name] for network in networks])
        for name in ("embed.weight", "embed.bias", "mix.weight", "mix.bias", "head.weight")
    )
    count, horizons, hidden = heads.shape
    units = _whole_vectors(hidden)
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
    units = _whole_vectors(hidden)
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
    count, columns = len(weights), -(-weights.shape[1] // PANEL) * PANEL
    panels = _pad(weights, count, columns, depth).reshape(count, -1, PANEL, depth).transpose(0, 1, 3, 2)
    return panels.reshape(count, -1), _pad(bias, count, columns)


def _pad(values: npt.NDArray[Any], *sizes: int) -> Values:
    """The values in the first places of an array of these sizes, zeros behind them."""
    padded = np.zeros(sizes, np.float32)
    padded[tuple(slice(size) for size in values.shape)] = values
    return padded


def _whole_vectors(units: int) -> int:
    return -(-units // LANES) * LANES
