"""Fitting the members walk-forward: what each forecast out of sample, the weights that follow, and the final fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from statistics import median_high
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.models.dataset import Examples, Index, blocks
from pipeline.models.ensemble import MEMBERS, choose_weights, combine, grid_losses, simplex
from pipeline.models.folds import Fold, Span, inner_split, walk_forward
from pipeline.models.inference import standardised_quantiles
from pipeline.models.members import naive, ridge
from pipeline.models.params import ModelParams

Floats = npt.NDArray[np.float64]
Arrays = Mapping[str, npt.NDArray[Any]]
Seed = tuple[int, int]
"""The run's seed and the number of the fit in it."""


@dataclass(frozen=True)
class Choices:
    """Hyper-parameters that held-back rows decided."""

    penalties: tuple[float, ...]
    """Ridge penalty per horizon."""
    line_trust: tuple[float, ...]
    """Share of the ridge's fitted amplitude that was earned, per horizon (0..1)."""
    epochs: int
    """Passes of the LSTM; 0 where none of them helped."""
    location_trust: tuple[float, ...]
    """How far to follow the LSTM's location, per horizon (0..1)."""
    spread_trust: tuple[float, ...]
    """How far to follow its spread, per horizon (0..1)."""


@dataclass(frozen=True)
class Tested:
    """A fold after its members were fitted before the block and asked about it."""

    fold: Fold
    train: Index
    test: Index
    choices: Choices
    forecasts: Mapping[str, Floats]
    """Member -> [test rows, H, Q] in units of sigma x sqrt(h)."""


@dataclass(frozen=True)
class Trained:
    """The outcome of a training run."""

    tested: tuple[Tested, ...]
    fold_weights: tuple[Floats, ...]
    """Per fold the weights [members, H] chosen on the folds before it alone; equal shares for the first."""
    weights: Floats
    """[members, H] chosen on all folds."""
    members: Mapping[str, Arrays]
    """The final fit on every labelled row."""
    choices: Choices
    rows: Index
    """The rows of the final fit."""

    @property
    def judged(self) -> list[tuple[Tested, Floats]]:
        """The folds that count as evidence, with their weights: all but the first, whose weights are only a guess."""
        pairs = list(zip(self.tested, self.fold_weights, strict=True))
        return pairs[1:] or pairs


def run_training(
    examples: Examples, quantiles: Sequence[float], params: ModelParams, seed: int, workers: int | None = None
) -> Trained | None:
    """Run all folds and the final fit; None where history is too short for a single fold.

    Folds know nothing of each other, so they are fitted side by side. The result does not depend on how many are: each
    has its own seed, and computes with one thread.

    Args:
        examples: all labelled rows.
        quantiles: Q probabilities.
        params: what is trained.
        seed: the run's.
        workers: folds fitted at a time; None for as many as there are processors.
    """
    folds = [fold for fold in _folds(examples, params) if _enough(examples, fold, params)]
    if not folds:
        return None
    rows = np.arange(len(examples), dtype=np.int64)
    tested, strength = _side_by_side(examples, folds, quantiles, params, seed, workers or cpu_count() or 1)
    grid = simplex(len(MEMBERS), params.weight_step)
    losses = [
        grid_losses(t.forecasts, examples.outcome[t.test], examples.session[t.test], grid, quantiles) for t in tested
    ]
    weights = [_weights(losses[:number], grid, params) for number in range(len(tested) + 1)]
    choices = _settled([t.choices for t in tested], strength)
    members = _fit(examples, rows, quantiles, params, choices, (seed, len(tested)))
    return Trained(tested, tuple(weights[:-1]), weights[-1], members, choices, rows)


def _side_by_side(
    examples: Examples, folds: Sequence[Fold], quantiles: Sequence[float], params: ModelParams, seed: int, workers: int
) -> tuple[tuple[Tested, ...], ridge.Strength]:
    """Test all folds, and decide the strength of the final line, several at a time."""
    from pipeline.models.members.lstm import exact_arithmetic

    # Held around them all: a fold that ends would otherwise set the others' arithmetic back to the process's own.
    with exact_arithmetic(), ThreadPoolExecutor(min(workers, len(folds))) as pool:
        tests = [
            pool.submit(_test, examples, fold, quantiles, params, (seed, number)) for number, fold in enumerate(folds)
        ]
        strength = pool.submit(_strength, examples, np.arange(len(examples), dtype=np.int64), params)
        try:
            return tuple(test.result() for test in tests), strength.result()
        except BaseException:  # a fold failed, or the operator has had enough: begin nothing more
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def ensemble_forecast(forecasts: Mapping[str, Floats], weights: Floats) -> Floats:
    """Combine members with weights [members, H] in the order of `MEMBERS`."""
    return combine(forecasts, dict(zip(MEMBERS, weights, strict=True)))


def _folds(examples: Examples, params: ModelParams) -> list[Fold]:
    if len(examples) == 0:
        return []
    return walk_forward(Span(int(examples.session[0]), int(examples.session[-1])), params)


def _enough(examples: Examples, fold: Fold, params: ModelParams) -> bool:
    """Whether the fold has windows to fit, to hold back and to be tested on."""
    inner = inner_split(fold.train, params)
    fitted, held, test = (len(examples.between(span.first, span.last)) for span in (inner.train, inner.test, fold.test))
    return fitted >= params.least_rows and held > 0 and test > 0


def _test(examples: Examples, fold: Fold, quantiles: Sequence[float], params: ModelParams, seed: Seed) -> Tested:
    """Fit the members on what lies before the block and forecast it.

    The LSTM keeps the weights that did best on the held-back end of the span, beside a line that has not seen that end,
    and is not fitted again; ridge and naive are fitted on the whole span, and so is the line that the LSTM then stands
    beside.
    """
    from pipeline.models.members import lstm

    inner = inner_split(fold.train, params)
    fitted, held = (examples.between(span.first, span.last) for span in (inner.train, inner.test))
    train, test = (examples.between(span.first, span.last) for span in (fold.train, fold.test))
    strength = _strength(examples, train, params)
    blind = _line(examples, fitted, quantiles, params, strength)
    choice, network = lstm.choose(_remainder(examples, blind), fitted, held, quantiles, params.lstm, seed)
    line = _line(examples, train, quantiles, params, strength)
    members = _members(examples, train, quantiles, line, network)
    decided = Choices(strength.penalties, strength.trust, choice.epochs, choice.trust.location, choice.trust.spread)
    forecasts = {name: forecast_rows(examples, name, members[name], test) for name in MEMBERS}
    return Tested(fold, train, test, decided, forecasts)


def _fit(
    examples: Examples, rows: Index, quantiles: Sequence[float], params: ModelParams, choices: Choices, seed: Seed
) -> dict[str, Arrays]:
    """The final fit with everything decided: nothing is held back."""
    from pipeline.models.members import lstm

    line = _line(examples, rows, quantiles, params, ridge.Strength(choices.penalties, choices.line_trust))
    choice = lstm.Choice(choices.epochs, lstm.Trust(choices.location_trust, choices.spread_trust))
    network = lstm.fit(_remainder(examples, line), rows, quantiles, params.lstm, seed, choice)
    return _members(examples, rows, quantiles, line, network)


def _members(
    examples: Examples, rows: Index, quantiles: Sequence[float], line: Arrays, network: Arrays
) -> dict[str, Arrays]:
    from pipeline.models.members import lstm

    flat = naive.fit(examples.clipped[rows], quantiles)
    return {"naive": flat, "ridge": line, "lstm": lstm.beside(line, network)}


def _strength(examples: Examples, rows: Index, params: ModelParams) -> ridge.Strength:
    """Penalty and trust of the line, by cross-validation within these rows."""
    thin = examples.thinned(rows, params.ridge.most_rows)
    return ridge.choose(
        examples.last_rows(thin),
        examples.relative[thin],
        examples.session[thin],
        params.horizons,
        params.ridge.penalties,
        params.ridge.blocks,
        params.purge + params.embargo,
    )


def _line(
    examples: Examples, rows: Index, quantiles: Sequence[float], params: ModelParams, strength: ridge.Strength
) -> Arrays:
    thin = examples.thinned(rows, params.ridge.most_rows)
    inputs, relative, clipped = examples.last_rows(thin), examples.relative[thin], examples.clipped[thin]
    return ridge.fit(inputs, relative, clipped, strength, quantiles)


def _remainder(examples: Examples, line: Arrays) -> Examples:
    """The examples less what the line says: what is left to the network."""
    return examples.less(ridge.location(line, examples.last_rows(np.arange(len(examples), dtype=np.int64))))


def forecast_rows(examples: Examples, member: str, arrays: Arrays, rows: Index) -> Floats:
    """One member's standardised quantiles for these examples, gathered block by block: [rows, H, Q]."""
    return np.concatenate([standardised_quantiles(member, arrays, examples.windows(block)) for block in blocks(rows)])


def _weights(losses: Sequence[Floats], grid: Floats, params: ModelParams) -> Floats:
    """Weights [members, H] from the folds seen so far; equal shares before there is any."""
    if not losses:
        return np.full((len(MEMBERS), len(params.horizons)), 1 / len(MEMBERS))
    seen = np.concatenate(losses, axis=1)
    return choose_weights(seen, grid, params.horizons, params.naive_preference)


def _settled(folds: Sequence[Choices], strength: ridge.Strength) -> Choices:
    """What the final fit is made with: the line's strength, and of the LSTM what the folds agree on.

    The mean of the trust, and the median of the passes among the folds that took any: a fold that took none says so by
    its trust of 0.
    """
    return Choices(
        penalties=strength.penalties,
        line_trust=strength.trust,
        epochs=median_high([c.epochs for c in folds if c.epochs] or [0]),
        location_trust=_means([c.location_trust for c in folds]),
        spread_trust=_means([c.spread_trust for c in folds]),
    )


def _means(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(float(np.mean(column)) for column in zip(*rows, strict=True))
