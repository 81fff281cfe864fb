"""The linear member: ridge regression of the market-relative return on the window's last row.

The features already look back over every span that pays (returns over 1 to 120 sessions, decayed news), so that more
rows of the window would add noise before they add knowledge. Penalty and amplitude are decided by cross-validation
over blocks of whole sessions inside the training span, each with labels that could overlap it left out on both sides:
one block of held-back sessions says next to nothing about a signal that explains one per cent of the variance; all of
them together do. The amplitude is what the held-back forecasts earned (`evaluation.estimate_trust`), so that a line
fitted to noise forecasts nothing.

A second fit penalises each input by how little the first made of it, so that the few that matter are shrunk less and
the many that don't are all but left out (the weights of Zou, The Adaptive Lasso and Its Oracle Properties, Journal of
the American Statistical Association (2006), with a squared penalty). Its strength is cross-validated likewise, each
block's weights from a first fit without the block. Outcomes are held within two deviations where a line is fitted, and
count whole where penalty and amplitude are decided.

All arithmetic is float64 and free of BLAS, whose last bits depend on its number of threads.
Closed form: Hoerl and Kennard, Ridge Regression, Technometrics (1970). Blocks with gaps: M. López de Prado, Advances in
Financial Machine Learning (2018), chapter 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.models.dataset import BLOCK, Index, cut_blocks
from pipeline.models.evaluation import estimate_trust
from pipeline.models.members.member import Arrays, Choices, FitTask, Fitted, Floats, MemberParts, Sizes
from pipeline.models.members.naive import centred_quantiles
from pipeline.models.scaling import fit_scaler, standardise

Inputs = npt.NDArray[np.float32]
MAX_OUTCOME = 2.0
"""Deviations beyond which an outcome counts no further in a fit (Huber, Robust Estimation of a Location Parameter,
Annals of Mathematical Statistics (1964)): tails as fat as those of returns cost a mean a fifth of its rows."""
MIN_SHARE = 0.1
"""Of the mean square of the first coefficients, what every input counts at least: no factor is above ten."""


@dataclass(frozen=True)
class Strength:
    """What cross-validation decided, per horizon."""

    penalties: tuple[float, ...]
    """Ridge penalty per row, on inputs of unit variance."""
    trust: tuple[float, ...]
    """Share of the fitted amplitude that the held-back forecasts earned (0..1)."""
    again: tuple[float, ...] | None = None
    """Penalty of the second fit, before each input's own factor; None where there is none."""

    @classmethod
    def of(cls, choices: Choices) -> Strength:
        """Read it back from the member's choices."""
        return cls(choices["penalties"], choices["line_trust"], choices.get("second_penalties"))

    @property
    def choices(self) -> dict[str, tuple[float, ...]]:
        """As the member's choices tell it."""
        second = {} if self.again is None else {"second_penalties": self.again}
        return {"penalties": self.penalties, "line_trust": self.trust, **second}


class Ridge:
    """The line with the amplitude that held-back forecasts earned."""

    name = "ridge"
    simple = True

    def fit(self, task: FitTask) -> Fitted:
        """Decide penalty and amplitude within the rows by cross-validation, and fit all of them."""
        strength = choose_strength(task)
        return Fitted(fit_rows(task, task.rows, strength), strength.choices)

    def tune(self, task: FitTask) -> Fitted:
        """Begin as a line of more names: what is fitted is the difference, with the amplitude that it earned.

        Where these names give no evidence of a difference, it is the line it began as. So are its quantiles.
        """
        start = task.start[self.name]
        strength = choose_strength(_less(task, start), start)
        return Fitted(tune_rows(task, task.rows, strength), strength.choices)

    def quantiles(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> Floats:
        """The residuals' quantiles around the line's forecast from the last row."""
        return forecast_location(arrays, windows[:, -1])[:, :, None] + arrays["z"][None]

    def locate(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> Floats:
        """The medians alone."""
        return forecast_location(arrays, windows[:, -1])

    def explain(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> MemberParts:
        """Its terms, exactly: coefficient x standardised input."""
        terms = explain_line(arrays, windows[:, -1])
        return MemberParts(terms, np.zeros(terms.shape[:2]), np.zeros(terms.shape[2], dtype=bool))

    def shapes(self, arrays: Arrays, sizes: Sizes) -> Mapping[str, tuple[int, ...]]:  # noqa: ARG002
        """The line, and the quantiles around it."""
        return {**line_shapes(sizes), "z": (sizes.horizons, sizes.quantiles)}

    def settings(self, choices: Choices) -> Mapping[str, Any]:
        """Penalties and trust per horizon."""
        second = {name: choices[name] for name in ("second_penalties",) if name in choices}
        return {"penalties": choices["penalties"], "trust": choices["line_trust"], **second}


RIDGE = Ridge()


def line_shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """The shapes of a line's arrays."""
    return {"mean": (sizes.features,), "std": (sizes.features,), "coefficients": (sizes.features, sizes.horizons)}


def choose_strength(task: FitTask, scaler: Arrays | None = None) -> Strength:
    """Penalty and trust of the line, by cross-validation within the task's rows; scaled by their own, or as told."""
    examples, params = task.examples, task.params
    thin = examples.thin(task.rows, params.ridge.max_rows)
    return cross_validate(
        examples.last_rows(thin),
        examples.relative[thin],
        examples.session[thin],
        params.horizons,
        params.ridge.penalties,
        params.ridge.blocks,
        params.purge + params.embargo,
        twice=params.ridge.version >= 2,
        scaler=scaler,
        max_outcome=_max_outcome(task),
    )


def tune_rows(task: FitTask, rows: Index, strength: Strength) -> dict[str, npt.NDArray[Any]]:
    """The line of `task.start` with a difference fitted on some of the task's examples, in its scaling."""
    start, less = task.start[RIDGE.name], _less(task, task.start[RIDGE.name])
    thin = task.examples.thin(rows, task.params.ridge.max_rows)
    inputs, relative = less.examples.last_rows(thin), less.examples.relative[thin]
    added = fit_coefficients(inputs, relative, strength, start, _max_outcome(task))
    return {**start, "coefficients": start["coefficients"] + added}


def _less(task: FitTask, line: Arrays) -> FitTask:
    """The task with a line's forecast taken out of its targets."""
    every: Index = np.arange(len(task.examples), dtype=np.int64)
    left = task.examples.subtract(forecast_location(line, task.examples.last_rows(every)))
    return replace(task, examples=left)


def fit_rows(task: FitTask, rows: Index, strength: Strength) -> dict[str, npt.NDArray[Any]]:
    """Fit the line on some of the task's examples."""
    examples = task.examples
    thin = examples.thin(rows, task.params.ridge.max_rows)
    inputs, relative, clipped = examples.last_rows(thin), examples.relative[thin], examples.clipped[thin]
    return fit_line(inputs, relative, clipped, strength, task.quantiles, _max_outcome(task))


def _max_outcome(task: FitTask) -> float:
    """How many deviations an outcome counts at most where the line is fitted."""
    return MAX_OUTCOME if task.params.ridge.version >= 3 else np.inf


def fit_line(
    inputs: Inputs,
    relative: Floats,
    clipped: Floats,
    strength: Strength,
    quantiles: Sequence[float],
    max_outcome: float = np.inf,
) -> dict[str, npt.NDArray[Any]]:
    """Fit the line.

    Args:
        inputs: [n, F] last rows of the training windows.
        relative: [n, H] market-relative targets, in units of sigma x sqrt(h).
        clipped: [n, H] raw targets in the same unit, for the intervals.
        strength: penalty and trust per horizon.
        quantiles: Q probabilities.
        max_outcome: relative targets are held within this, both sides of 0, for the coefficients.

    Returns:
        `mean`, `std` [F], `coefficients` [F, H], trust included; `z` [H, Q]: raw residuals' quantiles, median 0.
    """
    scaler = fit_scaler(inputs)
    line = {**scaler, "coefficients": fit_coefficients(inputs, relative, strength, scaler, max_outcome)}
    return {**line, "z": centred_quantiles(clipped - forecast_location(line, inputs), quantiles)}


def fit_coefficients(
    inputs: Inputs, relative: Floats, strength: Strength, scaler: Arrays, max_outcome: float = np.inf
) -> Floats:
    """The coefficients of scaled inputs, trust included: [F, H]."""
    gram, moment = _normal_equations(inputs, np.clip(relative, -max_outcome, max_outcome), scaler)
    coefficients = _solve_all(gram, moment, len(inputs), strength.penalties)
    if strength.again is not None:
        coefficients = _solve_again(gram, moment, len(inputs), coefficients, strength.again)
    trusted: Floats = coefficients * np.array(strength.trust)
    return trusted


def cross_validate(
    inputs: Inputs,
    relative: Floats,
    session: Index,
    horizons: Sequence[int],
    penalties: Sequence[float],
    count: int,
    gap: int,
    *,
    twice: bool = False,
    scaler: Arrays | None = None,
    max_outcome: float = np.inf,
) -> Strength:
    """Decide penalties and trust per horizon by cross-validation over blocks of sessions.

    Args:
        inputs: [n, F] last rows, by session.
        relative: [n, H] market-relative targets.
        session: [n] positions, never decreasing.
        horizons: H sessions ahead, the overlap of the targets.
        penalties: those tried.
        count: blocks.
        gap: sessions left out of the fit on either side of a block.
        twice: whether a second fit follows, with penalties of each input's own.
        scaler: by whose `mean` and `std` inputs are scaled; their own by default.
        max_outcome: targets are held within this where a line is fitted, never where it is judged.

    Returns:
        The penalties with the least squared error over all blocks. A span too short to leave rows beside its blocks
        decides nothing: then it is the largest penalty, and no trust.
    """
    scaler = scaler if scaler is not None else fit_scaler(inputs)
    blocks = _blocks(inputs, np.clip(relative, -max_outcome, max_outcome), session, scaler, count, gap)
    if not blocks:
        return Strength((max(penalties),) * len(horizons), (0.0,) * len(horizons))
    rows = np.concatenate([block.tested for block in blocks])
    target = relative[rows]
    one_each = [(penalty,) * len(horizons) for penalty in penalties]
    lines = [[_solve_all(*block.equations, each) for each in one_each] for block in blocks]
    first, forecast = _choose_best(blocks, lines, inputs, scaler, target)
    chosen, again = tuple(penalties[number] for number in first), None
    if twice:
        firsts = [_solve_all(*block.equations, chosen) for block in blocks]
        lines = [
            [_solve_again(*block.equations, line, each) for each in one_each]
            for block, line in zip(blocks, firsts, strict=True)
        ]
        second, forecast = _choose_best(blocks, lines, inputs, scaler, target)
        again = tuple(penalties[number] for number in second)
    trust = estimate_trust(forecast, target, session[rows], horizons)
    return Strength(chosen, tuple(trust.tolist()), again)


class _HeldOut(NamedTuple):
    """A block of the cross-validation: its rows, and the normal equations of the rows it is forecast from."""

    tested: Index
    gram: Floats
    moment: Floats
    rows: int

    @property
    def equations(self) -> tuple[Floats, Floats, int]:
        return self.gram, self.moment, self.rows


def _blocks(inputs: Inputs, relative: Floats, session: Index, scaler: Arrays, count: int, gap: int) -> list[_HeldOut]:
    """The blocks that leave rows beside them."""
    gram, moment = _normal_equations(inputs, relative, scaler)
    blocks = []
    for block, zone in _zones(session, count, gap):
        left = len(inputs) - len(zone)
        if left and len(block):
            near_gram, near_moment = _normal_equations(inputs[zone], relative[zone], scaler)
            blocks.append(_HeldOut(block, gram - near_gram, moment - near_moment, left))
    return blocks


def _choose_best(
    blocks: Sequence[_HeldOut], lines: Sequence[Sequence[Floats]], inputs: Inputs, scaler: Arrays, target: Floats
) -> tuple[list[int], Floats]:
    """Of several lines per block, which does best at each horizon, and its forecasts of all blocks' rows: [rows, H]."""
    forecast = np.concatenate(
        [
            _locations({**scaler, "coefficients": np.hstack(own)}, inputs[block.tested], len(own))
            for block, own in zip(blocks, lines, strict=True)
        ],
        axis=1,
    )
    miss = target - forecast
    best = np.argmin((miss * miss).mean(axis=1), axis=0).tolist()
    return best, np.stack([forecast[number, :, at] for at, number in enumerate(best)], axis=1)


def forecast_location(member: Arrays, inputs: npt.NDArray[Any]) -> Floats:
    """Forecast of the market-relative return in units of sigma x sqrt(h): [n, F] -> [n, H]."""
    result = np.empty((len(inputs), member["coefficients"].shape[1]))
    for rows in cut_blocks(np.arange(len(inputs))):
        result[rows] = np.einsum("nf,fh->nh", standardise(inputs[rows], member), member["coefficients"])
    return result


def explain_line(member: Arrays, inputs: npt.NDArray[Any]) -> Floats:
    """The terms that the line's forecast is the sum of, in units of sigma x sqrt(h): [n, F] -> [n, H, F]."""
    terms: Floats = standardise(inputs, member)[:, None, :] * member["coefficients"].T[None]
    return terms


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


def _zones(session: Index, count: int, gap: int) -> Iterator[tuple[Index, Index]]:
    """Cut the span into blocks of consecutive sessions: the rows of each, and these with the gaps around them."""
    edges = np.linspace(session[0], session[-1] + 1, count + 1).round().astype(np.int64)
    for low, high in pairwise(edges):
        inner, outer = np.searchsorted(session, [low, high]), np.searchsorted(session, [low - gap, high + gap])
        yield np.arange(*inner, dtype=np.int64), np.arange(*outer, dtype=np.int64)


def _locations(member: Arrays, inputs: Inputs, count: int) -> Floats:
    """Forecasts of several lines at once, their coefficients side by side: [count, n, H]."""
    together = forecast_location(member, inputs)
    return together.reshape(len(inputs), count, -1).swapaxes(0, 1)


def _solve_all(gram: Floats, moment: Floats, rows: int, penalties: Sequence[float]) -> Floats:
    """One system per distinct penalty; the coefficients of each horizon from its own."""
    result = np.empty_like(moment)
    identity = np.eye(len(gram))
    for penalty in sorted(set(penalties)):
        columns = [number for number, value in enumerate(penalties) if value == penalty]
        result[:, columns] = solve(gram + penalty * rows * identity, moment[:, columns])
    return result


def _solve_again(gram: Floats, moment: Floats, rows: int, first: Floats, penalties: Sequence[float]) -> Floats:
    """The coefficients of a second fit whose penalty on each input falls with what the first made of it: [F, H]."""
    result = np.empty_like(moment)
    for column, penalty in enumerate(penalties):
        size = first[:, column] * first[:, column]
        usual = size.mean()
        own = usual / (size + MIN_SHARE * usual) if usual > 0 else np.ones(len(size))
        result[:, [column]] = solve(gram + penalty * rows * np.diag(own), moment[:, [column]])
    return result


def _normal_equations(inputs: Inputs, relative: Floats, scaler: Arrays) -> tuple[Floats, Floats]:
    """X'X and X'y of the standardised inputs, added up block by block in the order of the rows."""
    width = inputs.shape[1]
    gram, moment = np.zeros((width, width)), np.zeros((width, relative.shape[1]))
    for rows in cut_blocks(np.arange(len(inputs), dtype=np.int64), BLOCK):
        x = standardise(inputs[rows], scaler)
        gram += np.einsum("ni,nj->ij", x, x)
        moment += np.einsum("ni,nh->ih", x, relative[rows])
    return gram, moment
