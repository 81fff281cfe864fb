"""Which inputs a network is shown: those whose products with another, or with themselves, go with what a line leaves.

A line's own coefficients say nothing of inputs that matter only together. Among all pairs of F inputs, the sessions'
sums of product x remainder are compared with their spread over sessions; what stands out of the noise names its two
inputs. It is the screening of interactions of Hao and Zhang, Interaction Screening for Ultrahigh-Dimensional Data,
Journal of the American Statistical Association (2014), with whole sessions as observations. No products by BLAS, whose
last bits depend on its number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.models.dataset import Examples, Index, session_means
from pipeline.models.scaling import fit_scaler, standardise

Floats = npt.NDArray[np.float64]
MAX_DEVIATIONS = 3.0
"""Inputs are held within this many standard deviations: one crash must not choose the inputs."""
MIN_PERIODS = 60
"""Spans of a horizon's length that a pair is judged on at least; longer horizons are judged by the shorter ones."""


def choose_inputs(examples: Examples, rows: Index, count: int, max_rows: int) -> tuple[int, ...]:
    """The positions of the inputs that stand in the most telling pairs, best first: at most `count` of them.

    Args:
        examples: what is left to learn in `relative`.
        rows: those that may be looked at.
        count: inputs wanted.
        max_rows: rows that are looked at; a larger set is thinned by whole sessions.
    """
    thin = examples.thin(rows, max_rows)
    scores = score_pairs(examples.last_rows(thin), examples.relative[thin], examples.session[thin], examples.horizons)
    chosen: dict[int, None] = {}
    for pair in np.argsort(-scores, axis=None, kind="stable").tolist():
        chosen.update(dict.fromkeys(divmod(pair, len(scores))))
        if len(chosen) >= count:
            break
    return tuple(chosen)[:count]


def score_pairs(inputs: npt.NDArray[np.float32], remainder: Floats, session: Index, horizons: Sequence[int]) -> Floats:
    """How far each pair's product goes with the remainder, in standard errors: [F, F], symmetric, 0 or more.

    Args:
        inputs: [n, F] last rows.
        remainder: [n, H] what a line leaves.
        session: [n] positions, never decreasing.
        horizons: H sessions ahead; the labels of as many neighbouring sessions overlap and count as one observation.
    """
    scaled = _scale(inputs)
    starts = np.flatnonzero(np.diff(session, prepend=session[:1] - 1))
    runs = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(session))))
    left = remainder - session_means(remainder, session)[runs]
    periods = [horizon for horizon in horizons if len(starts) // horizon >= MIN_PERIODS] or [min(horizons)]
    scores = np.zeros((inputs.shape[1],) * 2)
    for number, horizon in enumerate(horizons):
        if horizon in periods:
            edges = np.append(starts[::horizon], len(session))
            scores = np.maximum(scores, _standard_errors(scaled, left[:, number], edges))
    return np.maximum(scores, scores.T)


def _scale(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    scaled = standardise(inputs, fit_scaler(inputs))
    held: npt.NDArray[np.float32] = np.clip(scaled, -MAX_DEVIATIONS, MAX_DEVIATIONS).astype(np.float32)
    return held


def _standard_errors(scaled: npt.NDArray[np.float32], left: Floats, edges: Index) -> Floats:
    """|sum over periods| / sqrt(sum of squares over periods) of each pair: [F, F]."""
    width = scaled.shape[1]
    total, squares = np.zeros((width, width)), np.zeros((width, width))
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        block = scaled[low:high]
        products = np.einsum("ni,nj->ij", block * left[low:high, None].astype(np.float32), block)
        total += products
        squares += products * products
    return np.abs(total) / np.sqrt(np.maximum(squares, np.finfo(np.float64).tiny))
