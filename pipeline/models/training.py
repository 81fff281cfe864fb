"""Fitting the members walk-forward: what each forecast out of sample, the weights that follow, and the final fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_high
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.models import naive, ridge
from pipeline.models.ensemble import MEMBERS, choose_weights, combine, grid_losses, simplex
from pipeline.models.examples import Examples, Index, blocks
from pipeline.models.folds import Fold, Span, inner_split, walk_forward
from pipeline.models.inference import standardised_quantiles
from pipeline.models.params import ModelParams

Floats = npt.NDArray[np.float64]
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Choices:
    """Hyper-parameters that held-back rows decided."""

    penalties: tuple[float, ...]
    """Ridge penalty per horizon."""
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


def run_training(examples: Examples, quantiles: Sequence[float], params: ModelParams, seed: int) -> Trained | None:
    """Run all folds and the final fit; None where history is too short for a single fold."""
    folds = [fold for fold in _folds(examples, params) if _enough(examples, fold, params)]
    if not folds:
        return None
    inputs = ridge.summaries(examples)
    tested = tuple(
        _test(examples, inputs, fold, quantiles, params, (seed, number)) for number, fold in enumerate(folds)
    )
    grid = simplex(len(MEMBERS), params.weight_step)
    losses = [
        grid_losses(t.forecasts, examples.outcome[t.test], examples.session[t.test], grid, quantiles) for t in tested
    ]
    weights = [_weights(losses[:number], grid, params) for number in range(len(tested) + 1)]
    choices = _settled([t.choices for t in tested])
    rows = np.arange(len(examples), dtype=np.int64)
    members = _fit(examples, inputs, rows, quantiles, params, choices, (seed, len(tested)))
    return Trained(tested, tuple(weights[:-1]), weights[-1], members, choices, rows)


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


def _test(
    examples: Examples,
    inputs: npt.NDArray[np.float32],
    fold: Fold,
    quantiles: Sequence[float],
    params: ModelParams,
    seed: tuple[int, int],
) -> Tested:
    """Fit the members on what lies before the block and forecast it.

    The LSTM keeps the weights that did best on the held-back end of the span and is not fitted again; ridge and naive
    are fitted on the whole span once the penalty is chosen.
    """
    from pipeline.models import lstm

    inner = inner_split(fold.train, params)
    fitted, held = (examples.between(span.first, span.last) for span in (inner.train, inner.test))
    train, test = (examples.between(span.first, span.last) for span in (fold.train, fold.test))
    penalties = _penalties(examples, inputs, fitted, held, params)
    choice, network = lstm.choose(examples, fitted, held, quantiles, params.lstm, seed)
    decided = Choices(penalties, choice.epochs, choice.trust.location, choice.trust.spread)
    members = {**_linear(examples, inputs, train, quantiles, params, penalties), "lstm": network}
    forecasts = {name: forecast_rows(examples, name, members[name], test) for name in MEMBERS}
    return Tested(fold, train, test, decided, forecasts)


def _penalties(
    examples: Examples, inputs: npt.NDArray[np.float32], fitted: Index, held: Index, params: ModelParams
) -> tuple[float, ...]:
    fitted, held = (examples.thinned(rows, params.ridge.most_rows) for rows in (fitted, held))
    return ridge.choose_penalties(
        (inputs[fitted], examples.relative[fitted]), (inputs[held], examples.relative[held]), params.ridge.penalties
    )


def _fit(
    examples: Examples,
    inputs: npt.NDArray[np.float32],
    rows: Index,
    quantiles: Sequence[float],
    params: ModelParams,
    choices: Choices,
    seed: tuple[int, int],
) -> dict[str, Arrays]:
    """The final fit with everything decided: nothing is held back."""
    from pipeline.models import lstm

    choice = lstm.Choice(choices.epochs, lstm.Trust(choices.location_trust, choices.spread_trust))
    network = lstm.fit(examples, rows, quantiles, params.lstm, seed, choice)
    return {**_linear(examples, inputs, rows, quantiles, params, choices.penalties), "lstm": network}


def _linear(
    examples: Examples,
    inputs: npt.NDArray[np.float32],
    rows: Index,
    quantiles: Sequence[float],
    params: ModelParams,
    penalties: Sequence[float],
) -> dict[str, Arrays]:
    thin = examples.thinned(rows, params.ridge.most_rows)
    line = ridge.fit(inputs[thin], examples.relative[thin], examples.clipped[thin], penalties, quantiles)
    return {"naive": naive.fit(examples.clipped[rows], quantiles), "ridge": line}


def forecast_rows(examples: Examples, member: str, arrays: Arrays, rows: Index) -> Floats:
    """One member's standardised quantiles for these examples, gathered block by block: [rows, H, Q]."""
    return np.concatenate([standardised_quantiles(member, arrays, examples.windows(block)) for block in blocks(rows)])


def _weights(losses: Sequence[Floats], grid: Floats, params: ModelParams) -> Floats:
    """Weights [members, H] from the folds seen so far; equal shares before there is any."""
    if not losses:
        return np.full((len(MEMBERS), len(params.horizons)), 1 / len(MEMBERS))
    seen = np.concatenate(losses, axis=1)
    return choose_weights(seen, grid, params.horizons, MEMBERS.index("naive"), params.naive_preference)


def _settled(choices: Sequence[Choices]) -> Choices:
    """What the folds agree on.

    The upper median of the penalties, the mean of the trust, and the median of the passes among the folds that took
    any: a fold that took none says so by its trust of 0.
    """
    return Choices(
        penalties=tuple(median_high(column) for column in zip(*(c.penalties for c in choices), strict=True)),
        epochs=median_high([c.epochs for c in choices if c.epochs] or [0]),
        location_trust=_means([c.location_trust for c in choices]),
        spread_trust=_means([c.spread_trust for c in choices]),
    )


def _means(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(float(np.mean(column)) for column in zip(*rows, strict=True))
