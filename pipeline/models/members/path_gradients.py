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
PATH_WINDOWS = INFERENCE_BATCH // PATH_STEPS
"""Windows whose paths make a batch."""


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

    The second value is the location at inputs of 0. Midpoints of `PATH_STEPS` steps; batches of one shape, each of all
    steps of a few windows.
    """
    nothing = pad_batch(np.zeros((1, *scaled.shape[1:]), np.float32))
    level = locate(nothing)[0].detach().double().numpy()
    starts = range(0, len(scaled), PATH_WINDOWS)
    parts = [_add_along_paths(locate, scaled[start : start + PATH_WINDOWS], len(level)) for start in starts]
    every = np.concatenate(parts) if parts else np.empty((0, len(level), scaled.shape[2]))
    return every, np.tile(level, (len(scaled), 1))


def _add_along_paths(
    locate: Callable[[torch.Tensor], torch.Tensor], scaled: npt.NDArray[np.float32], horizons: int
) -> Floats:
    """What each input of at most `PATH_WINDOWS` windows adds: [n, H, I]."""
    whole, shares = pad_batch(scaled, PATH_WINDOWS), (torch.arange(PATH_STEPS) + 0.5) / PATH_STEPS
    at = (whole[:, None] * shares[:, None, None]).flatten(0, 1).requires_grad_()
    located = locate(at)
    added = []
    for horizon in range(horizons):
        (gradient,) = torch.autograd.grad(located[:, horizon].sum(), at, retain_graph=True)
        slope = gradient.view(PATH_WINDOWS, PATH_STEPS, *whole.shape[1:]).double().mean(dim=1)
        added.append((slope * whole.double()).sum(dim=1)[: len(scaled)])
    return torch.stack(added, dim=1).numpy()
