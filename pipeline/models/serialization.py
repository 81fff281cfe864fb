"""Fitted parameters as bytes: safetensors only, so that opening a model can never run code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_BYTES = 64 * 2**20
"""Bytes; a member is some 60 kB, so what is larger is no model of ours."""


class WeightsError(ValueError):
    """Stored weights that must not be used."""


def encode(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Serialise arrays by name; equal arrays give equal bytes, in whatever order they come.

    Raises:
        WeightsError: if a value is not finite.
    """
    from safetensors.numpy import save

    for name, values in sorted(arrays.items()):
        if not np.isfinite(values).all():
            raise WeightsError(f"{int((~np.isfinite(values)).sum())} values of {name!r} are not finite; refit")
    encoded: bytes = save({name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)})
    return encoded


def decode(content: bytes, sha256: str, owner: str) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays by name, after checking that the bytes are the ones that were registered.

    Raises:
        WeightsError: naming the owner, if the bytes are too many, altered, or not safetensors of finite numbers.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if len(content) > MAX_BYTES:
        raise WeightsError(f"{owner}: {len(content)} bytes of weights exceed {MAX_BYTES}; restore the lake or retrain")
    if (found := digest(content)) != sha256:
        raise WeightsError(
            f"{owner}: weights hash to {found[:12]}, registered was {sha256[:12]}; restore the lake or retrain"
        )
    try:
        arrays: dict[str, npt.NDArray[Any]] = load(content)
    except (SafetensorError, KeyError, ValueError) as error:
        raise WeightsError(f"{owner}: weights are not safetensors ({error}); retrain") from error
    for name, values in arrays.items():
        if values.dtype not in (np.float32, np.float64) or not np.isfinite(values).all():
            raise WeightsError(f"{owner}: {name!r} holds {values.dtype} that are not all finite; retrain")
    return arrays


def digest(content: bytes) -> str:
    """sha256 of the bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
