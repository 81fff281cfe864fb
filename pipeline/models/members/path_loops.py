"""What each input adds to a location's network as compiled loops (imports numba: import it late).

The network is walked through at all points of the paths of four windows at once, and back again for each horizon: the
points lie side by side, as the columns of a panel do in a forecast. Everything is float32 and rounds as written, in
the layers' products a factor and its sum once (fused); what is added up over points and sessions is float64. So what a
window is told has the same bits beside any others, in any thread, and on any processor that follows IEEE 754.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.features.engine.compiling import compiled
from pipeline.models.members.recurrent_loops import LOG2_E, ONE, TWO, ZERO, power_of_two
from pipeline.models.members.vector_products import GATES, LANES, PANEL, ROWS, TILE, move, multiply

Rows = npt.NDArray[np.float32]
"""[rows, columns] of weights, or [values, points of all windows]."""
Steps = npt.NDArray[np.float32]
"""[steps, values, points of all windows]."""
Vector = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

POINTS = LANES
"""Points of a window's path."""
TOGETHER = PANEL // POINTS
"""Windows that pass the network together."""


class PathLayers(NamedTuple):
    """A network's layers; units are whole tiles of rows, filled up with zeros."""

    embed: Rows
    """[units, inputs]."""
    embed_bias: Vector
    gates: Rows
    """[4 units, 2 units]: by what a step sees, then by memory; entry, forget, candidate and told."""
    gate_bias: Vector
    gates_back: Rows
    """The same with rows and columns exchanged, as the mix's below."""
    mix: Rows
    """[units, 2 units]: by the last step's inputs, then by memory."""
    mix_bias: Vector
    mix_back: Rows
    head: Rows
    """[H, units]."""


class Walk(NamedTuple):
    """What is kept of the way through a network; the last axis is the points of all windows."""

    seen: Steps
    """[steps + 1, 2 units]: what each step sees, the inputs' units and then the memory; the last of memory alone."""
    opened: Steps
    """[steps, 4 units] gates."""
    cells: Steps
    """[steps + 1, units] before each step, and after the last."""
    bent: Steps
    """[steps, units] tangents of the cells after each step."""
    mixed: Rows
    """[units] slopes of the curved layer."""


@compiled
def _bend(x: np.float32) -> np.float32:  # pragma: no cover - compiled
    """The hyperbolic tangent."""
    small = power_of_two(x * (-TWO * LOG2_E))
    bent: np.float32 = (ONE - small) / (ONE + small)
    return bent


@compiled
def _open(x: np.float32) -> np.float32:  # pragma: no cover - compiled
    """The logistic function."""
    opened: np.float32 = ONE / (ONE + power_of_two(x * -LOG2_E))
    return opened


@compiled
def _multiply_all(weights: Rows, values: Rows, nothing: Vector, out: Rows) -> None:  # pragma: no cover - compiled
    """Out [rows, PANEL] becomes weights [rows, columns] x values [columns, PANEL]; rows are whole tiles."""
    sums = np.empty(GATES * TILE, np.float32)
    for row in range(0, len(weights), ROWS):
        multiply(weights, row, weights.shape[1], values, nothing, 0, sums)
        for part in range(GATES):
            for number in range(ROWS):
                move(sums, part * TILE + number * LANES, out, (row + number) * PANEL + part * LANES)


@compiled
def embed(windows: Steps, shares: Vector, layers: PathLayers, walk: Walk) -> None:  # pragma: no cover - compiled
    """What the first layer makes of each window at each point: the first values of what each step sees.

    Args:
        windows: [TOGETHER, steps, inputs] scaled.
        shares: [POINTS] where on the path from inputs of 0 its points lie.
        layers: of the network.
        walk: written; its first memory and cells are zeros.
    """
    for number in range(TOGETHER):
        for step in range(windows.shape[1]):
            for unit in range(len(layers.embed)):
                whole, bias, own = ZERO, layers.embed_bias[unit], walk.seen[step, unit]
                for place in range(windows.shape[2]):
                    whole += layers.embed[unit, place] * windows[number, step, place]
                for point in range(POINTS):
                    own[number * POINTS + point] = _bend(bias + shares[point] * whole)


@compiled
def remember(layers: PathLayers, walk: Walk, nothing: Vector) -> None:  # pragma: no cover - compiled
    """Go through the steps; the memory goes to what the next one sees."""
    units = len(layers.embed)
    for step in range(len(walk.opened)):
        own, before, after = walk.opened[step], walk.cells[step], walk.cells[step + 1]
        bent, following = walk.bent[step], walk.seen[step + 1]
        _multiply_all(layers.gates, walk.seen[step], nothing, own)
        for unit in range(units):
            for point in range(PANEL):
                entry = _open(own[unit, point] + layers.gate_bias[unit])
                forget = _open(own[units + unit, point] + layers.gate_bias[units + unit])
                candidate = _bend(own[2 * units + unit, point] + layers.gate_bias[2 * units + unit])
                told = _open(own[3 * units + unit, point] + layers.gate_bias[3 * units + unit])
                cell = forget * before[unit, point] + entry * candidate
                tangent = _bend(cell)
                own[unit, point], own[units + unit, point] = entry, forget
                own[2 * units + unit, point], own[3 * units + unit, point] = candidate, told
                after[unit, point], bent[unit, point] = cell, tangent
                following[units + unit, point] = told * tangent


@compiled
def turn(layers: PathLayers, walk: Walk, nothing: Vector) -> None:  # pragma: no cover - compiled
    """The slopes of the curved layer, x / (1 + e**-x), over the last step's inputs and the memory after it."""
    units, last = len(layers.mix), walk.seen[-1]
    last[:units] = walk.seen[-2, :units]
    _multiply_all(layers.mix, last, nothing, walk.mixed)
    for unit in range(units):
        for point in range(PANEL):
            x = walk.mixed[unit, point] + layers.mix_bias[unit]
            opened = _open(x)
            walk.mixed[unit, point] = opened * (ONE + x * (ONE - opened))


@compiled
def _go_back(
    opened: Rows, before: Rows, bent: Rows, memory: Rows, carried: Rows, sums: Rows
) -> None:  # pragma: no cover - compiled
    """The slopes of the location by a step's gate sums, from those by its memory and by the cells after it.

    `carried` becomes that by the cells before it.
    """
    units = len(memory)
    for unit in range(units):
        for point in range(PANEL):
            entry, forget = opened[unit, point], opened[units + unit, point]
            candidate, told = opened[2 * units + unit, point], opened[3 * units + unit, point]
            tangent, slope = bent[unit, point], memory[unit, point]
            cell = carried[unit, point] + slope * told * (ONE - tangent * tangent)
            sums[unit, point] = cell * candidate * (entry * (ONE - entry))
            sums[units + unit, point] = cell * before[unit, point] * (forget * (ONE - forget))
            sums[2 * units + unit, point] = cell * entry * (ONE - candidate * candidate)
            sums[3 * units + unit, point] = slope * tangent * (told * (ONE - told))
            carried[unit, point] = cell * forget


@compiled
def _tell_inputs(
    windows: Steps, step: int, parts: Floats, embed: Rows, seen: Rows, slopes: Rows, added: Floats
) -> None:  # pragma: no cover - compiled
    """Add what a step's inputs add to added [windows, I]: each times the mean of its slopes along the path."""
    for number in range(TOGETHER):
        for unit in range(len(embed)):
            mean = 0.0
            for point in range(POINTS):
                told = seen[unit, number * POINTS + point]
                mean += parts[point] * np.float64(slopes[unit, number * POINTS + point] * (ONE - told * told))
            for place in range(windows.shape[2]):
                weight = np.float64(embed[unit, place]) * np.float64(windows[number, step, place])
                added[number, place] += mean * weight


@compiled
def return_to_inputs(
    windows: Steps, parts: Floats, layers: PathLayers, horizon: int, walk: Walk, nothing: Vector, added: Floats
) -> None:  # pragma: no cover - compiled
    """The way back from one horizon's location to the inputs of every step.

    Args:
        windows: [TOGETHER, steps, inputs] scaled.
        parts: [POINTS] what each point counts.
        layers: of the network.
        horizon: its number.
        walk: as it was kept.
        nothing: [PANEL] zeros.
        added: [TOGETHER, inputs], what each input adds is added to it.
    """
    steps, units = windows.shape[1], len(layers.embed)
    slopes, sums = np.empty((units, PANEL), np.float32), np.empty((4 * units, PANEL), np.float32)
    both, carried = np.empty((2 * units, PANEL), np.float32), np.zeros((units, PANEL), np.float32)
    for unit in range(units):
        for point in range(PANEL):
            slopes[unit, point] = layers.head[horizon, unit] * walk.mixed[unit, point]
    _multiply_all(layers.mix_back, slopes, nothing, both)
    direct, memory = both[:units].copy(), both[units:].copy()
    for step in range(steps - 1, -1, -1):
        _go_back(walk.opened[step], walk.cells[step], walk.bent[step], memory, carried, sums)
        _multiply_all(layers.gates_back, sums, nothing, both)
        for unit in range(units):
            for point in range(PANEL):
                slopes[unit, point] = both[unit, point] + direct[unit, point]
                memory[unit, point], direct[unit, point] = both[units + unit, point], ZERO
        _tell_inputs(windows, step, parts, layers.embed, walk.seen[step], slopes, added)
