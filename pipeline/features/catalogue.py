"""The feature library: how each feature of the catalogue is computed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from lake.tables.features import FEATURES
from pipeline.features.families import context, events, risk, trend
from pipeline.features.families.trend import Kernel
from pipeline.features.trailing_window import View

FAMILIES: Mapping[str, Mapping[str, Kernel]] = {
    "returns": trend.RETURNS,
    "trend": trend.TREND,
    "oscillators": trend.OSCILLATORS,
    "volatility": risk.VOLATILITY,
    "volume": risk.VOLUME,
    "range": risk.RANGE,
    "rank": context.RANK,
    "market": context.MARKET,
    "calendar": events.CALENDAR,
    "sentiment": events.SENTIMENT,
}


def check_library(families: Mapping[str, Mapping[str, Kernel]], catalogue: Mapping[str, str]) -> dict[str, Kernel]:
    """The functions in the order of the catalogue (name -> family).

    Raises:
        TypeError: if a feature is computed but not in the catalogue, or the other way round, or in another family.
    """
    computed = {name: family for family, kernels in families.items() for name in kernels}
    if strays := sorted(set(computed.items()) ^ set(catalogue.items())):
        name, family = strays[0]
        raise TypeError(
            f"{len(strays)} features differ between library and catalogue, the first is {name!r} in {family!r}; "
            "list each in lake/tables/features.py and compute it in pipeline/features/families"
        )
    return {name: families[family][name] for name, family in catalogue.items()}


LIBRARY = check_library(FAMILIES, {feature.name: feature.family for feature in FEATURES})


def evaluate(view: View) -> npt.NDArray[np.float32]:
    """Every feature of every ticker that gets a row: [tickers asked, features], NaN where it cannot be known.

    Computed in double precision and stored in single; what overflows or divides by zero is not known.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        columns = [view.kept(name, kernel)[view.asked] for name, kernel in LIBRARY.items()]
        values = np.stack(columns, axis=1).astype(np.float32)
    values[~np.isfinite(values)] = np.nan
    return values + np.float32(0)  # turns -0 into 0, so that equal values have equal bits
