"""The recurrent member's networks of where a return lies (imports torch: import it late).

Several small networks, each from its own seed, are shown a few chosen inputs of the last sessions. Each learns from the
squared error of the line's remainder alone, with dropout and weight decay, and stops where held-back rows stop to
improve; their mean is the forecast. The last row's inputs reach the head only through a curved layer, so that nothing
that is a line can pass by it. Weights are bit-equal in any process on one kind of processor: seeded generators, one
thread, one batch shape, deterministic kernels.
LSTM: Hochreiter and Schmidhuber (1997); dropout: Srivastava et al. (2014).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from pipeline.models.dataset import Examples, Index
from pipeline.models.jobs.checkpoints import State
from pipeline.models.jobs.passes import train_passes, train_until_stale
from pipeline.models.jobs.training_job import NO_JOB, TrainingJob
from pipeline.models.members.location_arrays import take_apart
from pipeline.models.members.lstm_network import INFERENCE_BATCH, exact_arithmetic, pad_batch, row_by_row
from pipeline.models.members.optimiser import MODEL, AdamW, copy_weights, load_weights
from pipeline.models.params import LstmParams
from pipeline.models.scaling import fit_scaler, standardise

Arrays = Mapping[str, npt.NDArray[Any]]
Floats = npt.NDArray[np.float64]


class LocationLstm(nn.Module):
    """Windows of the chosen inputs, standardised, [batch, sessions, inputs] -> location [batch, H]."""

    def __init__(self, inputs: int, hidden: int, horizons: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.embed = nn.Linear(inputs, hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.mix = nn.Linear(2 * hidden, hidden)
        self.head = nn.Linear(hidden, horizons, bias=False)

    def forward(self, windows: torch.Tensor, random: torch.Generator | None = None) -> torch.Tensor:
        batch, sessions, inputs = windows.shape
        # Only a forecast must not depend on its place in the batch; training is quicker by whole products.
        apply = row_by_row if random is None else _by_batch
        rows = apply(self.embed, self._drop(windows, random).reshape(batch * sessions, inputs))
        embedded = torch.tanh(rows).view(batch, sessions, -1)
        seen = torch.cat([self.lstm(embedded)[0][:, -1], embedded[:, -1]], dim=1)
        mixed = nn.functional.silu(apply(self.mix, self._drop(seen, random)))
        return apply(self.head, self._drop(mixed, random))

    def _drop(self, values: torch.Tensor, random: torch.Generator | None) -> torch.Tensor:
        """Dropout from a generator of its own: torch's draws from the process's, which other threads use too."""
        if random is None or not self.dropout:
            return values
        kept = torch.rand(values.shape, generator=random) >= self.dropout
        return values * kept / (1 - self.dropout)


def _by_batch(layer: nn.Linear, seen: torch.Tensor) -> torch.Tensor:
    return nn.functional.linear(seen, layer.weight, layer.bias)


class LocationTrainer:
    """One network in training on some examples."""

    def __init__(
        self,
        examples: Examples,
        rows: Index,
        scaled: Scaled,
        params: LstmParams,
        seed: Sequence[int],
        start: Arrays | None = None,
    ) -> None:
        """Begin with drawn weights and a head of zeros, or with the weights `start`."""
        self.examples, self.rows, self.params, self.scaled = examples, rows, params, scaled
        self.random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(seed))))
        self.dropped = torch.Generator().manual_seed(int(self.random.integers(2**62)))
        horizons = len(examples.horizons)
        self.model = LocationLstm(len(scaled.inputs), params.location_hidden, horizons, params.dropout)
        _draw(self.model, self.random)
        if start is not None:
            load_weights(self.model, start)
        self.optimiser = AdamW(list(self.model.parameters()), params.location_rate, params.weight_decay)
        self.target = torch.from_numpy(examples.relative.astype(np.float32))

    def train_epoch(self, epoch: int) -> float:
        """One pass over this epoch's stride of sessions, in random order; the mean squared error it met."""
        rows = self.random.permutation(self.examples.thin(self.rows, self.params.windows_per_epoch, epoch))
        losses = []
        for start in range(0, len(rows), self.params.batch):
            batch = rows[start : start + self.params.batch]
            miss = self.model(self.scaled.windows(batch), self.dropped) - self.target[batch]
            self.model.zero_grad(set_to_none=True)
            loss = miss.square().mean()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), self.params.gradient_norm)
            self.optimiser.step()
            losses.append(float(loss.detach()))
        return float(np.mean(losses)) if losses else 0.0

    def state(self) -> State:
        """Weights, optimiser and both sources of random numbers as they stand."""
        arrays = copy_weights(self.model) | self.optimiser.arrays() | {"dropped": self.dropped.get_state().numpy()}
        return State(arrays, {"steps": self.optimiser.steps, "random": dict(self.random.bit_generator.state)})

    def restore(self, state: State) -> None:
        """Stand where it stood."""
        load_weights(self.model, state.part(MODEL))
        self.optimiser.restore(state)
        self.random.bit_generator.state = dict(state.facts["random"])
        self.dropped.set_state(torch.from_numpy(np.array(state.arrays["dropped"])))

    def loss(self, held: Index) -> float:
        """Mean squared error on held-back rows."""
        miss = _forward(self.model, self.scaled, held) - self.examples.relative[held]
        return float((miss * miss).mean())

    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """A copy of the weights by name."""
        return {name: value.detach().numpy().copy() for name, value in self.model.state_dict().items()}


class Scaled:
    """The chosen inputs of all windows, standardised once; windows are cut out of them."""

    def __init__(self, examples: Examples, inputs: Sequence[int], scaler: Arrays, sessions: int) -> None:
        self.inputs = tuple(inputs)
        scaled = standardise(examples.index.base[:, list(inputs)], scaler)
        self.base = torch.from_numpy(scaled.astype(np.float32))
        ends = examples.index.starts[examples.number] + examples.index.length - 1
        self.ends, self.back = torch.from_numpy(ends), torch.arange(1 - sessions, 1)

    def windows(self, rows: Index) -> torch.Tensor:
        """[rows, sessions, inputs] of these examples."""
        return self.base[self.ends[torch.from_numpy(rows)][:, None] + self.back]


def choose(
    examples: Examples,
    train: Index,
    held: Index,
    inputs: Sequence[int],
    params: LstmParams,
    seed: Sequence[int],
    job: TrainingJob = NO_JOB,
    start: Arrays | None = None,
) -> tuple[tuple[int, ...], dict[str, npt.NDArray[Any]]]:
    """Train each network until held-back examples stop improving: the passes of each, and the arrays of all.

    Args:
        examples: less the forecast of a line that was fitted on `train` alone.
        train, held: rows to learn from, and rows that say when to stop.
        inputs: positions of the features they see.
        params: how they are trained.
        seed: each network's begins so.
        job: where they keep where they stand.
        start: the arrays of networks of the same inputs and sizes to begin with, and to scale by.
    """
    with exact_arithmetic():
        scaler, scaled = _prepare(examples, train, inputs, params, start)
        held = examples.thin(held, params.windows_per_epoch)
        found = [
            _choose_one(
                LocationTrainer(examples, train, scaled, params, (*seed, number), _begin(start, number)),
                held,
                job.within(f"location {number + 1}"),
            )
            for number in range(params.networks)
        ]
    return tuple(passes for passes, _ in found), _pack(scaled, scaler, [weights for _, weights in found])


def fit(
    examples: Examples,
    rows: Index,
    inputs: Sequence[int],
    passes: Sequence[int],
    params: LstmParams,
    seed: Sequence[int],
    job: TrainingJob = NO_JOB,
    start: Arrays | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """Train each network for a given number of passes, and return the arrays of all."""
    with exact_arithmetic():
        scaler, scaled = _prepare(examples, rows, inputs, params, start)
        weights = []
        for number, count in enumerate(passes):
            trainer = LocationTrainer(examples, rows, scaled, params, (*seed, number), _begin(start, number))
            train_passes(trainer, count, job.within(f"location {number + 1}"))
            weights.append(trainer.weights())
    return _pack(scaled, scaler, weights)


def _prepare(
    examples: Examples, rows: Index, inputs: Sequence[int], params: LstmParams, start: Arrays | None
) -> tuple[dict[str, npt.NDArray[Any]], Scaled]:
    own = start if start is not None else fit_scaler(examples.last_rows(rows)[:, list(inputs)])
    scaler: dict[str, npt.NDArray[Any]] = {name: own[name] for name in ("mean", "std")}
    return scaler, Scaled(examples, inputs, scaler, min(params.sessions, examples.index.length))


def _begin(start: Arrays | None, number: int) -> Arrays | None:
    return None if start is None else take_apart(start)[number]


def _choose_one(
    trainer: LocationTrainer, held: Index, job: TrainingJob
) -> tuple[int, dict[str, npt.NDArray[np.float32]]]:
    own = trainer.params
    return train_until_stale(
        trainer, lambda: (trainer.weights(), trainer.loss(held)), own.location_epochs, own.location_patience, job
    )


def _draw(model: LocationLstm, random: np.random.Generator) -> None:
    """Initial weights from the seeded generator, within 1/sqrt(fan in); the head is zero: no forecast at first."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            bound = value.shape[-1] ** -0.5
            drawn = random.uniform(-bound, bound, size=tuple(value.shape)).astype(np.float32)
            value.copy_(torch.zeros_like(value) if name == "head.weight" else torch.from_numpy(drawn))


def _pack(scaled: Scaled, scaler: Arrays, weights: Sequence[Arrays]) -> dict[str, npt.NDArray[Any]]:
    own = {f"{number}.{name}": value for number, one in enumerate(weights) for name, value in one.items()}
    inputs, sessions = (np.array(values, dtype=np.float64) for values in (scaled.inputs, [len(scaled.back)]))
    return {"inputs": inputs, "sessions": sessions, "mean": scaler["mean"], "std": scaler["std"], **own}


def _forward(model: LocationLstm, scaled: Scaled, rows: Index) -> Floats:
    parts = [
        _one_batch(model, scaled.windows(rows[start : start + INFERENCE_BATCH]).numpy())
        for start in range(0, len(rows), INFERENCE_BATCH)
    ]
    return np.concatenate(parts)


def _one_batch(model: LocationLstm, windows: npt.NDArray[np.float32]) -> Floats:
    with torch.no_grad():
        location: Floats = model(pad_batch(windows)).numpy()[: len(windows)].astype(np.float64)
    return location
