"""What forecasting and training cost beside their floors: `python -m benchmarks.learning`, one core.

Inference: 800 windows of 20 sessions x 80 features through the recurrent member, beside the matrix products that it
consists of and nothing else (numpy's, float32, one thread, into given memory), measured in turn in the same run.
Training: passes of the spread's network, in windows a second, beside the same network as anyone would write it in
PyTorch (nn.LSTM, a linear head, torch.optim.AdamW, batches taken out of one tensor of whole windows). Medians of
processor seconds; the last line holds the ratios.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from statistics import median
from time import process_time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn

from lake.tables.predictions import QUANTILES
from pipeline.models.dataset import Examples, label_examples
from pipeline.models.folds import SessionSpan
from pipeline.models.members import MEMBERS, location_arrays, lstm_network
from pipeline.models.members.lstm import LSTM
from pipeline.models.members.member import FitTask, fit_members
from pipeline.models.params import LstmParams, ModelParams
from tests.frames.models import market

WINDOWS, SESSIONS, FEATURES, HORIZONS = 800, 20, 80, 3
BATCH = 160
"""Windows whose products are done together: of 80, 100, 128, 160, 200, 400 and 800 the size that takes least time."""


def made_up(windows: int, features: int) -> Examples:
    """Examples of random inputs in the shape of a real training: 50 names, all features, three horizons."""
    at = market(tickers=50, sessions=windows // 50 + 60, signal=0.2)
    params = ModelParams(features=("return_1", "return_5", "rsi_14", "volatility_20", "volatility_60"))
    built = label_examples(
        at.feature_rows, at.market_prices, at.corporate_actions, at.ticker_universe, at.calendar, params
    )
    more = np.random.default_rng(1).normal(size=(len(built.index.base), features - 5)).astype(np.float32)
    names = (*built.features, *(f"noise_{number}" for number in range(features - 5)))
    index = replace(built.index, base=np.concatenate([built.index.base, more], axis=1), feature_names=names)
    return replace(built, index=index)


def products(arrays: Mapping[str, Any]) -> Callable[[], None]:
    """The matrix products of the member's forward pass and nothing else, in the batches in which they are quickest."""
    random, batches = np.random.default_rng(2), WINDOWS // BATCH
    operands = [
        (random.normal(size=(rows, inner)), random.normal(size=(inner, out)), np.zeros((rows, out)), times)
        for rows, inner, out, times in list_products(arrays)
    ]
    single = [(*(value.astype(np.float32) for value in matrices), times) for *matrices, times in operands]

    def multiply() -> None:
        for _ in range(batches):
            for left, right, out, times in single:
                for _ in range(times):
                    np.matmul(left, right, out=out)

    return multiply


def list_products(arrays: Mapping[str, Any]) -> Iterator[tuple[int, int, int, int]]:
    """Rows, inputs, columns and how often, for a batch: only what a forecast needs.

    The spread's network has a head for the location too, of zeros where networks of their own forecast it: not counted.
    """
    hidden, inputs = arrays["lstm.weight_ih_l0"].shape
    yield BATCH * SESSIONS, inputs, hidden, 1
    yield BATCH, hidden // 4, hidden, SESSIONS
    yield BATCH, arrays["spread.weight"].shape[1], arrays["spread.weight"].shape[0], 1
    yield BATCH, *arrays["line.coefficients"].shape, 1
    own = {name.removeprefix("location_networks."): value for name, value in arrays.items()}
    length = int(own["sessions"][0])
    for network in location_arrays.take_apart(own):
        width, chosen = network["embed.weight"].shape
        yield BATCH * length, chosen, width, 1
        yield BATCH * length, width, 4 * width, 1
        yield BATCH, width, 4 * width, length
        yield BATCH, 2 * width, width, 1
        yield BATCH, width, network["head.weight"].shape[0], 1


class PlainNetwork(nn.Module):
    """The spread's network as anyone would write it."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, batch_first=True)
        self.spread = nn.Linear(hidden + features, HORIZONS * (len(QUANTILES) - 1))

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        scaled = windows.clamp(-5, 5)
        seen = torch.cat([self.lstm(scaled)[0][:, -1], scaled[:, -1]], dim=1)
        steps = nn.functional.softplus(self.spread(seen)).view(-1, HORIZONS, len(QUANTILES) - 1)
        half = len(QUANTILES) // 2
        below = -torch.cumsum(steps[..., :half].flip(-1), dim=-1).flip(-1)
        above = torch.cumsum(steps[..., half:], dim=-1)
        return torch.cat([below, torch.zeros_like(above[..., :1]), above], dim=-1)


def train_plainly(examples: Examples, params: LstmParams) -> Callable[[], None]:
    """A pass of the same network, loss, batches and optimiser, in plain eager PyTorch over one whole tensor."""
    torch.manual_seed(1)
    rows = np.arange(len(examples))[: params.windows_per_epoch]
    windows = torch.from_numpy(examples.windows(rows))
    outcome = torch.from_numpy(examples.clipped[rows].astype(np.float32))
    model = PlainNetwork(len(examples.features), params.hidden)
    optimiser = torch.optim.AdamW(model.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)
    levels = torch.tensor(QUANTILES)

    def one_pass() -> None:
        for batch in torch.randperm(len(rows)).split(params.batch):
            error = outcome[batch].unsqueeze(-1) - model(windows[batch])
            loss = torch.maximum(levels * error, (levels - 1) * error).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), params.gradient_norm)
            optimiser.step()

    return one_pass


def train_ours(examples: Examples, params: LstmParams) -> Callable[[], None]:
    """A pass of the program's own."""
    rows = np.arange(len(examples))[: params.windows_per_epoch]
    trainer = lstm_network.Trainer(examples, rows, QUANTILES, replace(params, location_weight=0.0), (1, 0))

    def one_pass() -> None:
        with lstm_network.exact_arithmetic():
            trainer.train_epoch(0)

    return one_pass


def in_turn(one: Callable[[], object], other: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median processor seconds of two things done in turn, so that both meet the same machine."""
    taken: tuple[list[float], list[float]] = ([], [])
    for work in (one, other):
        work()
    for _ in range(rounds):
        for work, found in zip((one, other), taken, strict=True):
            start = process_time()
            work()
            found.append(process_time() - start)
    return median(taken[0]), median(taken[1])


def main() -> None:
    """Measure both and print a line for each, and one with the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--windows", type=int, default=16_000, help="windows of a training pass")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    examples = made_up(asked.windows, FEATURES)
    params = ModelParams(features=examples.features)
    small = replace(params, lstm=replace(params.lstm, epochs=1, location_epochs=1, windows_per_epoch=2_000))
    span = SessionSpan(int(examples.session[0]), int(examples.session[-1]))
    fitted = fit_members(
        MEMBERS, FitTask(examples=examples, span=span, quantiles=QUANTILES, params=small, seed=(1, 0)), []
    )
    windows, arrays = examples.windows(np.arange(WINDOWS)), fitted["lstm"].arrays
    ours, floor = in_turn(lambda: LSTM.quantiles(arrays, windows), products(arrays), asked.rounds)
    sys.stdout.write(f"inference of {WINDOWS} windows: {1e3 * ours:.1f} ms, its matrix products {1e3 * floor:.1f} ms\n")
    lstm = replace(params.lstm, windows_per_epoch=asked.windows)
    own, plain = in_turn(train_ours(examples, lstm), train_plainly(examples, lstm), max(asked.rounds // 3, 3))
    count = min(len(examples), asked.windows)
    speeds = count / own, count / plain
    sys.stdout.write(f"training: {speeds[0]:,.0f} windows a second, plain PyTorch {speeds[1]:,.0f}\n")
    sys.stdout.write(
        f"learning: inference={ours / floor:.2f}x of matrix products training={plain / own:.2f}x of plain\n"
    )


if __name__ == "__main__":
    main()
