"""The values of features at one session, in single precision, with nothing in them that is not known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.features.feature import Feature
from pipeline.features.panel import Floats
from pipeline.features.trailing_window import View


def evaluate(view: View, features: Sequence[Feature]) -> npt.NDArray[np.float32]:
    """Every feature of every ticker that gets a row: [tickers with a row, features], NaN where it cannot be known.

    Computed in double precision and stored in single; what overflows or divides by zero is not known.

    Raises:
        ValueError: naming the feature whose kernel fails or gives something else than one number a ticker.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        columns = [_values(view, feature)[view.has_row] for feature in features]
        values = np.stack(columns, axis=1).astype(np.float32)
    values[~np.isfinite(values)] = np.nan
    return values + np.float32(0)  # turns -0 into 0, so that equal values have equal bits


def _values(view: View, feature: Feature) -> Floats:
    try:
        values = view.compute_once(feature.name, feature.kernel)  # type: ignore[arg-type]  # expressions stand apart
    except Exception as error:  # a kernel may be an operator's own code, which can raise anything
        raise ValueError(
            f"feature {feature.name!r} fails at {view.session}: {type(error).__name__}: {error}"
        ) from error
    if np.shape(values) != view.has_row.shape:
        raise ValueError(
            f"feature {feature.name!r} gives an array of shape {np.shape(values)} at {view.session}; "
            f"give one number for each of the {len(view.has_row)} tickers"
        )
    return values
