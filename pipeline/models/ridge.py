"""The linear member: ridge regression of the market-relative return on the last row and the mean of the window.

All arithmetic is float64 and free of BLAS, whose last bits depend on its number of threads.
Closed form: Hoerl and Kennard, Ridge Regression, Technometrics (1970).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.models.examples import BLOCK, Examples, blocks
from pipeline.models.naive import centred_quantiles

Floats = npt.NDArray[np.float64]
Arrays = Mapping[str, npt.NDArray[Any]]

MOST_DEVIATIONS = 5.0
"""Standardised inputs are held within this many standard deviations: volume and illiquidity have endless tails."""
LEAST_DEVIATION = 1e-6
"""An input that varies less is constant: it is only centred."""


def summary(windows: npt.NDArray[np.float32]) -> Floats:
    """The inputs of the regression: last row and mean of each window, [n, window, F] -> [n, 2F] float64."""
    return np.concatenate([windows[:, -1].astype(np.float64), windows.mean(axis=1, dtype=np.float64)], axis=1)


def summaries(examples: Examples) -> npt.NDArray[np.float32]:
    """The inputs of all examples, gathered once for all folds: [n, 2F] float32."""
    result = np.empty((len(examples), 2 * len(examples.features)), dtype=np.float32)
    for rows in blocks(np.arange(len(examples))):
        result[rows] = summary(examples.windows(rows))
    return result


def scaler(inputs: npt.NDArray[np.float32]) -> dict[str, Floats]:
    """Mean and standard deviation of each input over the training rows alone: `mean` and `std`, [inputs] float64."""
    mean = inputs.mean(axis=0, dtype=np.float64)
    std = inputs.std(axis=0, dtype=np.float64)
    return {"mean": mean, "std": np.where(std > LEAST_DEVIATION, std, 1.0)}


def fit(
    inputs: npt.NDArray[np.float32],
    relative: Floats,
    clipped: Floats,
    penalties: Sequence[float],
    quantiles: Sequence[float],
) -> dict[str, npt.NDArray[Any]]:
    """Return the fitted member.

    Args:
        inputs: [n, 2F] summaries of the training rows.
        relative: [n, H] market-relative targets, in units of sigma x sqrt(h).
        clipped: [n, H] raw targets in the same unit, for the intervals.
        penalties: H penalties per row.
        quantiles: Q probabilities.

    Returns:
        `mean`, `std` [2F], `coefficients` [2F, H], `z` [H, Q]: quantiles of raw residuals, recentred to median 0.
    """
    scaling = scaler(inputs)
    gram, moment = _normal_equations(inputs, relative, scaling)
    member = {**scaling, "coefficients": _solve_all(gram, moment, len(inputs), penalties)}
    residual = clipped - location(member, inputs)
    return {**member, "z": centred_quantiles(residual, quantiles)}


def choose_penalties(
    train: tuple[npt.NDArray[np.float32], Floats],
    held: tuple[npt.NDArray[np.float32], Floats],
    penalties: Sequence[float],
) -> tuple[float, ...]:
    """Return per horizon the penalty with the least squared error on held-back rows, each pair (inputs, relative)."""
    scaling = scaler(train[0])
    gram, moment = _normal_equations(*train, scaling)
    errors = []
    for penalty in penalties:
        coefficients = _solve_all(gram, moment, len(train[0]), [penalty] * moment.shape[1])
        miss = held[1] - location({**scaling, "coefficients": coefficients}, held[0])
        errors.append((miss * miss).mean(axis=0))
    return tuple(penalties[best] for best in np.argmin(np.array(errors), axis=0))


def location(member: Arrays, inputs: npt.NDArray[Any]) -> Floats:
    """Forecast of the market-relative return in units of sigma x sqrt(h): [n, 2F] -> [n, H]."""
    result = np.empty((len(inputs), member["coefficients"].shape[1]))
    for rows in blocks(np.arange(len(inputs))):
        result[rows] = np.einsum("nf,fh->nh", _standardise(inputs[rows], member), member["coefficients"])
    return result


def standardised_quantiles(member: Arrays, windows: npt.NDArray[np.float32]) -> Floats:
    """Quantiles of the return in units of sigma x sqrt(h): [n, window, F] -> [n, H, Q]."""
    return location(member, summary(windows))[:, :, None] + member["z"][None]


def solve(matrix: Floats, right: Floats) -> Floats:
    """Solve a symmetric positive definite system [p, p] x = [p, k] by Cholesky's factorisation.

    Raises:
        ValueError: if the matrix is not positive definite, naming the first pivot that is not positive.
    """
    lower = np.zeros_like(matrix)
    for j in range(len(matrix)):
        column = matrix[j:, j] - np.einsum("ik,k->i", lower[j:, :j], lower[j, :j])
        if not column[0] > 0:
            raise ValueError(f"pivot {j} of the ridge system is {column[0]}; raise the penalty")
        lower[j:, j] = column / np.sqrt(column[0])
    x = right.astype(np.float64, copy=True)
    for i in range(len(lower)):
        x[i] = (x[i] - np.einsum("k,kh->h", lower[i, :i], x[:i])) / lower[i, i]
    for i in reversed(range(len(lower))):
        x[i] = (x[i] - np.einsum("k,kh->h", lower[i + 1 :, i], x[i + 1 :])) / lower[i, i]
    return x


def _solve_all(gram: Floats, moment: Floats, rows: int, penalties: Sequence[float]) -> Floats:
    """One system per distinct penalty; the coefficients of each horizon from its own."""
    result = np.empty_like(moment)
    identity = np.eye(len(gram))
    for penalty in sorted(set(penalties)):
        columns = [number for number, value in enumerate(penalties) if value == penalty]
        result[:, columns] = solve(gram + penalty * rows * identity, moment[:, columns])
    return result


def _normal_equations(inputs: npt.NDArray[np.float32], relative: Floats, scaling: Arrays) -> tuple[Floats, Floats]:
    """X'X and X'y of the standardised inputs, added up block by block in the order of the rows."""
    width = inputs.shape[1]
    gram, moment = np.zeros((width, width)), np.zeros((width, relative.shape[1]))
    for rows in blocks(np.arange(len(inputs), dtype=np.int64), BLOCK):
        x = _standardise(inputs[rows], scaling)
        gram += np.einsum("ni,nj->ij", x, x)
        moment += np.einsum("ni,nh->ih", x, relative[rows])
    return gram, moment


def _standardise(inputs: npt.NDArray[Any], scaling: Arrays) -> Floats:
    scaled = (inputs.astype(np.float64) - scaling["mean"]) / scaling["std"]
    return np.clip(scaled, -MOST_DEVIATIONS, MOST_DEVIATIONS)
