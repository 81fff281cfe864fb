"""The recurrent member's forward pass as compiled loops (imports numba: import it late).

Everything is float32 and rounds as written: a product and its sum once (fused), in the order of the inputs; curves by
polynomials of our own, vectors of one width whatever the processor has. So a window's forecast has the same bits beside
any other windows, in any place among them, with any number of threads, and on any processor that follows IEEE 754.

Windows pass in blocks whose rows stay in the nearest caches: each step scales its inputs, multiplies inputs and memory
by the weights at once, and applies the gates to the sums before they leave.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.features.engine.compiling import compiled
from pipeline.models.members.vector_products import (
    GATES,
    LANES,
    PANEL,
    ROWS,
    TILE,
    exponent_of,
    fma,
    move,
    multiply,
)
from pipeline.models.scaling import MAX_DEVIATIONS

Vector = npt.NDArray[np.float32]
Rows = npt.NDArray[np.float32]
"""[rows, values]."""
Windows = npt.NDArray[np.float32]
"""[windows, steps, values]."""
Row = npt.NDArray[np.float64]
Quantiles = npt.NDArray[np.float64]
Fans = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

BLOCK = 32
"""Windows whose rows of a step are worked on at a time."""
LIMIT = np.float32(MAX_DEVIATIONS)
BOUND = np.float32(40.0)
"""Exponents of 2 that a curve is computed within: 2**40 beside 1 is all there is, and no product of three overflows."""
ROUNDER = np.float32(1.5 * 2**23)
"""Added to a number below 2**22, it leaves its nearest integer in the last bits."""
ZERO, ONE, TWO = np.float32(0.0), np.float32(1.0), np.float32(2.0)
P1, P2, P3 = np.float32(0.6931471824645996), np.float32(0.24022647738456726), np.float32(0.055503323674201965)
P4, P5, P6 = np.float32(0.00961843691766262), np.float32(0.0013398873852565885), np.float32(0.00015353361959569156)
"""2**r - 1 for r from -1/2 to 1/2, without constant: least greatest relative error, 2e-9."""
L3, L5, L7 = np.float32(2 / 3), np.float32(2 / 5), np.float32(2 / 7)
L9, L11, L13 = np.float32(2 / 9), np.float32(2 / 11), np.float32(2 / 13)
"""log((1 + s) / (1 - s)) - 2 s by odd powers of s: Taylor's; for s up to 1/3 what is left out is 1e-8 of it."""
LOG2_E = np.float32(1.4426950408889634)


@compiled
def power_of_two(x: np.float32) -> np.float32:  # pragma: no cover - compiled
    """2**x, x held within `BOUND`; within 1 unit in the last place."""
    x = min(max(x, -BOUND), BOUND)
    shifted = x + ROUNDER
    rest = x - (shifted - ROUNDER)
    over = fma(fma(fma(fma(fma(P6, rest, P5), rest, P4), rest, P3), rest, P2), rest, P1) * rest
    scale = exponent_of(shifted)
    power: np.float32 = fma(over, scale, scale)
    return power


@compiled
def _softplus(x: np.float32) -> np.float32:  # pragma: no cover - compiled
    """log(1 + e**x) by the odd powers of s = y / (2 + y), y = e**-|x|; within 2**-22 x max(1, |x|) of it."""
    small = power_of_two(abs(x) * -LOG2_E)
    s = small / (TWO + small)
    square = s * s
    series = fma(fma(fma(fma(fma(L13, square, L11), square, L9), square, L7), square, L5), square, L3)
    curve: np.float32 = fma(series * square, s, s + s)
    return max(x, ZERO) + curve


@compiled
def bend(values: Vector) -> None:  # pragma: no cover - compiled
    """The hyperbolic tangent of each, in its place; within 2**-22 of it."""
    for place in range(len(values)):
        small = power_of_two(values[place] * (-TWO * LOG2_E))
        values[place] = (ONE - small) / (ONE + small)


@compiled
def swish(values: Vector) -> None:  # pragma: no cover - compiled
    """x / (1 + e**-x) of each, in its place; within 2**-22 x max(1, |x|) of it."""
    for place in range(len(values)):
        values[place] = values[place] / (ONE + power_of_two(values[place] * -LOG2_E))


@compiled
def soften(values: Vector) -> None:  # pragma: no cover - compiled
    """log(1 + e**x) of each, in its place."""
    for place in range(len(values)):
        values[place] = _softplus(values[place])


@compiled
def pick(
    windows: Windows, steps: int, inputs: Places, mean: Vector, inverse: Vector, picked: Rows
) -> None:  # pragma: no cover - compiled
    """Chosen inputs of each window's last steps, in standard deviations within bounds, a step a row."""
    skipped = windows.shape[1] - steps
    for number in range(len(windows)):
        for step in range(steps):
            row, own = windows[number, skipped + step], picked[number * steps + step]
            for place in range(len(inputs)):
                own[place] = _hold((row[inputs[place]] - mean[place]) * inverse[place])


@compiled
def _hold(x: np.float32) -> np.float32:  # pragma: no cover - compiled
    return min(max(x, -LIMIT), LIMIT)


@compiled
def _take(block: Windows, step: int, first: int, inputs: int, rows: Rows) -> None:  # pragma: no cover - compiled
    """One step's inputs, whole vectors of them, as they are into the first places of `rows`."""
    steps, values = block.shape[1:]
    for number in range(len(block)):
        for place in range(0, inputs, LANES):
            move(block, (number * steps + step) * values + first + place, rows, number * rows.shape[1] + place)


@compiled
def _scale(block: Windows, step: int, mean: Vector, inverse: Vector, rows: Rows) -> None:  # pragma: no cover - compiled
    """One step's inputs in standard deviations from the mean, within bounds, into the first places of `rows`."""
    for number in range(len(block)):
        for place in range(len(mean)):
            rows[number, place] = _hold((block[number, step, place] - mean[place]) * inverse[place])


@compiled
def _open_gates(sums: Vector, cells: Vector, first: int, memory: Vector) -> None:  # pragma: no cover - compiled
    """What a step makes of a tile's sums: its cells are renewed, and what is told of them goes to `memory`.

    Sums are exponents already: weights come multiplied by -log2(e), the candidate's by twice that. The two terms of a
    cell, c / (1 + 2**f) and (1 - 2**g) / ((1 + 2**i) (1 + 2**g)), are put over one divisor: division costs most.
    """
    start = max(first, 0)
    for place in range(TILE):
        entry, forget = power_of_two(sums[place]), power_of_two(sums[TILE + place])
        candidate, told = power_of_two(sums[2 * TILE + place]), power_of_two(sums[3 * TILE + place])
        entered, kept = (ONE + entry) * (ONE + candidate), ONE + forget
        cell = (cells[start + place] * entered + (ONE - candidate) * kept) / (entered * kept)
        cells[start + place] = cell
        bent = power_of_two(cell * (-TWO * LOG2_E))
        memory[place] = (ONE - bent) / ((ONE + told) * (ONE + bent))


@compiled
def _advance(
    rows: Rows, weights: Vector, bias: Vector, cells: Vector, sums: Vector, memory: Vector, following: Rows, count: int
) -> None:  # pragma: no cover - compiled
    """One step: `rows` hold inputs and memory; the new memory goes to the end of the `following`."""
    width, panels = rows.shape[1], len(bias) // PANEL
    for row in range(0, count, ROWS):
        for panel in range(panels):
            multiply(rows, row, width, weights, bias, panel, sums)
            _open_gates(sums, cells, (panel * BLOCK + row) * LANES, memory)
            start = (row + 1) * width - (panels - panel) * LANES
            for number in range(ROWS):
                move(memory, number * LANES, following, start + number * width)


@compiled
def remember(
    windows: Windows, first: int, mean: Vector, inverse: Vector, weights: Vector, bias: Vector, seen: Rows
) -> None:  # pragma: no cover - compiled
    """Each window's last inputs, scaled, and beside them what a network's memory holds at its end.

    Args:
        windows: [n, steps, values].
        first: of the values, where the network's inputs begin.
        mean: of the values, all of which are inputs, with `inverse`, 1 / their standard deviation; both empty where
            they are scaled.
        weights: flat [panels, inputs + units, PANEL], as `forward_pass` lays them out; `bias` [panels x PANEL].
        seen: [n and more, inputs + units], written.
    """
    width = seen.shape[1]
    inputs = width - len(bias) // GATES
    rows, following = np.zeros((BLOCK, width), np.float32), np.zeros((BLOCK, width), np.float32)
    cells = np.empty(BLOCK * (width - inputs), np.float32)
    sums, memory = np.empty(GATES * TILE, np.float32), np.empty(TILE, np.float32)
    for begin in range(0, len(windows), BLOCK):
        block = windows[begin : begin + BLOCK]
        _forget(rows, inputs, cells)
        for step in range(windows.shape[1]):
            if len(mean) == 0:
                _take(block, step, first, inputs, rows)
            else:
                _scale(block, step, mean, inverse, rows)
            _advance(rows, weights, bias, cells, sums, memory, following, -(-len(block) // ROWS) * ROWS)
            rows, following = following, rows
        for number in range(len(block)):
            for place in range(width):
                seen[begin + number, place] = following[number, place] if place < inputs else rows[number, place]


@compiled
def _forget(rows: Rows, inputs: int, cells: Vector) -> None:  # pragma: no cover - compiled
    """The memory that a window begins with: none."""
    for place in range(len(cells)):
        cells[place] = ZERO
    for number in range(len(rows)):
        for place in range(inputs, rows.shape[1]):
            rows[number, place] = ZERO


@compiled
def project(
    rows: Rows, weights: Vector, bias: Vector, out: Rows, first: int, columns: int
) -> None:  # pragma: no cover - compiled
    """Columns of out, `columns` from `first` on, become bias + rows x weights; whole tiles of rows, whole vectors."""
    width, stride, sums = rows.shape[1], out.shape[1], np.empty(GATES * TILE, np.float32)
    for row in range(0, len(rows), ROWS):
        for panel in range(len(bias) // PANEL):
            multiply(rows, row, width, weights, bias, panel, sums)
            for gate in range(min((columns - panel * PANEL) // LANES, GATES)):
                start = row * stride + first + panel * PANEL + gate * LANES
                for number in range(ROWS):
                    move(sums, gate * TILE + number * LANES, out, start + number * stride)


@compiled
def draw_line(
    windows: Windows, mean: Row, std: Row, coefficients: Quantiles, told: Quantiles
) -> None:  # pragma: no cover - compiled
    """A line's forecast from each window's last row, told [n, H], with coefficients [H, F].

    As `ridge.forecast_location`, in a fifth of the time.
    """
    scaled, last = np.empty(len(mean)), windows.shape[1] - 1
    for number in range(len(windows)):
        for place in range(len(mean)):
            value = (windows[number, last, place] - mean[place]) / std[place]
            scaled[place] = min(max(value, -MAX_DEVIATIONS), MAX_DEVIATIONS)
        for horizon in range(len(coefficients)):
            total = 0.0
            for place in range(len(mean)):
                total += scaled[place] * coefficients[horizon, place]
            told[number, horizon] = total


@compiled
def open_fan(
    steps: Rows, naive: Quantiles, trust: Row, centre: Quantiles, fans: Fans
) -> None:  # pragma: no cover - compiled
    """Quantiles around each centre: the network's steps added up from the middle, as far as it is trusted.

    Args:
        steps: [n and more, H x (Q - 1) and more] between neighbouring quantiles.
        naive: [H, Q] the naive member's quantiles.
        trust: [H] share of the network's own spread.
        centre: [n, H].
        fans: [n, H, Q], written.
    """
    horizons, quantiles = naive.shape
    half = quantiles // 2
    offsets = np.zeros(quantiles)
    for number in range(len(centre)):
        for horizon in range(horizons):
            own = steps[number, horizon * (quantiles - 1) : (horizon + 1) * (quantiles - 1)]
            for step in range(half):
                offsets[half - step - 1] = offsets[half - step] - own[half - step - 1]
            for step in range(half, quantiles - 1):
                offsets[step + 1] = offsets[step] + own[step]
            before = -np.inf
            for place in range(quantiles):
                shift = naive[horizon, place] + trust[horizon] * (offsets[place] - naive[horizon, place])
                # Blending can undo the order by a rounding error.
                before = max(before, centre[number, horizon] + shift)
                fans[number, horizon, place] = before
