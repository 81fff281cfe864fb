"""What each input adds to a network's location: gradients along a path from average inputs (imports torch: late).

Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML (2017).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from pipeline.models.members.lstm_network import INFERENCE_BATCH, build, exact_arithmetic, pad_batch
from pipeline.models.members.member import Arrays, Floats
from pipeline.models.scaling import MAX_DEVIATIONS

PATH_STEPS = 32
"""Steps of the path along which gradients are integrated."""


def explain(weights: Arrays, windows: npt.NDArray[np.float32]) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """What each input adds to the trusted location, and what that is at average inputs: [n, H, F], [n, H].

    The third value, [F], says whether the network has any say in where a return lies; one whose location was never
    trained has none.
    """
    trust = weights["location_trust"].astype(np.float64)
    count, horizons, features = len(windows), len(trust), windows.shape[2]
    if not (trust.any() and weights["location.weight"].any()):
        return np.zeros((count, horizons, features)), np.zeros((count, horizons)), np.zeros(features, dtype=bool)
    scaled = np.clip((windows - weights["mean"]) / weights["std"], -MAX_DEVIATIONS, MAX_DEVIATIONS).astype(np.float32)
    plain = {**weights, "mean": np.zeros_like(weights["mean"]), "std": np.ones_like(weights["std"])}
    with exact_arithmetic():
        model = build(plain)
        inputs, level = integrate_gradients(lambda windows: model(windows)[0], scaled)
    return inputs * trust[None, :, None], level * trust, np.ones(features, dtype=bool)


def integrate_gradients(
    locate: Callable[[torch.Tensor], torch.Tensor], scaled: npt.NDArray[np.float32]
) -> tuple[Floats, Floats]:
    """Integrated gradients of locations along the straight path from inputs of 0: [n, length, I] -> [n, H, I], [n, H].

    The second value is the location at inputs of 0. Midpoints of `PATH_STEPS` steps; batches of one shape.
    """
    parts, levels = [], []
    for start in range(0, len(scaled), INFERENCE_BATCH):
        batch = scaled[start : start + INFERENCE_BATCH]
        whole, base = pad_batch(batch), locate(pad_batch(np.zeros_like(batch))).detach()
        total = torch.zeros((base.shape[1], *whole.shape), dtype=torch.float64)
        for step in range(PATH_STEPS):
            at = (whole * ((step + 0.5) / PATH_STEPS)).requires_grad_()
            located = locate(at)
            for horizon in range(base.shape[1]):
                (gradient,) = torch.autograd.grad(located[:, horizon].sum(), at, retain_graph=True)
                total[horizon] += gradient.double() / PATH_STEPS
        added = (total * whole.double()).sum(dim=2)[:, : len(batch)]
        parts.append(added.numpy().swapaxes(0, 1))
        levels.append(base.numpy()[: len(batch)].astype(np.float64))
    return np.concatenate(parts), np.concatenate(levels)
