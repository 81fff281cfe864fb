"""What lessons on widths and members make of forecasts: wider or narrower, more of one member, or the naive one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.prediction.forecast_limits import MEDIAN
from pipeline.prediction.lessons import Traits, is_left_alone
from pipeline.prediction.traits import split_slice

Floats = NDArray[np.float64]
WEIGHT = "weight "
MILDEST = ("width", WEIGHT, "exclusion")
"""Of the lessons on a forecast one counts, in whose control arm it may be: the first of these kinds, and of one kind
the most particular. The naive forecast stands where nothing milder helps."""
PARTICULAR = ("pair", "ticker", "sector", "trait", "all")


@dataclass(frozen=True)
class Remedy:
    """A lesson that acts on one forecast."""

    ticker: int
    horizon: int
    kind: str
    size: float
    insight_id: str


def choose_remedies(
    slice_lessons: pl.DataFrame,
    tickers: Sequence[str],
    sectors: Sequence[str],
    horizons: Sequence[int],
    traits: Traits,
    made: date,
) -> list[Remedy]:
    """Return which lessons of the latest session at hand act on which forecasts.

    Args:
        slice_lessons: rows of one or more sessions.
        tickers: n of them.
        sectors: [n].
        horizons: sessions ahead.
        traits: [n][horizons] what each forecast is like.
        made: the session of the forecasts.
    """
    latest = slice_lessons.filter((pl.col("session") == pl.col("session").max()) & pl.col("active"))
    rows = sorted(latest.to_dicts(), key=_rank)
    chosen = []
    for k, horizon in enumerate(horizons):
        mine = [row for row in rows if row["horizon"] == horizon]
        for n, (ticker, sector) in enumerate(zip(tickers, sectors, strict=True) if mine else ()):
            own = {f"ticker:{ticker}", f"sector:{sector}", *traits[n][k]}
            first = next((row for row in mine if own.issuperset(split_slice(row["scope"], row["slice"]))), None)
            if first is not None and not is_left_alone(first, ticker, made):
                chosen.append(Remedy(n, k, first["kind"], first["size"], first["insight_id"]))
    return chosen


def _rank(row: Mapping[str, Any]) -> tuple[int, int, float, str, str]:
    kind = WEIGHT if row["kind"].startswith(WEIGHT) else row["kind"]
    size = abs(float(np.log(row["size"])))
    return MILDEST.index(kind), PARTICULAR.index(row["scope"]), -size, row["slice"], row["kind"]


def blend(combined: Floats, members: Mapping[str, Floats], remedies: Sequence[Remedy]) -> Floats:
    """Return the combined quantiles [n, horizons, quantiles] with more of the members that lessons prefer.

    A member that the model does not have gives nothing.
    """
    blended = combined.copy()
    for one in remedies:
        if one.kind.startswith(WEIGHT) and (member := members.get(one.kind.removeprefix(WEIGHT))) is not None:
            at = one.ticker, one.horizon
            blended[at] = (1 - one.size) * combined[at] + one.size * member[at]
    return blended


def finish(corrected: Floats, members: Mapping[str, Floats], remedies: Sequence[Remedy]) -> Floats:
    """Return the corrected quantiles as lessons on widths have them, and the naive ones where they are excluded."""
    finished = corrected.copy()
    for one in remedies:
        at = one.ticker, one.horizon
        if one.kind == "width":
            middle = corrected[at][MEDIAN]
            finished[at] = middle + (corrected[at] - middle) * one.size
        elif one.kind == "exclusion":
            finished[at] = members["naive"][at]
    return finished
