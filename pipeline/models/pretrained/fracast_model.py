"""Forecasts by a pretrained model, whose weights come with its package: it learned from other series alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.models.pretrained import PretrainedModelError

Floats = npt.NDArray[np.float64]
NAME = "Fracast-0"
EXTRA = "zero-shot"
CONTEXT = 512
"""Sessions of each name's path that it sees: two years; it takes up to 2,048, and time grows with them."""
MIN_CONTEXT = 64
"""Sessions below which a path says too little."""
MAX_HORIZON = 48
"""Sessions that it forecasts at once; beyond them it would go on from its own medians."""
LEVELS = (0.1, 0.5, 0.9)
"""Probabilities of the quantiles that are taken: those that the lake's own forecasts state as well."""


def forecast_zero_shot(paths: Floats, horizons: Sequence[int]) -> Floats:
    """Return quantiles of the total return from the end of each path: [n, H, 3] at `LEVELS`, never decreasing.

    Each path is forecast by itself and in logarithms; one thread computes, so that bits do not depend on their number.

    Args:
        paths: [n, T] log of a value that is fully reinvested, the last column now; NaN where it was not known yet.
        horizons: sessions ahead.

    Raises:
        PretrainedModelError: if the package is not installed, or a horizon is beyond `MAX_HORIZON`.
    """
    import torch

    if beyond := [one for one in horizons if one > MAX_HORIZON]:
        raise PretrainedModelError(f"{NAME} forecasts {MAX_HORIZON} sessions, and {beyond[0]} were asked for")
    model, threads = _load(), torch.get_num_threads()
    at = [int(np.argmin(np.abs(np.asarray(model.quantiles) - level))) for level in LEVELS]
    start = paths[:, -1:]
    try:
        torch.set_num_threads(1)
        told = model.forecast((paths - start).astype(np.float32)).astype(np.float64)  # [n, 48, 9], from 0 on
    finally:
        torch.set_num_threads(threads)
    chosen = np.sort(told[:, [one - 1 for one in horizons]][:, :, at], axis=2)
    returns: Floats = np.expm1(chosen)
    return returns


@cache
def _load() -> Any:
    """The model, with the weights of its package: nothing is fetched from anywhere."""
    try:
        from fracast import FracastModel
    except ImportError as error:
        raise PretrainedModelError(
            f"forecasts by {NAME} need the extra `{EXTRA}` ({error.name} is missing):"
            f" pip install 'nextgen-trading[{EXTRA}]'"
        ) from None
    return FracastModel.from_pretrained(weights="fp32")
