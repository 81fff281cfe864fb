"""The arrays of the location's networks: what each is called, and the shape it has (needs no torch)."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from pipeline.models.members.member import Arrays

SHARED = ("inputs", "mean", "std")
"""The arrays that all networks of a member have in common."""
HEAD = "head.weight"


def count_networks(arrays: Arrays) -> int:
    """How many networks the arrays hold."""
    return sum(name.endswith(f".{HEAD}") for name in arrays)


def take_apart(arrays: Arrays) -> list[dict[str, npt.NDArray[Any]]]:
    """The arrays of each network."""
    return [
        {name.removeprefix(f"{number}."): value for name, value in arrays.items() if name.startswith(f"{number}.")}
        for number in range(count_networks(arrays))
    ]


def list_shapes(arrays: Arrays, horizons: int) -> dict[str, tuple[int, ...]]:
    """Array name -> the shape it must have; inputs, hidden units and the number of networks are read off the arrays."""
    inputs = len(arrays["inputs"]) if "inputs" in arrays else 0
    hidden = arrays[f"0.{HEAD}"].shape[-1] if f"0.{HEAD}" in arrays else 0
    shapes: dict[str, tuple[int, ...]] = {**dict.fromkeys(SHARED, (inputs,)), "sessions": (1,)}
    own = {
        "embed.weight": (hidden, inputs),
        "embed.bias": (hidden,),
        "lstm.weight_ih_l0": (4 * hidden, hidden),
        "lstm.weight_hh_l0": (4 * hidden, hidden),
        "lstm.bias_ih_l0": (4 * hidden,),
        "lstm.bias_hh_l0": (4 * hidden,),
        "mix.weight": (hidden, 2 * hidden),
        "mix.bias": (hidden,),
        HEAD: (horizons, hidden),
    }
    for number in range(max(count_networks(arrays), 1)):
        shapes |= {f"{number}.{name}": shape for name, shape in own.items()}
    return shapes
