"""Student's t without a library for it: p-values and quantiles by Wallace's (1959) normal deviate."""

from __future__ import annotations

from math import expm1, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NORMAL = NormalDist()


def normal_deviate(t: Any, freedom: Any) -> Any:
    """z = (8 f + 1) / (8 f + 3) sqrt(f ln(1 + t^2 / f)): as far out in a normal distribution as t is in Student's.

    The absolute error of a p-value from it is below 0.004 from 2 degrees of freedom on.
    """
    return (8 * freedom + 1) / (8 * freedom + 3) * np.sqrt(freedom * np.log1p(t * t / freedom))


def two_sided_p(t: float, freedom: float) -> float:
    """The probability of a value as far out on either side."""
    return 2 * NORMAL.cdf(-float(normal_deviate(t, freedom)))


def quantile(probability: float, freedom: float) -> float:
    """The quantile above the middle: the transformation turned round, with the same error."""
    z = NORMAL.inv_cdf(probability) * (8 * freedom + 3) / (8 * freedom + 1)
    return sqrt(freedom * expm1(z * z / freedom))
