"""What each input adds to the location's networks: gradients along a path from average inputs (imports numba: late).

Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML (2017). The integral along the path is taken
by the rule of Gauss and Legendre, which for curves as smooth as these is exact to single precision with 16 points.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.models.members import forward_pass
from pipeline.models.members import path_loops as loops
from pipeline.models.members.location_arrays import take_apart
from pipeline.models.members.member import Arrays, Floats
from pipeline.models.members.path_loops import TOGETHER, PathLayers, Walk
from pipeline.models.members.vector_products import GATES, PANEL, ROWS
from pipeline.models.scaling import standardise

Values = npt.NDArray[np.float32]
NODES = (
    (0.09501250983763744, 0.1894506104550685),
    (0.2816035507792589, 0.1826034150449236),
    (0.4580167776572274, 0.1691565193950025),
    (0.6178762444026438, 0.1495959888165767),
    (0.7554044083550030, 0.1246289712555339),
    (0.8656312023878318, 0.0951585116824928),
    (0.9445750230732326, 0.0622535239386479),
    (0.9894009349916499, 0.0271524594117541),
)
"""Of the rule with 16 points between -1 and 1: each place right of the middle, and its weight; the left is alike."""
PLACES = np.array([*(-place for place, _ in reversed(NODES)), *(place for place, _ in NODES)])
SHARES = ((PLACES + 1) / 2).astype(np.float32)
PARTS = np.array([*(weight for _, weight in reversed(NODES)), *(weight for _, weight in NODES)]) / 2

NOTHING = np.zeros(PANEL, np.float32)


def explain(arrays: Arrays, windows: Values) -> tuple[Floats, Floats]:
    """What each feature adds to the mean location, and what that is at average inputs: [n, H, F], [n, H]."""
    inputs, steps = arrays["inputs"].astype(np.int64), int(arrays["sessions"][0])
    scaled = np.zeros((-(-len(windows) // TOGETHER) * TOGETHER, steps, len(inputs)), np.float32)
    scaled[: len(windows)] = standardise(windows[:, -steps:, inputs], arrays)
    networks = take_apart(arrays)
    own = np.zeros((len(networks[0]["head.weight"]), len(scaled), len(inputs)))
    for network in networks:
        layers = _lay_out(network)
        walk = _prepare_walk(steps, len(layers.embed))
        for first in range(0, len(scaled), TOGETHER):
            block = slice(first, first + TOGETHER)
            _add_along_paths(scaled[block], layers, walk, own[:, block])
    every = np.zeros((len(windows), len(own), windows.shape[2]))
    every[:, :, inputs] = own[:, : len(windows)].transpose(1, 0, 2) / len(networks)
    average = np.zeros((1, steps, windows.shape[2]), np.float32)
    average[:, :, inputs] = arrays["mean"].astype(np.float32)
    return every, np.tile(forward_pass.locate_beyond_line(arrays, average), (len(windows), 1))


def _add_along_paths(windows: Values, layers: PathLayers, walk: Walk, added: Floats) -> None:
    """Add what each input of a few windows adds to each horizon's location: added [H, n, I]."""
    loops.embed(windows, SHARES, layers, walk)
    loops.remember(layers, walk, NOTHING)
    loops.turn(layers, walk, NOTHING)
    for horizon, own in enumerate(added):
        loops.return_to_inputs(windows, PARTS, layers, horizon, walk, NOTHING, own)


def _prepare_walk(steps: int, units: int) -> Walk:
    shapes = ((steps + 1, 2 * units), (steps, 4 * units), (steps + 1, units), (steps, units), (units,))
    return Walk(*(np.zeros((*shape, PANEL), np.float32) for shape in shapes))


def _lay_out(network: Arrays) -> PathLayers:
    """A network's layers, its units filled up with such as say nothing."""
    hidden, inputs = network["embed.weight"].shape
    units, horizons = -(-hidden // ROWS) * ROWS, len(network["head.weight"])
    # Torch's layer sees the memory first, the loops' the last row's inputs.
    mix = (network["mix.weight"][:, hidden:], network["mix.weight"][:, :hidden])
    mix_both = np.concatenate([_fill_up(part, units, units) for part in mix], axis=1)
    own = [
        _fill_up(network[f"lstm.weight_{of}_l0"].reshape(GATES, hidden, hidden), GATES, units, units)
        for of in ("ih", "hh")
    ]
    gates = np.concatenate(own, axis=2).reshape(GATES * units, 2 * units)
    bias = (network["lstm.bias_ih_l0"] + network["lstm.bias_hh_l0"]).reshape(GATES, hidden)
    return PathLayers(
        embed=_fill_up(network["embed.weight"], units, inputs),
        embed_bias=_fill_up(network["embed.bias"], units),
        gates=gates,
        gate_bias=_fill_up(bias, GATES, units).reshape(-1),
        gates_back=np.ascontiguousarray(gates.T),
        mix=mix_both,
        mix_bias=_fill_up(network["mix.bias"], units),
        mix_back=np.ascontiguousarray(mix_both.T),
        head=_fill_up(network["head.weight"], horizons, units),
    )


def _fill_up(values: Values, *sizes: int) -> Values:
    """The values in the first places of an array of these sizes, zeros behind them."""
    filled = np.zeros(sizes, np.float32)
    filled[tuple(slice(size) for size in values.shape)] = values
    return filled
