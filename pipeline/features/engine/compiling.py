"""Compiles loops over arrays to machine code, with the arithmetic as it is written: bits depend on nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(function: Loop) -> Loop:
    """Compile a function of arrays and numbers when it is first called.

    Sums are not reordered and products not fused; a division by zero gives what IEEE 754 says. The machine code is kept
    beside the source, or in the user's cache; where neither can be written, as in a fenced service, each process
    compiles anew. Other threads run meanwhile.
    """
    try:
        made = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # no place to keep it
        made = numba.njit(nogil=True, error_model="numpy")(function)
    return cast(Loop, made)
