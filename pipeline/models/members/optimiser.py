"""The optimiser of the networks, and their weights as a state keeps them (imports torch: import it late).

AdamW: Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR (2019).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from pipeline.models.jobs.checkpoints import State
from pipeline.models.members.member import Arrays

MODEL = "model."
"""Begins the names of a network's arrays in a state that is kept."""


class AdamW:
    """Adam with decoupled weight decay, step by step as in its paper; torch's own loads a compiler for two seconds."""

    BETAS = (0.9, 0.999)
    EPSILON = 1e-8

    def __init__(self, parameters: list[nn.Parameter], learning_rate: float, weight_decay: float) -> None:
        self.parameters, self.learning_rate, self.weight_decay = parameters, learning_rate, weight_decay
        self.steps = 0
        self.first = [torch.zeros_like(value) for value in parameters]
        self.second = [torch.zeros_like(value) for value in parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter along its gradient."""
        self.steps += 1
        fast, slow = self.BETAS
        rate = self.learning_rate / (1 - fast**self.steps)
        unbias = (1 - slow**self.steps) ** -0.5
        for value, first, second in zip(self.parameters, self.first, self.second, strict=True):
            gradient = value.grad
            assert gradient is not None, "step follows backward, which gives every parameter its gradient"
            first.mul_(fast).add_(gradient, alpha=1 - fast)
            second.mul_(slow).addcmul_(gradient, gradient, value=1 - slow)
            value.mul_(1 - self.learning_rate * self.weight_decay)
            value.addcdiv_(first, second.sqrt().mul_(unbias).add_(self.EPSILON), value=-rate)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Both moments of each parameter, by place."""
        kept = (("first", self.first), ("second", self.second))
        return {f"{name}.{at}": value.numpy().copy() for name, own in kept for at, value in enumerate(own)}

    def restore(self, state: State) -> None:
        """Stand where it stood."""
        self.steps = state.facts["steps"]
        for name, own in (("first", self.first), ("second", self.second)):
            for at, value in enumerate(own):
                value.copy_(torch.from_numpy(state.arrays[f"{name}.{at}"]))


def copy_weights(model: nn.Module) -> dict[str, npt.NDArray[Any]]:
    """A copy of a network's weights and buffers, as a state keeps them."""
    return {MODEL + name: value.detach().numpy().copy() for name, value in model.state_dict().items()}


def load_weights(model: nn.Module, weights: Arrays) -> None:
    """Give a network these weights and buffers."""
    # Copied: bytes from the registry are read-only, and torch may not write through them.
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
