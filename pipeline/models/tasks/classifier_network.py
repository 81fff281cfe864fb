"""The network of the classifier: tanh layer, LSTM, temporal attention, one output (imports torch: import it late).

Feng et al. (2019), section 3.1: features are mapped by a dense layer with tanh, an LSTM runs over the window, and the
output reads its last state beside the states' mean, weighted by softmax(u . tanh(W h + b)) (temporal attention: Qin et
al. 2017). As in their program, weights start Glorot-uniform (Glorot and Bengio 2010) and the forget gate open by 1.
Weights are bit-equal in any process on one kind of processor: numpy's seeded generator, one thread, one batch shape,
deterministic kernels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from pipeline.models.members.lstm_network import exact_arithmetic, pad_batch
from pipeline.models.members.optimiser import AdamW
from pipeline.models.tasks.classification import Arrays, ClassifierParams, Floats, LabelledWindows, Tensor
from pipeline.models.tasks.scores import Told
from pipeline.models.tasks.task import LearningTask

INFERENCE_BATCH = 1024
"""Windows per forward pass that judges: one shape, the last pass filled up with zeros."""


class AttentionLstm(nn.Module):
    """Windows [batch, L, F] -> how far on the side of +1 [batch]."""

    def __init__(self, features: int, units: int, attention: bool) -> None:
        super().__init__()
        self.inner = nn.Linear(features, features)
        self.lstm = nn.LSTM(features, units, batch_first=True)
        self.attended = nn.Linear(units, units) if attention else None
        self.importance = nn.Linear(units, 1, bias=False) if attention else None
        self.output = nn.Linear(2 * units if attention else units, 1)
        # The gates have one bias; torch's second one would only double the step of the first.
        self.get_parameter("lstm.bias_hh_l0").requires_grad_(False)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(torch.tanh(self.inner(windows)))
        read = states[:, -1]
        if self.attended is not None and self.importance is not None:
            weight = torch.softmax(self.importance(torch.tanh(self.attended(states))), dim=1)
            read = torch.cat([read, (states * weight).sum(dim=1)], dim=1)
        side: torch.Tensor = self.output(read)
        return side.squeeze(-1)


def fit(
    task: LearningTask, train: LabelledWindows, validate: LabelledWindows, params: ClassifierParams, seed: int
) -> tuple[Arrays, int, tuple[float, ...]]:
    """Train for all epochs; return the weights of the best one, which it is, and each one's validation score."""
    with exact_arithmetic():
        trainer = _Trainer(task, train, params, seed)
        validation: list[float] = []
        best, kept, most = 0, trainer.weights(), float("-inf")
        for epoch in range(1, params.epochs + 1):
            trainer.train_epoch()
            told = Told(validate.label, _apply(trainer.model, validate.windows), validate.session)
            validation.append(task.chooses.of(told))
            if (merit := task.chooses.merit(validation[-1])) > most:
                best, kept, most = epoch, trainer.weights(), merit
        return kept, best, tuple(validation)


def forecast(weights: Arrays, windows: Tensor) -> Floats:
    """The output of stored weights: [n, L, F] -> [n]. A window's result does not depend on the others."""
    features, units = weights["inner.weight"].shape[0], weights["lstm.weight_hh_l0"].shape[1]
    with exact_arithmetic():
        model = AttentionLstm(features, units, "importance.weight" in weights)
        model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
        return _apply(model, windows)


def initial(features: int, params: ClassifierParams, random: np.random.Generator) -> AttentionLstm:
    """An untrained network; every number of it comes from the generator."""
    model = AttentionLstm(features, params.units, params.attention)
    units = params.units
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.zero_()
            if value.requires_grad and (bound := _bound(name, model, params)):
                drawn = random.uniform(-bound, bound, tuple(value.shape))
                value.copy_(torch.from_numpy(drawn.astype(np.float32)))
        if params.initial == "glorot":
            model.get_parameter("lstm.bias_ih_l0")[units : 2 * units] = 1.0
    return model


def _bound(name: str, model: AttentionLstm, params: ClassifierParams) -> float:
    """Largest initial value of a parameter; 0 where it starts as nothing."""
    weight = model.get_parameter(name.replace("bias", "weight"))
    rows, columns = weight.shape
    if params.initial == "torch":
        return float((params.units if name.startswith("lstm") else columns) ** -0.5)
    if "bias" in name:
        return 0.0
    # Of the LSTM, the gates' weights of inputs and states are one matrix.
    inputs = model.inner.in_features + params.units if name.startswith("lstm") else columns
    return float((6 / (rows + inputs)) ** 0.5)


class _Trainer:
    """A network in training on the windows of one part."""

    def __init__(self, task: LearningTask, train: LabelledWindows, params: ClassifierParams, seed: int) -> None:
        self.loss, self.params = task.loss, params
        self.windows = torch.from_numpy(train.windows)
        self.label = torch.from_numpy(train.label.astype(np.float32))
        self.random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed])))
        self.model = initial(train.windows.shape[2], params, self.random)
        learned = [value for value in self.model.parameters() if value.requires_grad]
        self.optimiser = AdamW(learned, params.learning_rate, weight_decay=0.0)

    def train_epoch(self) -> None:
        """One pass in random order, in steps of one size."""
        order = torch.from_numpy(self.random.permutation(len(self.label)))
        windows, label = self.windows[order], self.label[order]
        size = min(self.params.batch, len(label))
        self.model.train()
        for start in range(0, len(label), size):
            first = min(start, len(label) - size)
            self._step(windows[first : first + size], label[first : first + size])

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of the weights by name."""
        return {name: value.detach().numpy().copy() for name, value in self.model.state_dict().items()}

    def _step(self, windows: torch.Tensor, label: torch.Tensor) -> None:
        output = self.model.output
        loss = self.loss.of(label, self.model(windows)).mean()
        loss = loss + self.params.output_penalty / 2 * (output.weight.square().sum() + output.bias.square().sum())
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()


@torch.no_grad()
def _apply(model: AttentionLstm, windows: Tensor) -> Floats:
    model.eval()
    parts = []
    for start in range(0, len(windows), INFERENCE_BATCH):
        some = windows[start : start + INFERENCE_BATCH]
        parts.append(model(pad_batch(some, INFERENCE_BATCH)).numpy()[: len(some)].astype(np.float64))
    return np.concatenate(parts) if parts else np.empty(0)
