"""What each input adds to the location of earlier programs' networks: gradients along a path (imports torch: late).

Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML (2017).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from pipeline.models.members.lstm_network import INFERENCE_BATCH, QuantileLstm, build, exact_arithmetic, pad_batch
from pipeline.models.members.member import Arrays, Floats
from pipeline.models.scaling import MAX_DEVIATIONS

PATH_STEPS = 32
"""Steps of the path along which gradients are integrated."""
PATH_WINDOWS = INFERENCE_BATCH // PATH_STEPS
"""Windows whose paths make a batch."""


def explain(weights: Arrays, windows: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
    """What each input adds to the trusted location, and what that is at average inputs: [n, H, F], [n, H].

    Midpoints of `PATH_STEPS` steps; batches of one shape, each of all steps of a few windows.
    """
    trust = weights["location_trust"].astype(np.float64)
    scaled = np.clip((windows - weights["mean"]) / weights["std"], -MAX_DEVIATIONS, MAX_DEVIATIONS).astype(np.float32)
    plain = {**weights, "mean": np.zeros_like(weights["mean"]), "std": np.ones_like(weights["std"])}
    with exact_arithmetic():
        model = build(plain)
        level = model(pad_batch(np.zeros((1, *scaled.shape[1:]), np.float32)))[0][0].detach().double().numpy()
        starts = range(0, len(scaled), PATH_WINDOWS)
        parts = [_add_along_paths(model, scaled[start : start + PATH_WINDOWS]) for start in starts]
    inputs = np.concatenate(parts) if parts else np.empty((0, len(trust), scaled.shape[2]))
    return inputs * trust[None, :, None], np.tile(level * trust, (len(scaled), 1))


def _add_along_paths(model: QuantileLstm, scaled: npt.NDArray[np.float32]) -> Floats:
    """What each input of at most `PATH_WINDOWS` windows adds: [n, H, I]."""
    whole, shares = pad_batch(scaled, PATH_WINDOWS), (torch.arange(PATH_STEPS) + 0.5) / PATH_STEPS
    at = (whole[:, None] * shares[:, None, None]).flatten(0, 1).requires_grad_()
    located = model(at)[0]
    added = []
    for horizon in range(model.horizons):
        (gradient,) = torch.autograd.grad(located[:, horizon].sum(), at, retain_graph=True)
        slope = gradient.view(PATH_WINDOWS, PATH_STEPS, *whole.shape[1:]).double().mean(dim=1)
        added.append((slope * whole.double()).sum(dim=1)[: len(scaled)])
    return torch.stack(added, dim=1).numpy()
