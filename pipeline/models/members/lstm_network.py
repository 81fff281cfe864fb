"""The network of the recurrent member: one location and a fan of quantiles per horizon (imports torch: import it late).

It starts as the naive forecast around 0 (its heads are zero and its spread is the naive one) and earns each departure.
Location and spread learn apart: the location from the squared error of the market-relative return, the spread from the
pinball loss of the raw return around it. Quantiles are the location plus or minus sums of softplus steps, so they can
not cross. What held-back rows do not confirm is taken back: per horizon, location and spread are each drawn towards 0
and the naive forecast by a measured trust. Weights are bit-equal in any process on one kind of processor: numpy's
seeded generator, one thread, one batch shape, deterministic kernels.
LSTM: Hochreiter and Schmidhuber (1997); quantile loss: Koenker and Bassett (1978); AdamW: Loshchilov and Hutter (2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from pipeline.models.dataset import Examples, Index
from pipeline.models.evaluation import estimate_trust, pinball
from pipeline.models.jobs.checkpoints import State
from pipeline.models.jobs.passes import train_passes, train_until_stale
from pipeline.models.jobs.training_job import NO_JOB, TrainingJob
from pipeline.models.members.member import Arrays, Choices, Floats
from pipeline.models.members.naive import centred_quantiles
from pipeline.models.members.optimiser import MODEL, AdamW, copy_weights, load_weights
from pipeline.models.params import LstmParams
from pipeline.models.scaling import MAX_DEVIATIONS, fit_scaler

INFERENCE_BATCH = 128
"""Windows per forward pass. It never varies: another batch size would change the last bits of a forecast."""
MIN_STEP = 1e-3
"""Least step between neighbouring quantiles that the spread starts from, in standard deviations."""

LOCATION_HEAD = ("location.weight",)
SPREAD_TRUST = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the network's own spread that are tried."""


@dataclass(frozen=True)
class Trust:
    """How far to follow the network away from the naive forecast, per horizon: 0 not at all, 1 all the way."""

    location_trust: tuple[float, ...]
    spread_trust: tuple[float, ...]


class QuantileLstm(nn.Module):
    """Windows [batch, length, features] -> location [batch, H] and offsets of the quantiles around it [batch, H, Q]."""

    mean: torch.Tensor
    std: torch.Tensor
    naive: torch.Tensor
    location_trust: torch.Tensor
    spread_trust: torch.Tensor

    def __init__(self, features: int, hidden: int, layers: int, horizons: int, quantiles: int) -> None:
        super().__init__()
        self.horizons, self.quantiles = horizons, quantiles
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        self.register_buffer("naive", torch.zeros(horizons, quantiles))
        self.register_buffer("location_trust", torch.ones(horizons))
        self.register_buffer("spread_trust", torch.ones(horizons))
        self.lstm = nn.LSTM(features, hidden, layers, batch_first=True)
        self.location = nn.Linear(hidden + features, horizons, bias=False)
        self.spread = nn.Linear(hidden + features, horizons * (quantiles - 1))

    def forward(self, windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = self._see(self.scale(windows))
        return row_by_row(self.location, seen), self._fan(row_by_row(self.spread, seen))

    def scale(self, rows: torch.Tensor) -> torch.Tensor:
        """Inputs [..., features] in standard deviations from the mean of the training rows, within bounds."""
        return ((rows - self.mean) / self.std).clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS)

    def spread_of(self, scaled: torch.Tensor) -> torch.Tensor:
        """The offsets of scaled windows, by whole products: for training, where a window's place may count."""
        return self._fan(self.spread(self._see(scaled)))

    def _see(self, scaled: torch.Tensor) -> torch.Tensor:
        """What the heads see: the last row beside the memory of the window; what is linear need not pass the gates."""
        return torch.cat([self.lstm(scaled)[0][:, -1], scaled[:, -1]], dim=1)

    def _fan(self, told: torch.Tensor) -> torch.Tensor:
        """The spread head's output [batch, H * (Q - 1)] -> offsets from the median [batch, H, Q]."""
        steps = nn.functional.softplus(told).view(-1, self.horizons, self.quantiles - 1)
        half = self.quantiles // 2
        below = -torch.cumsum(steps[..., :half].flip(-1), dim=-1).flip(-1)
        above = torch.cumsum(steps[..., half:], dim=-1)
        return torch.cat([below, torch.zeros_like(above[..., :1]), above], dim=-1)


def fit(
    examples: Examples,
    rows: Index,
    quantiles: Sequence[float],
    params: LstmParams,
    seed: Sequence[int],
    choices: Choices,
    job: TrainingJob = NO_JOB,
    start: Arrays | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """Train for a given number of passes on these examples, less the line's forecast, and return the network.

    It begins as `Trainer` says of `start`, or where the job was interrupted.
    """
    with exact_arithmetic():
        trainer = Trainer(examples, rows, quantiles, params, seed, start)
        train_passes(trainer, choices["epochs"], job)
        return trainer.weights(Trust(choices["location_trust"], choices["spread_trust"]))


def choose(
    examples: Examples,
    train: Index,
    held: Index,
    quantiles: Sequence[float],
    params: LstmParams,
    seed: Sequence[int],
    job: TrainingJob = NO_JOB,
    start: Arrays | None = None,
) -> tuple[Choices, dict[str, npt.NDArray[Any]]]:
    """Train until held-back examples stop improving; return the decision and the network of the best pass.

    The examples are less the forecast of a line that was fitted on `train` alone. It begins as `Trainer` says of
    `start`, or where the job was interrupted.
    """
    with exact_arithmetic():
        trainer = Trainer(examples, train, quantiles, params, seed, start)
        held = examples.thin(held, params.windows_per_epoch)

        def judge() -> tuple[dict[str, npt.NDArray[Any]], float]:
            trust, loss = trainer.judge(held)
            return trainer.weights(trust), loss

        best, weights = train_until_stale(trainer, judge, params.epochs, params.patience, job)
    return {"epochs": best, **asdict(read_trust(weights))}, weights


def spread_trust(error: Floats, offsets: Floats, naive: Floats, quantiles: Sequence[float]) -> tuple[Floats, Floats]:
    """Return the share of the network's spread with the least pinball loss, and that loss: both [H].

    Args:
        error: outcome less location [n, H].
        offsets: the network's quantiles around the location [n, H, Q].
        naive: the naive member's [H, Q].
        quantiles: Q probabilities.
    """
    losses = np.array(
        [pinball(error, naive + share * (offsets - naive), quantiles).mean(axis=0) for share in SPREAD_TRUST]
    )
    return np.array(SPREAD_TRUST)[losses.argmin(axis=0)], losses.min(axis=0)


def read_trust(weights: Arrays) -> Trust:
    """The trust that is stored with the weights."""
    return Trust(*(tuple(float(value) for value in weights[name]) for name in ("location_trust", "spread_trust")))


def forecast(weights: Arrays, windows: npt.NDArray[np.float32]) -> Floats:
    """Quantiles of the remainder in units of sigma x sqrt(h): [n, length, F] float32 -> [n, H, Q] float64.

    A window's result does not depend on the others: they pass in batches of one shape, the last one padded.
    """
    with exact_arithmetic():
        model = build(weights)
        parts = [
            _apply_trust(weights, *_one_batch(model, windows[start : start + INFERENCE_BATCH]))
            for start in range(0, len(windows), INFERENCE_BATCH)
        ]
    return np.concatenate(parts) if parts else np.empty((0, model.horizons, model.quantiles))


def build(weights: Arrays) -> QuantileLstm:
    """Rebuild the network; its sizes are read off the weights.

    Raises:
        RuntimeError: from torch, naming the entry that is missing or misshapen.
    """
    hidden = weights["lstm.weight_hh_l0"].shape[1]
    layers = sum(name.startswith("lstm.weight_hh_l") for name in weights)
    horizons = weights["location.weight"].shape[0]
    quantiles = weights["spread.bias"].shape[0] // horizons + 1
    model = QuantileLstm(len(weights["mean"]), hidden, layers, horizons, quantiles)
    load_weights(model, weights)
    return model.eval()


class _ExactArithmetic:
    """The process's own settings, kept while any thread is inside: the first to enter saves, the last restores."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.inside = 0
        self.own = ExitStack()

    def enter(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.own.callback(torch.set_num_threads, torch.get_num_threads())
                self.own.callback(torch.set_deterministic_debug_mode, torch.get_deterministic_debug_mode())
                filled = torch._C._get_deterministic_fill_uninitialized_memory()
                self.own.callback(torch._C._set_deterministic_fill_uninitialized_memory, filled)
                # torch draws initial weights (which are then overwritten) from the process's generator.
                self.own.enter_context(torch.random.fork_rng(devices=[]))
            self.inside += 1
            torch.set_num_threads(1)
            # The same switch as use_deterministic_algorithms, which would load torch's compiler for two seconds.
            torch.set_deterministic_debug_mode("error")
            # Filling new memory before it is written finds faults in kernels; nothing here reads what it did not write.
            torch._C._set_deterministic_fill_uninitialized_memory(False)

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.own.close()


_EXACT = _ExactArithmetic()


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """One thread and deterministic kernels within the block, in however many threads of ours it is entered."""
    _EXACT.enter()
    try:
        yield
    finally:
        _EXACT.leave()


def row_by_row(layer: nn.Linear, seen: torch.Tensor) -> torch.Tensor:
    """The linear layer as a sum per row: a matrix product this thin depends, in its last bits, on the row's place."""
    products = (seen.unsqueeze(-1) * layer.weight.t()).sum(dim=1)
    return products if layer.bias is None else products + layer.bias


class Trainer:
    """A network in training on some examples; holds references, gathers one batch at a time."""

    def __init__(
        self,
        examples: Examples,
        rows: Index,
        quantiles: Sequence[float],
        params: LstmParams,
        seed: Sequence[int],
        start: Arrays | None = None,
    ) -> None:
        """Begin as the naive forecast, or as the network `start` is: with its scaling, and its weights to be tuned."""
        self.examples, self.rows, self.params = examples, rows, params
        self.random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(seed))))
        self.quantiles = tuple(quantiles)
        self.levels = torch.tensor(self.quantiles, dtype=torch.float32)
        self.naive = centred_quantiles(examples.clipped[rows], quantiles)
        self.model = _naive_network(examples, rows, self.naive, params, self.random)
        if start is not None:
            _take_over(self.model, start)
        self.apart = params.version == 2 and params.location_weight == 0
        """Whether the spread is all there is to learn: then nothing is computed of a location that stays 0."""
        learned = [value for name, value in self.model.named_parameters() if not (self.apart and name in LOCATION_HEAD)]
        self.optimiser = AdamW(learned, params.learning_rate, params.weight_decay)
        if self.apart:
            self._prepare()

    def _prepare(self) -> None:
        """Scale every row once, not once for each window that it is part of."""
        index, examples = self.examples.index, self.examples
        with torch.no_grad():
            self.scaled = self.model.scale(torch.from_numpy(index.base))
        self.starts = torch.from_numpy(index.starts[examples.number])
        self.steps = torch.arange(index.length)
        self.outcome = torch.from_numpy(examples.clipped.astype(np.float32))

    def train_epoch(self, epoch: int) -> float:
        """One pass over this epoch's stride of sessions, in random order; the mean loss it met."""
        rows = self.random.permutation(self.examples.thin(self.rows, self.params.windows_per_epoch, epoch))
        self.model.train()
        step = self._step_apart if self.apart else self._step
        losses = [step(rows[start : start + self.params.batch]) for start in range(0, len(rows), self.params.batch)]
        return float(np.mean(losses)) if losses else 0.0

    def state(self) -> State:
        """Weights, optimiser and random numbers as they stand."""
        arrays = copy_weights(self.model) | self.optimiser.arrays()
        return State(arrays, {"steps": self.optimiser.steps, "random": dict(self.random.bit_generator.state)})

    def restore(self, state: State) -> None:
        """Stand where it stood."""
        load_weights(self.model, state.part(MODEL))
        self.optimiser.restore(state)
        self.random.bit_generator.state = dict(state.facts["random"])

    def weights(self, trust: Trust) -> dict[str, npt.NDArray[Any]]:
        """A copy of the weights by name, with how far to trust them."""
        now = {name: value.detach().numpy().copy() for name, value in self.model.state_dict().items()}
        now["location_trust"] = np.array(trust.location_trust, dtype=np.float32)
        now["spread_trust"] = np.array(trust.spread_trust, dtype=np.float32)
        return now

    def judge(self, held: Index) -> tuple[Trust, float]:
        """How far held-back examples confirm the network as it stands, and its loss on them once so trusted."""
        self.model.eval()
        location, offsets = _forward(self.model, self.examples, held)
        followed = estimate_trust(
            location, self.examples.relative[held], self.examples.session[held], self.examples.horizons
        )
        location *= followed
        error = self.examples.clipped[held] - location
        share, loss = spread_trust(error, offsets, self.naive, self.quantiles)
        miss = location - self.examples.relative[held]
        centre = 0.5 * (miss * miss).mean(axis=0)
        trust = Trust(tuple(followed.tolist()), tuple(share.tolist()))
        return trust, float((loss + self.params.location_weight * centre).mean())

    def _step_apart(self, rows: Index) -> float:
        """One gradient step of the spread alone, and the loss before it."""
        which = torch.from_numpy(rows)
        at = self.starts[which][:, None] + self.steps
        windows = torch.index_select(self.scaled, 0, at.view(-1)).view(*at.shape, -1)
        offsets = self.model.spread_of(windows)
        error = self.outcome[which].unsqueeze(-1) - offsets
        loss = torch.maximum(self.levels * error, (self.levels - 1) * error).mean()
        return self._descend(loss)

    def _descend(self, loss: torch.Tensor) -> float:
        self.model.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), self.params.gradient_norm)
        self.optimiser.step()
        return float(loss.detach())

    def _step(self, rows: Index) -> float:
        """One gradient step, and the loss before it; a short batch is filled up with its first example at weight 0."""
        count, size = len(rows), self.params.batch
        rows = np.concatenate([rows, np.repeat(rows[:1], size - count)])
        windows = torch.from_numpy(self.examples.windows(rows))
        outcome, relative = (
            torch.from_numpy(values[rows].astype(np.float32))
            for values in (self.examples.clipped, self.examples.relative)
        )
        weight = torch.zeros(size, 1)
        weight[:count] = 1.0 / count
        location, offsets = self.model(windows)
        error = (outcome - location.detach()).unsqueeze(-1) - offsets
        spread = torch.maximum(self.levels * error, (self.levels - 1) * error).mean(dim=-1)
        centre = 0.5 * (location - relative).square()
        loss = (weight * (spread + self.params.location_weight * centre)).sum() / self.model.horizons
        return self._descend(loss)


def _naive_network(
    examples: Examples, rows: Index, z: Floats, params: LstmParams, random: np.random.Generator
) -> QuantileLstm:
    horizons, quantiles = z.shape
    model = QuantileLstm(len(examples.features), params.hidden, params.layers, horizons, quantiles)
    scaling = fit_scaler(examples.last_rows(rows))
    steps = np.maximum(np.diff(z, axis=1), MIN_STEP)
    bound = params.hidden**-0.5
    with torch.no_grad():
        for value in model.lstm.parameters():
            drawn = random.uniform(-bound, bound, size=tuple(value.shape)).astype(np.float32)
            value.copy_(torch.from_numpy(drawn))
        for head in (model.location.weight, model.spread.weight):
            head.zero_()
        # The inverse of softplus: the spread starts exactly at the naive one.
        model.spread.bias.copy_(torch.from_numpy(np.log(np.expm1(steps)).ravel().astype(np.float32)))
        model.mean.copy_(torch.from_numpy(scaling["mean"].astype(np.float32)))
        model.std.copy_(torch.from_numpy(scaling["std"].astype(np.float32)))
        model.naive.copy_(torch.from_numpy(z.astype(np.float32)))
    return model


def _take_over(model: QuantileLstm, start: Arrays) -> None:
    """Give a network what another of the same sizes knows: its scaling and weights, not what it was trusted."""
    known = {name: value for name, value in start.items() if name not in ("naive", "location_trust", "spread_trust")}
    load_weights(model, {name: value.numpy() for name, value in model.state_dict().items()} | known)


def _apply_trust(weights: Arrays, location: Floats, offsets: Floats) -> Floats:
    """Quantiles [n, H, Q] from the network's raw output and the trust put in it."""
    naive = weights["naive"].astype(np.float64)
    fan = naive + weights["spread_trust"].astype(np.float64)[:, None] * (offsets - naive)
    centre = weights["location_trust"].astype(np.float64) * location
    # Blending can undo the order by a rounding error.
    return np.maximum.accumulate(centre[:, :, None] + fan, axis=2)


def _forward(model: QuantileLstm, examples: Examples, rows: Index) -> tuple[Floats, Floats]:
    """Location [n, H] and offsets [n, H, Q] of these examples, gathered batch by batch."""
    parts = [
        _one_batch(model, examples.windows(rows[start : start + INFERENCE_BATCH]))
        for start in range(0, len(rows), INFERENCE_BATCH)
    ]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def pad_batch(windows: npt.NDArray[np.float32], size: int = INFERENCE_BATCH) -> torch.Tensor:
    """At most `size` windows, filled up with zeros to as many."""
    batch = np.zeros((size, *windows.shape[1:]), dtype=np.float32)
    batch[: len(windows)] = windows
    return torch.from_numpy(batch)


def _one_batch(model: QuantileLstm, windows: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
    count = len(windows)
    with torch.no_grad():
        location, offsets = model(pad_batch(windows))
    return location.numpy()[:count].astype(np.float64), offsets.numpy()[:count].astype(np.float64)
